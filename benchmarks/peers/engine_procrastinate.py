"""Procrastinate: `defer_async`, with the pool that it makes by itself."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from procrastinate import App, PsycopgConnector

from benchmarks.deliveries import around_the_id
from benchmarks.servers import Ticks

app = App(connector=PsycopgConnector(conninfo=os.environ.get("HOOKCATCH_BENCH_TARGET", "")))

_ticks: list[Ticks] = []


@app.task
async def handle(event: dict[str, Any]) -> None:
    """Count it."""
    if not _ticks:
        _ticks.append(Ticks(Path(os.environ["HOOKCATCH_BENCH_DIR"])))
    _ticks[0].tick()


@asynccontextmanager
async def receiving(target: str, *, working: bool) -> AsyncIterator[Callable[[str], Awaitable[object]]]:
    """Defers an event by its id."""
    before, after = around_the_id()
    made = json.loads(before + b"THE_ID" + after)

    async def keep(id_: str) -> object:
        return await handle.defer_async(event={**made, "id": id_})

    async with app.open_async():
        yield keep


def prepare(target: str) -> None:
    """Make the tables."""
    with app.replace_connector(PsycopgConnector(conninfo=target)) as made, made.open():
        made.schema_manager.apply_schema()
