"""E17, E18: order per key under failures and kills; of shuffled versions the newest has the last word."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from hookcatch.core.model import NewEvent
from hookcatch.core.ports import Inbox, Query
from hookcatch.inbox import open_inbox

from . import receiver
from .broken import broken
from .options import Options
from .processes import Process, command, until
from .verdict import Verdict

AT_ONCE = 500
A_SLOW_EVENT = 0.05
"""Seconds: whoever needs more for each of them, with all its kills, does not get on."""
OPEN = frozenset({"pending", "running"})


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many keys, events a key and workers; seconds between kills of one of them, 0 for none."""

    keys: int = 1000
    events: int = 50
    workers: int = 8
    kill: tuple[float, float] = (0.5, 1.5)


@dataclass(frozen=True, slots=True)
class Drained:
    """How long it took, how many workers were killed meanwhile, what was done in which order, and how it ended."""

    seconds: float
    kills: int
    done: dict[str, list[int]]
    states: dict[str, int]


async def order(crowd: Crowd, options: Options, directory: Path) -> Verdict:
    """Work off the same events twice: in order, and as they come."""
    options = replace(options, tx=False, order=True)
    numbers = [(f"key{key}", n) for n in range(crowd.events) for key in range(crowd.keys)]
    free = await drain(numbers, crowd, replace(options, broken="no-lanes"), directory / "free")
    kept = await drain(numbers, crowd, options, directory / "kept")
    all_ = crowd.keys * crowd.events
    ended = {state: count for state, count in kept.states.items() if state in ("succeeded", "dead")}
    figures = {
        "store": options.inbox_url.partition(":")[0],
        "broken": options.broken or "no",
        "keys x events": f"{crowd.keys} x {crowd.events}",
        "workers": crowd.workers,
        "kills": kept.kills,
        "states": kept.states,
        "out of order": violations(kept.done),
        "events a second": round(all_ / kept.seconds),
        "without order: out of order": violations(free.done),
        "without order: events a second": round(all_ / free.seconds),
        "speed in order, of that without": round(free.seconds / kept.seconds, 2),
    }
    holds = {
        "no event was begun before an earlier one of its key had ended": violations(kept.done) == 0,
        "every event has ended": sum(ended.values()) == all_,
        "without order there is none": violations(free.done) > 0,
    }
    return Verdict("order per key", figures, holds)


async def stale(crowd: Crowd, options: Options, directory: Path) -> Verdict:
    """Work off events whose versions were shuffled on the way; what is stale is skipped."""
    options = replace(options, tx=False, order=True, stale="skip")
    drawn = random.Random(7)
    versions = [drawn.sample(range(crowd.events), crowd.events) for _ in range(crowd.keys)]
    numbers = [(f"key{key}", versions[key][n]) for n in range(crowd.events) for key in range(crowd.keys)]
    kept = await drain(numbers, crowd, options, directory / "stale")
    wrong = [key for key, done in kept.done.items() if done[-1] != crowd.events - 1]
    figures = {
        "store": options.inbox_url.partition(":")[0],
        "broken": options.broken or "no",
        "keys x events": f"{crowd.keys} x {crowd.events}",
        "kills": kept.kills,
        "states": kept.states,
        "keys whose last word is not the newest": len(wrong),
    }
    holds = {
        "for every key the newest event had the last word": not wrong and len(kept.done) == crowd.keys,
        "something was skipped": kept.states.get("ignored", 0) > 0,
    }
    return Verdict("stale events", figures, holds)


async def drain(
    numbers: Sequence[tuple[str, int]], crowd: Crowd, options: Options, directory: Path
) -> Drained:
    """Fill an inbox of its own, and have workers work it off while some of them are killed."""
    directory.mkdir(exist_ok=True)
    url = options.server.replace("{}", directory.name)
    options = replace(
        options, server=url, db=str(directory / "inbox.db"), ledger=str(directory / "effects.log")
    )
    Path(options.ledger).touch()
    with closing(open_inbox(options.inbox_url, clock=time.time)) as inbox:
        inbox.open()
        fill(broken(options.broken, inbox), numbers, options)
        workers = [
            Process(command("worker", 0), options.environ(), directory / f"worker-{number}.log")
            for number in range(crowd.workers)
        ]
        started = time.monotonic()
        killer = asyncio.create_task(kill(workers, crowd.kill, options))
        try:
            patience = 120 + len(numbers) * A_SLOW_EVENT
            await until(lambda: is_drained(inbox), patience, "the inbox is not worked off")
            seconds = time.monotonic() - started
        finally:
            killer.cancel()
            kills = await killer
            for worker in workers:
                worker.kill()
        states = {state: count for (_, state), count in inbox.counts().items()}
    return Drained(seconds, kills, done_in(options), states)


def fill(inbox: Inbox, numbers: Sequence[tuple[str, int]], options: Options) -> None:
    """Put the events in as the receiver would."""
    wishes = receiver.order_of(options)
    events = []
    for at, (key, number) in enumerate(numbers):
        payload = {"type": "order.paid", "data": {"key": key, "number": number, "at": at}}
        body = json.dumps(payload).encode()
        lane, version = wishes.lane(payload), wishes.version_of(payload)
        now, hashed = time.time(), sha256(body).digest()
        events.append(
            NewEvent("shop", "", f"evt_{at}", "order.paid", now, body, hashed, lane=lane, version=version)
        )
    for start in range(0, len(events), AT_ONCE):
        inbox.accept(events[start : start + AT_ONCE]).result()


async def kill(workers: Sequence[Process], every: tuple[float, float], options: Options) -> int:
    """Start all; kill and start again one that has begun to work, until cancelled; how many were killed."""
    kills = 0
    for worker in workers:
        worker.start()
    try:
        while True:
            await asyncio.sleep(random.uniform(*every) if every[1] else 3600)
            seen = {line.split()[2] for line in Path(options.ledger).read_text().splitlines()}
            busy = [worker for worker in workers if str(worker.pid) in seen]
            if busy:
                worker = random.choice(busy)
                worker.kill()
                worker.start()
                kills += 1
    except asyncio.CancelledError:
        return kills


def is_drained(inbox: Inbox) -> bool:
    """Whether nothing waits and nobody works. To count them would take a core of a large crowd's."""
    return not inbox.find(Query(states=OPEN, limit=1))


def done_in(options: Options) -> dict[str, list[int]]:
    """The numbers of the events of each key, as they were begun and done."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for key, number in lines(options):
        found[key].append(number)
    return found


def lines(options: Options) -> Iterator[tuple[str, int]]:
    """What the handlers wrote down, in the order in which they did."""
    for line in Path(options.ledger).read_text().splitlines():
        key, _, number = line.split()[0].partition(":")
        yield key, int(number)


def violations(done: dict[str, list[int]]) -> int:
    """How often something was begun or done after what should have come later. The same event may come again."""
    return sum(before > after for numbers in done.values() for before, after in pairwise(numbers))
