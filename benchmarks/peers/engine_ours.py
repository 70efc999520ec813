"""hookcatch behind its front door: what a verified delivery becomes, and the worker in the same process."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from benchmarks.deliveries import SECRET, around_the_id
from benchmarks.servers import Ticks
from hookcatch import Event, Hookcatch
from hookcatch.core.model import NewEvent

HEADERS = {"content-type": "application/json; charset=utf-8", "user-agent": "Stripe/1.0"}


@asynccontextmanager
async def receiving(target: str, *, working: bool) -> AsyncIterator[Callable[[str], Awaitable[object]]]:
    """Keeps an event by its id, and has it on disk when it is back."""
    hooks = Hookcatch(target, worker=working)
    hooks.source("stripe", secret=SECRET)
    ticks = Ticks(Path(os.environ["HOOKCATCH_BENCH_DIR"]))

    @hooks.on("*")
    async def count(event: Event[object]) -> None:
        ticks.tick()

    before, after = around_the_id()
    runtime = hooks.runtime()
    ports = runtime.in_loop()

    async def keep(id_: str) -> object:
        body = before + id_.encode() + after
        hash_ = sha256(body).digest()
        event = NewEvent("stripe", "", id_, "charge.succeeded", time.time(), body, hash_, headers=HEADERS)
        return await ports.colour.wait(ports.inbox.accept([event]))

    try:
        yield keep
    finally:
        await runtime.drain()
        runtime.close()


def prepare(target: str) -> None:
    """Make the tables."""
    inbox = Hookcatch(target).inbox()
    inbox.open()
    inbox.close()
