"""How long a new event waits for a worker in another process, with hints and without."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from hookcatch.core.model import NewEvent
from hookcatch.inbox import open_inbox

from . import ledger
from .options import Options
from .processes import server, until
from .verdict import Verdict


async def wake(n: int, options: Options, directory: Path) -> Verdict:
    """Keep `n` events, one at a time and at no regular distance, and wait for the effect of each."""
    options = replace(options, tx=False, before=0.0, after=0.0)
    figures: dict[str, object] = {}
    for name, more in (("with hints", "?notify=1"), ("without", "?notify=0")):
        waits = sorted(await _waits(n, name, replace(options, url_options=more), directory))
        median, most = (round(waits[place] * 1000, 1) for place in (len(waits) // 2, -1))
        figures[f"ms from commit to effect {name}, median and most"] = f"{median}, {most}"
    done = ledger.effects(options)
    return Verdict(
        "an event for another process",
        figures,
        {"each was done once": len(done.times) == 2 * n and not done.doubles},
    )


async def _waits(n: int, name: str, options: Options, directory: Path) -> list[float]:
    ledger.prepare(options)
    worker = server("worker", options, directory)
    inbox = open_inbox(options.inbox_url, clock=time.time)
    try:
        worker.start()
        await worker.ready()
        await asyncio.sleep(1.0)
        waits = []
        for number in range(n):
            await asyncio.sleep(random.uniform(0.2, 0.7))
            size = Path(options.ledger).stat().st_size
            await asyncio.wrap_future(inbox.accept([_order(f"{name} {number}")]))
            started = time.monotonic()
            while Path(options.ledger).stat().st_size == size:
                await asyncio.sleep(0.0005)
            waits.append(time.monotonic() - started)
        await until(lambda: ledger.undecided(options) == 0, 20, "the inbox is not worked off")
        await worker.stop()
        return waits
    finally:
        worker.kill()
        inbox.close()


def _order(id_: str) -> NewEvent:
    body = json.dumps({"type": "order.paid", "data": {}}).encode()
    return NewEvent("shop", "", id_.replace(" ", "_"), "order.paid", time.time(), body, sha256(body).digest())
