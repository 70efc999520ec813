"""What lives in one process: the open inbox, the heart, and the worker in its loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from hookcatch import Event, Hookcatch
from hookcatch.core.errors import LeaseLost
from hookcatch.core.model import Claim, Lease
from hookcatch.core.rows import new_events
from support.edges import wait_until
from support.senders import whsec
from support.world import Clock


def app(ack: Any = "stored", **options: Any) -> Hookcatch:
    hooks = Hookcatch("memory:", clock=Clock(), **options)
    hooks.source("shop", "standard_webhooks", whsec(0), ack=ack)
    return hooks


def accept(hooks: Hookcatch, claim: Claim | None = None, id: str = "msg_1") -> Any:
    """An event, kept as the receiver keeps it."""
    shop = hooks.sources["shop"]
    request = shop.sign("order.created", {}, id=id)
    rows = new_events(shop.verify(request), request, shop.endpoint, hooks.clock())
    ((answer,),) = [hooks.inbox().accept(rows, claim=claim).result()]
    return answer


def state(hooks: Hookcatch) -> list[str]:
    return [name for _, name in hooks.inbox().counts()]


# requests


def test_no_more_requests_are_let_in_than_allowed_at_a_time():
    runtime = app().runtime()
    allowed = runtime.settings.max_requests
    assert [runtime.enter() for _ in range(allowed + 2)] == [True] * allowed + [False] * 2
    runtime.leave()
    assert [runtime.enter(), runtime.enter()] == [True, False]
    runtime.close()


def test_the_count_is_exact_however_many_threads_count():
    runtime = app().runtime()

    def crowd() -> None:
        for _ in range(1000):
            assert runtime.enter()
            runtime.leave()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: crowd(), range(8)))
    assert runtime._requests == 0
    runtime.close()


# threads


def test_threads_that_come_together_get_one_loop_and_one_worker():
    def loops() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "hookcatch-loop"}

    runtime, before = app().runtime(), loops()
    together = threading.Barrier(8)

    def ask() -> Any:
        together.wait()
        return runtime.blocking()

    with ThreadPoolExecutor(8) as pool:
        ports = set(map(id, pool.map(lambda _: ask(), range(8))))
    assert len(ports) == 1
    assert len(loops() - before) == 1
    runtime.close()
    assert loops() <= before


def test_a_process_that_only_receives_works_on_nothing(caplog: pytest.LogCaptureFixture):
    hooks = app(worker=False)
    hooks.on("*")(lambda: None)
    hooks.runtime().blocking()
    accept(hooks)
    hooks.runtime().close()
    assert state(hooks) == ["pending"]
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_closing_waits_for_what_runs_and_says_nothing_of_destroyed_tasks(caplog: pytest.LogCaptureFixture):
    hooks, started, done = app(), threading.Event(), []

    @hooks.on("*")
    async def handler(event: Event) -> None:
        started.set()
        await asyncio.sleep(0.02)
        done.append(event.id)

    hooks.runtime().blocking()
    accept(hooks)
    assert started.wait(5)
    hooks.runtime().close()
    assert done == ["msg_1"]
    assert state(hooks) == ["succeeded"]
    assert not [record for record in caplog.records if record.name == "asyncio"]


CHILD = """
import asyncio, multiprocessing, sys, threading
from hookcatch import Hookcatch
from hookcatch.core.rows import new_events

