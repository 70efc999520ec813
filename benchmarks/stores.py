"""What the inboxes keep and work off a second, by 1, 2 and 4 processes: `python -m benchmarks.stores URL ...`.

Every process keeps 64 deliveries waiting, each of one event of 2 KB, and then leases and settles what all have kept,
100 at a time. Load and inbox share the processes, and all share the machine: compare the stores, not machines.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections import deque
from collections.abc import Sequence
from hashlib import sha256
from itertools import count
from typing import Any

from hookcatch.core.model import Close, NewEvent, Run
from hookcatch.inbox import open_inbox

SECONDS = 3.0
WAITING = 64
BATCH = 100
BODY = b"x" * 2000


def keep(url: str, name: int, start: float) -> int:
    """How many events one process has kept, acknowledged, in SECONDS."""
    inbox = open_inbox(url, clock=time.time)
    inbox.open()
    numbers = count()
    waiting: deque[Any] = deque()
    while time.time() < start:
        time.sleep(0.01)
    kept = 0
    while time.time() < start + SECONDS:
        while len(waiting) < WAITING:
            id_ = f"evt_{time.time_ns()}_{name}_{next(numbers)}"
            event = NewEvent("shop", "", id_, "t", time.time(), BODY, sha256(id_.encode()).digest())
            waiting.append(inbox.accept([event]))
        waiting.popleft().result()
        kept += 1
    for one in waiting:
        one.result()
    inbox.close()
    return kept


def work_off(url: str, name: int, start: float) -> int:
    """How many events one process has leased and settled in SECONDS."""
    inbox = open_inbox(url, clock=time.time)
    inbox.open()
    while time.time() < start:
        time.sleep(0.01)
    done = 0
    while (now := time.time()) < start + SECONDS:
        leases = inbox.lease(token=f"w{name}", limit=BATCH, now=now, until=now + 60).result()
        settled = [
            inbox.settle(lease, [Run("h", "succeeded", lease.event.attempt)], Close("succeeded"))
            for lease in leases
        ]
        for one in settled:
            one.result()
        done += len(leases)
    inbox.close()
    return done


def a_second(what: Any, url: str, processes: int) -> float:
    """Events a second of so many processes together."""
    start = time.time() + 1.5
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return sum(pool.starmap(what, [(url, name, start) for name in range(processes)])) / SECONDS


def main(urls: Sequence[str]) -> None:
    """Print a table."""
    print("| store | processes | kept a second | worked off a second |\n|---|---|---|---|")
    for url in urls:
        for processes in (1, 2, 4):
            kept, done = (a_second(what, url, processes) for what in (keep, work_off))
            print(f"| {url.partition(':')[0]} | {processes} | {kept:,.0f} | {done:,.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
