"""E16: many copies of each event arrive at the same instant."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

from . import ledger
from .options import Options
from .processes import server, until
from .sender import Sender, message
from .verdict import Verdict


async def race(n: int, copies: int, kind: str, options: Options, directory: Path) -> Verdict:
    """Send `copies` of each of `n` events together, and all that were told to come back once more."""
    options = replace(options, tx=False)
    ledger.prepare(options)
    receiver = server(kind, options, directory)
    sender = Sender([receiver.port], rate=1.0)
    try:
        receiver.start()
        await receiver.ready()
        for number in range(n):
            what = message(f"evt_{number:05d}")
            first = await asyncio.gather(*(sender.once(receiver.port, what) for _ in range(copies)))
            while not any(status == 200 for status in first):
                first = [await sender.once(receiver.port, what)]
        await until(lambda: ledger.undecided(options) == 0, 60, "the inbox is not worked off")
        await receiver.stop()
    finally:
        receiver.kill()
    answers, done = sender.tally.answers, ledger.effects(options)
    rows, times = Counter[str](), Counter[str]()
    for id_, count in ledger.ids(options).items():
        rows[id_.partition("~")[0]] += count
    for id_, count in done.times.items():
        times[id_.partition("~")[0]] += count
    figures = {
        "server": kind,
        "ack": options.ack,
        "broken": options.broken or "no",
        "events x copies": f"{n} x {copies}",
        "answers": dict(sorted(answers.items())),
        "rows": sum(rows.values()),
        "effects": sum(times.values()),
    }
    holds = {
        "one row each": len(rows) == n and set(rows.values()) == {1},
        "one effect each": len(times) == n and set(times.values()) == {1},
        "every copy got a 2xx": answers == {200: n * copies},
    }
    return Verdict("copies in mid-air", figures, holds)
