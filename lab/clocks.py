"""E15: the clock of a worker jumps, and the worker is killed with what it has in hand."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import ledger, stores
from .options import Options
from .processes import Process, server, until
from .sender import Sender
from .verdict import Verdict

HOUR, DECADE = 3600.0, 10 * 365.25 * 86400.0
JUMPS = (HOUR, -HOUR, DECADE, -DECADE)
ODD = 60.0
"""Seconds from now, either way, beyond which no lease ends that a right clock wrote."""
WAVE = 10
"""Events before each jump: as many as a worker does at a time."""


@dataclass(frozen=True, slots=True)
class Jump:
    """By how many seconds; how many leases the wrong clock had written when its worker was killed; seconds from when
    another worker was there until all of these were in its hands."""

    by: float
    odd: int
    taken_over: float


async def clocks(jumps: Sequence[float], options: Options, directory: Path) -> Verdict:
    """A worker's clock jumps while it works, and it is killed; another with the right clock comes
    afterwards."""
    options = replace(options, tx=True, before=1.5)
    ledger.prepare(options)
    seconds_off = directory / "seconds-off"
    receiver = server("uvicorn", replace(options, worker=False), directory)
    steady = server("worker", options, directory, port=1)
    jumper = server("worker", replace(options, clock=str(seconds_off)), directory, port=2)
    sender, seen = Sender([receiver.port], rate=1000.0), list[Jump]()
    try:
        receiver.start()
        await receiver.ready()
        for number, by in enumerate(jumps):
            seconds_off.write_text("0")
            jumper.start()
            await jumper.ready()
            await sender.send([f"evt_{number}_{n}" for n in range(WAVE)])
            await until(lambda: len(_leases(options)) == WAVE, 10, "the worker does not take all events")
            seconds_off.write_text(str(by))
            await asyncio.sleep(options.lease / 4 + 0.3)  # it says at each quarter that it lives
            jumper.signal_all(signal.SIGSTOP)
            left = {lease for lease, ends in _leases(options).items() if abs(ends - time.time()) > ODD}
            jumper.kill()
            seen.append(Jump(by, len(left), await _taken_over(left, steady, options)))
            await until(lambda: ledger.undecided(options) == 0, 60, "the inbox is not worked off")
            await steady.stop()
        await receiver.stop()
    finally:
        for process in (receiver, steady, jumper):
            process.kill()
    return _judge(options, sender.tally.acked, seen)


def _leases(options: Options) -> dict[tuple[str, str], float]:
    """Who has what, and until when."""
    ends = "lease_until" if stores.kind(options) == "sqlite" else "at"
    columns = f"{stores.id_column(options)}, lease_token, {ends}"
    rows = stores.say(options, f"SELECT {columns} FROM hookcatch_event WHERE state = 'running'")
    return {(id_, token): until_ for id_, token, until_ in rows}


async def _taken_over(left: set[tuple[str, str]], steady: Process, options: Options) -> float:
    steady.start()
    await steady.ready()
    began = time.monotonic()
    await until(lambda: not left & _leases(options).keys(), 60, "what the dead worker had is not taken over")
    return round(time.monotonic() - began, 2)


def _judge(options: Options, acked: set[str], seen: list[Jump]) -> Verdict:
    done, parked = ledger.effects(options), ledger.ids(options, *ledger.PARKED)
    lost = acked - set(done.times) - set(parked)
    figures = {
        "store": stores.kind(options),
        "broken": options.broken or "no",
        "acked": len(acked),
        **{
            f"jump by {jump.by:.0f} s": f"{jump.odd} leases, taken over in {jump.taken_over} s"
            for jump in seen
        },
        "double": len(done.doubles),
        "lost": len(lost),
        "parked": len(parked),
        "states": dict(ledger.states(options)),
    }
    holds = {
        "nothing was done twice": not done.doubles,
        "no acknowledged event is lost": not lost,
        "each wrong clock left leases behind": all(jump.odd for jump in seen),
        "none was stuck for more than two of its lengths": all(
            jump.taken_over <= 2 * options.lease for jump in seen
        ),
        "nothing was parked": not parked,
    }
    return Verdict("clocks that jump", figures, holds)
