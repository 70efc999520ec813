"""What the SQLite inbox reads, and what operators do to events."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from hookcatch.core.model import EventState, Run, StoredEvent
from hookcatch.core.ports import Query, Retention
from hookcatch.core.wire import Response

from . import rows, rules
from .sqlite_lanes import call_up, lanes_of
from .sqlite_ops import begin_anew


def find(connection: sqlite3.Connection, query: Query) -> list[StoredEvent]:
    """Events without bodies, newest first."""
    conditions, values = _conditions(query)
    where = " AND ".join(conditions) or "1"
    sql = f"SELECT {rows.EVENT} FROM hookcatch_event e WHERE {where} ORDER BY e.seq DESC LIMIT ?"
    return [rows.stored_event(row) for row in connection.execute(sql, (*values, query.limit)).fetchall()]


def _conditions(query: Query) -> tuple[list[str], list[Any]]:
    given: list[tuple[str, Any]] = [
        ("e.source = ?", _text(query.source)),
        ("e.tenant = ?", _text(query.tenant)),
        ("e.id = ?", _text(query.id)),
        ("e.received_at >= ?", query.since),
        ("e.received_at < ?", query.until),
        ("e.seq < ?", query.before),
    ]
    if query.type is not None and query.type.endswith("*"):
        # Byte by byte: GLOB and LIKE stop at a NUL and know wildcards of their own.
        prefix = query.type[:-1].encode("utf-8", "surrogatepass")
        given.append((f"substr(CAST(e.type AS BLOB), 1, {len(prefix)}) = ?", prefix))
    else:
        given.append(("e.type = ?", _text(query.type)))
    conditions = [(condition, value) for condition, value in given if value is not None]
    if query.states and query.states <= rules.KEPT_LONG:
        conditions.append(("e.kept = 2", None))  # so that the index of the parked applies
    if query.states:
        conditions.append((f"e.state IN ({_quoted(query.states)})", None))
    return [condition for condition, _ in conditions], [value for _, value in conditions if value is not None]


def _text(value: str | None) -> str | bytes | None:
    return None if value is None else rows.text(value)


def _quoted(states: Iterable[EventState]) -> str:
    """States as SQL literals, so that the partial indexes apply."""
    return ", ".join(f"'{state}'" for state in sorted(states) if state.isalpha())


def get(connection: sqlite3.Connection, seq: int) -> tuple[StoredEvent, list[Run]] | None:
    """One event with its body and runs."""
    sql = f"SELECT {rows.EVENT}, b.body FROM hookcatch_event e LEFT JOIN hookcatch_body b USING (seq) WHERE seq = ?"
    row = connection.execute(sql, (seq,)).fetchone()
    if row is None:
        return None
    runs = connection.execute(f"SELECT {rows.RUN} FROM hookcatch_run WHERE seq = ?", (seq,))
    return rows.stored_event(row, row[-1]), sorted(
        map(rows.run, runs.fetchall()), key=lambda run: run.handler
    )


def state_of(connection: sqlite3.Connection, seq: int) -> tuple[EventState | None, Response | None]:
    """Where an event stands, and its stored answer."""
    row = connection.execute("SELECT state, reply FROM hookcatch_event WHERE seq = ?", (seq,)).fetchone()
    return (None, None) if row is None else (row[0], rows.unreply(row[1]))


def counts(connection: sqlite3.Connection) -> dict[tuple[str, EventState], int]:
    """How many events there are, by source and state."""
    sql = "SELECT source, state, count(*) FROM hookcatch_event GROUP BY source, state"
    return {
        (rows.untext(source), state): number for source, state, number in connection.execute(sql).fetchall()
    }


def next_due(connection: sqlite3.Connection) -> float | None:
    """The earliest `run_at` or `lease_until` of what waits for a worker."""
    sql = (
        "SELECT min(at) FROM (SELECT min(run_at) AS at FROM hookcatch_event WHERE state = 'pending' AND behind = 0 "
        "UNION ALL SELECT min(run_at) FROM hookcatch_event WHERE state = 'relayed' "
        "UNION ALL SELECT min(lease_until) FROM hookcatch_event WHERE state = 'running')"
    )
    (at,) = connection.execute(sql).fetchone()
    return None if at is None else float(at)


def replay(connection: sqlite3.Connection, seqs: Sequence[int], now: float) -> int:
    """Make ended events with a body due again."""
    sql = (
        "UPDATE hookcatch_event SET state = 'pending', kept = 1, run_at = ?, replays = replays + 1, "
        f"finished_at = NULL, error = '' WHERE seq = ? AND kept > 0 AND state IN ({_quoted(rules.REPLAYABLE)})"
    )
    replayed = [seq for seq in dict.fromkeys(seqs) if connection.execute(sql, (now, seq)).rowcount]
    for seq in replayed:
        begin_anew(connection, seq)
    return len(replayed)


def discard(connection: sqlite3.Connection, seqs: Sequence[int], now: float, why: str) -> int:
    """Give events up."""
    sql = (
        "UPDATE hookcatch_event SET state = 'discarded', kept = min(kept, 1), behind = 0, run_at = NULL, "
        f"finished_at = ?, error = ? WHERE seq = ? AND state IN ({_quoted(rules.DISCARDABLE)})"
    )
    given_up = [
        seq for seq in dict.fromkeys(seqs) if connection.execute(sql, (now, rows.text(why), seq)).rowcount
    ]
    call_up(connection, lanes_of(connection, given_up))
    return len(given_up)


def prune(connection: sqlite3.Connection, now: float, retention: Retention) -> int:
    """Drop rows past the retention of keys, then bodies past that of payloads; at most PRUNE_LIMIT."""
    old = _old(connection, now - retention.key)
    lanes = lanes_of(connection, old)
    for table in ("hookcatch_run", "hookcatch_body", "hookcatch_event"):
        connection.executemany(f"DELETE FROM {table} WHERE seq = ?", [(seq,) for seq in old])
    call_up(connection, lanes)
    heavy = _seqs(
        connection,
        "SELECT seq FROM hookcatch_event WHERE kept = 1 AND finished_at < ? ORDER BY finished_at LIMIT ?",
        (now - retention.payload, rules.PRUNE_LIMIT - len(old)),
    )
    connection.executemany("DELETE FROM hookcatch_body WHERE seq = ?", [(seq,) for seq in heavy])
    connection.executemany(
        "UPDATE hookcatch_event SET kept = 0, headers = '{}' WHERE seq = ?", [(seq,) for seq in heavy]
    )
    return len(old) + len(heavy)


def _old(connection: sqlite3.Connection, before: float) -> Collection[int]:
    seqs = _seqs(
        connection,
        "SELECT seq FROM hookcatch_event WHERE kept IN (0, 1, 2) AND finished_at < ? LIMIT ?",
        (before, rules.PRUNE_LIMIT),
    )
    given_up = _seqs(
        connection,
        "SELECT seq FROM hookcatch_event WHERE state = 'handling' AND lease_until < ? LIMIT ?",
        (before, rules.PRUNE_LIMIT - len(seqs)),
    )
    return seqs + given_up


def _seqs(connection: sqlite3.Connection, sql: str, values: tuple[Any, ...]) -> list[int]:
    return [seq for (seq,) in connection.execute(sql, values).fetchall()]
