"""One process that receives: `python -m benchmarks.engines.process ENGINE TARGET [working]`.

It opens the engine, keeps a few events so that everything is loaded and connected, and says how many. Then it is told
when to begin and to end and how many events to keep at most, and says how many it has kept and when the last one was.
If it works events off too it goes on with that until its stdin ends.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from benchmarks.deliveries import ordered_ids

from .contenders import ENGINES, Engine


@dataclass(frozen=True, slots=True)
class Order:
    """Keep events from `start` to `until`, in seconds since the epoch, and no more than `most`."""

    start: float
    until: float
    most: int


WARM = 3
"""Events that each task or thread keeps before the clock runs."""


class Supply:
    """Ids of events, until it is time to end; for any number of threads."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._ids = ordered_ids()
        self._lock = threading.Lock()
        self._given = self._kept = 0

    def next(self) -> str | None:
        """An id, or None at the end."""
        with self._lock:
            if self._given == self._order.most or time.time() >= self._order.until:
                return None
            self._given += 1
            return next(self._ids)

    def kept(self) -> None:
        """One was kept."""
        with self._lock:
            self._kept += 1

    def told(self) -> str:
        """What came of it."""
        return f"{self._kept} {time.time()}"


def _say(line: str) -> None:
    print(line, flush=True)


def _ordered() -> Order:
    start, until, most = sys.stdin.readline().split()
    return Order(float(start), float(until), int(most))


def _warm(waiting: int) -> Order:
    return Order(time.time(), time.time() + 60, WARM * waiting)


async def in_tasks(opened: AbstractAsyncContextManager[Any], waiting: int) -> None:
    """As an ASGI server: many requests in one loop."""
    async with opened as keep:

        async def receive(supply: Supply) -> None:
            while (id_ := supply.next()) is not None:
                await keep(id_)
                supply.kept()

        async def play(order: Order) -> None:
            supply = Supply(order)
            async with asyncio.TaskGroup() as group:
                for _ in range(waiting):
                    group.create_task(receive(supply))
            _say(supply.told())

        await play(_warm(waiting))
        order = await asyncio.to_thread(_ordered)
        await asyncio.sleep(order.start - time.time())
        await play(order)
        await asyncio.to_thread(sys.stdin.readline)


def in_threads(opened: AbstractContextManager[Any], waiting: int) -> None:
    """As a threaded WSGI server."""
    with opened as keep, ThreadPoolExecutor(waiting) as pool:

        def receive(supply: Supply) -> None:
            while (id_ := supply.next()) is not None:
                keep(id_)
                supply.kept()

        def play(order: Order) -> None:
            supply = Supply(order)
            list(pool.map(receive, [supply] * waiting))
            _say(supply.told())

        play(_warm(waiting))
        order = _ordered()
        time.sleep(max(0.0, order.start - time.time()))
        play(order)
        sys.stdin.readline()


def main() -> None:
    """What the command line names."""
    import uvloop

    engine: Engine = next(one for one in ENGINES if one.name == sys.argv[1])
    peer = import_module(f"benchmarks.peers.{engine.peer}")
    opened = peer.receiving(sys.argv[2], working=sys.argv[3:] == ["working"])
    if engine.threads:
        in_threads(opened, engine.waiting)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(in_tasks(opened, engine.waiting))


if __name__ == "__main__":
    main()
