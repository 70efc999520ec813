"""A relay: what is handed to an engine, what comes back, and what neither may do. The engine here is a list."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from huey import MemoryHuey, RedisHuey
from redis import Redis
from rq import Queue

import hookcatch.worker
from hookcatch import Backoff, Event, Hookcatch
from hookcatch.core.errors import ConfigurationError, InboxUnavailable, LeaseLost
from hookcatch.core.model import Close
from hookcatch.core.ports import Query
from hookcatch.relay.rq import RqEngine
from support.edges import post, wsgi_app
from support.senders import whsec
from support.world import Clock

SECRET = "a secret of the relay's own"


class Engine:
    """Confirms what it is given, unless it is `down`."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.down = False
        self.tries = 0
        self.at_once: Callable[[str], object] = self.messages.append

    def check(self) -> None:
        """It keeps what it has."""

    def send(self, message: str) -> None:
        self.tries += 1
        if self.down:
            raise ConnectionError("nobody listens")
        self.at_once(message)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/inbox.db?disk_floor=0&ballast=0&busy_timeout=0.1"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hooks(place: str, engine: Engine, clock: Clock) -> Iterator[Hookcatch]:
    made = Hookcatch(place, clock=clock, worker=False)
    made.source("shop", "standard_webhooks", whsec(0))
    made.relay(engine, SECRET, patience=100.0)
    yield made
    made.runtime().close()


# each of these stands for a process of its own: it leaves no runtime behind


def deliver(hooks: Hookcatch, *names: str) -> None:
    edge = wsgi_app(hooks)
    for name in names or ("evt",):
        assert post(edge, hooks.sources["shop"].sign("order.created", {"a": 1}, id=name)).status == 200
    edge.close()


def work(hooks: Hookcatch) -> None:
    """What a worker does until nothing is due."""

    async def working() -> None:
        worker = hooks.runtime().worker(asyncio.get_running_loop())
        await worker.run(until_idle=True, wait_for_retries=False)

    asyncio.run(working())
    hooks.runtime().close()


def perform(hooks: Hookcatch, message: str) -> str | None:
    """What the task of an engine does."""
    try:
        return hooks.perform(message)
    finally:
        hooks.runtime().close()


def event(hooks: Hookcatch) -> Any:
    (found,) = hooks.inbox().find(Query())
    return found


def test_an_event_is_handed_over_and_performed_when_its_message_comes_back(hooks, engine, clock):
    seen = []
    hooks.on("order.created")(lambda: seen.append("evt"))
    deliver(hooks)
    work(hooks)
    assert (event(hooks).state, event(hooks).run_at, seen) == ("relayed", clock() + 100, [])
    (message,) = engine.messages
    assert perform(hooks, message) == "succeeded"
    assert perform(hooks, message) is None
    assert (event(hooks).attempt, seen) == (1, ["evt"])


def test_an_awaited_task_performs_it_too(hooks, engine):
    seen = []

    @hooks.on("order.created")
    async def handle(event: Event[Any]) -> None:
        await asyncio.sleep(0)
        seen.append(event.attempt)

    deliver(hooks)
    work(hooks)
    assert asyncio.run(hooks.aperform(engine.messages[0])) == "succeeded"
    assert seen == [1]


def test_a_message_names_an_event_and_tells_nothing_of_it(hooks, engine):
    hooks.on("order.created")(lambda: None)
    deliver(hooks)
    work(hooks)
    (message,) = engine.messages
    assert len(message) < 200
    assert message.isascii()
    (key, _) = hooks._relayed().opened(message)
    assert key == ("shop", "", "evt")


def test_a_message_that_was_signed_with_another_secret_is_an_error_and_runs_nothing(hooks, engine, place):
    hooks.on("order.created")(lambda: None)
    deliver(hooks)
    work(hooks)
    other = Hookcatch(place, worker=False)
    other.relay(Engine(), ["another secret of a relay", "and one before it, both long"])
    for message in (*engine.messages, engine.messages[0] + "x", "", "W10.x"):
        with pytest.raises(ConfigurationError, match="signed with this relay's secret"):
            other.perform(message)
    rotated = Hookcatch(place, worker=False)
    rotated.relay(Engine(), ["a new secret of the relay", SECRET])
    assert rotated._relayed().opened(engine.messages[0])


def test_what_no_handler_wants_needs_no_engine(hooks, engine):
    deliver(hooks)
    work(hooks)
    assert (event(hooks).state, engine.messages) == ("ignored", [])


