"""The spool's file: deliveries in a row, which wait on this machine's disk for the store.

A row is an event as `Inbox.accept` was given it; the rows of one call stand side by side. It is a SQLite file under
the inbox's own rules (SEMANTICS 10), with its group commit, its lock between processes and its floor. Whoever looks
into it does so through the writer as well, so that one process at a time has the file.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hookcatch.core.errors import ConfigurationError, InboxUnavailable
from hookcatch.core.model import Duplicates, Lane, NewEvent

from . import disk, rows, sqlite_file
from .forks import Forking, watch
from .locks import WriteLock
from .rules import failed
from .sqlite_file import SqliteOptions
from .writer import Writer

NAME = "spool.db"
VERSION = 1
TABLE = """
CREATE TABLE hookcatch_spool (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: who took rows to the store may drop them late
  first INTEGER,                          -- the seq of the delivery's first event; NULL in that one
  received_at REAL NOT NULL,
  facts TEXT NOT NULL,                    -- the event but for its body, as JSON
  policy TEXT NOT NULL,                   -- what is to be done with duplicates, as JSON
  body BLOB NOT NULL,
  aside TEXT                              -- why the store does not take it, where it takes all others
)
"""
INSERT = "INSERT INTO hookcatch_spool (first, received_at, facts, policy, body) VALUES (?, ?, ?, ?, ?)"
WAITING = """
SELECT coalesce(first, seq), seq, facts, policy, body
FROM hookcatch_spool WHERE aside IS NULL AND seq > ? ORDER BY seq
"""
END = "SELECT seq FROM hookcatch_spool WHERE aside IS NULL ORDER BY seq {} LIMIT 1"
STATUS = """
SELECT count(*), coalesce(sum(first IS NULL), 0), coalesce(sum(length(body)), 0), min(received_at)
FROM hookcatch_spool WHERE aside IS NULL
"""

_BYTES = ("body_hash", "content_key")

MOST_EVENTS = 500
MOST_BYTES = 8 << 20
"""Of what is taken out at once: a statement of the store, and no more than memory has room for."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery in the spool: what `Inbox.accept` was asked, and which rows hold it."""

    first: int
    last: int
    events: tuple[NewEvent, ...]
    duplicates: Duplicates


@dataclass(frozen=True, slots=True)
class Status:
    """What is in a spool. `since` is when the oldest of it was received. `aside` has the deliveries that the store
    did not take, each by the id of its first event, and why."""

    deliveries: int
    events: int
    bytes: int
    since: float | None
    aside: tuple[tuple[str, str], ...]


class SpoolFile(Forking):
    """Deliveries that wait, oldest first. Futures fail with InboxUnavailable, as an inbox's do.

    Args:
        place: the directory; several processes of a machine share it.
        options: of the file in it.
    """

    def __init__(self, place: str | os.PathLike[str], options: SqliteOptions) -> None:
        self.place: Path = Path(place)
        self.path: Path = self.place / NAME
        self.options: SqliteOptions = options
        self._floor = disk.Floor(
            self.place, options.disk_floor, timer=time.monotonic, lower="Spool(..., disk_floor=BYTES)"
        )
        self._ballast = self.path.with_name(f"{NAME}-ballast")
        self._opening = threading.Lock()
        self._opened = False
        self._inherited: list[sqlite3.Connection | None] = []
        self._writer = Writer(
            partial(sqlite_file.connect, self.path, options),
            WriteLock(str(self.path)),
            on_due=_nobody,
            on_full=partial(disk.drop_ballast, self._ballast),
        )
        watch(self)

    def open(self) -> None:
        """Check the place and make the file. Blocks. Raises ConfigurationError with what to do. Idempotent."""
        with self._opening:
            if not self._opened:
                if not self.place.is_dir():
                    raise ConfigurationError(
                        f"the spool's directory {self.place} does not exist: create it, for this user alone"
                    )
                sqlite_file.check_place(self.path, self.options)
                try:
                    self._prepare()
                except (sqlite3.Error, OSError) as error:
                    raise ConfigurationError(f"the spool cannot be opened at {self.path}: {error}") from error
                self._take_ballast()
                self._opened = True

    def _prepare(self) -> None:
        lock = WriteLock(str(self.path))
        with (
            closing(lock),
            lock.held(),
            closing(sqlite3.connect(self.path, isolation_level=None)) as connection,
        ):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise ConfigurationError(
                    f"{self.path} was written by a newer hookcatch: install that again, and let it drain the spool"
                )
            if version < VERSION:
                # before anything is in the file: so that it shrinks as it is drained
                connection.execute("PRAGMA auto_vacuum = FULL")
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(TABLE)
                connection.execute(f"PRAGMA user_version = {VERSION}")
                connection.execute("COMMIT")

    def _take_ballast(self) -> None:
        if self.options.ballast and self._floor.why_not() is None:
            disk.take_ballast(self._ballast, self.options.ballast)

    def close(self) -> None:
        """Finish what is queued and let go. Blocks."""
        with self._opening:
            self._writer.close()
            self._opened = False

    def append(self, events: Sequence[NewEvent], duplicates: Duplicates) -> Future[int]:
        """Keep one delivery behind all others; the number of its last row. Resolves once that is on disk."""
        why_not = self._floor.why_not()
        if why_not is not None:
            return failed(InboxUnavailable(why_not, retry_after=30.0))
        policy = json.dumps(asdict(duplicates))
        ready = [(event.received_at, _facts(event), policy, event.body) for event in events]
        return self._writer.submit(lambda connection: _append(connection, ready))

    def span(self) -> Future[tuple[int, int]]:
        """The numbers of the oldest and the newest row that wait, after all that was appended before; 0 for none."""
        return self._writer.submit(_span)

    def oldest(self, limit: int, *, after: int = 0) -> Future[list[Waiting]]:
        """Up to `limit` deliveries, oldest first, that can be one call of `accept`: they want the same done with
        duplicates. `after`: leave out the rows up to this number."""
        return self._writer.submit(lambda connection: _oldest(connection, limit, after))

    def drop(self, taken: Sequence[Waiting]) -> Future[None]:
        """The store has them."""
        ranges = [(one.first, one.last) for one in taken]
        return self._writer.submit(lambda connection: _drop(connection, ranges))

    def set_aside(self, one: Waiting, why: str) -> Future[None]:
        """Let the others pass: it waits no more, and is kept."""
        return self._writer.submit(lambda connection: _set_aside(connection, one, why))

    def try_again(self) -> Future[None]:
        """Let all that was set aside wait again."""
        return self._writer.submit(_try_again)

    def status(self) -> Status:
        """What is in it. Blocks."""
        return self._writer.submit(_status).result()

    def before_fork(self) -> None:
        """See `Forking`."""
        self._writer.before_fork()

    def after_fork_in_parent(self) -> None:
        """See `Forking`."""
        self._writer.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """See `Forking`."""
        self._opening = threading.Lock()
        self._inherited.append(self._writer.after_fork_in_child())


