"""The worker: lease, process, settle, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import hookcatch.worker
from hookcatch import Backoff, Event, Hookcatch, Retention, Retry
from hookcatch.core.errors import InboxUnavailable
from hookcatch.core.model import Close
from hookcatch.core.ports import Query
from hookcatch.core.rows import new_events
from hookcatch.runtime import Runtime
from hookcatch.worker import Worker
from support.edges import wait_until
from support.senders import whsec
from support.world import NOW, Clock


def app(inbox: str = "memory:", clock: Any = None, **options: Any) -> Hookcatch:
    """An app whose worker is started by hand."""
    hooks = Hookcatch(inbox, clock=clock or Clock(), worker=False, **options)
    hooks.source("shop", "standard_webhooks", whsec(0))
    return hooks


def accept(hooks: Hookcatch, *ids: str) -> None:
    shop = hooks.sources["shop"]
    for id in ids or ("msg_1",):  # noqa: A001
        request = shop.sign("order.created", {}, id=id)
        rows = new_events(shop.verify(request), request, shop.endpoint, hooks.clock())
        hooks.inbox().accept(rows).result()


def states(hooks: Hookcatch) -> dict[str, int]:
    return {state: count for (_, state), count in hooks.inbox().counts().items()}


def with_worker(hooks: Hookcatch, told: Callable[[Worker], Awaitable[Any]]) -> Any:
    """Tell a story with a worker that does not run yet."""

    async def telling() -> Any:
        runtime: Runtime = hooks.runtime()
        return await told(runtime.worker(asyncio.get_running_loop()))

    try:
        return asyncio.run(telling())
    finally:
        hooks.runtime().close()


def until_idle(hooks: Hookcatch, **options: Any) -> None:
    with_worker(hooks, lambda worker: worker.run(until_idle=True, **options))


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


# going through what is there


def test_until_idle_it_works_on_everything_that_waits_and_then_returns():
    hooks, handled = app(), []
    hooks.on("*")(lambda: handled.append(1))
    accept(hooks, *(f"msg_{n}" for n in range(50)))
    until_idle(hooks)
    assert len(handled) == 50
    assert states(hooks) == {"succeeded": 50}


def test_until_idle_waits_for_retries_too():
    hooks, attempts = app(), []

    @hooks.on("*", backoff=Backoff(base=0))
    def handler(event: Event) -> None:
        attempts.append(event.attempt)
        if event.attempt < 4:
            raise Retry

    accept(hooks)
    until_idle(hooks)
    assert attempts == [1, 2, 3, 4]


def test_until_idle_without_waiting_leaves_the_retries_for_later():
    hooks = app()

    @hooks.on("*")
    def handler() -> None:
        raise Retry(after=3600)

    accept(hooks)
    until_idle(hooks, wait_for_retries=False)
    assert states(hooks) == {"pending": 1}


def test_of_an_empty_inbox_it_is_done_at_once():
    until_idle(app())


def test_no_more_events_are_in_work_than_the_app_says():
    hooks, now, most = app(concurrency=3), [0], [0]

    @hooks.on("*")
    async def handler() -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0.001)
        now[0] -= 1

    accept(hooks, *(f"msg_{n}" for n in range(20)))
    until_idle(hooks)
    assert most == [3]
    assert states(hooks) == {"succeeded": 20}


def test_a_slow_event_holds_up_no_other():
    hooks, order = app(concurrency=2), []

    @hooks.on("*")
    async def handler(event: Event) -> None:
        if event.id == "slow":
            await until(lambda: len(order) == 5)
        order.append(event.id)

    accept(hooks, "slow", *(f"msg_{n}" for n in range(5)))
    until_idle(hooks)
    assert order[-1] == "slow"


# being woken


def test_an_event_that_is_committed_wakes_it_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hookcatch.worker, "POLL", 3600.0)
    hooks, handled = app(), []
    hooks.on("*")(lambda: handled.append(1))

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run())
        await asyncio.sleep(0.01)
        await asyncio.to_thread(accept, hooks)
        await until(lambda: handled)
        worker.stop()
        await running

    with_worker(hooks, story)
    assert states(hooks) == {"succeeded": 1}


def test_an_event_that_another_process_committed_is_found_at_the_next_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(hookcatch.worker, "POLL", 0.01)
    url = f"sqlite:///{tmp_path}/shop.db?disk_floor=0"
    hooks, other, handled = app(url), app(url), []
    hooks.on("*")(lambda: handled.append(1))

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run())
        await asyncio.sleep(0.02)
        await asyncio.to_thread(accept, other)
        await until(lambda: handled)
        worker.stop()
        await running

    with_worker(hooks, story)
    other.inbox().close()


def test_a_wake_up_call_to_one_that_is_awake_already_costs_nothing():
    hooks = app()

    async def story(worker: Worker) -> None:
        worker._called()
        worker._wake.set()
        worker.loop = None  # it is not asked again
        worker._called()

    with_worker(hooks, story)


# stopping


def test_at_a_stop_what_runs_is_finished_and_nothing_more_is_taken():
    hooks, started, done = app(concurrency=1), [], []

    @hooks.on("*")
    async def handler(event: Event) -> None:
        started.append(event.id)
        await asyncio.sleep(0.02)
        done.append(event.id)

    accept(hooks, "msg_1", "msg_2")

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run())
        await until(lambda: started)
        worker.stop()
        await running

    with_worker(hooks, story)
    assert (started, done) == (["msg_1"], ["msg_1"])
    assert states(hooks) == {"succeeded": 1, "pending": 1}


def test_what_does_not_end_in_time_is_given_back_and_its_attempt_not_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(hookcatch.worker, "DRAIN", 0.01)
    hooks, attempts = app(), []

    @hooks.on("*")
    async def handler(event: Event) -> None:
        attempts.append(event.attempt)
        await asyncio.sleep(5 if len(attempts) == 1 else 0)

    accept(hooks)

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run())
        await until(lambda: attempts)
        worker.stop()
        await running

    with_worker(hooks, story)
    assert "1 events did not end in 0 s and are given back" in caplog.text
    (event,) = hooks.inbox().find(Query())
    assert (event.state, event.attempt, event.lost) == ("pending", 0, 0)
    until_idle(hooks)
    assert attempts == [1, 1]
    assert states(hooks) == {"succeeded": 1}


def test_a_cancelled_worker_gives_back_what_it_held():
    hooks, started = app(), []

    @hooks.on("*")
    async def handler() -> None:
        started.append(1)
        await asyncio.sleep(5)

    accept(hooks)

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run())
        await until(lambda: started)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()  # as asyncio.run does at its end
        with pytest.raises(asyncio.CancelledError):
            await running

    with_worker(hooks, story)
    (event,) = hooks.inbox().find(Query())
    assert (event.state, event.attempt) == ("pending", 0)


def test_who_waits_for_an_event_that_is_given_back_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hookcatch.worker, "DRAIN", 0.01)
    hooks = app()

    @hooks.on("*")
    async def handler() -> None:
        await asyncio.sleep(5)

    accept(hooks)

    async def story(worker: Worker) -> str:
        (lease,) = hooks.inbox().lease(token="t", limit=1, now=NOW, until=NOW + 60).result()
        answer = worker.adopt(lease)
        await until(lambda: worker._tasks)
        await asyncio.sleep(0)
        worker.stop()
        await worker.drain()
        return str(answer.exception())

    assert with_worker(hooks, story) == "given back at a stop"


def test_a_stop_while_the_store_is_away_ends_all_the_same(monkeypatch: pytest.MonkeyPatch, caplog):
    hooks = app()

    async def story(worker: Worker) -> None:
        away: Future[Any] = Future()
        away.set_exception(InboxUnavailable("away"))
        monkeypatch.setattr(worker.ports.inbox, "release", lambda leases: away)
        await worker.drain()

    with_worker(hooks, story)
    assert "leases could not be given back and run out by themselves: away" in caplog.text


def test_a_lease_can_be_handed_over_from_any_thread():
    hooks, handled = app(), []
    hooks.on("*")(lambda: handled.append(1))
    accept(hooks)

    async def story(worker: Worker) -> Close:
        (lease,) = hooks.inbox().lease(token="t", limit=1, now=NOW, until=NOW + 60).result()
        return await asyncio.to_thread(lambda: worker.adopt(lease).result(5))

    assert with_worker(hooks, story).state == "succeeded"
    assert handled == [1]


# leases


def test_a_blocked_loop_keeps_its_lease_for_the_heart_beats_in_a_thread_of_its_own():
    hooks, attempts, taken = app(clock=time.time, lease=0.4), [], []
    over = threading.Event()

    @hooks.on("*")
    async def handler(event: Event) -> None:
        attempts.append(event.attempt)
        time.sleep(1.0)  # longer than two leases

    def rival() -> None:
        while not over.wait(0.02):
            now = time.time()
            taken.extend(hooks.inbox().lease(token="rival", limit=9, now=now, until=now + 60).result())

    accept(hooks)

    thread = threading.Thread(target=rival)

    async def with_rival(worker: Worker) -> None:
        (lease,) = hooks.inbox().lease(token="t", limit=1, now=time.time(), until=time.time() + 0.4).result()
        thread.start()
        answer = worker.adopt(lease)
        await until(answer.done)
        over.set()

    with_worker(hooks, with_rival)
    thread.join()
    assert attempts == [1]
    assert taken == []
    assert states(hooks) == {"succeeded": 1}


def test_between_events_the_heart_has_nothing_to_do_and_goes_on_beating():
    hooks, go_on = app(clock=time.time, lease=0.04), threading.Event()
    beats: list[int] = []
    heartbeat = hooks.inbox().heartbeat

    def counting(leases: Any, **until: Any) -> Any:
        beats.append(len(leases))
        return heartbeat(leases, **until)

    hooks.inbox().heartbeat = counting

    @hooks.on("*")
    def handler(event: Event) -> None:
        if event.id == "second":
            assert go_on.wait(10)

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run())
        accept(hooks, "first")
        await until(lambda: states(hooks) == {"succeeded": 1})
        await asyncio.sleep(0.1)
        accept(hooks, "second")
        await until(lambda: beats)
        go_on.set()
        worker.stop()
        await running

    with_worker(hooks, story)
    assert set(beats) == {1}  # it never asks about nothing


def test_leases_taken_together_are_all_kept_alive():
    hooks, go_on = app(clock=time.time, lease=0.4, concurrency=5), threading.Event()
    hooks.on("*")(lambda: go_on.wait(10))
    accept(hooks, *(f"msg_{n}" for n in range(5)))

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run(until_idle=True))
        await until(lambda: len(worker._tasks) == 5)
        first = time.time()
        await until(lambda: time.time() > first + 0.9)
        assert hooks.inbox().lease(token="rival", limit=9, now=time.time(), until=0).result() == ()
        go_on.set()
        await running

    with_worker(hooks, story)
    assert states(hooks) == {"succeeded": 5}


def test_a_lease_that_was_lost_is_said_and_its_result_does_not_count(caplog: pytest.LogCaptureFixture):
    clock = Clock()
    hooks, lost = app(clock=clock, lease=0.04), threading.Event()

    @hooks.on("*")
    def handler(event: Event) -> None:
        if event.attempt == 1:
            clock.now += 61
            hooks.inbox().lease(token="rival", limit=1, now=clock.now, until=clock.now + 60).result()
            wait_until(lambda: "lease lost: shop msg_1" in caplog.text)
            lost.set()

    accept(hooks)

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run())
        await until(lambda: "was not settled" in caplog.text)
        worker.stop()
        await running

    with_worker(hooks, story)
    assert lost.is_set()
    assert "event msg_1 of shop was not settled: LeaseLost" in caplog.text
    assert states(hooks) == {"running": 1}


def test_of_events_that_were_lost_together_each_gets_its_last_chance_alone():
    clock = Clock()
    hooks, now, most = app(clock=clock, concurrency=5), [0], [0]

    @hooks.on("*")
    async def handler() -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        accept(hooks, "msg_0")  # a duplicate, which makes the worker look again
        await asyncio.sleep(0.002)
        now[0] -= 1

    accept(hooks, *(f"msg_{n}" for n in range(5)))
    for _ in range(2):
        hooks.inbox().lease(token="dies", limit=9, now=clock.now, until=clock.now + 60).result()
        clock.now += 61
    until_idle(hooks)
    assert most == [1]
    assert states(hooks) == {"succeeded": 5}


# trouble


class Failing:
    """An inbox of which one method fails a few times."""

    def __init__(self, hooks: Hookcatch, method: str, times: int = 2) -> None:
        self._real, self.left = getattr(hooks.inbox(), method), times
        setattr(hooks.inbox(), method, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.left == 0:
            return self._real(*args, **kwargs)
        self.left -= 1
        failed: Future[Any] = Future()
        failed.set_exception(InboxUnavailable("on fire"))
        return failed


def test_an_inbox_that_is_gone_for_a_while_is_waited_for_and_said_to_be_gone_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(hookcatch.worker, "POLL", 0.001)
    hooks = app()
    hooks.on("*")(lambda: None)
    accept(hooks)
    Failing(hooks, "lease")
    with caplog.at_level("INFO", "hookcatch"):
        until_idle(hooks)
    assert caplog.text.count("the inbox cannot be read now: on fire") == 1
    assert caplog.text.count("the inbox can be read again") == 1
    assert states(hooks) == {"succeeded": 1}


def test_an_event_that_cannot_be_settled_is_left_to_its_lease(caplog: pytest.LogCaptureFixture):
    hooks, handled = app(), []
    hooks.on("*")(lambda: handled.append(1))
    accept(hooks)
    Failing(hooks, "settle", 1)

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run())
        await until(lambda: "was not settled" in caplog.text)
        worker.stop()
        await running

    with_worker(hooks, story)
    assert handled == [1]
    assert states(hooks) == {"running": 1}


def test_leases_that_cannot_be_prolonged_are_tried_again(caplog: pytest.LogCaptureFixture):
    hooks, go_on = app(clock=time.time, lease=0.04), threading.Event()
    hooks.on("*")(lambda: go_on.wait(10))
    accept(hooks)
    failing = Failing(hooks, "heartbeat")

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run(until_idle=True))
        await until(lambda: failing.left == 0)
        go_on.set()
        await running

    with_worker(hooks, story)
    assert caplog.text.count("leases could not be prolonged: on fire") == 2


def test_an_error_of_ours_in_one_event_is_said_loudly_and_is_not_the_workers(
    caplog: pytest.LogCaptureFixture,
):
    hooks, handled = app(), []
    hooks.on("*")(lambda: handled.append(1))
    accept(hooks, "msg_1", "msg_2")
    inbox, settle = hooks.inbox(), hooks.inbox().settle

    def broken(lease: Any, *args: Any) -> Any:
        if lease.event.id == "msg_1":
            raise RuntimeError("a bug")
        return settle(lease, *args)

    inbox.settle = broken

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run())
        await until(lambda: len(handled) == 2 and not worker._tasks)
        worker.stop()
        await running

    with_worker(hooks, story)
    assert [record.levelno for record in caplog.records if "not settled" in record.getMessage()] == [
        logging.ERROR
    ]
    assert states(hooks) == {"running": 1, "succeeded": 1}


# house-keeping


def test_what_retention_allows_is_let_go_a_little_at_a_time_until_nothing_is_left():
    clock = Clock()
    hooks = app(clock=clock, retention=Retention(payload=60.0, key=4e5))
    hooks.on("*")(lambda: None)
    accept(hooks, *(f"msg_{n}" for n in range(1200)))
    until_idle(hooks)
    clock.now += 61

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run())
        await until(lambda: all(hooks.inbox().get(seq + 1)[0].body is None for seq in range(1200)))
        worker.stop()
        await running

    with_worker(hooks, story)
    assert states(hooks) == {"succeeded": 1200}


def test_house_keeping_that_fails_is_said_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(hookcatch.worker, "PRUNE_EVERY", 0.001)
    hooks = app()
    failing = Failing(hooks, "prune", 2)

    async def story(worker: Worker) -> None:
        running = asyncio.ensure_future(worker.run())
        await until(lambda: failing.left == 0)
        worker.stop()
        await running

    with_worker(hooks, story)
    assert caplog.text.count("old events could not be pruned: on fire") == 2


# restarts


def test_a_restart_finds_what_was_left(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/shop.db?disk_floor=0"
    before = app(url)
    accept(before, "msg_1", "msg_2")
    before.inbox().close()
    after, handled = app(url), []

    @after.on("*")
    def handler(event: Event) -> None:
        handled.append(event.id)

    until_idle(after)
    assert handled == ["msg_1", "msg_2"]


def test_what_a_dead_process_had_in_hand_is_taken_over_when_its_lease_is_over(tmp_path: Path):
    url, clock = f"sqlite:///{tmp_path}/shop.db?disk_floor=0", Clock()
    before = app(url, clock)
    accept(before)
    before.inbox().lease(token="dies", limit=1, now=clock.now, until=clock.now + 60).result()
    before.inbox().close()
    after, attempts = app(url, clock), []

    @after.on("*")
    def handler(event: Event) -> None:
        attempts.append(event.attempt)

    until_idle(after, wait_for_retries=False)
    assert attempts == []
    clock.now += 61
    until_idle(after)
    assert attempts == [2]


# fair shares and limits


def flood(hooks: Hookcatch, source: str, *ids: str) -> None:
    one = hooks.sources[source]
    for id in ids:  # noqa: A001
        request = one.sign("order.created", {}, id=id)
        hooks.inbox().accept(new_events(one.verify(request), request, one.endpoint, hooks.clock())).result()


def test_a_flood_from_one_source_does_not_keep_another_waiting_for_its_end(tmp_path: Path):
    hooks, order = app(f"sqlite:///{tmp_path}/inbox.db", concurrency=2), []
    hooks.source("quiet", "standard_webhooks", whsec(0))

    @hooks.on("*")
    def handler(event: Event) -> None:
        order.append(event.source)

    flood(hooks, "shop", *(f"msg_{n}" for n in range(200)))
    flood(hooks, "quiet", "msg_1")
    until_idle(hooks)
    assert len(order) == 201
    assert order.index("quiet") < 20


def test_turns_go_round_while_there_is_more_than_there_are_hands_for():
    turns = hookcatch.worker.Turns(("a", "b"))
    assert [turns.next() for _ in range(3)] == [None] * 3
    turns.is_crowded = True
    assert [turns.next() for _ in range(6)] == [None, "b", None, "a", None, "b"]
    alone = hookcatch.worker.Turns(("a",), is_crowded=True)
    assert [alone.next() for _ in range(3)] == [None] * 3


def test_no_more_of_a_source_are_in_work_than_it_allows():
    hooks = Hookcatch("memory:", clock=Clock(), worker=False, concurrency=10)
    hooks.source("shop", "standard_webhooks", whsec(0), concurrency=2)
    hooks.source("free", "standard_webhooks", whsec(0))
    now, most = {"shop": 0, "free": 0}, {"shop": 0, "free": 0}

    @hooks.on("*")
    async def handler(event: Event) -> None:
        now[event.source] += 1
        most[event.source] = max(most[event.source], now[event.source])
        await asyncio.sleep(0.002)
        now[event.source] -= 1

    for source in ("shop", "free"):
        flood(hooks, source, *(f"msg_{n}" for n in range(20)))
    until_idle(hooks)
    assert states(hooks) == {"succeeded": 20}
    assert most["shop"] == 2
    assert most["free"] > 2
