"""One timer that watches over all bodies being read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps

import pytest

from hookcatch.concurrency import Patience


def in_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        async def main() -> None:
            await test()

        asyncio.run(main())

    return run


async def wait(patience: Patience, seconds: float, event: asyncio.Event) -> str:
    task = patience.begin(seconds)
    try:
        await event.wait()
    except asyncio.CancelledError:
        if patience.was_late(task):
            return "late"
        raise
    finally:
        patience.end(task)
    return "served"


@in_a_loop
async def test_who_waits_too_long_is_ended_and_who_is_served_is_not() -> None:
    patience, event = Patience(asyncio.get_running_loop()), asyncio.Event()
    first = [asyncio.create_task(wait(patience, 0.01, event)) for _ in range(3)]
    assert await asyncio.gather(*first) == ["late"] * 3
    assert [task.cancelling() for task in first] == [0, 0, 0]

    second = [asyncio.create_task(wait(patience, 60, event)) for _ in range(3)]
    await asyncio.sleep(0)
    event.set()
    assert await asyncio.gather(*second) == ["served"] * 3


@in_a_loop
async def test_the_timer_goes_on_for_those_who_began_later() -> None:
    patience, event = Patience(asyncio.get_running_loop()), asyncio.Event()
    first = asyncio.create_task(wait(patience, 0.02, event))
    await asyncio.sleep(0.01)
    assert await asyncio.gather(first, wait(patience, 0.02, event)) == ["late", "late"]


@in_a_loop
async def test_a_cancellation_from_elsewhere_is_not_taken_for_lateness() -> None:
    patience, event = Patience(asyncio.get_running_loop()), asyncio.Event()
    alone = asyncio.create_task(wait(patience, 60, event))
    await asyncio.sleep(0)
    alone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await alone


@in_a_loop
async def test_of_two_cancellations_the_other_one_counts() -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(wait(Patience(loop), 0, asyncio.Event()))
    await asyncio.sleep(0)
    loop.call_later(0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
