"""E4: a process that ends at each single call of the store, before it and after it.

Each life is a fork that receives what has not been acknowledged yet and works on what there is. The first one
ends at the n-th point; later ones end by themselves. The clock moves on by an hour a life, so leases run out.
"""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hookcatch import Hookcatch
from hookcatch.inbox import open_inbox

from . import ledger
from .broken import Spoilt
from .options import PATH, Options
from .receiver import register
from .sender import message
from .verdict import Verdict

CALLS = ("accept", "lease", "settle", "release", "heartbeat")
EVENTS = ("evt_1", "evt_2", "evt_3")
HOUR = 3600.0
DIED = 9


@dataclass
class Fuse:
    """Ends the process at its n-th point; 0 never does."""

    at: int
    passed: int = 0

    def point(self) -> None:
        """One point."""
        self.passed += 1
        if self.passed == self.at:
            os._exit(DIED)


class Mined(Spoilt):
    """An inbox with a point before and after each call, and around the transaction."""

    def __init__(self, inbox: Any, fuse: Fuse) -> None:
        super().__init__(inbox)
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inbox, name)
        return call if name not in CALLS else lambda *given, **named: self._mined(call, given, named)

    def _mined(self, call: Callable[..., Future[Any]], given: Any, named: Any) -> Future[Any]:
        self._fuse.point()
        future = call(*given, **named)
        future.add_done_callback(lambda _: self._fuse.point())  # before anybody else hears of it
        return future

    def transaction(self, *given: Any) -> Any:
        return MinedTransaction(self._inbox.transaction(*given), self._fuse)


class MinedTransaction:
    """A transaction with points before and after its beginning and its end."""

    def __init__(self, made: Any, fuse: Fuse) -> None:
        self._made = made
        self._fuse = fuse

    @property
    def committed(self) -> bool:
        return bool(self._made.committed)

    async def __aenter__(self) -> Any:
        self._fuse.point()
        db = await self._made.__aenter__()
        self._fuse.point()
        return db

    async def __aexit__(self, *error: Any) -> None:
        self._fuse.point()
        await self._made.__aexit__(*error)
        self._fuse.point()


async def crash_points(options: Options, directory: Path) -> Verdict:
    """Go through all points."""
    whole = _series(0, options, directory / "0")
    points = whole.points
    series = [_series(n, options, directory / str(n)) for n in range(1, points + 1)]
    figures = {
        "mode": "stored+tx" if options.tx else "stored",
        "ack": options.ack,
        "points": points,
        "processes that ended there": sum(one.died for one in series),
        "that had done all before it": sum(
            not one.died and one.points < n for n, one in enumerate(series, 1)
        ),
        "series with a loss": sum(bool(one.lost) for one in series),
        "series with a double": sum(bool(one.double) for one in series),
        "series with a parked event": sum(bool(one.parked) for one in series),
    }
    holds = {
        "there are points, and a process that came to its point ended there": points > 20
        and all(one.died or 0 < one.points < n for n, one in enumerate(series, 1)),
        "nearly all came to theirs": sum(one.died for one in series) >= 0.8 * points,
        "no acknowledged event is lost": not any(one.lost for one in series),
        "nothing is parked": not any(one.parked for one in series),
        "all is decided in the end": not any(one.undecided for one in series),
    }
    if options.tx:
        holds["nothing was done twice"] = not any(one.double for one in series)
    return Verdict("an end at every call", figures, holds)


@dataclass(frozen=True, slots=True)
class Series:
    """What came of one series of lives."""

    points: int
    died: bool
    lost: list[str]
    double: list[str]
    parked: int
    undecided: int


def _series(at: int, options: Options, directory: Path) -> Series:
    directory.mkdir()
    options = replace(options, db=str(directory / "inbox.db"), ledger=str(directory / "effects.log"))
    ledger.prepare(options)
    acked: set[str] = set()
    status, points = _live(options, Fuse(at), 0, acked)
    died = status == DIED
    for life in range(1, 4):
        if _live(options, Fuse(0), life, acked)[0] not in (0, DIED):
            raise RuntimeError(f"a life after point {at} ended badly; the files are in {directory}")
    done = ledger.effects(options)
    return Series(
        points,
        died,
        [id_ for id_ in acked if id_ not in done.times],
        done.doubles,
        len(ledger.ids(options, *ledger.PARKED)),
        ledger.undecided(options),
    )


def _live(options: Options, fuse: Fuse, life: int, acked: set[str]) -> tuple[int, int]:
    """One process; what it could acknowledge before its end is added to `acked`."""
    heard, told = os.pipe()
    child = os.fork()
    if not child:
        os.close(heard)
        code = 1
        try:
            asyncio.run(_serve(options, fuse, life, told, [id_ for id_ in EVENTS if id_ not in acked]))
            os.write(told, f"{fuse.passed}\n".encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    os.close(told)
    with open(heard, "rb") as pipe:
        words = pipe.read().decode().split()
    _, status = os.waitpid(child, 0)
    acked.update(word for word in words if word in EVENTS)
    passed = [int(word) for word in words if word.isdigit()]
    return os.waitstatus_to_exitcode(status), passed[0] if passed else 0


async def _serve(options: Options, fuse: Fuse, life: int, told: int, ids: Sequence[str]) -> None:
    def clock() -> float:
        return time.time() + life * HOUR

    inbox: Any = Mined(open_inbox(options.inbox_url, clock=clock), fuse)
    hooks = Hookcatch(inbox, clock=clock, lease=60.0, concurrency=2)
    register(hooks, options, tolerance=10 * HOUR)
    for id_ in ids:
        if await _post(hooks, id_) == 200:
            os.write(told, f"{id_}\n".encode())
        fuse.point()
    runtime = hooks.runtime()
    runtime.in_loop()
    end = time.monotonic() + 10
    while inbox.next_due() is not None and time.monotonic() < end:
        await asyncio.sleep(0.005)
    await runtime.drain()
    runtime.close()


async def _post(hooks: Hookcatch, id_: str) -> int:
    """Send it through the ASGI app, without a server."""
    what = message(id_)
    headers = [(name.encode(), value.encode()) for name, value in what.headers]
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": what.body}

    async def send(sent: Any) -> None:
        statuses.append(sent.get("status", 0))

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers, "query_string": b""}
    await hooks(scope, receive, send)
    return statuses[0]
