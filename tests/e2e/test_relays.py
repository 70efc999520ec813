"""Every engine and stream that a relay knows, with its real worker and its real broker: nothing is lost, whoever is
killed."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lab.processes import Process, free_port

from hookcatch import Hookcatch
from hookcatch.core.ports import Query
from support.brokers import (
    KAFKA,
    NATS_URL,
    RABBITMQ_URL,
    REDIS_URL,
    TANSU,
    TANSU_SERVER,
    MockKafka,
    Tansu,
    clean_nats,
    clean_nothing,
    clean_rabbitmq,
    clean_redis,
)
from support.databases import NATS, POSTGRES, RABBITMQ, REDIS, Service
from support.edges import post, wsgi_app
from support.sqs import SERVER as SQS_SERVER
from support.sqs import SQS, SQS_URL, clean_sqs

TESTS = Path(__file__).parents[1]

CELERY = (
    "-m",
    "celery",
    "-A",
    "support.relayed:engine",
    "worker",
    "-c",
    "2",
    "--without-mingle",
    "--without-gossip",
)


@dataclass(frozen=True)
class Way:
    """An engine or a stream on a broker: what its worker is called with, how many events are many for it, where the
    broker is if that is not always the same, and what has to be there."""

    engine: str
    broker: str
    worker: tuple[str, ...]
    service: Service | MockKafka | Tansu
    clean: Callable[[str], None]
    many: int = 60
    place: Callable[[], AbstractContextManager[str]] = lambda: nullcontext("")
    prepare: Callable[[Stage], None] = lambda stage: None


PROCRASTINATE = ("-m", "procrastinate", "--app", "support.relayed.engine")
CONSUME = ("-m", "hookcatch", "consume", "support.relayed:hooks", "--concurrency", "2")


def on_redis(engine: str, *worker: str, many: int = 60) -> Way:
    return Way(engine, REDIS_URL, worker, REDIS, clean_redis, many)


WAYS = {
    "celery-redis": on_redis("celery", *CELERY),
    "celery-rabbitmq": Way("celery", RABBITMQ_URL, CELERY, RABBITMQ, clean_rabbitmq),
    "dramatiq-redis": on_redis("dramatiq", "-m", "dramatiq", "support.relayed:engine", "-p", "1", "-t", "2"),
    "procrastinate": Way(
        "procrastinate",
        "",
        (*PROCRASTINATE, "worker", "--concurrency", "2"),
        POSTGRES,
        clean_nothing,
        place=lambda: jobs(),
        prepare=lambda stage: stage.run(*PROCRASTINATE, "schema", "--apply"),
    ),
    "taskiq-redis": on_redis(
        "taskiq", "-m", "taskiq", "worker", "support.relayed:engine", "-w", "1", "--max-async-tasks", "2"
    ),
    "rq": on_redis(
        "rq", "-m", "rq.cli", "worker", "--config", "support.relayed", "--url", REDIS_URL, "{queue}", many=30
    ),
    "saq-redis": on_redis("saq", "-m", "saq", "support.relayed.settings"),
    "huey-redis": on_redis("huey", "-m", "huey.bin.huey_consumer", "support.relayed.engine", "-w", "2"),
    "kafka-mock": Way(
        "kafka",
        "",
        CONSUME,
        KAFKA,
        clean_nothing,
        place=lambda: nullcontext(KAFKA.servers),
        prepare=lambda stage: KAFKA.make(stage.queue),
    ),
    "kafka-tansu": Way("kafka", "", CONSUME, TANSU, clean_nothing, place=TANSU.running),
    "nats": Way("nats", NATS_URL, CONSUME, NATS, clean_nats),
    "rabbitmq": Way("rabbitmq", RABBITMQ_URL, CONSUME, RABBITMQ, clean_rabbitmq),
    "redis": on_redis("redis", *CONSUME),
    "sqs": Way("sqs", SQS_URL, CONSUME, SQS, clean_sqs),
}


@dataclass
class Stage:
    """The processes around one inbox, and what their handlers wrote down."""

    folder: Path
    way: Way
    broker: str = ""
    started: list[Process] = field(default_factory=list)
    queue: str = field(default_factory=lambda: f"hookcatch_test_{uuid.uuid4().hex}")

    def __post_init__(self) -> None:
        self.hooks = Hookcatch(f"sqlite:///{self.folder}/inbox.db?disk_floor=0&ballast=0", worker=False)
        self.hooks.source("shop", "standard_webhooks", "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        self.edge = wsgi_app(self.hooks)

    @property
    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
            "RELAYED": str(self.folder),
            "RELAYED_ENGINE": self.way.engine,
            "RELAYED_BROKER": self.broker or self.way.broker,
            "RELAYED_QUEUE": self.queue,
        }

    def run(self, *argv: str) -> None:
        subprocess.run([sys.executable, *argv], env=self.environ, check=True, capture_output=True)

    def start(self, *argv: str) -> Process:
        process = Process([sys.executable, *argv], self.environ, self.folder / f"{len(self.started)}.log")
        process.start()
        self.started.append(process)
        return process

    def relay(self) -> Process:
        return self.start("-m", "hookcatch", "worker", "support.relayed:hooks")

    def engine(self) -> Process:
        return self.start(*(word.format(queue=self.queue) for word in self.way.worker))

    def send(self, type: str, ids: Sequence[str]) -> None:
        """Deliver events, signed, until each is acknowledged."""
        for one in ids:
            answer = post(self.edge, self.hooks.sources["shop"].sign(type, {"a": 1}, id=one))
            assert answer.status == 200

    def ledger(self, of: Sequence[str]) -> list[tuple[str, str, str, str]]:
        """Id, handler, attempt and process of every run of these."""
        written = self.folder / "ledger"
        lines = written.read_text().splitlines() if written.exists() else []
        return [(name, *rest) for name, *rest in map(str.split, lines) if name in of]  # type: ignore[misc]

    def states(self, of: Sequence[str]) -> Counter[str]:
        return Counter(event.state for event in self.hooks.inbox().find(Query(limit=1000)) if event.id in of)

    def wait(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"{what}: {self.logs()}"
            time.sleep(0.05)

    def wait_for_the_end(self, of: Sequence[str]) -> None:
        self.wait(lambda: self.states(of)["succeeded"] == len(of), f"{len(of)} events succeed")

    def logs(self) -> str:
        return "\n".join(one.log.read_text()[-2000:] for one in self.started)

    def close(self) -> None:
        for process in self.started:
            process.kill()
        self.edge.close()
        self.way.clean(self.queue)


@pytest.fixture(params=WAYS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    way = WAYS[request.param]
    way.service.need()
    with way.place() as broker:
        made = Stage(tmp_path, way, broker)
        way.prepare(made)
        yield made
        made.close()


@contextmanager
def jobs() -> Iterator[str]:
    """A database for Procrastinate's tables."""
    name = f"hookcatch_jobs_{uuid.uuid4().hex}"
    POSTGRES.say(POSTGRES.home, f"CREATE DATABASE {name}")
    try:
        yield POSTGRES.url(name)
    finally:
        POSTGRES.say(POSTGRES.home, f"DROP DATABASE {name} WITH (FORCE)")


