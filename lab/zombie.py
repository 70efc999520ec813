"""E11: a worker is stopped past its leases, another does its work, and then it wakes up."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import replace
from pathlib import Path

from . import ledger, stores
from .options import Options
from .processes import Process, server, until
from .sender import Sender
from .verdict import Verdict


async def zombie(n: int, options: Options, directory: Path) -> Verdict:
    """Have one worker hold `n` events while it sleeps."""
    options = replace(options, concurrency=n, before=1.5, tx=True)
    ledger.prepare(options)
    receiver = server("uvicorn", replace(options, worker=False), directory)
    sleeper = server("worker", options, directory)
    other = server("worker", replace(options, before=0.0), directory)
    try:
        receiver.start()
        await receiver.ready()
        tally = await Sender([receiver.port], rate=2000.0).send([f"evt_{i:05d}" for i in range(n)])
        sleeper.start()
        await until(lambda: ledger.states(options)["running"] == n, 20, "the worker does not take all events")
        await _stop_between_commits(sleeper, options)
        await asyncio.sleep(options.lease)
        other.start()
        await until(lambda: ledger.undecided(options) == 0, 60, "the other worker does not take over")
        sleeper.signal_all(signal.SIGCONT)
        refused = await _refusals(sleeper, n)
        await sleeper.stop()
        await other.stop()
        await receiver.stop()
    finally:
        for process in (receiver, sleeper, other):
            process.kill()
    done = ledger.effects(options)
    figures = {
        "broken": options.broken or "no",
        "acked": len(tally.acked),
        "refused to the zombie": refused,
        "double": len(done.doubles),
        "lost": len(tally.acked - set(done.times)),
        "states": dict(ledger.states(options)),
    }
    holds = {
        "each of the zombie's commits was refused": refused == n,
        "nothing was done twice": not done.doubles,
        "nothing was lost": tally.acked <= set(done.times),
        "all succeeded": ledger.states(options) == {"succeeded": n},
    }
    return Verdict("a zombie", figures, holds)


async def _stop_between_commits(process: Process, options: Options) -> None:
    """Stop it where it holds no lock: with one in its hands it would keep others waiting, in SQLite everybody, and
    there would be no zombie but a standstill."""
    while True:
        process.signal_all(signal.SIGSTOP)
        await asyncio.sleep(0.05)
        if not stores.is_writing(options):
            return
        process.signal_all(signal.SIGCONT)
        await asyncio.sleep(0.01)


async def _refusals(sleeper: Process, n: int) -> int:
    """How many results it was refused, as it says itself, once it has said so of all or has fallen silent."""
    count, since = -1, time.monotonic()
    while count < n and time.monotonic() - since < 4.0:
        await asyncio.sleep(0.1)
        now = sleeper.log.read_text().count("was not settled: LeaseLost")
        if now != count:
            count, since = now, time.monotonic()
    return count
