"""What the SQLite inbox costs beside SQLite by hand, D1 to D5."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from typing import Protocol

from hookcatch.core.model import NewEvent
from hookcatch.inbox.sqlite import SqliteInbox
from hookcatch.inbox.sqlite_file import SqliteOptions

from .figures import Effort
from .report import Result, percentile, ratio

WAITING = 64
BODY = 2000
HEADERS = {"content-type": "application/json", "user-agent": "Stripe/1.0"}
OPTIONS = SqliteOptions(disk_floor=0, ballast=0)

SCHEMA = (
    """CREATE TABLE event (seq INTEGER PRIMARY KEY, source TEXT, id TEXT, type TEXT, state TEXT, received REAL,
       hash BLOB, headers TEXT, run_at REAL, UNIQUE (source, id))""",
    "CREATE INDEX due ON event (run_at) WHERE state = 'pending'",
    "CREATE TABLE body (seq INTEGER PRIMARY KEY, body BLOB)",
)
INSERT = "INSERT INTO event VALUES (NULL, ?, ?, ?, 'pending', ?, ?, ?, ?) ON CONFLICT DO NOTHING"

_numbers = count()


class Store(Protocol):
    """Whatever keeps an event and says when it is on disk."""

    def keep(self, event: NewEvent) -> Future[object]:
        """Resolves once it is kept."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Ours:
    """The inbox itself."""

    def __init__(self, directory: Path) -> None:
        self.inbox = SqliteInbox(directory / "ours.db", clock=time.time, options=OPTIONS)
        self.inbox.open()

    def keep(self, event: NewEvent) -> Future[object]:
        return self.inbox.accept((event,))  # type: ignore[return-value]

    def close(self) -> None:
        self.inbox.close()