def names(word: str, number: int) -> list[str]:
    return [f"{word}_{n:03}" for n in range(number)]


def test_the_handlers_run_where_the_engine_works_and_whoever_kills_it_loses_nothing(stage: Stage):
    """One story, for the processes are most of what it costs."""
    relay, engine = stage.relay(), stage.engine()
    the_engines_workers_run_the_handlers_of_either_colour_once(stage, relay)
    assert engine.is_alive()
    what_a_handler_raises_is_tried_again_by_us(stage)
    another = an_engine_that_is_killed_in_the_middle_loses_nothing(stage, engine)
    if stage.way.worker == CONSUME:
        a_stop_ends_what_is_ours_in_peace([relay, another])


def the_engines_workers_run_the_handlers_of_either_colour_once(stage: Stage, relay: Process):
    plain = names("plain", stage.way.many // 3)
    stage.send("order.created", plain)
    stage.send("order.paid", ["paid"])
    stage.send("order.unheard", ["unheard"])
    stage.wait_for_the_end([*plain, "paid"])
    stage.wait(lambda: stage.states(["unheard"]) == {"ignored": 1}, "what nobody hears ends")
    ran = stage.ledger([*plain, "paid"])
    assert sorted(name for name, *_ in ran) == sorted([*plain, "paid"])
    assert {attempt for _, _, attempt, _ in ran} == {"1"}
    assert str(relay.pid) not in {pid for *_, pid in ran}


def what_a_handler_raises_is_tried_again_by_us(stage: Stage):
    stage.send("order.failing", ["failing"])
    stage.wait_for_the_end(["failing"])
    assert [attempt for _, _, attempt, _ in stage.ledger(["failing"])] == ["1", "2"]


def an_engine_that_is_killed_in_the_middle_loses_nothing(stage: Stage, engine: Process) -> Process:
    sent = names("killed", stage.way.many)
    stage.send("order.created", sent)
    stage.wait(lambda: len(stage.ledger(sent)) >= 10, "some are done")
    engine.kill()
    another = stage.engine()
    stage.wait_for_the_end(sent)
    ran = Counter(name for name, *_ in stage.ledger(sent))
    assert set(ran) == set(sent)
    # two were in work when it was killed; each may have written its line without having said so
    assert sum(ran.values()) <= len(sent) + 2
    return another


def a_stop_ends_what_is_ours_in_peace(processes: Sequence[Process]):
    for one in processes:
        asyncio.run(one.stop())
        said = one.log.read_text()
        assert "stopping: what runs gets 25 s to end" in said
        assert not [bad for bad in ("Traceback", "destroyed", "never retrieved", "ERROR") if bad in said], (
            said
        )


@pytest.mark.parametrize("stage", ["celery-redis"], indirect=True)  # the engine has no part in it
def test_a_relay_that_is_killed_in_the_middle_loses_nothing(stage: Stage):
    sent = names("evt", 60)
    stage.send("order.created", sent)
    relay = stage.relay()
    stage.engine()
    stage.wait(lambda: len(stage.ledger(sent)) >= 5, "some are done")
    relay.kill()
    stage.relay()
    stage.wait_for_the_end(sent)
    assert Counter(name for name, *_ in stage.ledger(sent)) == Counter(sent)


REDIS_SERVER = ("redis-server", "--port", "{port}", "--save", "", "--appendonly", "no", "--dir", "{folder}")
NATS_SERVER = (
    "nats-server",
    "--addr",
    "127.0.0.1",
    "--port",
    "{port}",
    "--jetstream",
    "--store_dir",
    "{folder}",
)


@pytest.mark.parametrize(
    ("way", "url", "server"),
    [
        ("celery-redis", "redis://127.0.0.1:{port}/0", REDIS_SERVER),
        ("nats", "nats://127.0.0.1:{port}", NATS_SERVER),
        ("kafka-tansu", "127.0.0.1:{port}", TANSU_SERVER),
        ("sqs", "http://127.0.0.1:{port}", SQS_SERVER),
    ],
)
def test_while_the_broker_is_down_events_wait_and_lose_no_attempt(
    tmp_path: Path, way: str, url: str, server: Sequence[str]
):
    if shutil.which(server[0]) is None:
        pytest.skip(f"needs {server[0]}, to stop it")
    port, sent = free_port(), names("evt", 5)
    stage = Stage(tmp_path, WAYS[way], url.format(port=port))
    try:
        stage.relay(), stage.engine()
        stage.send("order.created", sent)
        stage.wait(lambda: "cannot be handed over" in stage.logs(), "the relay says so")
        assert {(one.state, one.attempt, one.lost) for one in stage.hooks.inbox().find(Query())} <= {
            ("pending", 0, 0),
            ("running", 1, 0),  # tried just now
        }
        argv = [word.format(port=port, folder=tmp_path) for word in server]
        broker = Process(argv, dict(os.environ), tmp_path / "broker.log")
        broker.start()
        stage.started.append(broker)
        stage.wait_for_the_end(sent)
        assert Counter(name for name, *_ in stage.ledger(sent)) == Counter(sent)
    finally:
        stage.close()
