"""What is due in an inbox in SQL, and who stands in whose way.

An event that others of its lane stand in the way of is marked `behind` when a claim meets it, and is out of the
claims' sight until something leaves the lane. So a crowded lane is passed over once, not by every claim.

Who claims events of lanes, or for sources with caps, and who leaves a lane does so one after the other, from
`serialise` to the commit: else two would see the same free place, or an event would be passed over while that which
stood in its way left unseen. What is in no lane never comes here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hookcatch.core.model import Lane, Standing, StoredEvent
from hookcatch.inbox import rules

from . import rows
from .dialect import EVENTS, Db
from .text import text, untext

Row = tuple[Any, ...]

_PENDING = "state = 'pending' AND has_body = 1 AND behind = 0"
_FULL = f"SELECT {rows.EVENT}, lane, body FROM {EVENTS}"
_SLIM = f"SELECT {rows.EVENT}, lane FROM {EVENTS}"
_IN_WORK = "o.state IN ('running', 'relayed', 'handling')"
_FACTS = f"""SELECT e.seq,
(SELECT count(*) FROM {EVENTS} o WHERE o.lane = e.lane AND {_IN_WORK}),
EXISTS (SELECT 1 FROM {EVENTS} o WHERE o.lane = e.lane AND o.state = 'pending' AND o.seq < e.seq)
OR (e.blocks AND EXISTS
(SELECT 1 FROM {EVENTS} o WHERE o.lane = e.lane AND o.state IN ('dead', 'invalid') AND o.seq < e.seq))
FROM {EVENTS} e WHERE e.seq IN """
_BEHIND = f"SELECT 1 FROM {EVENTS} WHERE state = 'pending' AND has_body = 1 AND behind = 1 LIMIT 1"
_COUNT = f"SELECT count(*) FROM {EVENTS} o WHERE o.lane = %s AND {_IN_WORK}"
_STANDING = f"""SELECT
(SELECT max(version) FROM {EVENTS} WHERE lane = %s AND state = 'succeeded' AND version IS NOT NULL),
EXISTS (SELECT 1 FROM {EVENTS} WHERE lane = %s AND state = 'pending' AND seq > %s)"""

PAGE = 250
"""Events that are looked at together after the first few turn out to be in each other's way."""


def due(db: Db, limit: int, now: float, caps: Mapping[str, int], only: str | None) -> list[Row]:
    """Rows that are due and may be taken, up to `limit` of each source: EVENT, the lane, the body."""
    is_crowded = db.execute(_BEHIND).fetchone() is not None
    if is_crowded:
        db.front.forget()
    found = _due(db, limit, now, caps, only)
    if is_crowded:  # he may be called up before the next claim, by whomever
        db.front.forget()
    return found


def _due(db: Db, limit: int, now: float, caps: Mapping[str, int], only: str | None) -> list[Row]:
    if only is None and not caps:
        return _free(db, limit, now, "", ())
    if caps:
        serialise(db)
    found = []
    for source in _sources(db) if only is None else [text(only)]:
        room = _room(db, source, limit, caps.get(untext(source)))
        if room > 0:
            found += _free(db, room, now, "AND source = %s ", (source,))
    return found


def serialise(db: Db) -> None:
    """Nobody else claims events of lanes, or leaves one, from here to the commit."""
    if db.dialect.serialise:
        db.execute(db.dialect.serialise).fetchall()


def _sources(db: Db) -> Iterator[str]:
    """The sources of what is pending: as many looks into the index as there are."""
    sql = f"SELECT min(source) FROM {EVENTS} WHERE {_PENDING}"
    (source,) = db.execute(sql).fetchone()
    while source is not None:
        yield source
        (source,) = db.execute(f"{sql} AND source > %s", (source,)).fetchone()


def _room(db: Db, source: str, limit: int, cap: int | None) -> int:
    if cap is None:
        return limit
    sql = f"SELECT count(*) FROM {EVENTS} WHERE state = %s AND has_body = 1 AND behind = 0 AND source = %s"
    at_work = sum(int(db.execute(sql, (state, source)).fetchone()[0]) for state in sorted(rules.AT_WORK))
    return min(limit, cap - at_work)


