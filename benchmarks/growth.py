"""What it costs to have kept much: `python -m benchmarks.growth --store URL --rows 10000,1000000,5000000`.

The rows are what retention leaves after two weeks: ended, without a body, there to know a copy by. One is made by the
inbox, the others are copies of it under other keys, made by the database itself: so there are millions in a minute.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Protocol
from urllib.parse import urlsplit

from hookcatch.core.model import Close, NewEvent, Run
from hookcatch.core.ports import Inbox, Retention
from hookcatch.inbox import open_inbox

from .contenders import POSTGRES
from .machine import postgres, sentence
from .places import fresh
from .progress import Progress
from .sheet import Curve, curves, table

WAITING = 64
BATCH = 100
BODY = b"x" * 2000
STEP = 250_000
"""Rows a statement."""

_numbers = count()


@dataclass(frozen=True, slots=True)
class Size:
    """What was measured with so many rows kept: events a second, and all that the store needs, in bytes."""

    store: str
    rows: int
    kept: float
    done: float
    bytes: int


class Copies(Protocol):
    """Makes rows that are like the first one."""

    def add(self, first: int, last: int) -> None:
        """Those of a range of numbers, the last one included."""
        ...

    def bytes(self) -> int:
        """All that the store needs, once it has tidied up."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class SqliteCopies:
    """In a file, without waiting for the disk."""

    def __init__(self, url: str) -> None:
        self._path = Path(url.removeprefix("sqlite:///"))
        self._db = sqlite3.connect(self._path, isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA cache_size = -500000")
        own = {"seq": None, "id": "printf('evt_1N%022d', n)"}
        names = [str(row[1]) for row in self._db.execute("PRAGMA table_info(hookcatch_event)")]
        self._event = _copy(names, own)
        names = [str(row[1]) for row in self._db.execute("PRAGMA table_info(hookcatch_run)")]
        self._run = _copy(names, {"seq": "e.seq"})

    def add(self, first: int, last: int) -> None:
        (before,) = self._db.execute("SELECT max(seq) FROM hookcatch_event").fetchone()
        numbers = "WITH RECURSIVE number(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM number WHERE n < ?)"
        self._db.execute("BEGIN")
        into, values = self._event
        self._db.execute(
            f"{numbers} INSERT INTO hookcatch_event ({into}) SELECT {values} FROM number, hookcatch_event t "
            "WHERE t.seq = 1",
            (first, last),
        )
        into, values = self._run
        self._db.execute(
            f"INSERT INTO hookcatch_run ({into}) SELECT {values} FROM hookcatch_event e, hookcatch_run t "
            "WHERE e.seq > ? AND t.seq = 1",
            (before,),
        )
        self._db.execute("COMMIT")

    def bytes(self) -> int:
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self._path.stat().st_size

    def close(self) -> None:
        self._db.close()


class PostgresCopies:
    """In a server, without waiting for the disk."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._db = psycopg.connect(url, autocommit=True)
        self._db.execute("SET synchronous_commit = off")
        own = {
            "seq": None,
            "event_key": "encode(sha256(convert_to(t.event_key || n, 'UTF8')), 'hex')",
            "event_id": "'evt_1N' || lpad(n::text, 22, '0')",
        }
        self._event = _copy(self._columns("hookcatch_event"), own)
        self._run = _copy(self._columns("hookcatch_run"), {"event_id": "e.seq"})

    def _columns(self, name: str) -> list[str]:
        sql = "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position"
        return [str(column) for (column,) in self._db.execute(sql, (name,)).fetchall()]

    def add(self, first: int, last: int) -> None:
        (before,) = self._db.execute("SELECT max(seq) FROM hookcatch_event").fetchone() or (0,)
        into, values = self._event
        self._execute(
            f"INSERT INTO hookcatch_event ({into}) SELECT {values} FROM generate_series({first}, {last}) n, "
            "hookcatch_event t WHERE t.seq = 1"
        )
        into, values = self._run
        self._execute(
            f"INSERT INTO hookcatch_run ({into}) SELECT {values} FROM hookcatch_event e, hookcatch_run t "
            f"WHERE e.seq > {before} AND t.event_id = 1"
        )

    def bytes(self) -> int:
        # as the server would have done by itself while the rows came in; or it would do it while we measure
        self._execute("VACUUM (ANALYZE)")
        self._execute("CHECKPOINT")
        sql = "SELECT pg_total_relation_size('hookcatch_event') + pg_total_relation_size('hookcatch_run')"
        (size,) = self._execute(sql).fetchone()
        return int(size)

    def _execute(self, sql: str) -> Any:
        return self._db.execute(sql)

    def close(self) -> None:
        self._db.close()


def _copy(names: Sequence[str], own: dict[str, str | None]) -> tuple[str, str]:
    """The columns that a copy gets, and what they get: the template's value, unless it is the row's own."""
    given = {name: own.get(name, f"t.{name}") for name in names}
    filled = {name: value for name, value in given.items() if value is not None}
    return ", ".join(filled), ", ".join(filled.values())


def measure(url: str, rows: Sequence[int], events: int, rounds: int) -> list[Size]:
    """One size after the other, in an inbox that is made for it."""
    name = {"sqlite": "SQLite"}.get(urlsplit(url).scheme, "PostgreSQL")
    with fresh(url) as place:
        inbox = open_inbox(place, clock=time.time)
        inbox.open()
        _template(inbox)
        copies: Copies = (SqliteCopies if name == "SQLite" else PostgresCopies)(place)
        there, sizes = 1, []
        try:
            for wanted in rows:
                there = _grow(copies, there, wanted, f"{name}, rows")
                size = copies.bytes()
                rates = [(_keep(inbox, events), _work_off(inbox, events)) for _ in range(rounds)]
                there += rounds * events
                kept, done = (median(each) for each in zip(*rates, strict=True))
                sizes.append(Size(name, wanted, kept, done, size))
        finally:
            copies.close()
            inbox.close()
    return sizes


def _template(inbox: Inbox) -> None:
    """One event, done, whose body was dropped."""
    _keep(inbox, 1)
    _work_off(inbox, 1)
    inbox.prune(now=time.time() + 1, retention=Retention(payload=0.0)).result()


def _grow(copies: Copies, there: int, wanted: int, what: str) -> int:
    progress = Progress(what, wanted)
    while there < wanted:
        last = min(there + STEP, wanted)
        copies.add(there + 1, last)
        there = last
        progress.at(there)
    return there


def _keep(inbox: Inbox, events: int) -> float:
    """Events kept a second, WAITING on the way, each a delivery of its own."""
    waiting: deque[Future[Any]] = deque()
    started = time.perf_counter()
    for _ in range(events):
        if len(waiting) == WAITING:
            waiting.popleft().result()
        id_ = f"evt_1P{next(_numbers):022d}"
        event = NewEvent("stripe", "", id_, "t", time.time(), BODY, sha256(id_.encode()).digest())
        waiting.append(inbox.accept([event]))
    for one in waiting:
        one.result()
    return events / (time.perf_counter() - started)


def _work_off(inbox: Inbox, events: int) -> float:
    """Events leased and settled a second, BATCH at a time."""
    started, done = time.perf_counter(), 0
    while done < events:
        now = time.time()
        leases = inbox.lease(token="bench", limit=BATCH, now=now, until=now + 60).result()
        run = Run("handle", "succeeded", 1, started_at=now, finished_at=now)
        for one in [inbox.settle(lease, [run], Close("succeeded")) for lease in leases]:
            one.result()
        done += len(leases)
    return events / (time.perf_counter() - started)


def page(sizes: Sequence[Size], on: str, command: str) -> str:
    """One table."""
    head = ["store", "rows kept", "kept a second", "worked off a second", "on disk, MB", "bytes a row"]
    rows = [
        (one.store, one.rows, one.kept, one.done, one.bytes / 1e6, round(one.bytes / one.rows))
        for one in sizes
    ]
    return _PAGE.format(command=command, on=on, table=table(head, rows))


def picture(sizes: Sequence[Size]) -> str:
    """Rates over the rows that are kept."""
    groups = []
    for store in dict.fromkeys(one.store for one in sizes):
        some = [one for one in sizes if one.store == store]
        groups.append(
            [
                Curve(f"{store}, kept", [(one.rows / 1e6, one.kept) for one in some]),
                Curve(f"{store}, worked off", [(one.rows / 1e6, one.done) for one in some]),
            ]
        )
    return curves("Events a second", "million rows kept before", *groups)


def main() -> None:
    """Measure every store that is named, and write it down."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description="Rates with many rows kept."
    )
    parser.add_argument(
        "--store", action="append", metavar="URL", help="sqlite: or postgresql://...; default both"
    )
    parser.add_argument("--rows", default="10000,1000000,5000000", help="how many are kept")
    parser.add_argument("--events", type=int, default=5000, help="events of a round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds at each size; the median counts")
    parser.add_argument(
        "--docs", type=Path, metavar="DIRECTORY", help="write figures-growth.md and its picture"
    )
    wish = parser.parse_args()
    urls = wish.store or ["sqlite:", POSTGRES]
    rows = sorted(int(number) for number in wish.rows.split(","))
    on = sentence(*{postgres(url) for url in urls if url.startswith("postgres")})
    sizes = [size for url in urls for size in measure(url, rows, wish.events, wish.rounds)]
    text = page(sizes, on, f"python -m benchmarks.growth --rows {wish.rows}")
    if wish.docs:
        (wish.docs / "figures-growth.md").write_text(text)
        (wish.docs / "figures-growth.svg").write_text(picture(sizes))
    print(text)


_PAGE = """# Figures: many rows kept

Written by `{command} --docs docs`. {on}

![Events a second over the rows kept](figures-growth.svg)

The rows are ended, each with one run and without a body, as retention leaves them after two weeks until copies need
not be known any more (90 days). Then one process keeps events of 2 KB, 64 under way, and works them off, 100 at a
time. The sizes are of the rows before it began.

{table}
"""

if __name__ == "__main__":
    main()
