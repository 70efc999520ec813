"""E15: the clock of a worker jumps, and the worker is killed with what it has in hand; or it lives on beside another,
whose clock is right."""

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
OWN_CLOCK = "own-clock"
"""The build in which each machine goes by its own clock, as `?server_clock=0` asks for."""
WAVE = 10
"""Events before each jump: as many as a worker does at a time."""


@dataclass(frozen=True, slots=True)
class Jump:
    """By how many seconds; how many leases the wrong clock had written when its worker was killed; seconds from when
    another worker was there until all that the dead one held was in its hands."""

    by: float
    odd: int
    taken_over: float


async def clocks(jumps: Sequence[float], options: Options, directory: Path) -> Verdict:
    """A worker's clock jumps while it works, and it is killed; another with the right clock comes
    afterwards."""
    options, name = spoilt(replace(options, tx=True, before=1.5)), options.broken
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
            held = _leases(options)
            odd = [ends for ends in held.values() if abs(ends - time.time()) > ODD]
            jumper.kill()
            seen.append(Jump(by, len(odd), await _taken_over(set(held), steady, options)))
            await until(lambda: ledger.undecided(options) == 0, 60, "the inbox is not worked off")
            await steady.stop()
        await receiver.stop()
    finally:
        for process in (receiver, steady, jumper):
            process.kill()
    return _judge(replace(options, broken=name), sender.tally.acked, seen)


def spoilt(options: Options) -> Options:
    """Broken as they say."""
    if options.broken != OWN_CLOCK:
        return options
    mark = "&" if "?" in options.server else "?"
    return replace(options, broken="", url_options=f"{mark}server_clock=0")


async def beside(jumps: Sequence[float], options: Options, directory: Path) -> Verdict:
    """Two workers live, and the clock of one is wrong: it jumps while both work, and it comes back with a wrong one
    while the other works. Handlers take longer than a lease."""
    name = options.broken
    options = spoilt(replace(options, tx=stores.has_tables(options), before=3.0, concurrency=WAVE // 2))
    ledger.prepare(options)
    seconds_off = directory / "seconds-off"
    receiver = server("uvicorn", replace(options, worker=False), directory)
    steady = server("worker", options, directory, port=1)
    jumper = server("worker", replace(options, clock=str(seconds_off)), directory, port=2)
    sender = Sender([receiver.port], rate=1000.0)

    async def send(wave: str, running: int) -> None:
        """So many are in work then; or some have ended already, which a broken build's may by being parked."""
        await sender.send([f"evt_{wave}_{n}" for n in range(WAVE // 2)])
        await until(
            lambda: ledger.states(options)["running"] >= running or ledger.undecided(options) < running,
            20,
            "the workers do not take all",
        )

    try:
        receiver.start()
        steady.start()
        await asyncio.gather(receiver.ready(), steady.ready())
        for number, by in enumerate(jumps):
            seconds_off.write_text("0")
            jumper.start()
            await jumper.ready()
            await send(f"{number}_one", WAVE // 2)
            await send(f"{number}_other", WAVE)
            seconds_off.write_text(str(by))
            await until(lambda: ledger.undecided(options) == 0, 60, "the inbox is not worked off")
            await jumper.stop()
            await send(f"{number}_alone", WAVE // 2)
            jumper.start()
            await jumper.ready()
            await send(f"{number}_beside", WAVE // 2)
            await until(lambda: ledger.undecided(options) == 0, 60, "the inbox is not worked off")
            await jumper.stop()
        await steady.stop()
        await receiver.stop()
    finally:
        for process in (receiver, steady, jumper):
            process.kill()
    return _judge_both(replace(options, broken=name), sender.tally.acked, len(jumps))


def _judge_both(options: Options, acked: set[str], jumps: int) -> Verdict:
    done, parked = ledger.effects(options), ledger.ids(options, *ledger.PARKED)
    taken = [id_ for id_, attempt in ledger.attempts(options).items() if attempt > 1]
    lost = acked - set(done.times) - set(parked)
    figures = {
        "store": stores.kind(options),
        "broken": options.broken or "no",
        "jumps": jumps,
        "acked": len(acked),
        "taken from a worker that lived": len(taken),
        "double": len(done.doubles),
        "lost": len(lost),
        "parked": len(parked),
        "states": dict(ledger.states(options)),
    }
    holds = {
        "nothing was taken from a worker that lived": not taken,
        "nothing was done twice": not done.doubles,
        "no acknowledged event is lost": not lost,
        "nothing was parked": not parked,
    }
    return Verdict("clocks that disagree", figures, holds)


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
            f"jump by {jump.by:.0f} s": f"{jump.odd} odd leases, all taken over in {jump.taken_over} s"
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
        **_left_behind(options, seen),
        "none was stuck for more than two of its lengths": all(
            jump.taken_over <= 2 * options.lease for jump in seen
        ),
        "nothing was parked": not parked,
    }
    return Verdict("clocks that jump", figures, holds)


def _left_behind(options: Options, seen: list[Jump]) -> dict[str, bool]:
    """A file has the clock of its machine, wrong or not; a server has its own."""
    if stores.kind(options) == "sqlite":
        return {"each wrong clock left leases behind": all(jump.odd for jump in seen)}
    return {"no wrong clock left leases behind": not any(jump.odd for jump in seen)}