def _free(db: Db, limit: int, now: float, of: str, named: tuple[str, ...]) -> list[Row]:
    """Up to `limit` rows that are due and nobody stands in the way of, earliest first."""
    where = f"WHERE {_PENDING} AND at >= %s AND at <= %s {of}"
    end = f"ORDER BY at, seq LIMIT %s {db.dialect.skip_locked}"
    whose = "".join(named)
    start = db.front.start(whose)
    page = list(db.execute(f"{_FULL} {where} {end}", (start, now, *named, limit)).fetchall())
    db.front.reached(whose, start, page[0][rows.AT] if page else now, now)
    if all(row[rows.LANE] is None for row in page):
        return page
    serialise(db)
    places = _Places(db)
    found, asked = places.take(page, limit), limit
    while len(found) < limit and len(page) == asked:
        at, seq, asked = page[-1][rows.AT], page[-1][0], PAGE
        after = "AND at >= %s AND (at > %s OR seq > %s) "
        values: tuple[Any, ...] = (start, now, *named, at, at, seq)
        is_enough = len(places.behind) >= rules.PASSES
        if is_enough:  # of the lanes in which somebody is behind: see what else there is, and let that do
            after += f"AND (lane IS NULL OR lane NOT IN ({', '.join(['%s'] * len(places.crowded))})) "
            values += tuple(places.crowded)
        page = list(db.execute(f"{_SLIM} {where} {after} {end}", (*values, asked)).fetchall())
        found += _with_bodies(db, places.take(page, limit - len(found)))
        if is_enough:
            break
    _mark(db, places.behind, 1)
    if places.behind:
        db.front.forget()
    return found


def _with_bodies(db: Db, slim: Sequence[Row]) -> list[Row]:
    if not slim:
        return []
    return list(db.execute(f"{_FULL} WHERE seq IN ({_among(slim)}) ORDER BY at, seq").fetchall())


def _mark(db: Db, seqs: Sequence[int], behind: int) -> None:
    if seqs:
        db.execute(f"UPDATE {EVENTS} SET behind = {behind} WHERE seq IN ({', '.join(map(str, seqs))})")


def _among(found: Iterable[Row]) -> str:
    return ", ".join(str(int(row[0])) for row in found)


@dataclass(slots=True)
class _Places:
    """Who has a place in the lanes that a claim has met, who is behind, and in which lanes somebody is."""

    db: Db
    behind: list[int] = field(default_factory=list)
    crowded: set[str] = field(default_factory=set)
    _in_work: dict[str, int] = field(default_factory=dict)

    def take(self, page: Sequence[Row], limit: int) -> list[Row]:
        """Give up to `limit` events a place, in their order; those without one are behind."""
        laned = [row for row in page if row[rows.LANE] is not None]
        facts = self._facts(laned)
        found: list[Row] = []
        for row in page:
            if len(found) == limit:
                break
            rule = rows.lane(row)
            if rule is None or self._has_place(row[rows.LANE], rule, *facts[row[0]]):
                found.append(row)
            else:
                self.behind.append(row[0])
                self.crowded.add(row[rows.LANE])
        return found

    def _facts(self, laned: Sequence[Row]) -> dict[int, tuple[int, bool]]:
        """For each how many of its lane are in work, and whether one waits or blocks before it."""
        if not laned:
            return {}
        found = self.db.execute(f"{_FACTS} ({_among(laned)})").fetchall()
        return {seq: (int(in_work), bool(is_late)) for seq, in_work, is_late in found}

    def _has_place(self, lane: str, rule: Lane, in_work: int, is_late: bool) -> bool:
        if rule.ordered:
            return not in_work and not is_late
        if self._in_work.setdefault(lane, in_work) >= rule.limit:
            return False
        self._in_work[lane] += 1
        return True


def lanes_of(db: Db, seqs: Sequence[int]) -> list[tuple[str | None, int]]:
    """The lanes of events, and their limits."""
    if not seqs:
        return []
    sql = f"SELECT DISTINCT lane, lane_limit FROM {EVENTS} WHERE lane IS NOT NULL AND seq IN "
    return [
        (lane, int(limit)) for lane, limit in db.execute(f"{sql}({', '.join(map(str, seqs))})").fetchall()
    ]


def leave(db: Db, events: Iterable[StoredEvent]) -> None:
    """Events are in work no more."""
    call_up(db, [(rows.lane_digest(event), event.lane.limit) for event in events if event.lane is not None])


def call_up(db: Db, lanes: Sequence[tuple[str | None, int]]) -> None:
    """Something has left these lanes: those that wait behind are looked at again, as far as there is room."""
    if lanes:
        serialise(db)
    for lane, limit in lanes:
        in_work = 0 if limit == 1 else int(db.execute(_COUNT, (lane,)).fetchone()[0])
        sql = (
            f"SELECT seq, at FROM {EVENTS} WHERE lane = %s AND state = 'pending' AND behind = 1 "
            "ORDER BY seq LIMIT %s"
        )
        called = db.execute(sql, (lane, max(1, limit - in_work))).fetchall()
        _mark(db, [int(seq) for seq, _ in called], 0)
        for _, at in called:
            db.front.lower(at)


def standing(db: Db, event: StoredEvent) -> Standing:
    """How an event stands in its lane."""
    if event.lane is None:
        return Standing()
    lane = rows.lane_digest(event)
    version, newer = db.execute(_STANDING, (lane, lane, event.seq)).fetchone()
    return Standing(version, bool(newer))
