"""What a claim costs while a large backlog is worked off: `python -m benchmarks.backlog [--store URL] [--pending N]`.

The backlog comes in by `accept` and is leased and settled as a worker does it. What must be flat are the time of a
claim and the memory of the process: a backlog is what is there when things have gone wrong.
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from hookcatch.core.model import Close, NewEvent, Run
from hookcatch.core.ports import Inbox
from hookcatch.inbox import open_inbox

from .contenders import POSTGRES
from .machine import postgres, sentence
from .places import fresh
from .progress import Progress
from .report import percentile
from .sheet import Curve, curves, table

DELIVERY = 500
"""Events of one delivery; filling is not what is measured."""

MARKS = (0.0, 0.25, 0.5, 0.75, 1.0)
WINDOW = 0.05
"""The share of the drain in which a mark's claims are looked at: from the mark on, and for the last one up to it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One call of `lease`: how many events were done before it, how long it took, and the process's bytes then."""

    done: int
    seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class Drain:
    """A whole drain."""

    store: str
    pending: int
    filled: float
    drained: float
    claims: Sequence[Claim]


@dataclass(frozen=True, slots=True)
class Mark:
    """What claims cost around one share of the drain: milliseconds, and MB of memory."""

    share: float
    p50: float
    p99: float
    memory: float


def fill(inbox: Inbox, pending: int, size: int) -> float:
    """Have so many events kept, each with a body of `size` bytes; the seconds it took."""
    started, progress = time.perf_counter(), Progress("filling", pending)
    waiting: deque[Future[object]] = deque()
    for first in range(0, pending, DELIVERY):
        numbers = range(first, min(first + DELIVERY, pending))
        waiting.append(inbox.accept([_event(number, size) for number in numbers]))  # type: ignore[arg-type]
        if len(waiting) == 4:
            waiting.popleft().result()
        progress.at(first)
    for one in waiting:
        one.result()
    progress.at(pending)
    return time.perf_counter() - started


def _event(number: int, size: int) -> NewEvent:
    body = b"%012d" % number + bytes(size - 12)
    return NewEvent(
        "stripe", "", f"evt_1N{number:022d}", "invoice.paid", time.time(), body, sha256(body).digest()
    )


def drain(inbox: Inbox, pending: int, at_once: int) -> tuple[float, list[Claim]]:
    """Lease, settle and wait, until nothing is due; the seconds it took, and every claim."""
    process, progress = psutil.Process(), Progress("draining", pending)
    started, done, claims = time.perf_counter(), 0, list[Claim]()
    while done < pending:
        now, before = time.time(), time.perf_counter()
        leases = inbox.lease(token="bench", limit=at_once, now=now, until=now + 60).result()
        claims.append(Claim(done, time.perf_counter() - before, process.memory_info().rss))
        if not leases:
            raise RuntimeError(f"{pending - done} of {pending} events are not due any more")
        run = Run("handle", "succeeded", 1, started_at=now, finished_at=now)
        settled = [inbox.settle(lease, [run], Close("succeeded")) for lease in leases]
        for one in settled:
            one.result()
        done += len(leases)
        progress.at(done)
    return time.perf_counter() - started, claims


def marks(claims: Sequence[Claim], pending: int) -> list[Mark]:
    """What stands in the table."""
    found = []
    for share in MARKS:
        first = min(share, 1 - WINDOW)
        some = [one for one in claims if first * pending <= one.done < (first + WINDOW) * pending]
        times = [one.seconds * 1000 for one in some]
        memory = max((one.memory for one in some), default=0) / 1e6
        found.append(Mark(share, percentile(times, 0.5), percentile(times, 0.99), memory))
    return found


def page(drains: Sequence[Drain], at_once: int, size: int, on: str, command: str) -> str:
    """A table a store."""
    head = ["drained", "a claim, p50 ms", "p99 ms", "memory of the process, MB"]
    parts = []
    for one in drains:
        rows = [
            (f"{mark.share:.0%}", mark.p50, mark.p99, mark.memory) for mark in marks(one.claims, one.pending)
        ]
        parts.append(
            f"## {one.store}, {one.pending:,} waiting\n\n{table(head, rows)}\n\n"
            f"Filled in {one.filled:,.0f} s ({one.pending / one.filled:,.0f} events a second), drained in "
            f"{one.drained:,.0f} s ({one.pending / one.drained:,.0f} a second)."
        )
    return _PAGE.format(at_once=at_once, size=size, on=on, command=command, stores="\n\n".join(parts))


def picture(drains: Sequence[Drain]) -> str:
    """The time of a claim over the drain, for each store its p50 and its p99."""
    groups = []
    for one in drains:
        step = max(1, one.pending // 20)
        slices = [
            [claim.seconds * 1000 for claim in one.claims if first <= claim.done < first + step]
            for first in range(0, one.pending, step)
        ]
        groups.append(
            [
                Curve(
                    f"{one.store}, p{share * 100:.0f}",
                    [
                        (100 * (number + 0.5) / len(slices), percentile(times, share))
                        for number, times in enumerate(slices)
                    ],
                )
                for share in (0.5, 0.99)
            ]
        )
    return curves("Milliseconds that a claim takes", "% of the backlog drained", *groups)


def measure(url: str, pending: int, at_once: int, size: int) -> Drain:
    """Fill and drain an inbox that is made for it."""
    with fresh(url) as place:
        inbox = open_inbox(place, clock=time.time)
        inbox.open()
        try:
            filled = fill(inbox, pending, size)
            drained, claims = drain(inbox, pending, at_once)
        finally:
            inbox.close()
    name = {"sqlite": "SQLite"}.get(urlsplit(url).scheme, "PostgreSQL")
    return Drain(name, pending, filled, drained, claims)


def main() -> None:
    """Measure every store that is named, and write it down."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.backlog", description="Claims from a large backlog."
    )
    parser.add_argument(
        "--store", action="append", metavar="URL", help="sqlite: or postgresql://...; default both"
    )
    parser.add_argument("--pending", type=int, default=1_000_000, help="events that wait")
    parser.add_argument("--at-once", type=int, default=100, help="events a claim")
    parser.add_argument("--body", type=int, default=500, help="bytes of an event's body")
    parser.add_argument(
        "--docs", type=Path, metavar="DIRECTORY", help="write figures-backlog.md and its picture"
    )
    wish = parser.parse_args()
    urls = wish.store or ["sqlite:", POSTGRES]
    on = sentence(*{postgres(url) for url in urls if url.startswith("postgres")})
    drains = [measure(url, wish.pending, wish.at_once, wish.body) for url in urls]
    command = f"python -m benchmarks.backlog --pending {wish.pending}"
    text = page(drains, wish.at_once, wish.body, on, command)
    if wish.docs:
        (wish.docs / "figures-backlog.md").write_text(text)
        (wish.docs / "figures-backlog.svg").write_text(picture(drains))
    print(text)


_PAGE = """# Figures: working off a backlog

Written by `{command} --docs docs`. {on}

![The time of a claim over the drain](figures-backlog.svg)

All events wait before the first is claimed. One process leases {at_once} at a time and settles each with one run,
bodies are {size} bytes. A line of the table is 5 % of the drain, from there on (the last one: up to there); the
memory is the largest in it.

{stores}
"""

if __name__ == "__main__":
    main()
