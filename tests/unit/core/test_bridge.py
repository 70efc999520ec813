"""One flow, stepped once where nothing awaits."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from hookcatch.core.bridge import Blocking, step
from hookcatch.core.errors import Suspended


def test_a_coroutine_that_never_suspends_is_run_to_its_end():
    async def inner() -> int:
        return 20

    async def outer() -> int:
        return await inner() + 1

    assert step(outer()) == 21


def test_its_exceptions_come_through_unchanged():
    async def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        step(broken())


def test_a_coroutine_that_suspends_is_closed_and_refused_loudly():
    closed = []

    async def waits() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(True)

    with pytest.raises(Suspended, match="async-only"):
        step(waits())
    assert closed == [True]


def test_waiting_blocks_until_the_future_is_done():
    future: Future[int] = Future()
    threading.Timer(0.02, future.set_result, [7]).start()
    assert step(Blocking().wait(future)) == 7


def test_waiting_ends_after_the_timeout_and_leaves_the_future_alone():
    future: Future[int] = Future()
    with pytest.raises(TimeoutError):
        step(Blocking().wait(future, 0.01))
    assert not future.cancelled()


def test_a_plain_function_is_called_in_this_very_thread():
    assert step(Blocking().call(threading.get_ident, None)) == threading.get_ident()


def test_arguments_go_by_name():
    assert step(Blocking().call(lambda *, a, b: (a, b), 1.0, b=2, a=1)) == (1, 2)


def test_an_async_function_is_refused_and_its_coroutine_closed():
    async def handler() -> None:
        raise AssertionError("never reached")

    with pytest.raises(Suspended, match="is async"):
        step(Blocking().call(handler, None))
