"""What handlers did, and what the inbox knows of it, as read from the files afterwards."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hookcatch.inbox import open_inbox

from .options import Options

CREATE = (
    "CREATE TABLE IF NOT EXISTS lab_effect (id TEXT NOT NULL, attempt INTEGER NOT NULL, pid INTEGER NOT NULL)"
)
INSERT = "INSERT INTO lab_effect VALUES (?, ?, ?)"
OPEN = "('pending', 'running', 'handling')"


@dataclass(frozen=True, slots=True)
class Effects:
    """How often each event had its effect, and the highest attempt that had it."""

    times: Counter[str]
    attempt: dict[str, int]

    @property
    def doubles(self) -> list[str]:
        """The ids that had it more than once."""
        return [id_ for id_, times in self.times.items() if times > 1]


def prepare(options: Options) -> None:
    """Make the inbox and the table of effects before any process under test opens them."""
    inbox = open_inbox(options.inbox_url, clock=time.time)
    inbox.open()
    inbox.close()
    with _connected(options) as db:
        db.execute(CREATE)
    Path(options.ledger).touch()


def append(path: str, id_: str, attempt: int) -> None:
    """Note an effect in a file: one write, which a killed process has done wholly or not at all."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, f"{id_} {attempt} {os.getpid()}\n".encode())
    finally:
        os.close(file)


def effects(options: Options) -> Effects:
    """All effects so far, wherever they were written."""
    found = [line.split() for line in Path(options.ledger).read_text().splitlines()]
    with _connected(options) as db:
        found += db.execute("SELECT id, attempt, pid FROM lab_effect").fetchall()
    times = Counter(id_ for id_, _, _ in found)
    attempt: dict[str, int] = {}
    for id_, number, _ in found:
        attempt[id_] = max(int(number), attempt.get(id_, 0))
    return Effects(times, attempt)


def states(options: Options) -> Counter[str]:
    """How many events there are in each state."""
    with _connected(options) as db:
        rows = db.execute("SELECT state, count(*) FROM hookcatch_event GROUP BY state").fetchall()
    return Counter(dict(rows))


def ids(options: Options, where: str = "1") -> Counter[str]:
    """How many rows each event id has."""
    with _connected(options) as db:
        rows = db.execute(f"SELECT id, count(*) FROM hookcatch_event WHERE {where} GROUP BY id").fetchall()
    return Counter(dict(rows))


def column(options: Options, name: str) -> dict[str, object]:
    """One column of the events, by id."""
    with _connected(options) as db:
        return dict(db.execute(f"SELECT id, {name} FROM hookcatch_event").fetchall())


def undecided(options: Options) -> int:
    """How many events still wait or are worked on."""
    with _connected(options) as db:
        return int(db.execute(f"SELECT count(*) FROM hookcatch_event WHERE state IN {OPEN}").fetchone()[0])


def integrity(options: Options) -> str:
    """`ok`, or what SQLite found wrong with the file."""
    with _connected(options) as db:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])


@contextmanager
def _connected(options: Options) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(options.db, timeout=10)) as db, db:
        yield db