def test_what_a_handler_raises_is_not_the_engines_matter(hooks, engine, clock):
    @hooks.on("order.created", backoff=Backoff(base=1.0))
    def handle(event: Event[Any]) -> None:
        if event.attempt == 1:
            raise OSError("closed")

    deliver(hooks)
    work(hooks)
    assert perform(hooks, engine.messages[0]) == "pending"
    assert "OSError: closed" in event(hooks).error
    work(hooks)
    assert len(engine.messages) == 1
    clock.now += 10
    work(hooks)
    assert perform(hooks, engine.messages[1]) == "succeeded"
    assert perform(hooks, engine.messages[0]) is None


def test_a_message_that_does_not_come_back_is_sent_again_after_the_patience(hooks, engine, clock):
    hooks.on("order.created")(lambda: None)
    deliver(hooks)
    work(hooks)
    clock.now += 99
    work(hooks)
    assert len(engine.messages) == 1
    clock.now += 1
    work(hooks)
    assert len(engine.messages) == 2
    # the first has only been slow: whichever comes first is as good
    assert [perform(hooks, message) for message in engine.messages] == ["succeeded", None]


def test_while_the_engine_does_not_confirm_events_wait_with_no_attempt_lost_and_one_tries_the_way(
    hooks, engine, clock, caplog, monkeypatch
):
    hooks.on("order.created")(lambda: None)
    engine.down = True
    deliver(hooks, "a", "b", "c")
    monkeypatch.setattr(hookcatch.worker, "POLL", 0.001)

    async def working() -> list[tuple[float, int]]:
        worker = hooks.runtime().worker(asyncio.get_running_loop())
        rests = []
        running = asyncio.ensure_future(worker.run())
        for _ in range(7):
            async with asyncio.timeout(10):
                while worker._rests_until <= clock() or worker._tasks:
                    await asyncio.sleep(0.001)
            rests.append((worker._rest, engine.tries))
            clock.now += worker._rest
        engine.down = False
        clock.now += 30
        async with asyncio.timeout(10):
            while len(engine.messages) < 3:
                await asyncio.sleep(0.001)
        worker.stop()
        await running
        return rests

    rests = asyncio.run(working())
    hooks.runtime().close()
    assert rests == [(1.0, 3), (2.0, 4), (4.0, 5), (8.0, 6), (16.0, 7), (30.0, 8), (30.0, 9)]
    assert {(one.state, one.attempt, one.lost) for one in hooks.inbox().find(Query())} == {("relayed", 1, 0)}
    assert "cannot be handed over, next try in 1 s: ConnectionError: nobody listens" in caplog.text
    assert [perform(hooks, message) for message in engine.messages] == ["succeeded"] * 3


def test_a_relay_that_dies_after_the_engine_has_confirmed_has_lost_and_doubled_nothing(hooks, engine, clock):
    seen = []
    hooks.on("order.created")(lambda: seen.append("evt"))
    deliver(hooks)
    (held,) = hooks.inbox().lease(token="dead", limit=1, now=clock(), until=clock() + 60).result()
    engine.send(hooks._relayed().seal(held))  # and then it is gone, with nothing written down
    clock.now += 60
    work(hooks)  # another relay takes it over
    first, second = engine.messages
    assert perform(hooks, first) == "succeeded"
    assert perform(hooks, second) is None
    assert (event(hooks).state, event(hooks).lost, seen) == ("succeeded", 0, ["evt"])


def test_an_engine_that_is_faster_than_the_relay_works_under_the_lease_that_it_was_given(
    hooks, engine, clock
):
    hooks.on("order.created")(lambda: None)
    deliver(hooks)
    (held,) = hooks.inbox().lease(token="relay", limit=1, now=clock(), until=clock() + 60).result()
    assert perform(hooks, hooks._relayed().seal(held)) == "succeeded"
    with pytest.raises(LeaseLost):
        hooks.inbox().settle(held, (), Close("relayed", run_at=clock() + 100)).result()
    assert event(hooks).state == "succeeded"


def test_an_engine_that_is_faster_than_the_relay_is_no_trouble_and_ends_its_rest(
    hooks, engine, clock, caplog
):
    def work_on(message: str) -> None:
        key, of = hooks._relayed().opened(message)
        hooks.inbox().take(*key, of=of, token="engine", now=clock(), until=clock() + 60).result()

    async def working() -> float:
        worker = hooks.runtime().worker(asyncio.get_running_loop())
        worker._rest = 8.0
        await worker.run(until_idle=True, wait_for_retries=False)
        return float(worker._rest)

    engine.at_once = work_on
    hooks.on("order.created")(lambda: None)
    deliver(hooks)
    assert asyncio.run(working()) == 0.0
    hooks.runtime().close()
    assert (engine.tries, event(hooks).state, "not settled" in caplog.text) == (1, "running", False)


def test_a_handler_whose_event_was_discarded_meanwhile_is_in_other_hands(hooks, engine, caplog):
    @hooks.on("order.created")
    def handle() -> None:
        assert (
            hooks.inbox().take("shop", "", "evt", of=token(hooks), token="thief", now=0, until=9e9).result()
        )

    deliver(hooks)
    work(hooks)
    assert perform(hooks, engine.messages[0]) is None
    assert "is in other hands" in caplog.text


