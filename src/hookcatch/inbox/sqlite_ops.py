"""What the SQLite inbox writes: functions of an open transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hookcatch.core.errors import LeaseLost
from hookcatch.core.model import (
    Accepted,
    Claim,
    Close,
    Duplicate,
    Duplicates,
    Lease,
    NewEvent,
    Run,
    StoredEvent,
)

from . import rows, rules, sqlite_lanes
from .rules import ENDED

INSERT_DUE = """
INSERT INTO hookcatch_event (source, tenant, id, type, received_at, occurred_at, body_hash, content_key, format,
  headers, lane, lane_key, lane_limit, ordered, blocks, version, replayed_content, run_at, state, kept, attempt)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', 1, 0)
ON CONFLICT DO NOTHING
"""
INSERT_LEASED = """
INSERT INTO hookcatch_event (source, tenant, id, type, received_at, occurred_at, body_hash, content_key, format,
  headers, lane, lane_key, lane_limit, ordered, blocks, version, replayed_content, state, run_at, lease_token,
  lease_until, leased_at, attempt, kept)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT DO NOTHING
"""
START = """
UPDATE hookcatch_event SET state = ?, run_at = ?, lease_token = ?, lease_until = ?, leased_at = ?,
  attempt = attempt + ?, kept = 1, finished_at = NULL, error = ''