hooks = Hookcatch(sys.argv[1])
shop = hooks.source("shop", "standard_webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
begun = threading.Event()

@shop.on("order.created")
async def slow() -> None:
    begun.set()
    await asyncio.sleep(0.3)

def serve() -> None:
    hooks.runtime().blocking()
    request = shop.sign("order.created", {}, id="msg_1")
    hooks.inbox().accept(new_events(shop.verify(request), request, shop.endpoint, hooks.clock())).result()
    begun.wait()

child = multiprocessing.get_context("fork").Process(target=serve)
child.start()
child.join()
print(*(state for _, state in hooks.inbox().counts()))
"""
"""What is worked on in a child of `multiprocessing` when it ends."""


def test_a_child_of_multiprocessing_ends_when_what_it_works_on_is_done(tmp_path):
    command = [sys.executable, "-c", CHILD, f"sqlite:///{tmp_path}/inbox.db"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "succeeded\n"


def test_closing_twice_is_closing_once():
    runtime = app().runtime()
    runtime.blocking()
    runtime.close()
    runtime.close()
    assert not runtime.alive


def test_what_was_never_used_is_closed_too():
    runtime = app().runtime()
    asyncio.run(runtime.drain())
    runtime.close()


# loops


def test_a_loop_keeps_its_worker_and_another_loop_gets_its_own():
    runtime = app().runtime()

    async def twice() -> Any:
        first = runtime.in_loop()
        assert runtime.in_loop() is first
        return first

    assert asyncio.run(twice()) is not asyncio.run(twice())
    runtime.close()


def test_draining_ends_the_worker_of_the_loop():
    hooks = app()
    handled = []
    hooks.on("*")(lambda: handled.append(1))

    async def story() -> None:
        runtime = hooks.runtime()
        runtime.in_loop()
        accept(hooks)
        while not handled:
            await asyncio.sleep(0.001)
        await runtime.drain()
        accept(hooks, id="late")
        await asyncio.sleep(0.01)
        runtime.close()

    asyncio.run(story())
    assert handled == [1]
    assert sorted(state(hooks)) == ["pending", "succeeded"]


def test_a_server_that_only_cancels_everything_loses_nothing():
    hooks, started = app(), []

    @hooks.on("*")
    async def handler(event: Event) -> None:
        started.append(event.attempt)
        await asyncio.sleep(5)

    async def story() -> None:
        hooks.runtime().in_loop()
        accept(hooks)
        while not started:
            await asyncio.sleep(0.001)

    asyncio.run(story())  # which cancels all tasks that are left
    assert started == [1]
    assert state(hooks) == ["pending"]
    hooks.runtime().close()


# work before the ack


def claimed(hooks: Hookcatch, *, rescue: bool) -> Lease:
    lease = accept(hooks, Claim("t", hooks.clock() + 60, rescue=rescue)).lease
    assert lease is not None
    return lease


def thread_of_the_handler(ack: str) -> tuple[str, str]:
    hooks, names = app(ack), []
    hooks.on("*")(lambda: names.append(threading.current_thread().name))
    runtime = hooks.runtime()
    close = runtime.blocking().work(claimed(hooks, rescue=ack == "deadline")).result(5)
    runtime.close()
    return names[0], close.state


def test_what_has_to_be_done_before_the_ack_is_done_in_the_requests_own_thread():
    assert thread_of_the_handler("handled") == (threading.current_thread().name, "succeeded")


def test_what_may_go_on_after_the_ack_is_done_elsewhere():
    name, state = thread_of_the_handler("deadline")
    assert name.startswith("hookcatch-handler")
    assert state == "succeeded"


def test_a_lease_lost_before_the_ack_is_the_futures_failure():
    hooks = app()
    runtime = hooks.runtime()
    lease = claimed(hooks, rescue=False)
    hooks.inbox().release([lease]).result()
    with pytest.raises(LeaseLost):
        runtime.blocking().work(lease).result()
    runtime.close()


# trouble


def test_a_worker_that_stops_with_an_error_says_so(caplog: pytest.LogCaptureFixture):
    hooks = app()
    runtime = hooks.runtime()

    def broken(**_: Any) -> Future[Any]:
        raise RuntimeError("the store is on fire")

    runtime.inbox.lease = broken
    runtime.blocking()
    wait_until(lambda: "the worker has stopped" in caplog.text)
    assert "the store is on fire" in caplog.text
    with pytest.raises(RuntimeError):
        runtime.close()


def test_a_commit_after_the_loop_of_a_worker_was_closed_is_no_trouble():
    hooks = app()

    async def story() -> None:
        hooks.runtime().in_loop()
        await asyncio.sleep(0)

    asyncio.run(story())
    worker = hooks.runtime()._worker
    assert worker is not None
    worker._wake.clear()
    hooks.inbox().listen(worker._called)  # as if its end had not been noticed
    assert accept(hooks).seq == 1
    hooks.runtime().close()
