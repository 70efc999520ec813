"""E12, in part: handlers that take much longer than a lease, many at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from . import ledger
from .options import Options
from .processes import server, until
from .sender import Sender
from .verdict import Verdict


async def slow(n: int, options: Options, directory: Path) -> Verdict:
    """Two workers; each handler takes three leases."""
    options = replace(options, lease=1.0, concurrency=n, before=3.0, worker=False)
    ledger.prepare(options)
    receiver = server("uvicorn", options, directory)
    workers = [server("worker", options, directory, port=number) for number in (1, 2)]
    try:
        receiver.start()
        await receiver.ready()
        tally = await Sender([receiver.port], rate=2000.0).send([f"evt_{i:05d}" for i in range(n)])
        for worker in workers:
            worker.start()
        await until(lambda: ledger.undecided(options) == 0, 60, "the inbox is not worked off")
        for process in (receiver, *workers):
            await process.stop()
    finally:
        for process in (receiver, *workers):
            process.kill()
    done = ledger.effects(options)
    again = [id_ for id_, attempt in ledger.column(options, "attempt").items() if attempt != 1]
    figures = {
        "handlers": "transactions" if options.tx else "plain functions",
        "acked": len(tally.acked),
        "taken more than once": len(again),
        "double": len(done.doubles),
        "lost": len(tally.acked - set(done.times)),
    }
    holds = {
        "no lease ran out under its handler": not again,
        "nothing was done twice": not done.doubles,
        "nothing was lost": tally.acked <= set(done.times),
    }
    return Verdict("slow handlers", figures, holds)
