"""What an inbox in SQL writes: functions of an open transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
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
from hookcatch.inbox import rules
from hookcatch.inbox.rows import reply, unreply
from hookcatch.inbox.rules import ENDED

from . import lanes, rows
from .dialect import EVENTS, HELD, KNOWN, LEAVING, RUNS, Db
from .text import text

# MySQL sets columns from left to right and sees what it has set: `state` changes last.
START = f"""UPDATE {EVENTS} SET at = %s, lease_token = %s, leased_at = %s, attempt = attempt + %s, error = '',
state = %s WHERE seq = %s"""
ANEW = f"UPDATE {EVENTS} SET attempt = 0, lost = 0 WHERE seq = %s"
FENCE = f"seq = %s AND lease_token = %s AND {HELD}"
FENCES = f"SELECT seq, lease_token FROM {EVENTS} WHERE seq IN ({{seqs}}) AND {HELD} FOR UPDATE"
LEAVE = f"""UPDATE {EVENTS} SET at = %s, error = %s, reply = COALESCE(%s, reply), lost = lost * %s,
lease_token = NULL, leased_at = NULL, state = %s WHERE {FENCE}"""
RELEASE = f"""UPDATE {EVENTS} SET attempt = attempt - 1, error = '', lease_token = NULL, leased_at = NULL, at = %s,
state = CASE state WHEN 'running' THEN 'pending' ELSE 'failed' END WHERE {FENCE}"""
OVERDUE = f"""SELECT {rows.EVENT}, lane, body FROM {EVENTS} WHERE state = 'relayed' AND has_body = 1 AND behind = 0
AND at <= %s {{of}} ORDER BY at, seq LIMIT %s """
LOST = f"""SELECT {rows.EVENT}, lane, body FROM {EVENTS} WHERE state = 'running' AND has_body = 1 AND behind = 0
AND (at <= %s OR at - %s > 2 * (at - leased_at)) {{of}} ORDER BY at, seq LIMIT %s """
HOLD = f"""UPDATE {EVENTS} SET lease_token = %s, at = %s, leased_at = %s, attempt = attempt + 1,
lost = lost + CASE WHEN state = 'running' THEN 1 ELSE 0 END, state = 'running' WHERE seq IN """
TAKE = f"""UPDATE {EVENTS} SET lease_token = %s, at = %s, leased_at = %s, state = 'running'
WHERE seq = %s AND (state = 'relayed' OR (state = 'running' AND lease_token = %s))"""
PARK = f"""UPDATE {EVENTS} SET lost = %s, at = %s, error = '{rules.WORKER_LOST}', lease_token = NULL,
leased_at = NULL, state = 'dead' WHERE seq = %s"""

SEQ, TOKEN = map(tuple(LEAVING).index, ("seq", "token"))
"""Where LEAVE is told whose lease it is."""

AT_ONCE = 500
"""Events a statement; SQLite takes 32,766 values."""


@dataclass(frozen=True, slots=True)
class Accept:
    """The op that keeps a delivery. Deliveries that come together and are of one kind can be one statement."""

    events: Sequence[tuple[NewEvent, tuple[Any, ...]]]
    claim: Claim | None
    duplicates: Duplicates
    here: Callable[[Any], Any]

    def __call__(self, db: Db) -> Any:
        return self.here(accept(db, self.events, self.claim, self.duplicates))


@dataclass(frozen=True, slots=True)
class Settle:
    """The op that ends a lease, or writes runs down under it. Those that come together can be one statement."""

    lease: Lease
    runs: Sequence[Run]
    close: Close | None
    now: float

    def __call__(self, db: Db) -> LeaseLost | None:
        return settle(db, self.lease, self.runs, self.close, self.now)


Op = Callable[[Any], Any]


def together(db: Db, batch: Sequence[Op]) -> list[Any]:
    """Do the ops of a batch in order; those of one kind that stand side by side in one statement, if they can."""
    results: list[Any] = []
    for kind, side_by_side in groupby(batch, _kind):
        some = list(side_by_side)
        answers = None if kind is None else _at_once(db, some)
        results += [one(db) for one in some] if answers is None else answers
    return results


def _at_once(db: Db, some: Sequence[Op]) -> list[Any] | None:
    """The answers of ops of one kind; None if they have to be done one by one."""
    accepts = [one for one in some if isinstance(one, Accept)]
    settles = [one for one in some if isinstance(one, Settle)]
    if len(some) == 1:
        return None
    return _accepted_at_once(db, accepts) if accepts else _settled_at_once(db, settles)


def _kind(op: Op) -> object:
    """What ops have to have in common to be one statement; None for those that cannot be."""
    if isinstance(op, Accept) and op.claim is None:
        return op.duplicates
    if isinstance(op, Settle) and op.close is not None and not _leaves_lane(op.lease.event, op.close):
        return Settle
    return None


def _accepted_at_once(db: Db, accepts: Sequence[Accept]) -> list[Any] | None:
    events = [event for one in accepts for event in one.events]
    if not db.dialect.returns or not _are_unlike(events):
        return None
    answers = iter(accept(db, events, None, accepts[0].duplicates))
    return [one.here(tuple(islice(answers, len(one.events)))) for one in accepts]


def _settled_at_once(db: Db, settles: Sequence[Settle]) -> list[LeaseLost | None] | None:
    seqs = {one.lease.event.seq for one in settles}
    if len(seqs) < len(settles):
        return None
    # in the order in which `accept` writes: see there
    ordered = sorted(settles, key=lambda one: rows.key_of(one.lease.event))
    leaving = [_leaving(db, one.lease, one.close, one.now) for one in ordered if one.close is not None]
    held = _ended(db, leaving)
    record(
        db, [(one.lease.event.seq, run) for one in ordered if one.lease.event.seq in held for run in one.runs]
    )
    return [None if one.lease.event.seq in held else _lease_lost(one.lease) for one in settles]


def _ended(db: Db, leaving: Sequence[tuple[Any, ...]]) -> set[int]:
    """The events whose leases are ended now; the others are in other hands."""
    if not db.dialect.leave:
        return {values[SEQ] for values in leaving if db.execute(LEAVE, values).rowcount == 1}
    if db.dialect.returns:
        return {int(seq) for (seq,) in db.execute(*db.dialect.leaving(leaving)).fetchall()}
    seqs = ", ".join(str(values[SEQ]) for values in leaving)
    fences = set(db.execute(FENCES.format(seqs=seqs)).fetchall())
    held = [values for values in leaving if (values[SEQ], values[TOKEN]) in fences]
    if held:
        db.execute(*db.dialect.leaving(held))
    return {values[SEQ] for values in held}


def accept(
    db: Db, events: Sequence[tuple[NewEvent, tuple[Any, ...]]], claim: Claim | None, duplicates: Duplicates
) -> tuple[Accepted | Duplicate, ...]:
    """Keep events; each comes with its columns, made ready outside the transaction."""
    for event, _ in events:
        db.front.lower(rules.due_at(event))
    if db.dialect.reserve and len(events) > 1:
        return _accept_in_order(db, events, claim, duplicates)
    if db.dialect.returns and len(events) > 1 and _are_unlike(events):
        return tuple(_accept_at_once(db, events, [()] * len(events), claim, duplicates))
    return tuple([_accept(db, event, row, claim, duplicates) for event, row in events])


def _accept_in_order(
    db: Db, events: Sequence[tuple[NewEvent, tuple[Any, ...]]], claim: Claim | None, duplicates: Duplicates
) -> tuple[Accepted | Duplicate, ...]:
    """Written in the order of their keys, so that two who write the same events wait for each other and never meet in
    a deadlock. Their numbers are taken before, and follow the delivery."""
    numbers = sorted(int(seq) for (seq,) in db.execute(db.dialect.reserve, (len(events),)).fetchall())
    order = sorted(range(len(events)), key=lambda place: events[place][1][0])
    ordered = [events[place] for place in order]
    if _are_unlike(events):
        answers = _accept_at_once(db, ordered, [(numbers[place],) for place in order], claim, duplicates)
    else:
        answers = [
            _accept(db, *events[place], claim, duplicates, number=(numbers[place],)) for place in order
        ]
    found = dict(zip(order, answers, strict=True))
    return tuple([found[place] for place in range(len(events))])


def _are_unlike(events: Sequence[tuple[NewEvent, tuple[Any, ...]]]) -> bool:
    """Whether one statement can take them: no copies among them, and no content to compare."""
    keys = {row[0] for _, row in events}
    return len(keys) == len(events) and all(event.content_key is None for event, _ in events)


def _accept_at_once(
    db: Db,
    events: Sequence[tuple[NewEvent, tuple[Any, ...]]],
    numbers: Sequence[tuple[int, ...]],
    claim: Claim | None,
    duplicates: Duplicates,
) -> list[Accepted | Duplicate]:
    """A whole batch in one statement: it costs one way to the server and back."""
    known = {}
    for start in range(0, len(events), AT_ONCE):
        some = range(start, min(start + AT_ONCE, len(events)))
        told = [
            (*numbers[place], *events[place][1], False, *_start(events[place][0], claim)) for place in some
        ]
        statement = db.dialect.accept(told, numbered=bool(numbers[0]))
        known.update({row[-1]: row[:-1] for row in db.execute(*statement).fetchall()})
    return [_answer(db, known[row[0]], event, claim, duplicates, replayed=False) for event, row in events]


def _accept(
    db: Db,
    event: NewEvent,
    row: tuple[Any, ...],
    claim: Claim | None,
    duplicates: Duplicates,
    *,
    number: tuple[int, ...] = (),
) -> Accepted | Duplicate:
    twin = None if event.content_key is None else _twin(db, row)
    if twin is not None and duplicates.refuse_replayed_content and not _is_known(db, row[0]):
        return _refused(db, twin)
    known = _insert(db, (*number, *row, twin is not None, *_start(event, claim)), numbered=bool(number))
    return _answer(db, known, event, claim, duplicates, replayed=twin is not None)


def _answer(
    db: Db,
    known: tuple[Any, ...],
    event: NewEvent,
    claim: Claim | None,
    duplicates: Duplicates,
    *,
    replayed: bool,
) -> Accepted | Duplicate:
    """What an insert has come to, by the KNOWN columns of the row."""
    if known[1]:
        return _meet(db, known, event, claim, duplicates)
    seq = int(known[0])
    lease = None if claim is None else rules.fresh_lease(seq, event, claim, replayed_content=replayed)
    return Accepted(seq, lease, replayed_content=replayed)


def _insert(db: Db, values: tuple[Any, ...], *, numbered: bool) -> tuple[Any, ...]:
    """The KNOWN columns of the row that it made or met."""
    cursor = db.execute(*db.dialect.accept([values], numbered=numbered))
    if db.dialect.returns:
        return tuple(cursor.fetchone())[:-1]
    if cursor.rowcount == 1:
        return (cursor.lastrowid, 0)
    return tuple(db.execute(f"SELECT {KNOWN} FROM {EVENTS} WHERE seq = %s", (cursor.lastrowid,)).fetchone())


def _start(event: NewEvent, claim: Claim | None) -> tuple[Any, ...]:
    """state, at, lease_token, leased_at, attempt"""
    if claim is None:
        return ("pending", rules.due_at(event), None, None, 0)
    return (rules.claimed_state(claim), claim.until, claim.token, event.received_at, 1)


def _twin(db: Db, row: tuple[Any, ...]) -> int | None:
    """The first event with the same signed content under another id."""
    key, source, tenant, content_key = row[0], row[1], row[2], row[8]
    found = db.execute(
        f"SELECT seq FROM {EVENTS} WHERE content_key = %s AND source = %s AND tenant = %s AND event_key <> %s "
        "ORDER BY seq LIMIT 1",
        (content_key, source, tenant, key),
    ).fetchone()
    return None if found is None else int(found[0])


def _is_known(db: Db, key: str) -> bool:
    return db.execute(f"SELECT 1 FROM {EVENTS} WHERE event_key = %s", (key,)).fetchone() is not None


def _refused(db: Db, seq: int) -> Duplicate:
    db.execute(f"UPDATE {EVENTS} SET duplicates = duplicates + 1 WHERE seq = %s", (seq,))
    state, at, stored = db.execute(f"SELECT state, at, reply FROM {EVENTS} WHERE seq = %s", (seq,)).fetchone()
    return Duplicate(seq, state, False, True, rows.lease_until(state, at), unreply(stored))


def _meet(
    db: Db, known: tuple[Any, ...], event: NewEvent, claim: Claim | None, duplicates: Duplicates
) -> Accepted | Duplicate:
    seq, _, state, at, leased_at, has_body, body_hash, replayed, stored = known
    leased, ended = rows.lease_until(state, at), at if state in ENDED else None
    meeting = rules.meet(rules.Known(state, bool(has_body), leased, leased_at, ended), event, duplicates)
    if meeting == "duplicate":
        conflict = body_hash != event.body_hash.hex()
        return Duplicate(seq, state, conflict, lease_until=leased, reply=unreply(stored))
    if meeting == "revive":
        begin_anew(db, [seq])
    next_state, *start = _start(event, claim)
    db.execute(START, (*start, next_state, seq))
    if state == "handling" and claim is None:
        lanes.call_up(db, lanes.lanes_of(db, [seq]))
    lease = None if claim is None else _lease(db, seq, claim.token, claim.until)
    return Accepted(seq, lease, meeting == "revive", bool(replayed))


def begin_anew(db: Db, seqs: Iterable[int]) -> None:
    """Forget what earlier attempts came to."""
    for seq in seqs:
        db.execute(ANEW, (seq,))
        db.execute(f"DELETE FROM {RUNS} WHERE event_id = %s", (seq,))


def _lease(db: Db, seq: int, token: str, until: float) -> Lease:
    row = db.execute(f"SELECT {rows.EVENT}, body FROM {EVENTS} WHERE seq = %s", (seq,)).fetchone()
    return Lease(token, until, rows.stored_event(row, row[-1]), runs_of(db, seq)[seq])


def runs_of(db: Db, *seqs: int) -> dict[int, Mapping[str, Run]]:
    """What handlers have done about events, of which there is one at least."""
    runs: dict[int, dict[str, Run]] = {seq: {} for seq in seqs}
    sql = f"SELECT event_id, {rows.RUN} FROM {RUNS} WHERE event_id IN ({', '.join(map(str, seqs))})"
    for seq, *row in db.execute(sql).fetchall():
        run = rows.run(tuple(row))
        runs[seq][run.handler] = run
    return {seq: MappingProxyType(found) for seq, found in runs.items()}


def lease(
    db: Db, token: str, limit: int, now: float, until: float, caps: Mapping[str, int], only: str | None
) -> tuple[Lease, ...]:
    """Take what is due or lost, earliest first."""
    of, named = ("", ()) if only is None else ("AND source = %s", (text(only),))
    end = db.dialect.skip_locked
    lost = list(db.execute(LOST.format(of=of) + end, (now, now, *named, limit)).fetchall())
    due = list(db.execute(OVERDUE.format(of=of) + end, (now, *named, limit)).fetchall())
    due += lanes.due(db, limit, now, caps, only)
    ready = sorted(lost + due, key=lambda row: (row[rows.AT], row[0]))[:limit]
    chosen = list(rules.one_last_chance(ready, _lost))
    spent = list(filter(_is_spent, chosen))
    for row in spent:
        db.execute(PARK, (_lost(row), now, row[0]))
    lanes.leave(db, [rows.stored_event(row) for row in spent])
    taken = [row for row in chosen if not _is_spent(row)]
    if not taken:
        return ()
    seqs = [row[0] for row in taken]
    # a worker that leases twice under one token is to be fenced from its own past
    own = f"{token}.{secrets.token_hex(4)}"
    db.execute(f"{HOLD} ({', '.join(map(str, seqs))})", (own, until, now))
    runs = runs_of(db, *seqs)
    return tuple([Lease(own, until, _held(row, until), runs[row[0]]) for row in taken])


def _lost(row: tuple[Any, ...]) -> int:
    """How many workers were lost on it, with the one that held it until now."""
    return int(row[rows.LOST] + (row[rows.STATE] == "running"))


def _is_spent(row: tuple[Any, ...]) -> bool:
    """Whether it was lost with its last chance."""
    return row[rows.STATE] == "running" and _lost(row) >= rules.MAX_LOST


def _held(row: tuple[Any, ...], until: float) -> StoredEvent:
    """The event as HOLD leaves it."""
    held = (*row[:5], "running", *row[6:10], until, row[11] + 1, _lost(row), *row[13 : rows.LANE])
    return rows.stored_event(held, row[-1])


def take(db: Db, key: str, of: str, token: str, now: float, until: float) -> Lease | None:
    """Take what was handed to an engine."""
    found = db.execute(f"SELECT seq FROM {EVENTS} WHERE event_key = %s", (key,)).fetchone()
    if found is None or db.execute(TAKE, (token, until, now, found[0], of)).rowcount != 1:
        return None
    return _lease(db, int(found[0]), token, until)


def heartbeat(db: Db, leases: Sequence[Lease], until: float, now: float) -> tuple[bool, ...]:
    """Prolong leases."""
    sql = f"UPDATE {EVENTS} SET at = %s, leased_at = %s WHERE {FENCE}"
    held = {
        _fence(lease): db.execute(sql, (until, now, *_fence(lease))).rowcount == 1
        for lease in _in_order(leases)
    }
    return tuple([held[_fence(lease)] for lease in leases])


def _fence(lease: Lease) -> tuple[int, str]:
    return (lease.event.seq, lease.token)


def settle(db: Db, lease: Lease, runs: Sequence[Run], close: Close | None, now: float) -> LeaseLost | None:
    """Record runs, and give the lease back; LeaseLost is an answer, not an error: the batch goes on."""
    if not (_lock(db, lease) if close is None else _leave(db, lease, close, now)):
        return _lease_lost(lease)
    record(db, [(lease.event.seq, run) for run in runs])
    return None


def _lease_lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"event {lease.event.seq} is in other hands")


def record(db: Db, runs: Sequence[tuple[int, Run]]) -> None:
    """Write runs of events down."""
    for start in range(0, len(runs), AT_ONCE):
        some = runs[start : start + AT_ONCE]
        db.execute(*db.dialect.record([rows.run_row(seq, run) for seq, run in some]))


def holds(db: Db, lease: Lease) -> bool:
    """Whether the lease is held still."""
    return db.execute(f"SELECT 1 FROM {EVENTS} WHERE {FENCE}", _fence(lease)).fetchone() is not None


def mark(db: Db, lease: Lease, run: Run) -> bool:
    """Record a run under the fence, which nobody else can take from here to the commit; whether it is held."""
    if not _lock(db, lease):
        return False
    record(db, [(lease.event.seq, run)])
    return True


def _lock(db: Db, lease: Lease) -> bool:
    """Keep the lease as it is until the commit; whether it is held."""
    sql = f"UPDATE {EVENTS} SET lease_token = lease_token WHERE {FENCE}"
    return bool(db.execute(sql, _fence(lease)).rowcount == 1)


def _leave(db: Db, lease: Lease, close: Close, now: float) -> bool:
    if db.execute(LEAVE, _leaving(db, lease, close, now)).rowcount != 1:
        return False
    if _leaves_lane(lease.event, close):
        lanes.leave(db, [lease.event])
    return True


def _leaving(db: Db, lease: Lease, close: Close, now: float) -> tuple[Any, ...]:
    """What LEAVE is told."""
    at = now if close.state in ENDED or close.run_at is None else close.run_at
    if close.state == "pending":
        db.front.lower(at)
    keeps_lost = int(close.state == "relayed")
    return (at, text(close.error), reply(close.reply), keeps_lost, close.state, *_fence(lease))


def _leaves_lane(event: StoredEvent, close: Close) -> bool:
    return event.lane is not None and close.state != "relayed"


def release(db: Db, leases: Sequence[Lease], now: float) -> None:
    """Give leases back unused; what is `handling` was never acked and stays the sender's."""
    db.front.lower(now)
    for lease in _in_order(leases):
        db.execute(RELEASE, (now, *_fence(lease)))
    lanes.leave(db, [lease.event for lease in leases])


def _in_order(leases: Sequence[Lease]) -> list[Lease]:
    """As `accept` writes, so that nobody who has one of them waits for another in a circle."""
    return sorted(leases, key=lambda lease: rows.key_of(lease.event))
