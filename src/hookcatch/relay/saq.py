"""SAQ: over Redis or PostgreSQL. Its worker knows only what its settings name, so they name our function too::

settings = {"queue": queue, "functions": [*functions(hooks), resize]}
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from saq import Queue

from . import Performer, patiently

TASK = "hookcatch.perform"
"""The function's name."""

TIMEOUT = 3600
"""Seconds until SAQ takes a job of a worker that was killed for stuck, and strikes it off. The handlers of one that
takes longer go on: SAQ only waits for them no more."""


class SaqEngine:
    """See `hookcatch.relay.Engine`."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._connecting: asyncio.Lock = asyncio.Lock()
        self._is_connected = False

    async def send(self, message: str) -> None:
        """Returns when the queue has it. It is connected by whoever sends first."""
        async with self._connecting:
            if not self._is_connected:
                await self._queue.connect()
                self._is_connected = True
        await self._queue.enqueue(TASK, message=message, timeout=TIMEOUT)

    def check(self) -> None:
        """Nothing to check: Redis answers every command, and PostgreSQL says when a row is there."""


def engine(queue: Queue, hooks: Performer) -> SaqEngine:
    """The queue. Its worker's settings name the function: see `functions`."""
    return SaqEngine(queue)


def functions(hooks: Performer) -> Sequence[tuple[str, Callable[..., Awaitable[None]]]]:
    """What the settings of SAQ's worker have to name: `"functions": [*functions(hooks), ...]`.

    It never fails for a handler's failure, which is tried again by us, and waits for an inbox that cannot be reached.
    Of a worker that is killed the event is handed over again once its lease has run out.
    https://saq-py.readthedocs.io/en/latest/
    """

    async def perform(context: Any, *, message: str) -> None:
        await patiently(hooks, message)

    return [(TASK, perform)]