class RawGroup:
    """Group commit as one writes it in an afternoon: the same data, and nothing else."""

    def __init__(self, directory: Path) -> None:
        self._connection = by_hand(directory / "raw.db")
        self._queue: SimpleQueue[tuple[NewEvent, Future[object]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def keep(self, event: NewEvent) -> Future[object]:
        future: Future[object] = Future()
        self._queue.put((event, future))
        return future

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while not self._queue.empty():
                job = self._queue.get_nowait()
                if job is None:
                    self._queue.put(None)
                    break
                batch.append(job)
            self._connection.execute("BEGIN IMMEDIATE")
            for event, _ in batch:
                insert(self._connection, event)
            self._connection.execute("COMMIT")
            for _, future in batch:
                future.set_result(None)


class CommitEach:
    """A commit a request, in a thread, as an event loop has to."""

    def __init__(self, directory: Path) -> None:
        self._connection = by_hand(directory / "each.db")
        self._thread = ThreadPoolExecutor(1)

    def keep(self, event: NewEvent) -> Future[object]:
        return self._thread.submit(commit, self._connection, event)

    def close(self) -> None:
        self._thread.shutdown()
        self._connection.close()


class Direct:
    """A commit in the caller's own thread."""

    def __init__(self, directory: Path) -> None:
        self._connection = by_hand(directory / "direct.db")

    def keep(self, event: NewEvent) -> Future[object]:
        future: Future[object] = Future()
        future.set_result(commit(self._connection, event))
        return future

    def close(self) -> None:
        self._connection.close()


def by_hand(path: Path) -> sqlite3.Connection:
    """A durable connection and the least schema that holds what an inbox holds."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=200"):
        connection.execute(f"PRAGMA {pragma}")
    for statement in SCHEMA:
        connection.execute(statement)
    return connection


def insert(connection: sqlite3.Connection, event: NewEvent) -> None:
    """One event and its body."""
    headers = json.dumps(dict(event.headers))
    at = event.received_at
    row = (event.source, event.id, event.type, at, event.body_hash, headers, at)
    cursor = connection.execute(INSERT, row)
    if cursor.rowcount:
        connection.execute("INSERT INTO body VALUES (?, ?)", (cursor.lastrowid, event.body))


def commit(connection: sqlite3.Connection, event: NewEvent) -> None:
    """One event, one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    insert(connection, event)
    connection.execute("COMMIT")


def made(number: int, size: int = BODY) -> list[NewEvent]:
    """Events with ids that grow in time, as Stripe's, GitHub's and ULIDs do."""
    now = time.time()
    events = []
    for serial in (next(_numbers) for _ in range(number)):
        body = b"%012d" % serial + b"x" * (size - 12)
        digest = sha256(body).digest()
        facts = {"received_at": now, "body": body, "body_hash": digest, "headers": HEADERS}
        events.append(NewEvent("stripe", "", f"evt_1N{serial:022d}", "invoice.paid", **facts))  # type: ignore[arg-type]
    return events


def rate(store: Store, events: list[NewEvent]) -> float:
    """Events a second with WAITING of them on the way."""
    waiting: deque[Future[object]] = deque()
    started = time.perf_counter()
    for event in events:
        if len(waiting) == WAITING:
            waiting.popleft().result()
        waiting.append(store.keep(event))
    for future in waiting:
        future.result()
    return len(events) / (time.perf_counter() - started)


def lone(store: Store, events: list[NewEvent]) -> float:
    """The median seconds of one at a time."""
    times = []
    for event in events:
        started = time.perf_counter()
        store.keep(event).result()
        times.append(time.perf_counter() - started)
    return median(times)


def latencies(store: Store, events: list[NewEvent]) -> list[float]:
    """Seconds from call to ack, WAITING at a time, each followed by the next as soon as it is acked."""
    times: list[float] = []
    left = iter(events)
    ended = threading.Semaphore(0)

    def one(event: NewEvent) -> None:
        started = time.perf_counter()
        store.keep(event).add_done_callback(lambda _: on_ack(started))

    def on_ack(started: float) -> None:
        times.append(time.perf_counter() - started)
        following = next(left, None)
        if following is None:
            ended.release()
        else:
            one(following)

    for event in [next(left) for _ in range(WAITING)]:
        one(event)
    for _ in range(WAITING):
        ended.acquire()
    return times


@contextmanager
def stores(*kinds: Callable[[Path], Store]) -> Iterator[list[Store]]:
    """Each on a fresh file, all on the same disk."""
    directory = Path(tempfile.mkdtemp(prefix="bench-inbox-", dir=os.environ.get("HOOKCATCH_BENCH_DIR")))
    made_stores = [kind(directory) for kind in kinds]
    try:
        yield made_stores
    finally:
        for store in made_stores:
            store.close()
        shutil.rmtree(directory)


def in_turn(
    effort: Effort,
    measure: Callable[[Store, list[NewEvent]], float],
    events: int,
    *kinds: Callable[[Path], Store],
) -> list[list[float]]:
    """A B A B; the first round only warms up."""
    found: list[list[float]] = [[] for _ in kinds]
    with stores(*kinds) as contenders:
        for store in contenders:
            measure(store, made(events // 4))
        for _ in range(effort.rounds):
            for store, figures in zip(contenders, found, strict=True):
                figures.append(measure(store, made(events)))
    return found


def d1(effort: Effort) -> Result:
    """Our share of the raw speed."""
    ours, raw = in_turn(effort, rate, effort.events, Ours, RawGroup)
    note = f"{median(ours):,.0f} / {median(raw):,.0f} ev/s"
    return Result("D1", "accept, 64 waiting / raw group commit", ratio(ours, raw), 0.8, note=note)


def d2(effort: Effort) -> Result:
    """Both in a process of their own, whose every fsync takes a millisecond longer."""
    title = "accept / a commit a request, 64 waiting, fsync +1 ms"
    with tempfile.TemporaryDirectory() as directory:
        shim = slow_sync(Path(directory))
        if shim is None:
            return Result("D2", title, None, 20, note="no C compiler (gcc) to slow fsync down with")
        figures: dict[str, list[float]] = {"ours": [], "each": []}
        for _ in range(min(3, effort.rounds)):
            for name, found in figures.items():
                found.append(_in_slow_process(name, shim, effort.events if name == "ours" else 600))
    note = f"{median(figures['ours']):,.0f} / {median(figures['each']):,.0f} ev/s"
    return Result("D2", title, ratio(figures["ours"], figures["each"]), 20, note=note)


SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static void wait_a_ms(void) { struct timespec t = {0, 1000000}; nanosleep(&t, 0); }
int fsync(int f) { int (*real)(int) = dlsym(RTLD_NEXT, "fsync"); wait_a_ms(); return real(f); }
int fdatasync(int f) { int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync"); wait_a_ms(); return real(f); }
"""


def slow_sync(directory: Path) -> Path | None:
    """A library that makes every fsync a millisecond slower; None without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    source, library = directory / "slow.c", directory / "slow.so"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return library


def _in_slow_process(name: str, shim: Path, events: int) -> float:
    command = [sys.executable, "-m", "benchmarks.inbox", name, str(events)]
    environment = {**os.environ, "LD_PRELOAD": str(shim)}
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(answer.stdout)


def d3(effort: Effort) -> Result:
    """Both hop to a thread and back; the note says what the hop costs."""
    ours, each, direct = in_turn(effort, lone, 400, Ours, CommitEach, Direct)
    figures = [f"{median(one) * 1e6:.0f}" for one in (ours, each, direct)]
    note = f"{figures[0]} / {figures[1]} us; {figures[2]} us without leaving the caller's thread"
    return Result("D3", "a lone accept / a plain commit in a thread", ratio(ours, each), 1.2, True, note=note)


def d4(effort: Effort) -> Result:
    """Whether an insert costs the same when a million rows are kept, and how much of the file is not body."""
    few: list[float] = []
    many: list[float] = []
    with stores(Ours) as (small,), stores(Ours) as (large,):
        keep(small, 10_000)
        keep(large, effort.kept)
        for _ in range(5):
            few += keep(small, 1000)
            many += keep(large, 1000)
    note = f"{median(many) * 1e6:.1f} / {median(few) * 1e6:.1f} us at {effort.kept:,} / 10,000 rows"
    note += f"; file / bodies of {BODY} bytes {_overhead():.2f} (target 1.15)"
    return Result("D4", "an insert at 1 M kept rows / at 10 k", ratio(many, few), 1.3, True, note=note)


def _overhead() -> float:
    """Bytes of file for a byte of body."""
    with stores(Ours) as (store,):
        keep(store, 20_000, size=BODY)
        store.close()
        assert isinstance(store, Ours)
        return store.inbox.path.stat().st_size / (20_000 * BODY)


def keep(store: Store, events: int, size: int = 100) -> list[float]:
    """Keep events, 100 a commit; the seconds an event took in each."""
    assert isinstance(store, Ours)
    times = []
    for _ in range(events // 100):
        batch = made(100, size)
        started = time.perf_counter()
        store.inbox.accept(batch).result()
        times.append((time.perf_counter() - started) / 100)
    return times


def d5(effort: Effort) -> Result:
    """How much slower the slowest acks are than the usual ones."""
    ratios, notes = [], []
    with stores(Ours) as (store,):
        latencies(store, made(effort.events // 4))
        for _ in range(effort.rounds):
            times = latencies(store, made(effort.events))
            p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
            ratios.append(p99 / p50)
            notes.append((p50, p99))
    p50, p99 = (median(one) * 1000 for one in zip(*notes, strict=True))
    return Result(
        "D5", "ack p99 / p50, 64 waiting", median(ratios), 4, True, note=f"{p99:.1f} / {p50:.1f} ms"
    )


@dataclass(frozen=True, slots=True)
class Figure:
    """A target and how it is measured."""

    name: str
    measure: Callable[[Effort], Result]


FIGURES = (Figure("D1", d1), Figure("D2", d2), Figure("D3", d3), Figure("D4", d4), Figure("D5", d5))
CHILDREN: dict[str, Callable[[Path], Store]] = {"ours": Ours, "each": CommitEach}


def main() -> None:
    """One store in a process of its own, for D2."""
    _, name, events = sys.argv
    with stores(CHILDREN[name]) as (store,):
        print(rate(store, made(int(events))))


if __name__ == "__main__":
    main()
