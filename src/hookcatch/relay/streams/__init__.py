"""Streams: brokers without workers. An event is published as a signed message, and `hookcatch consume` takes it from
there. One module for each client library: kafka, nats, rabbitmq, redis, sqs.

    Lease -> send -> broker has confirmed                                             in the process that receives
    broker -> open, take -> perform -> done | again | refuse                          in `hookcatch consume`
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Generic, Protocol, TypeVar

from hookcatch.observe.logs import logger

C = TypeVar("C")

WAIT = 1.0
"""Seconds in which `take` answers, message or not, so that a stop is soon seen."""

REDELIVERY = 60.0
"""Seconds until a broker takes a message for lost that was delivered and not acknowledged, where that is for us to
say. Of one that is still in work a second copy finds nothing to do."""

PATIENCE = 5.0
"""Seconds in which a broker has to be found at the start, to have its settings looked at."""


class Taken(Protocol):
    """A message in hand. Each answer may fail with one of the stream's `failures`: then it comes again."""

    @property
    def message(self) -> str:
        """What was sent."""
        ...

    async def done(self) -> None:
        """Acknowledge it."""
        ...

    async def again(self) -> None:
        """Have it delivered again, to whomever."""
        ...

    async def refuse(self) -> None:
        """Have it never delivered again."""
        ...


class Inlet(Protocol):
    """An open way from the broker."""

    async def take(self, free: int) -> Sequence[Taken]:
        """Messages, `free` at most; none if there are none in WAIT seconds."""
        ...


class Stream(Protocol):
    """What `consuming.consume` needs of a broker."""

    name: str
    failures: tuple[type[Exception], ...]

    def open(self, concurrency: int) -> AbstractAsyncContextManager[Inlet]:
        """Connect, to hold up to `concurrency` messages at a time."""
        ...


class Outlet(Generic[C]):
    """The connection through which a loop sends: opened by whoever sends first, and again once it is gone."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[C]],
        *,
        is_gone: Callable[[C], bool],
        close: Callable[[C], Awaitable[None]],
    ) -> None:
        self._connect = connect
        self._is_gone = is_gone
        self._close = close
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connecting: asyncio.Lock = asyncio.Lock()
        self._connection: C | None = None

    async def get(self) -> C:
        """It, in the running loop."""
        self._forget_another_loop()
        async with self._connecting:
            if self._connection is None or self._is_gone(self._connection):
                self._connection = await self._connect()
            return self._connection

    async def close(self) -> None:
        """Close it, if the running loop has one. It is opened again when it is needed."""
        self._forget_another_loop()
        connection, self._connection = self._connection, None
        if connection is not None and not self._is_gone(connection):
            with suppress(Exception):  # what breaks at a goodbye is gone as well
                async with asyncio.timeout(PATIENCE):
                    await self._close(connection)

    def _forget_another_loop(self) -> None:
        """In a fork's child, or in a runtime after another, nothing of the old loop is of use."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._connecting, self._connection = loop, asyncio.Lock(), None


def look_now(look: Callable[[], Coroutine[Any, Any, None]], stream: Stream) -> None:
    """Look at a broker's settings at the start, if it is there. One that is away is no reason not to receive: events
    wait, and whoever sends or consumes looks again.

    Raises:
        ConfigurationError: as `look` does.
    """

    async def soon() -> None:
        async with asyncio.timeout(PATIENCE):
            await look()

    with ThreadPoolExecutor(1) as thread:  # the caller's own thread may run a loop
        try:
            thread.submit(asyncio.run, soon()).result()
        except stream.failures as why:
            logger.warning("%s is not there yet: %s: %s", stream.name, type(why).__name__, why)
