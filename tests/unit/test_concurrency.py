"""The colour of an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import pytest

from hookcatch.concurrency import Asyncio, LoopThread, _expire


def story(told: Callable[[Asyncio], Awaitable[Any]], threads: int = 2) -> Any:
    async def telling() -> Any:
        colour = Asyncio(asyncio.get_running_loop(), threads)
        try:
            return await told(colour)
        finally:
            colour.close()

    return asyncio.run(telling())


def later(function: Callable[..., Any], *arguments: Any) -> threading.Timer:
    timer = threading.Timer(0.01, function, arguments)
    timer.start()
    return timer


# waiting for what another thread resolves


def test_a_future_that_is_done_is_answered_at_once():
    async def told(colour: Asyncio) -> Any:
        future: Future[int] = Future()
        future.set_result(7)
        return await colour.wait(future)

    assert story(told) == 7


def test_a_future_that_a_thread_resolves_is_awaited():
    async def told(colour: Asyncio) -> Any:
        future: Future[int] = Future()
        later(future.set_result, 7)
        return await colour.wait(future, 5)

    assert story(told) == 7


def test_its_exception_is_raised():
    async def told(colour: Asyncio) -> None:
        future: Future[int] = Future()
        later(future.set_exception, KeyError("x"))
        await colour.wait(future)

    with pytest.raises(KeyError):
        story(told)


def test_when_the_time_is_up_the_future_goes_on():
    async def told(colour: Asyncio) -> Any:
        future: Future[int] = Future()
        with pytest.raises(TimeoutError, match=r"not done after 0\.01 s"):
            await colour.wait(future, 0.01)
        assert not future.cancelled()
        future.set_result(7)
        return await colour.wait(future)

    assert story(told) == 7


def test_an_alarm_that_rings_just_after_the_answer_changes_nothing():
    async def told(colour: Asyncio) -> Any:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter.set_result(None)
        _expire(waiter, 1.0)
        return await waiter

    assert story(told) is None


def test_when_the_caller_is_cancelled_the_future_goes_on():
    async def told(colour: Asyncio) -> None:
        future: Future[int] = Future()
        task = asyncio.ensure_future(colour.wait(future))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not future.cancelled()
        future.set_result(7)
        await asyncio.sleep(0)

    story(told)


def test_a_cancelled_future_cancels_whoever_waits_and_nobody_else():
    async def told(colour: Asyncio) -> Any:
        first: Future[int] = Future()
        second: Future[int] = Future()
        waits = [asyncio.ensure_future(colour.wait(one)) for one in (first, second)]
        await asyncio.sleep(0)
        first.cancel()
        second.set_result(7)
        return await asyncio.gather(*waits, return_exceptions=True)

    cancelled, result = story(told)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert result == 7


def test_futures_resolved_together_wake_the_loop_once():
    async def told(colour: Asyncio) -> Any:
        loop, woken = asyncio.get_running_loop(), []
        call_soon = loop.call_soon_threadsafe
        colour.loop = _Spy(loop, lambda *arguments: woken.append(1) or call_soon(*arguments))
        futures: list[Future[int]] = [Future() for _ in range(100)]
        waits = [asyncio.ensure_future(colour.wait(one)) for one in futures]
        await asyncio.sleep(0)
        for n, future in enumerate(futures):
            future.set_result(n)
        return await asyncio.gather(*waits), len(woken)

    results, woken = story(told)
    assert results == list(range(100))
    assert woken == 1


class _Spy:
    def __init__(self, loop: asyncio.AbstractEventLoop, call_soon_threadsafe: Any) -> None:
        self._loop, self.call_soon_threadsafe = loop, call_soon_threadsafe

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


def test_futures_resolved_by_many_threads_all_arrive():
    async def told(colour: Asyncio) -> Any:
        futures: list[Future[int]] = [Future() for _ in range(400)]
        waits = [asyncio.ensure_future(colour.wait(one)) for one in futures]
        await asyncio.sleep(0)

        def resolve(part: list[Future[int]]) -> None:
            for one in part:
                one.set_result(1)

        threads = [threading.Thread(target=resolve, args=[futures[n::8]]) for n in range(8)]
        for thread in threads:
            thread.start()
        return sum(await asyncio.gather(*waits))

    assert story(told) == 400


def test_a_future_resolved_after_the_loop_was_closed_hurts_nobody():
    future: Future[int] = Future()

    async def told(colour: Asyncio) -> None:
        task = asyncio.ensure_future(colour.wait(future))
        await asyncio.sleep(0)
        task.cancel()

    story(told)
    future.set_result(7)


# calling handlers


def test_an_async_handler_is_awaited_in_the_loop():
    async def handler(a: int) -> tuple[int, int]:
        await asyncio.sleep(0)
        return a, threading.get_ident()

    assert story(lambda colour: colour.call(handler, 5, a=1)) == (1, threading.get_ident())


def test_a_plain_handler_runs_in_a_thread_with_the_callers_context():
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    def handler(a: int) -> tuple[int, str, bool]:
        return a, variable.get(), threading.current_thread().name.startswith("hookcatch-handler")

    async def told(colour: Asyncio) -> Any:
        variable.set("seen")
        return await colour.call(handler, None, a=1)

    assert story(told) == (1, "seen", True)


def test_a_handler_that_takes_too_long_is_a_timeout_in_so_many_words():
    go_on = threading.Event()

    async def slow() -> None:
        await asyncio.sleep(5)

    for handler in (slow, lambda: go_on.wait(5)):
        with pytest.raises(TimeoutError, match=r"^not done after 0\.01 s$"):
            story(lambda colour, handler=handler: colour.call(handler, 0.01))
    go_on.set()


def test_a_timeout_of_the_handlers_own_keeps_its_words():
    async def handler() -> None:
        raise TimeoutError("the bank")

    with pytest.raises(TimeoutError, match=r"^the bank$"):
        story(lambda colour: colour.call(handler, 5))


def test_a_cancellation_inside_the_handler_is_an_error_of_the_handler():
    async def handler() -> None:
        inner = asyncio.ensure_future(asyncio.sleep(5))
        await asyncio.sleep(0)
        inner.cancel()
        await inner

    with pytest.raises(RuntimeError, match="what it waited for was cancelled"):
        story(lambda colour: colour.call(handler, 5))


def test_a_cancellation_from_outside_goes_through_the_handler():
    ended = []

    async def handler() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            ended.append(True)

    async def told(colour: Asyncio) -> None:
        task = asyncio.ensure_future(colour.call(handler, 5))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    story(told)
    assert ended == [True]


def test_a_stop_iteration_from_a_thread_is_an_error_and_holds_up_nobody():
    async def told(colour: Asyncio) -> Any:
        calls = [colour.call(lambda: next(iter([])), 5), colour.call(lambda: 7, 5)]
        return await asyncio.gather(*calls, return_exceptions=True)

    error, result = story(told)
    assert isinstance(error, RuntimeError)
    assert result == 7


def test_a_call_whose_time_ran_out_in_the_queue_never_starts():
    ran, go_on, started = [], threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        go_on.wait(5)

    async def told(colour: Asyncio) -> None:
        hanging = asyncio.ensure_future(colour.call(hang, 5))
        while not started.is_set():
            await asyncio.sleep(0.001)
        with pytest.raises(TimeoutError):
            await colour.call(lambda: ran.append(1), 0.01)
        go_on.set()
        await hanging
        await colour.call(lambda: None, 5)

    story(told, threads=1)
    assert ran == []


def test_a_pool_that_takes_no_more_work_gives_the_event_back():
    async def told(colour: Asyncio) -> None:
        colour.close()
        with pytest.raises(asyncio.CancelledError):
            await colour.call(print, 5)

    story(told)


# a loop for those who have none


def test_a_loop_in_a_thread_runs_until_it_is_stopped():
    thread = LoopThread()

    async def where() -> str:
        return threading.current_thread().name

    assert asyncio.run_coroutine_threadsafe(where(), thread.loop).result(5) == "hookcatch-loop"
    thread.stop()
    assert thread.loop.is_closed()
