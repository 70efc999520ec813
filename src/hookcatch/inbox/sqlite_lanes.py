"""What of the SQLite inbox is due, and who stands in whose way.

An event that others of its lane stand in the way of is marked `behind` when a claim meets it, and is out of the
claims' sight until something leaves the lane. So a crowded lane is passed over once, not by every claim. One writer
at a time sees to it that nobody leaves unseen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hookcatch.core.model import Lane, Standing, StoredEvent

from . import rows, rules

DUE = f"""
SELECT {rows.EVENT}, e.lane, e.run_at, CASE WHEN e.lane IS NULL THEN b.body END
FROM hookcatch_event e JOIN hookcatch_body b USING (seq)
WHERE e.state = 'pending' AND e.behind = 0 AND e.source = ? AND e.run_at <= ? ORDER BY e.run_at, e.seq
"""
SOURCE = "SELECT min(source) FROM hookcatch_event WHERE state = 'pending' AND behind = 0"
NEXT_SOURCE = f"{SOURCE} AND source > ?"
AT_WORK = """
SELECT (SELECT count(*) FROM hookcatch_event INDEXED BY hookcatch_event_running
        WHERE state = 'running' AND source = ?1) +
       (SELECT count(*) FROM hookcatch_event INDEXED BY hookcatch_event_relayed
        WHERE state = 'relayed' AND source = ?1)
"""
_IN_WORK = "lane = ?1 AND state IN ('running', 'relayed', 'handling')"
COUNT = f"SELECT count(*) FROM hookcatch_event WHERE {_IN_WORK}"
IS_STOPPED = f"""
SELECT EXISTS (SELECT 1 FROM hookcatch_event WHERE {_IN_WORK})
  OR EXISTS (SELECT 1 FROM hookcatch_event WHERE lane = ?1 AND state = 'pending' AND seq < ?2)
  OR (?3 AND EXISTS (SELECT 1 FROM hookcatch_event WHERE lane = ?1 AND state IN ('dead', 'invalid') AND seq < ?2))
"""
CALL_UP = """
UPDATE hookcatch_event SET behind = 0 WHERE seq IN (
  SELECT seq FROM hookcatch_event WHERE lane = ? AND state = 'pending' AND behind = 1 ORDER BY seq LIMIT ?)
"""
STANDING = """
SELECT (SELECT max(version) FROM hookcatch_event WHERE lane = ?1 AND state = 'succeeded' AND version IS NOT NULL),
  EXISTS (SELECT 1 FROM hookcatch_event WHERE lane = ?1 AND state = 'pending' AND seq > ?2)
