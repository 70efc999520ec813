"""E1, E2: a receiver that is killed all the time, under a sender that never gives up."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import ledger, stores
from .options import Options
from .processes import Process, server, until
from .sender import Message, Sender, Tally
from .verdict import Verdict

LAST = 1
"""The kill after the storm, when all is acknowledged: it hits what is in hand as well."""


@dataclass(frozen=True, slots=True)
class Storm:
    """How hard it blows: events in all and a second, seconds between kills, share of events sent twice."""

    events: int = 2000
    rate: float = 150.0
    kill: tuple[float, float] = (0.6, 1.4)
    duplicates: float = 0.05
    server: str = "uvicorn"
    processes: int = 1


async def crash(
    storm: Storm,
    options: Options,
    directory: Path,
    told: Callable[[int, int], None] = lambda acked, kills: None,
) -> Verdict:
    """Run the storm and count; `told` hears of acks and kills as they come."""
    ledger.prepare(options)
    receiver = server(storm.server, options, directory, processes=storm.processes)
    sender = Sender([receiver.port], storm.rate, storm.duplicates)
    killer = Killer(receiver, storm.kill)
    started = time.monotonic()

    async def progress() -> None:
        told(len(sender.tally.acked), killer.kills)

    killing = asyncio.create_task(killer.run())
    try:
        tally = await _all_sent(sender, [f"evt_{n:05d}" for n in range(storm.events)], progress, killing)
        took = time.monotonic() - started
        receiver.kill()
        await settle(receiver, options)
    finally:
        killing.cancel()
        receiver.kill()
    return judge(storm, options, tally, killer.kills, took)


async def _all_sent(sender: Sender, ids: list[str], progress: Callable, killing: asyncio.Task[None]) -> Tally:  # type: ignore[type-arg]
    """The sender's tally; or the killer's own failure, should the receiver not start again."""
    sending = asyncio.create_task(sender.send(ids, told=progress))
    await asyncio.wait([sending, killing], return_when=asyncio.FIRST_COMPLETED)
    if not sending.done():
        sending.cancel()
        killing.result()
    killing.cancel()
    await asyncio.gather(killing, return_exceptions=True)
    return sending.result()


class Killer:
    """Starts the receiver, kills it after a while, and again, until it is cancelled."""

    def __init__(self, receiver: Process, every: tuple[float, float]) -> None:
        self._receiver = receiver
        self._every = every
        self.kills = 0

    async def run(self) -> None:
        """Never ends by itself."""
        while True:
            self._receiver.start()
            await self._receiver.ready()
            await asyncio.sleep(random.uniform(*self._every))
            self._receiver.kill()
            self.kills += 1


async def settle(receiver: Process, options: Options, patience: float = 90.0) -> None:
    """Let a receiver that nobody kills work off what is left, and stop it."""
    receiver.start()
    await receiver.ready()
    knocking = asyncio.create_task(_knock(receiver.port))
    try:
        await until(lambda: ledger.undecided(options) == 0, patience, "the inbox is not worked off")
    finally:
        knocking.cancel()
    await receiver.stop()


async def _knock(port: int) -> None:
    """Requests that are refused: under WSGI a process starts to work with the first one it gets."""
    stranger, nothing = Sender([port], rate=1.0), Message("", (), b"")
    while True:
        await asyncio.gather(*(stranger.once(port, nothing) for _ in range(8)))
        await asyncio.sleep(0.2)


def judge(storm: Storm, options: Options, tally: Tally, kills: int, took: float) -> Verdict:
    """Compare what the sender was told with what was done."""
    done = ledger.effects(options)
    times = Counter[str]()
    for id_, count in done.times.items():
        times[id_.partition("~")[0]] += count
    parked = ledger.ids(options, *ledger.PARKED)
    lost = [id_ for id_ in tally.acked if id_ not in times and id_ not in parked]
    double = [id_ for id_, count in times.items() if count > 1]
    first_try = [id_ for id_ in double if done.attempt.get(id_, 1) < 2]
    integrity = ledger.integrity(options)
    in_hand = storm.processes * options.concurrency
    figures = {
        "store": stores.kind(options),
        "mode": "stored+tx" if options.tx else "stored",
        "server": f"{storm.server} x {storm.processes}",
        "broken": options.broken or "no",
        "events": storm.events,
        "acked": len(tally.acked),
        "acks": tally.acks,
        "kills": kills,
        "answers": dict(sorted(tally.answers.items())),
        "lost": len(lost),
        "double": len(double),
        "double without a second attempt": len(first_try),
        "parked": len(parked),
        "states": dict(ledger.states(options)),
        "integrity": integrity,
        "seconds of load": round(took, 1),
    }
    holds = {
        "every event was acknowledged": len(tally.acked) == storm.events,
        "no acknowledged event is lost": not lost,
        "every answer was a 2xx, a 503 or a broken connection": set(tally.answers) <= {0, 200, 503},
        "the file is whole, where it is a file of ours": integrity == "ok",
        "the receiver was killed": kills > 0,
        f"parked events are no more than {kills} kills, and the last one": len(parked) <= kills + LAST,
    }
    if options.tx:
        holds["nothing was done twice"] = not double
    else:
        holds[f"what was done twice is within {kills} kills, and the last one, x {in_hand} in hand"] = (
            len(double) <= (kills + LAST) * in_hand
        )
        holds["what was done twice was done on a later attempt"] = not first_try
    return Verdict("a storm of kills", figures, holds)
