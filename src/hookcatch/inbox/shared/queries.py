"""What an inbox in SQL reads, and what operators do to events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hookcatch.core.model import EventState, Run, StoredEvent
from hookcatch.core.ports import Query, Retention
from hookcatch.core.wire import Response
from hookcatch.inbox import rules
from hookcatch.inbox.rows import unreply

from . import rows
from .dialect import EVENTS, RUNS, Db
from .lanes import call_up, lanes_of
from .ops import begin_anew, runs_of
from .text import text, untext


def find(db: Db, query: Query) -> list[StoredEvent]:
    """Events without bodies, newest first."""
    conditions, values = _conditions(query)
    where = " AND ".join(conditions) or "1 = 1"
    sql = f"SELECT {rows.EVENT} FROM {EVENTS} WHERE {where} ORDER BY seq DESC LIMIT %s"
    return [rows.stored_event(row) for row in db.execute(sql, (*values, query.limit)).fetchall()]


def _conditions(query: Query) -> tuple[list[str], list[Any]]:
    given: list[tuple[str, Any]] = [
        ("source = %s", _text(query.source)),
        ("tenant = %s", _text(query.tenant)),
        ("event_id = %s", _text(query.id)),
        ("received_at >= %s", query.since),
        ("received_at < %s", query.until),
        ("seq < %s", query.before),
    ]
    if query.type is not None and query.type.endswith("*"):
        prefix = text(query.type[:-1])
        given.append((f"substr(type, 1, {len(prefix)}) = %s", prefix))  # LIKE has wildcards of its own
    else:
        given.append(("type = %s", _text(query.type)))
    conditions = [condition for condition, value in given if value is not None]
    if query.states:
        conditions.append(f"state IN ({_quoted(query.states)})")
    return conditions, [value for _, value in given if value is not None]


def _text(value: str | None) -> str | None:
    return None if value is None else text(value)


def _quoted(states: Iterable[EventState]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states) if state.isalpha())


def get(db: Db, seq: int) -> tuple[StoredEvent, list[Run]] | None:
    """One event with its body and runs."""
    row = db.execute(f"SELECT {rows.EVENT}, body FROM {EVENTS} WHERE seq = %s", (seq,)).fetchone()
    if row is None:
        return None
    return rows.stored_event(row, row[-1]), sorted(
        runs_of(db, seq)[seq].values(), key=lambda run: run.handler
    )


def state_of(db: Db, seq: int) -> tuple[EventState | None, Response | None]:
    """Where an event stands, and its stored answer."""
    row = db.execute(f"SELECT state, reply FROM {EVENTS} WHERE seq = %s", (seq,)).fetchone()
    return (None, None) if row is None else (row[0], unreply(row[1]))


def counts(db: Db) -> dict[tuple[str, EventState], int]:
    """How many events there are, by source and state."""
    found = db.execute(f"SELECT source, state, count(*) FROM {EVENTS} GROUP BY source, state").fetchall()
    return {(untext(source), state): number for source, state, number in found}


def next_due(db: Db) -> float | None:
    """When the earliest of what waits for a worker is due, or lost."""
    sql = f"SELECT min(at) FROM {EVENTS} WHERE state = %s AND has_body = 1 AND behind = 0"
    times = [db.execute(sql, (state,)).fetchone()[0] for state in ("pending", "relayed", "running")]
    return min((float(at) for at in times if at is not None), default=None)


def replay(db: Db, seqs: Sequence[int], now: float) -> int:
    """Make ended events with a body due again."""
    sql = (
        f"UPDATE {EVENTS} SET at = %s, replays = replays + 1, error = '', state = 'pending' "
        f"WHERE seq = %s AND has_body = 1 AND state IN ({_quoted(rules.REPLAYABLE)})"
    )
    replayed = [seq for seq in _in_order(db, seqs) if db.execute(sql, (now, seq)).rowcount]
    db.front.lower(now)
    begin_anew(db, replayed)
    return len(replayed)


def discard(db: Db, seqs: Sequence[int], now: float, why: str) -> int:
    """Give events up."""
    sql = (
        f"UPDATE {EVENTS} SET at = %s, error = %s, behind = 0, state = 'discarded' "
        f"WHERE seq = %s AND state IN ({_quoted(rules.DISCARDABLE)})"
    )
    given_up = [seq for seq in _in_order(db, seqs) if db.execute(sql, (now, text(why), seq)).rowcount]
    call_up(db, lanes_of(db, given_up))
    return len(given_up)


def _in_order(db: Db, seqs: Sequence[int]) -> list[int]:
    """Those that are there, in the order of their keys: see `accept`."""
    if not seqs:
        return []
    among = ", ".join(str(int(seq)) for seq in set(seqs))
    found = db.execute(f"SELECT seq FROM {EVENTS} WHERE seq IN ({among}) ORDER BY event_key").fetchall()
    return [int(seq) for (seq,) in found]


def prune(db: Db, now: float, retention: Retention) -> int:
    """Drop rows past the retention of keys, then bodies past that of payloads; at most PRUNE_LIMIT."""
    past: frozenset[EventState] = rules.ENDED.union({"handling"})
    old = _seqs(
        db, f"state IN ({_quoted(past)}) AND has_body IN (0, 1)", now - retention.key, rules.PRUNE_LIMIT
    )
    left = lanes_of(db, old)
    _each(db, f"DELETE FROM {RUNS} WHERE event_id IN", old)
    _each(db, f"DELETE FROM {EVENTS} WHERE seq IN", old)
    call_up(db, left)
    light = _quoted(rules.ENDED - rules.KEPT_LONG)
    room = rules.PRUNE_LIMIT - len(old)
    heavy = _seqs(db, f"state IN ({light}) AND has_body = 1", now - retention.payload, room)
    _each(db, f"UPDATE {EVENTS} SET body = NULL, headers = '{{}}', has_body = 0 WHERE seq IN", heavy)
    return len(old) + len(heavy)


def _seqs(db: Db, where: str, before: float, limit: int) -> list[int]:
    sql = (
        f"SELECT seq FROM {EVENTS} WHERE {where} AND behind = 0 AND at < %s LIMIT %s {db.dialect.skip_locked}"
    )
    return [int(seq) for (seq,) in db.execute(sql, (before, limit)).fetchall()]


def _each(db: Db, sql: str, seqs: Sequence[int]) -> None:
    if seqs:
        db.execute(f"{sql} ({', '.join(map(str, seqs))})")
