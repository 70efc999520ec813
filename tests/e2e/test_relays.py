"""Every engine that a relay knows, with its real worker and its real broker: nothing is lost, whoever is killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lab.processes import Process, free_port

from hookcatch import Hookcatch
from hookcatch.core.ports import Query
from support.databases import POSTGRES, RABBITMQ, REDIS, Service
from support.edges import post, wsgi_app

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
    """An engine on a broker: what its worker is called with."""

    engine: str
    broker: str
    worker: tuple[str, ...]
    service: Service


PROCRASTINATE = ("-m", "procrastinate", "--app", "support.relayed.engine")

WAYS = {
    "celery-redis": Way("celery", "redis://127.0.0.1:6379/9", CELERY, REDIS),
    "celery-rabbitmq": Way("celery", "amqp://guest:guest@127.0.0.1:5672//", CELERY, RABBITMQ),
    "dramatiq-redis": Way(
        "dramatiq",
        "redis://127.0.0.1:6379/9",
        ("-m", "dramatiq", "support.relayed:engine", "-p", "1", "-t", "2"),
        REDIS,
    ),
    "procrastinate": Way("procrastinate", "", (*PROCRASTINATE, "worker", "--concurrency", "2"), POSTGRES),
    "taskiq-redis": Way(
        "taskiq",
        "redis://127.0.0.1:6379/9",
        ("-m", "taskiq", "worker", "support.relayed:engine", "-w", "1", "--max-async-tasks", "2"),
        REDIS,
    ),
}


@dataclass
class Stage:
    """The processes around one inbox, and what their handlers wrote down."""

    folder: Path
    way: Way
    broker: str = ""
    started: list[Process] = field(default_factory=list)
    queue: str = field(default_factory=lambda: f"hookcatch-test-{uuid.uuid4().hex}")

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
        return self.start(*self.way.worker)

    def send(self, type: str, ids: Sequence[str]) -> None:
        """Deliver events, signed, until each is acknowledged."""
        for one in ids:
            answer = post(self.edge, self.hooks.sources["shop"].sign(type, {"a": 1}, id=one))
            assert answer.status == 200

    def ledger(self) -> list[tuple[str, str, str, str]]:
        """Id, handler, attempt and process of every run."""
        written = self.folder / "ledger"
        lines = written.read_text().splitlines() if written.exists() else []
        return [tuple(line.split()) for line in lines]  # type: ignore[misc]

    def states(self) -> Counter[str]:
        return Counter(event.state for event in self.hooks.inbox().find(Query(limit=1000)))

    def wait(self, condition: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"{what}: {self.states()}; {self.logs()}"
            time.sleep(0.05)

    def wait_for_the_end(self, number: int) -> None:
        self.wait(lambda: self.states()["succeeded"] == number, f"{number} events succeed")

    def logs(self) -> str:
        return "\n".join(one.log.read_text()[-2000:] for one in self.started)

    def close(self) -> None:
        for process in self.started:
            process.kill()
        self.edge.close()


@pytest.fixture(params=WAYS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    way = WAYS[request.param]
    way.service.need()
    with jobs() if way.engine == "procrastinate" else nullcontext("") as broker:
        made = Stage(tmp_path, way, broker)
        if broker:
            made.run(*PROCRASTINATE, "schema", "--apply")
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


def names(number: int) -> list[str]:
    return [f"evt_{n:03}" for n in range(number)]


def test_the_engines_workers_run_the_handlers_of_either_colour_once(stage: Stage):
    relay, engine = stage.relay(), stage.engine()
    stage.send("order.created", names(20))
    stage.send("order.paid", ["paid"])
    stage.send("order.unheard", ["unheard"])
    stage.wait(lambda: stage.states() == {"succeeded": 21, "ignored": 1}, "all end")
    ran = stage.ledger()
    assert sorted(name for name, *_ in ran) == [*names(20), "paid"]
    assert {attempt for _, _, attempt, _ in ran} == {"1"}
    assert str(relay.pid) not in {pid for *_, pid in ran}
    assert engine.is_alive()


def test_what_a_handler_raises_is_tried_again_by_us(stage: Stage):
    stage.relay(), stage.engine()
    stage.send("order.failing", ["evt"])
    stage.wait_for_the_end(1)
    assert [(name, attempt) for name, _, attempt, _ in stage.ledger()] == [("evt", "1"), ("evt", "2")]


def test_an_engine_that_is_killed_in_the_middle_loses_nothing(stage: Stage):
    stage.relay()
    engine = stage.engine()
    stage.send("order.created", names(60))
    stage.wait(lambda: len(stage.ledger()) >= 10, "some are done")
    engine.kill()
    stage.engine()
    stage.wait_for_the_end(60)
    ran = Counter(name for name, *_ in stage.ledger())
    assert set(ran) == set(names(60))
    # two were in work when it was killed; each may have written its line without having said so
    assert sum(ran.values()) <= 62


@pytest.mark.parametrize("stage", ["celery-redis"], indirect=True)  # the engine has no part in it
def test_a_relay_that_is_killed_in_the_middle_loses_nothing(stage: Stage):
    stage.send("order.created", names(60))
    relay = stage.relay()
    stage.engine()
    stage.wait(lambda: len(stage.ledger()) >= 5, "some are done")
    relay.kill()
    stage.relay()
    stage.wait_for_the_end(60)
    assert Counter(name for name, *_ in stage.ledger()) == Counter(names(60))


def test_while_the_broker_is_down_events_wait_and_lose_no_attempt(tmp_path: Path):
    redis = shutil.which("redis-server")
    if redis is None:
        pytest.skip("needs redis-server, to stop it")
    port = free_port()
    stage = Stage(tmp_path, WAYS["celery-redis"], f"redis://127.0.0.1:{port}/0")
    argv = [redis, "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    try:
        stage.relay()
        stage.send("order.created", names(5))
        stage.wait(lambda: "cannot be handed over" in stage.logs(), "the relay says so")
        assert {(one.state, one.attempt, one.lost) for one in stage.hooks.inbox().find(Query())} <= {
            ("pending", 0, 0),
            ("running", 1, 0),  # tried just now
        }
        server = Process(argv, dict(os.environ), tmp_path / "redis.log")
        server.start()
        stage.started.append(server)
        stage.engine()
        stage.wait_for_the_end(5)
        assert Counter(name for name, *_ in stage.ledger()) == Counter(names(5))
    finally:
        stage.close()
