"""The loop that takes messages from a stream and has them performed, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from hookcatch.core.errors import ConfigurationError, InboxUnavailable
from hookcatch.observe.logs import logger
from hookcatch.relay import Fate, Perform, Performer

from . import WAIT, Inlet, Stream, Taken

REST = (1.0, 30.0)
"""Seconds without a broker that has failed: the first time, and at most. It doubles."""

STUMBLE = 10.0
"""Seconds until a message may come again that could not be performed, for no reason that we know."""


async def consume(stream: Stream, perform: Perform, *, concurrency: int, stopping: asyncio.Event) -> None:
    """See `relay.Consumer.consume`."""
    held: set[asyncio.Task[None]] = set()
    rest, longest = REST
    while not stopping.is_set():
        try:
            async with stream.open(concurrency) as inlet:
                logger.info("consuming %s, up to %d messages at a time", stream.name, concurrency)
                rest = REST[0]
                await _take(inlet, partial(_answer, stream, perform), held, concurrency, stopping)
                await _all_done(held)
        except stream.failures as why:
            logger.warning(
                "%s cannot be consumed, next try in %.0f s: %s: %s",
                stream.name, rest, type(why).__name__, why,
            )  # fmt: skip
            await pause(stopping, rest)
            rest = min(longest, 2 * rest)
    await _all_done(held)


def performer(hooks: Performer, stopping: asyncio.Event) -> Perform:
    """What `Consumer.consume` is given: `aperform`, with what it raises turned into the message's fate."""

    async def perform(message: str) -> Fate:
        try:
            await hooks.aperform(message)
        except InboxUnavailable as why:
            logger.warning("the inbox cannot be used now: %s", why)
            await pause(stopping, why.retry_after)
            return Fate.AGAIN
        except ConfigurationError as why:
            logger.error("a message is thrown away: %s", why)
            return Fate.FORGED
        except Exception:  # one message's trouble is not the consumer's
            logger.exception("a message could not be performed")
            await pause(stopping, STUMBLE)
            return Fate.AGAIN
        return Fate.DONE

    return perform


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but not longer than until a stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()


async def _take(
    inlet: Inlet,
    answer: Callable[[Taken], Coroutine[Any, Any, None]],
    held: set[asyncio.Task[None]],
    concurrency: int,
    stopping: asyncio.Event,
) -> None:
    while not stopping.is_set():
        free = concurrency - len(held)
        if free <= 0:
            await asyncio.wait(held, timeout=WAIT, return_when=asyncio.FIRST_COMPLETED)
            continue
        for taken in await inlet.take(free):
            task = asyncio.create_task(answer(taken))
            held.add(task)
            task.add_done_callback(held.discard)


async def _answer(stream: Stream, perform: Perform, taken: Taken) -> None:
    """Perform one message and tell the broker what became of it."""
    fate = await perform(taken.message)
    answers = {Fate.DONE: taken.done, Fate.AGAIN: taken.again, Fate.FORGED: taken.refuse}
    try:
        await answers[fate]()
    except stream.failures as why:
        # it comes again, and finds that there is nothing to do
        logger.info("%s was not told what became of a message: %s: %s", stream.name, type(why).__name__, why)


async def _all_done(held: set[asyncio.Task[None]]) -> None:
    if held:
        await asyncio.wait(held)