WHERE seq = ?
"""
UPSERT_RUN = """
INSERT INTO hookcatch_run (seq, handler, state, attempts, run_at, error, started_at, finished_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (seq, handler) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
  run_at = excluded.run_at, error = excluded.error, started_at = excluded.started_at,
  finished_at = excluded.finished_at
WHERE state <> 'succeeded'
"""
FENCE = "seq = ? AND lease_token = ? AND state IN ('running', 'handling')"
LEAVE = f"""
UPDATE hookcatch_event SET state = ?, kept = CASE kept WHEN 0 THEN 0 ELSE ? END, run_at = ?, finished_at = ?,
  error = ?, reply = coalesce(?, reply), lost = CASE ?1 WHEN 'relayed' THEN lost ELSE 0 END,
  lease_token = NULL, lease_until = NULL, leased_at = NULL
WHERE {FENCE}
"""
RELEASE = f"""
UPDATE hookcatch_event SET attempt = attempt - 1, error = '', lease_token = NULL, lease_until = NULL,
  leased_at = NULL, state = CASE state WHEN 'running' THEN 'pending' ELSE 'failed' END,
  kept = CASE state WHEN 'running' THEN 1 ELSE 2 END, run_at = CASE state WHEN 'running' THEN ? END,
  finished_at = CASE state WHEN 'handling' THEN ? END
WHERE {FENCE}
"""
OVERDUE = f"""
SELECT {rows.EVENT}, e.run_at, b.body FROM hookcatch_event e JOIN hookcatch_body b USING (seq)
WHERE e.state = 'relayed' AND e.run_at <= ?1 AND (?3 IS NULL OR e.source = ?3) ORDER BY e.run_at, e.seq LIMIT ?2
"""
LOST = f"""
SELECT {rows.EVENT}, e.lease_until, b.body FROM hookcatch_event e JOIN hookcatch_body b USING (seq)
WHERE e.state = 'running' AND e.lease_until <= ?1 AND (?3 IS NULL OR e.source = ?3)
ORDER BY e.lease_until, e.seq LIMIT ?2
"""
ASTRAY = f"""
SELECT {rows.EVENT}, e.lease_until, b.body FROM hookcatch_event e JOIN hookcatch_body b USING (seq)
WHERE e.state = 'running' AND e.lease_until > ?1 AND e.lease_until - ?1 > 2 * (e.lease_until - e.leased_at)
AND (?3 IS NULL OR e.source = ?3) ORDER BY e.lease_until, e.seq LIMIT ?2
"""
HOLD = """
UPDATE hookcatch_event SET state = 'running', run_at = NULL, lease_token = ?, lease_until = ?, leased_at = ?,
  attempt = ?, lost = ? WHERE seq = ?
"""
TAKE = """
UPDATE hookcatch_event SET state = 'running', run_at = NULL, lease_token = ?, lease_until = ?, leased_at = ?
WHERE seq = ? AND (state = 'relayed' OR (state = 'running' AND lease_token = ?))
"""
PARK = f"""
UPDATE hookcatch_event SET state = 'dead', kept = 2, lost = ?, finished_at = ?, error = '{rules.WORKER_LOST}',
  lease_token = NULL, lease_until = NULL, leased_at = NULL WHERE seq = ?
"""


def accept(
    connection: sqlite3.Connection,
    events: Sequence[tuple[NewEvent, tuple[Any, ...]]],
    claim: Claim | None,
    duplicates: Duplicates,
) -> tuple[Accepted | Duplicate, ...]:
    """Keep events; each comes with its columns, made ready outside the transaction."""
    return tuple([_accept(connection, event, row, claim, duplicates) for event, row in events])


def _accept(
    connection: sqlite3.Connection,
    event: NewEvent,
    row: tuple[Any, ...],
    claim: Claim | None,
    duplicates: Duplicates,
) -> Accepted | Duplicate:
    twin = None if event.content_key is None else _twin(connection, row)
    if twin is not None and duplicates.refuse_replayed_content and not _is_known(connection, row):
        connection.execute("UPDATE hookcatch_event SET duplicates = duplicates + 1 WHERE seq = ?", (twin,))
        return _refused(connection, twin)
    if claim is None:
        cursor = connection.execute(INSERT_DUE, (*row, twin is not None, rules.due_at(event)))
    else:
        cursor = connection.execute(INSERT_LEASED, (*row, twin is not None, *_start(event, claim)))
    if not cursor.rowcount:
        return _meet(connection, event, row, claim, duplicates)
    seq = cursor.lastrowid or 0
    connection.execute("INSERT INTO hookcatch_body (seq, body) VALUES (?, ?)", (seq, event.body))
    lease = None if claim is None else rules.fresh_lease(seq, event, claim, replayed_content=twin is not None)
    return Accepted(seq, lease, replayed_content=twin is not None)


def _start(event: NewEvent, claim: Claim | None) -> tuple[Any, ...]:
    """state, run_at, lease_token, lease_until, leased_at, attempt"""
    if claim is None:
        return ("pending", rules.due_at(event), None, None, None, 0)
    return (rules.claimed_state(claim), None, claim.token, claim.until, event.received_at, 1)


def _twin(connection: sqlite3.Connection, row: tuple[Any, ...]) -> int | None:
    """The first event with the same signed content under another id."""
    source, tenant, id_, content_key = row[0], row[1], row[2], row[7]
    found = connection.execute(
        "SELECT seq FROM hookcatch_event WHERE content_key = ? AND source = ? AND tenant = ? AND id <> ? "
        "ORDER BY seq LIMIT 1",
        (content_key, source, tenant, id_),
    ).fetchone()
    return None if found is None else int(found[0])


def _is_known(connection: sqlite3.Connection, row: tuple[Any, ...]) -> bool:
    sql = "SELECT 1 FROM hookcatch_event WHERE source = ? AND tenant = ? AND id = ?"
    return connection.execute(sql, row[:3]).fetchone() is not None


def _meet(
    connection: sqlite3.Connection,
    event: NewEvent,
    row: tuple[Any, ...],
    claim: Claim | None,
    duplicates: Duplicates,
) -> Accepted | Duplicate:
    seq, state, kept, lease_until, leased_at, finished_at, body_hash, replayed, reply = connection.execute(
        "SELECT seq, state, kept, lease_until, leased_at, finished_at, body_hash, replayed_content, reply "
        "FROM hookcatch_event WHERE source = ? AND tenant = ? AND id = ?",
        row[:3],
    ).fetchone()
    conflict = body_hash != event.body_hash
    connection.execute(
        "UPDATE hookcatch_event SET duplicates = duplicates + 1, conflicts = conflicts + ? WHERE seq = ?",
        (conflict, seq),
    )
    known = rules.Known(state, bool(kept), lease_until, leased_at, finished_at)
    meeting = rules.meet(known, event, duplicates)
    if meeting == "duplicate":
        return Duplicate(seq, state, conflict, lease_until=lease_until, reply=rows.unreply(reply))
    if meeting == "revive":
        begin_anew(connection, seq)
    connection.execute(START, (*_start(event, claim), seq))
    if state == "handling" and claim is None:
        sqlite_lanes.call_up(connection, sqlite_lanes.lanes_of(connection, [seq]))
    lease = None if claim is None else _lease(connection, seq, claim.token, claim.until)
    return Accepted(seq, lease, meeting == "revive", bool(replayed))


def _refused(connection: sqlite3.Connection, seq: int) -> Duplicate:
    state, lease_until, reply = connection.execute(
        "SELECT state, lease_until, reply FROM hookcatch_event WHERE seq = ?", (seq,)
    ).fetchone()
    return Duplicate(seq, state, False, True, lease_until, rows.unreply(reply))


def begin_anew(connection: sqlite3.Connection, seq: int) -> None:
    """Forget what earlier attempts came to."""
    connection.execute("UPDATE hookcatch_event SET attempt = 0, lost = 0 WHERE seq = ?", (seq,))
    connection.execute("DELETE FROM hookcatch_run WHERE seq = ?", (seq,))


def _lease(connection: sqlite3.Connection, seq: int, token: str, until: float) -> Lease:
    row = connection.execute(
        f"SELECT {rows.EVENT}, b.body FROM hookcatch_event e JOIN hookcatch_body b USING (seq) WHERE seq = ?",
        (seq,),
    ).fetchone()
    return Lease(token, until, rows.stored_event(row, row[-1]), _runs(connection, seq))


def _runs(connection: sqlite3.Connection, seq: int) -> MappingProxyType[str, Run]:
    found = connection.execute(f"SELECT {rows.RUN} FROM hookcatch_run WHERE seq = ?", (seq,))
    return MappingProxyType({run.handler: run for run in map(rows.run, found)})


def lease(
    connection: sqlite3.Connection,
    token: str,
    limit: int,
    now: float,
    until: float,
    caps: Mapping[str, int],
    only: str | None,
) -> tuple[Lease, ...]:
    """Take what is due or lost, earliest first."""
    asked = (now, limit, None if only is None else rows.text(only))
    lost = connection.execute(LOST, asked).fetchall()
    lost += connection.execute(ASTRAY, asked).fetchall()
    due = connection.execute(OVERDUE, asked).fetchall()
    due += sqlite_lanes.due(connection, limit, now, caps, only)
    ready = sorted(lost + due, key=lambda row: (row[-2], row[0]))[:limit]
    chosen = list(rules.one_last_chance(ready, lambda row: row[12] + (row[5] == "running")))
    taken = [_take(connection, row, token, now, until) for row in chosen]
    return tuple([lease for lease in taken if lease is not None])


def _take(
    connection: sqlite3.Connection, row: tuple[Any, ...], token: str, now: float, until: float
) -> Lease | None:
    event = rows.stored_event(row, row[-1])
    lost = event.lost + (event.state == "running")
    if lost >= rules.MAX_LOST and lost > event.lost:
        connection.execute(PARK, (lost, now, event.seq))
        _leave_lane(connection, event)
        return None
    attempt = event.attempt + 1
    own = f"{token}.{attempt}"
    connection.execute(HOLD, (own, until, now, attempt, lost, event.seq))
    held = rows.stored_event((*row[:5], "running", *row[6:10], None, attempt, lost, *row[13:24]), row[-1])
    return Lease(own, until, held, _runs(connection, event.seq))


def take(
    connection: sqlite3.Connection, key: tuple[str, str, str], of: str, token: str, now: float, until: float
) -> Lease | None:
    """Take what was handed to an engine."""
    sql = "SELECT seq FROM hookcatch_event WHERE source = ? AND tenant = ? AND id = ?"
    found = connection.execute(sql, tuple(map(rows.text, key))).fetchone()
    if found is None or connection.execute(TAKE, (token, until, now, found[0], of)).rowcount != 1:
        return None
    return _lease(connection, found[0], token, until)


def heartbeat(
    connection: sqlite3.Connection, leases: Sequence[Lease], until: float, now: float
) -> tuple[bool, ...]:
    """Prolong leases."""
    sql = f"UPDATE hookcatch_event SET lease_until = ?, leased_at = ? WHERE {FENCE}"
    return tuple(
        [connection.execute(sql, (until, now, *_fence(lease))).rowcount == 1 for lease in leases],
    )


def _fence(lease: Lease) -> tuple[int, str]:
    return (lease.event.seq, lease.token)


def settle(
    connection: sqlite3.Connection, lease: Lease, runs: Sequence[Run], close: Close | None, now: float
) -> LeaseLost | None:
    """Record runs, and give the lease back; LeaseLost is an answer, not an error: the batch goes on."""
    if not (holds(connection, lease) if close is None else _leave(connection, lease, close, now)):
        return LeaseLost(f"event {lease.event.seq} is in other hands")
    connection.executemany(UPSERT_RUN, [(lease.event.seq, *rows.run_row(run)) for run in runs])
    return None


def holds(connection: sqlite3.Connection, lease: Lease) -> bool:
    """Whether the lease is held still."""
    found = connection.execute(f"SELECT 1 FROM hookcatch_event WHERE {FENCE}", _fence(lease)).fetchone()
    return found is not None


def check_fence(connection: sqlite3.Connection, lease: Lease) -> None:
    """Raise LeaseLost if the lease is not held any more."""
    if not holds(connection, lease):
        raise LeaseLost(f"event {lease.event.seq} is in other hands")


def _leave(connection: sqlite3.Connection, lease: Lease, close: Close, now: float) -> bool:
    ended = close.state in ENDED
    run_at = None if ended else (now if close.run_at is None else close.run_at)
    finished_at = now if ended else None
    ending = (close.state, rows.kept(close.state), run_at, finished_at, rows.text(close.error))
    cursor = connection.execute(LEAVE, (*ending, rows.reply(close.reply), *_fence(lease)))
    if cursor.rowcount and close.state != "relayed":
        _leave_lane(connection, lease.event)
    return cursor.rowcount == 1


def _leave_lane(connection: sqlite3.Connection, event: StoredEvent) -> None:
    if event.lane is not None:
        lane = rows.lane_digest(event.source, event.tenant, event.lane)
        sqlite_lanes.call_up(connection, [(lane, event.lane.limit)])


def release(connection: sqlite3.Connection, leases: Sequence[Lease], now: float) -> None:
    """Give leases back unused; what is `handling` was never acked and stays the sender's."""
    connection.executemany(RELEASE, [(now, now, *_fence(lease)) for lease in leases])
    for lease in leases:
        _leave_lane(connection, lease.event)
