"""E14: two instances are restarted in turn, politely, under load."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from . import ledger
from .options import Options
from .processes import Process, server, until, usual
from .sender import Sender
from .verdict import Verdict


async def drain(
    restarts: int, rate: float, kind: str, options: Options, directory: Path, *, apart: bool = False
) -> Verdict:
    """Restart while a sender goes on; it turns to the other instance when a connection is refused or broken. With
    `apart` two receivers only receive, and two workers beside them are restarted in turn with them."""
    options = replace(options, lease=60.0, before=0.05, worker=not apart)
    ledger.prepare(options)
    receivers = [server(kind, options, directory, processes=min(2, usual(kind))) for _ in range(2)]
    workers = [server("worker", options, directory) for _ in range(2 if apart else 0)]
    pairs = zip(receivers, workers, strict=True)
    instances = [one for pair in pairs for one in pair] if apart else receivers
    sender = Sender([one.port for one in receivers], rate)
    sending: asyncio.Task[object] | None = None
    exits: list[float] = []
    try:
        for one in instances:
            one.start()
        await asyncio.gather(*(one.ready() for one in instances))
        stopped = asyncio.Event()
        sending = asyncio.create_task(_send_until(sender, stopped))
        exits += [await _restart(instances[number % len(instances)]) for number in range(restarts)]
        stopped.set()
        await sending
        await until(lambda: ledger.undecided(options) == 0, 30, "the inbox is not worked off")
        exits += [await one.stop() for one in instances]
    finally:
        if sending:
            sending.cancel()
        for one in instances:
            one.kill()
    return _judge(sender, exits, options)


async def _restart(instance: Process) -> float:
    await asyncio.sleep(0.3)
    took = await instance.stop()
    instance.start()
    await instance.ready()
    return took


async def _send_until(sender: Sender, stopped: asyncio.Event) -> None:
    batch = 0
    while not stopped.is_set():
        batch += 1
        await sender.send([f"evt_{batch:04d}_{i:03d}" for i in range(int(sender.rate) // 4)])


def _judge(sender: Sender, exits: list[float], options: Options) -> Verdict:
    tally, done = sender.tally, ledger.effects(options)
    refusals = {status: n for status, n in tally.answers.items() if status and not 200 <= status < 300}
    wasted = [id_ for id_, attempt in ledger.column(options, "attempt").items() if attempt != 1]
    figures = {
        "acked": len(tally.acked),
        "restarts": len(exits),
        "answers": dict(sorted(tally.answers.items())),
        "attempts wasted": len(wasted),
        "lost": len(tally.acked - set(done.times)),
        "double": len(done.doubles),
        "longest exit, seconds": round(max(exits), 2),
    }
    holds = {
        "no answer was anything but a 2xx": not refusals,
        "no attempt was wasted": not wasted,
        "nothing was lost": tally.acked <= set(done.times),
        "nothing was done twice": not done.doubles,
        "each exit took at most 30 s": max(exits) <= 30.0,
    }
    return Verdict("rolling restarts", figures, holds)