def _nobody() -> None:
    """Nothing that a worker could take comes due here."""


def _facts(event: NewEvent) -> str:
    found = {one.name: getattr(event, one.name) for one in fields(event) if one.name != "body"}
    found["headers"] = dict(event.headers)
    found["lane"] = event.lane and asdict(event.lane)
    for name in _BYTES:
        found[name] = None if found[name] is None else found[name].hex()
    return json.dumps(found)  # ASCII: a lone surrogate comes back as it was


def _event(facts: str, body: bytes) -> NewEvent:
    found = json.loads(facts)
    found["headers"] = MappingProxyType(found["headers"])
    found["lane"] = found["lane"] and Lane(**found["lane"])
    for name in _BYTES:
        found[name] = None if found[name] is None else bytes.fromhex(found[name])
    return NewEvent(body=body, **found)


def _append(connection: sqlite3.Connection, ready: Sequence[tuple[Any, ...]]) -> int:
    first = None
    last = 0
    for row in ready:
        last = connection.execute(INSERT, (first, *row)).lastrowid or 0
        first = first or last
    return last


def _span(connection: sqlite3.Connection) -> tuple[int, int]:
    found = [connection.execute(END.format(order)).fetchone() for order in ("ASC", "DESC")]
    oldest, newest = [0 if row is None else int(row[0]) for row in found]
    return oldest, newest


def _oldest(connection: sqlite3.Connection, limit: int, after: int) -> list[Waiting]:
    chosen: list[Waiting] = []
    events = size = 0
    with closing(connection.execute(WAITING, (after,))) as cursor:
        for one in _deliveries(cursor):
            events += len(one.events)
            size += sum(len(event.body) for event in one.events)
            full = len(chosen) == limit or events > MOST_EVENTS or size > MOST_BYTES
            if chosen and (full or not _alike(chosen[0].duplicates, one.duplicates)):
                break
            chosen.append(one)
    return chosen


def _deliveries(cursor: sqlite3.Cursor) -> Iterator[Waiting]:
    for first, group in groupby(cursor, itemgetter(0)):
        found = list(group)
        _, last, _, policy, _ = found[-1]
        events = tuple([_event(facts, body) for _, _, facts, _, body in found])
        yield Waiting(first, last, events, Duplicates(**json.loads(policy)))


def _alike(one: Duplicates, other: Duplicates) -> bool:
    revives = (one.revive_before is None) == (other.revive_before is None)
    return revives and one.refuse_replayed_content == other.refuse_replayed_content


def _drop(connection: sqlite3.Connection, ranges: Sequence[tuple[int, int]]) -> None:
    connection.executemany("DELETE FROM hookcatch_spool WHERE seq BETWEEN ? AND ?", ranges)


def _set_aside(connection: sqlite3.Connection, one: Waiting, why: str) -> None:
    sql = "UPDATE hookcatch_spool SET aside = ? WHERE seq BETWEEN ? AND ?"
    connection.execute(sql, (rows.text(why), one.first, one.last))


def _try_again(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE hookcatch_spool SET aside = NULL WHERE aside IS NOT NULL")


def _status(connection: sqlite3.Connection) -> Status:
    events, deliveries, size, since = connection.execute(STATUS).fetchone()
    aside = connection.execute(
        "SELECT facts, aside FROM hookcatch_spool WHERE aside IS NOT NULL AND first IS NULL ORDER BY seq"
    ).fetchall()
    named = tuple([(json.loads(facts)["id"], rows.untext(why)) for facts, why in aside])
    return Status(deliveries, events, size, since, named)
