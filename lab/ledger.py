"""What handlers did, and what the inbox knows of it, as read from file and database afterwards."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hookcatch.core.model import EventState
from hookcatch.core.ports import Inbox, Query
from hookcatch.inbox import open_inbox

from . import stores
from .options import Options
from .stores import say

CREATE = (
    "CREATE TABLE IF NOT EXISTS lab_effect (id TEXT NOT NULL, attempt INTEGER NOT NULL, pid INTEGER NOT NULL)"
)
INSERT = "INSERT INTO lab_effect VALUES (?, ?, ?)"
OPEN = ("pending", "running", "handling")
PARKED: tuple[EventState, ...] = ("dead", "invalid")

ALL = 10_000_000


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
    with opened(options):
        pass
    if stores.has_tables(options):
        say(options, CREATE)
    Path(options.ledger).touch()


@contextmanager
def opened(options: Options) -> Iterator[Inbox]:
    """The inbox itself, which alone can read what is no table."""
    inbox = open_inbox(options.inbox_url, clock=time.time)
    inbox.open()
    try:
        yield inbox
    finally:
        inbox.close()


def insert(db: Any, options: Options, id_: str, attempt: int) -> None:
    """Note an effect in the transaction of a handler, on whatever connection the store gave it."""
    db.cursor().execute(INSERT.replace("?", stores.mark(options)), (id_, attempt, os.getpid()))


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
    if stores.has_tables(options):
        found += say(options, "SELECT id, attempt, pid FROM lab_effect")
    times = Counter(id_ for id_, _, _ in found)
    attempt: dict[str, int] = {}
    for id_, number, _ in found:
        attempt[id_] = max(int(number), attempt.get(id_, 0))
    return Effects(times, attempt)


def states(options: Options) -> Counter[str]:
    """How many events there are in each state."""
    if not stores.has_tables(options):
        with opened(options) as inbox:
            found = Counter[str]()
            for (_, state), count in inbox.counts().items():
                found[state] += count
            return found
    return Counter(dict(say(options, "SELECT state, count(*) FROM hookcatch_event GROUP BY state")))


def ids(options: Options, *states: EventState) -> Counter[str]:
    """How many rows each event id has, of those in some states or in any."""
    if not stores.has_tables(options):
        with opened(options) as inbox:
            found = inbox.find(Query(states=frozenset(states), limit=ALL))
            return Counter(event.id for event in found)
    name = stores.id_column(options)
    where = " OR ".join(f"state = '{state}'" for state in states) or "1 = 1"
    sql = f"SELECT {name}, count(*) FROM hookcatch_event WHERE {where} GROUP BY {name}"
    return Counter(dict(say(options, sql)))


def column(options: Options, name: str) -> dict[str, object]:
    """One column of the events, by id."""
    return dict(say(options, f"SELECT {stores.id_column(options)}, {name} FROM hookcatch_event"))


def attempts(options: Options) -> dict[str, int]:
    """How often each event was taken, by id."""
    if stores.has_tables(options):
        return {id_: int(str(attempt)) for id_, attempt in column(options, "attempt").items()}
    with opened(options) as inbox:
        return {event.id: event.attempt for event in inbox.find(Query(limit=ALL))}


def undecided(options: Options) -> int:
    """How many events still wait or are worked on."""
    found = states(options)
    return sum(found[state] for state in OPEN)


def integrity(options: Options) -> str:
    """`ok`, or what SQLite found wrong with its file; a server is taken at its word."""
    if stores.kind(options) != "sqlite":
        return "ok"
    return str(say(options, "PRAGMA integrity_check")[0][0])
