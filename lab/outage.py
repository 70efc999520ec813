"""E7, E8: the database server goes down again and again under a sender that never gives up."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from . import ledger, stores
from .cluster import Cluster
from .options import Options
from .own_redis import FORGETFUL, KEEPS_NOTHING, SYNCED, OwnRedis
from .processes import server, until
from .sender import Sender, Tally
from .verdict import Verdict

UNLOGGED = "unlogged"
"""The build whose tables the server empties after a crash: they must be missed."""

WEAK = {"postgresql": UNLOGGED, "redis": FORGETFUL}
"""Servers that keep less than they say yes to."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Events in all and a second; seconds that the server is up, and down."""

    events: int = 10_000
    rate: float = 100.0
    up: tuple[float, float] = (5.0, 20.0)
    down: tuple[float, float] = (0.5, 2.0)


Home = Cluster | OwnRedis
"""A server of the experiment's own."""

Outages = list[tuple[float, float]]
"""From when to when the server was surely down: it was gone, and nobody had started it yet."""


async def outage(weather: Weather, options: Options, directory: Path, store: str = "postgresql") -> Verdict:
    """Stop the server and start it, and count what came of it; `store` is a key of WEAK."""
    home: Home = Cluster()
    if store == "redis":
        home = OwnRedis(KEEPS_NOTHING if options.broken == FORGETFUL else SYNCED)
    if options.broken == WEAK[store]:  # it would be refused
        options = replace(options, url_options="?durability=best_effort")
    try:
        await asyncio.to_thread(home.make)
        return await _storm(weather, replace(options, server=home.url), home, directory)
    finally:
        await asyncio.to_thread(home.remove)


async def _storm(weather: Weather, options: Options, home: Home, directory: Path) -> Verdict:
    ledger.prepare(options)
    if options.broken == UNLOGGED:
        for table in ("hookcatch_run", "hookcatch_event"):
            stores.say(options, f"ALTER TABLE {table} SET UNLOGGED")
    is_weak = options.broken in WEAK.values()
    receiver = server("uvicorn", replace(options, broken="") if is_weak else options, directory)
    # not too many at a time: each that is refused comes again at once
    sender = Sender([receiver.port], weather.rate, duplicates=0.05, under_way=16)
    outages: Outages = []
    try:
        receiver.start()
        await receiver.ready()
        over = asyncio.Event()
        blowing = asyncio.create_task(_blow(home, weather, outages, over))
        sending = asyncio.create_task(sender.send([f"evt_{n:05d}" for n in range(weather.events)]))
        await asyncio.wait([blowing, sending], return_when=asyncio.FIRST_COMPLETED)
        over.set()
        await blowing
        await sending
        await until(lambda: ledger.undecided(options) == 0, 60, "the inbox is not worked off")
        await receiver.stop()
    finally:
        receiver.kill()
    return _judge(options, weather, sender.tally, outages)


async def _blow(home: Home, weather: Weather, outages: Outages, over: asyncio.Event) -> None:
    """Until it is over; then the server is up."""
    while not over.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), random.uniform(*weather.up))
            return
        await asyncio.to_thread(home.crash)
        since = time.monotonic()
        await asyncio.sleep(random.uniform(*weather.down))
        outages.append((since, time.monotonic()))
        await asyncio.to_thread(home.start)


def _judge(options: Options, weather: Weather, tally: Tally, outages: Outages) -> Verdict:
    done = ledger.effects(options)
    parked = ledger.ids(options, *ledger.PARKED)
    lost = [id_ for id_ in tally.acked if id_ not in done.times and id_ not in parked]
    forgotten = tally.acked - set(ledger.ids(options))
    meanwhile = [
        status
        for sent, answered, status in tally.log
        if any(since < sent and answered < until_ for since, until_ in outages)
    ]
    waits = _recoveries(tally, outages)
    first_try = [id_ for id_ in done.doubles if done.attempt[id_] < 2]
    in_hand = options.concurrency
    figures = {
        "store": stores.kind(options),
        "broken": options.broken or "no",
        "mode": "stored+tx" if options.tx else "stored",
        "events": weather.events,
        "acked": len(tally.acked),
        "outages": len(outages),
        "answers": dict(sorted(tally.answers.items())),
        "answers while it was down": len(meanwhile),
        "lost": len(lost),
        "acknowledged and not in the inbox": len(forgotten),
        "double": len(done.doubles),
        "parked": len(parked),
        "states": dict(ledger.states(options)),
        "seconds from its start to a 2xx, median and most": (
            f"{waits[len(waits) // 2]:.2f}, {waits[-1]:.2f}" if waits else "-"
        ),
    }
    holds = {
        "every event was acknowledged": len(tally.acked) == weather.events,
        "no acknowledged event is lost": not lost and not forgotten,
        "no 2xx was said while the server was down": not any(200 <= status < 300 for status in meanwhile),
        "every answer was a 2xx or a 503": set(tally.answers) <= {200, 503},
        "events came while it was down": bool(meanwhile),
        f"parked events are no more than {len(outages)} outages": len(parked) <= len(outages),
    }
    if options.tx:
        holds["nothing was done twice"] = not done.doubles
    else:
        holds[f"what was done twice is within {len(outages)} outages x {in_hand} in hand"] = (
            len(done.doubles) <= len(outages) * in_hand
        )
        holds["what was done twice was done on a later attempt"] = not first_try
    return Verdict("a server that goes down", figures, holds)


def _recoveries(tally: Tally, outages: Outages) -> list[float]:
    """Seconds from each start of the server, which takes its own time to recover, to the next 2xx."""
    good = sorted(answered for _, answered, status in tally.log if 200 <= status < 300)
    places = [(start, bisect_left(good, start)) for _, start in outages]
    return sorted(good[place] - start for start, place in places if place < len(good))