"""


@dataclass(slots=True)
class _Places:
    """Who has a place in the lanes that a claim has met, who is behind, and in which lanes somebody is."""

    connection: sqlite3.Connection
    behind: list[int] = field(default_factory=list)
    crowded: set[bytes] = field(default_factory=set)
    first: dict[bytes, int] = field(default_factory=dict)
    in_work: dict[bytes, int] = field(default_factory=dict)

    def take(self, seq: int, lane: bytes, rule: Lane) -> bool:
        """Give an event a place; False if there is none for it, and it is behind."""
        if self._has_place(seq, lane, rule):
            return True
        self.behind.append(seq)
        self.crowded.add(lane)
        return False

    def _has_place(self, seq: int, lane: bytes, rule: Lane) -> bool:
        if rule.ordered:
            if self.first.setdefault(lane, seq) < seq:  # that one has just been taken, or waits before it
                return False
            values = (lane, seq, rule.blocks)
            return not self.connection.execute(IS_STOPPED, values).fetchone()[0]
        if lane not in self.in_work:
            self.in_work[lane] = self.connection.execute(COUNT, (lane,)).fetchone()[0]
        if self.in_work[lane] >= rule.limit:
            return False
        self.in_work[lane] += 1
        return True


def due(
    connection: sqlite3.Connection, limit: int, now: float, caps: Mapping[str, int], only: str | None
) -> list[tuple[Any, ...]]:
    """Up to `limit` rows of each source that are due and may be taken: EVENT, when they were due, the body."""
    found = []
    for source in _sources(connection) if only is None else [rows.text(only)]:
        cap = caps.get(rows.untext(source))
        room = (
            limit if cap is None else min(limit, cap - connection.execute(AT_WORK, (source,)).fetchone()[0])
        )
        if room > 0:
            found += _of_source(connection, source, room, now)
    return found


def _sources(connection: sqlite3.Connection) -> Iterator[str | bytes]:
    """The sources of what is pending: as many looks into the index as there are."""
    (source,) = connection.execute(SOURCE).fetchone()
    while source is not None:
        yield source
        (source,) = connection.execute(NEXT_SOURCE, (source,)).fetchone()


def _of_source(
    connection: sqlite3.Connection, source: str | bytes, limit: int, now: float
) -> list[tuple[Any, ...]]:
    places = _Places(connection)
    found, last = _take(connection.execute(DUE, (source, now)), places, limit)
    if len(found) < limit and len(places.behind) >= rules.PASSES:
        others = f"AND (e.lane IS NULL OR e.lane NOT IN ({', '.join('?' * len(places.crowded))}))"
        after = "AND e.run_at >= ? AND (e.run_at > ? OR e.seq > ?)"
        sql = DUE.replace("ORDER BY", f"{others} {after} ORDER BY")
        cursor = connection.execute(sql, (source, now, *places.crowded, last[0], *last))
        found += _take(cursor, places, limit - len(found))[0]
    marked = [(seq,) for seq in places.behind]
    connection.executemany("UPDATE hookcatch_event SET behind = 1 WHERE seq = ?", marked)
    return found


def _take(
    cursor: sqlite3.Cursor, places: _Places, limit: int
) -> tuple[list[tuple[Any, ...]], tuple[float, int]]:
    """Up to `limit` of what a cursor brings, as far as there are places; and how far it was read."""
    found: list[tuple[Any, ...]] = []
    last, bound = (0.0, 0), len(places.behind) + rules.PASSES
    for *event, lane, due_at, body in cursor:
        last, rule = (due_at, event[0]), rows.lane(event)
        if rule is None:
            found.append((*event, due_at, body))
        elif places.take(event[0], lane, rule):
            found.append((*event, due_at, _body(places.connection, event[0])))
        if len(found) == limit or len(places.behind) == bound:
            break
    cursor.close()
    return found, last


def _body(connection: sqlite3.Connection, seq: int) -> bytes:
    body: bytes = connection.execute("SELECT body FROM hookcatch_body WHERE seq = ?", (seq,)).fetchone()[0]
    return body


def lanes_of(connection: sqlite3.Connection, seqs: Iterable[int]) -> list[tuple[bytes, int]]:
    """The lanes of events, and their limits."""
    sql = "SELECT lane, lane_limit FROM hookcatch_event WHERE seq = ? AND lane IS NOT NULL"
    return [lane for seq in seqs for lane in connection.execute(sql, (seq,)).fetchall()]


def call_up(connection: sqlite3.Connection, lanes: Iterable[tuple[bytes, int]]) -> None:
    """Something has left these lanes: those that wait behind are looked at again, as far as there is room."""
    for lane, limit in lanes:
        in_work = connection.execute(COUNT, (lane,)).fetchone()[0]
        connection.execute(CALL_UP, (lane, max(1, limit - in_work)))


def standing(connection: sqlite3.Connection, event: StoredEvent) -> Standing:
    """How an event stands in its lane."""
    if event.lane is None:
        return Standing()
    lane = rows.lane_digest(event.source, event.tenant, event.lane)
    version, newer = connection.execute(STANDING, (lane, event.seq)).fetchone()
    return Standing(version, bool(newer))