def token(hooks: Hookcatch) -> str:
    """That of the lease under which the one event is worked on."""
    with sqlite3.connect(hooks.inbox().path) as connection:
        return str(connection.execute("SELECT lease_token FROM hookcatch_event").fetchone()[0])


def test_an_inbox_that_is_away_is_told_to_the_engine_and_the_event_is_still_there(hooks, engine, tmp_path):
    hooks.on("order.created")(lambda: None)
    deliver(hooks)
    work(hooks)
    hooks.inbox()
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as held:
        held.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InboxUnavailable):
            hooks.perform(engine.messages[0])
    assert perform(hooks, engine.messages[0]) == "succeeded"


# what cannot work is said when the app is set up or started


def test_there_is_one_relay(hooks, engine):
    with pytest.raises(ConfigurationError, match="one already"):
        hooks.relay(engine, SECRET)


def test_a_message_without_a_relay_is_an_error(place):
    with pytest.raises(ConfigurationError, match=r"say hooks.relay"):
        Hookcatch(place).perform("x")


def test_what_is_no_engine_is_told_which_are(place):
    with pytest.raises(ConfigurationError, match="celery, dramatiq, huey, procrastinate, rq, saq, taskiq"):
        Hookcatch(place).relay(object(), SECRET)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"secret": "short"}, "16 are needed"),
        ({"patience": 0.0}, "more than 0"),
        ({"timeout": -1.0}, "more than 0"),
    ],
)
def test_options_that_cannot_be_are_refused(place, engine, options, why):
    with pytest.raises(ConfigurationError, match=why):
        Hookcatch(place).relay(engine, **{"secret": SECRET, **options})


def test_events_in_memory_cannot_be_worked_on_elsewhere(engine):
    hooks = Hookcatch("memory:")
    hooks.relay(engine, SECRET)
    with pytest.raises(ConfigurationError, match="that the engine's workers can open too"):
        hooks.runtime()


@pytest.mark.parametrize(
    ("lossy", "safe", "why"),
    [
        (
            Celery(broker="amqp://"),
            Celery(broker="amqp://", broker_transport_options={"confirm_publish": True}),
            "confirm_publish",
        ),
        (RabbitmqBroker(), RabbitmqBroker(confirm_delivery=True), "confirm_delivery=True"),
    ],
    ids=["celery", "dramatiq"],
)
def test_rabbitmq_that_does_not_confirm_is_refused(place, lossy, safe, why):
    hooks = Hookcatch(place, worker=False)
    hooks.relay(lossy, SECRET)
    with pytest.raises(ConfigurationError, match=why):
        hooks.runtime()
    confirmed = Hookcatch(place, worker=False)
    confirmed.relay(safe, SECRET)
    confirmed.runtime().close()


@pytest.mark.parametrize("engine", [Celery(broker="redis://"), RedisBroker()], ids=["celery", "dramatiq"])
def test_redis_answers_every_command(place, engine):
    hooks = Hookcatch(place, worker=False)
    hooks.relay(engine, SECRET)
    hooks.runtime().close()


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        (RqEngine(Queue("hookcatch", connection=Redis()), "no_such_module:hooks"), "would not find"),
        (RqEngine(Queue("hookcatch", connection=Redis()), "no_colon"), "write module:attribute"),
        (RqEngine(Queue("hookcatch", connection=Redis()), "os:path"), "is module, not a Hookcatch"),
        (MemoryHuey(), "MemoryStorage"),
        (RedisHuey(immediate=True), "immediate=True"),
    ],
    ids=["no module", "no attribute", "no Hookcatch", "huey in memory", "huey at once"],
)
def test_what_hands_nothing_to_a_worker_of_its_own_is_refused(place, engine, why):
    hooks = Hookcatch(place, worker=False)
    hooks.relay(engine, SECRET)
    with pytest.raises(ConfigurationError, match=why):
        hooks.runtime()


def test_a_queue_of_rq_needs_the_name_of_the_app_beside_it(place):
    with pytest.raises(ConfigurationError, match=r"RqEngine\(queue, \"module:attribute\"\)"):
        Hookcatch(place).relay(Queue("hookcatch", connection=Redis()), SECRET)


def test_a_queue_of_rq_that_works_at_once_is_refused(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "a_shop", SimpleNamespace(hooks=Hookcatch(place)))
    queue = Queue("hookcatch", connection=Redis(), is_async=False)
    with pytest.raises(ConfigurationError, match="leave is_async=False out"):
        RqEngine(queue, "a_shop:hooks").check()
    RqEngine(Queue("hookcatch", connection=Redis()), "a_shop:hooks").check()
