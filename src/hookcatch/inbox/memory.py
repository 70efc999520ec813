"""The inbox in memory: for tests, for development, and for senders that may lose an event."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from itertools import islice
from threading import RLock

from hookcatch.core.errors import ConfigurationError, LeaseLost
from hookcatch.core.model import (
    Accepted,
    Claim,
    Close,
    Duplicate,
    Duplicates,
    EventState,
    Lease,
    NewEvent,
    Run,
    Standing,
    StoredEvent,
)
from hookcatch.core.ports import NO_CAPS, Clock, Query, Retention, Transaction
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Response

from . import rules
from .listeners import Listeners
from .memory_queue import Queue
from .memory_row import Row, begin_anew, duplicate, ended_before, finished_before, forget_body, matches
from .rules import ENDED, Resolved, failed


class MemoryInbox:
    """Events in a dict, gone with the process.

    Args:
        clock: seconds since the epoch.
        keep: how many ended events are kept; beyond it the oldest go, whatever the retention says, so that
            a flood of events does not eat the memory (ATTACKS A30). What is not ended is never dropped.
    """

    shared = False
    durable = False
    transactional = False

    def __init__(self, *, clock: Clock, keep: int = 100_000) -> None:
        self._clock = clock
        self._keep = keep
        self._lock = RLock()
        self._rows: dict[int, Row] = {}
        self._keys: dict[tuple[str, str, str], Row] = {}
        self._contents: dict[tuple[str, str, bytes], int] = {}
        self._queue = Queue(self._rows)
        self._leased: dict[int, Row] = {}
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._learned: dict[tuple[str, str], Secret] = {}
        self._last = 0
        self._listeners = Listeners()

    def open(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do: the events stay until the process ends."""

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See `Inbox.listen`."""
        return self._listeners.add(callback)

    def accept(
        self,
        events: Sequence[NewEvent],
        *,
        claim: Claim | None = None,
        duplicates: Duplicates = Duplicates(),
    ) -> Future[tuple[Accepted | Duplicate, ...]]:
        """See `Inbox.accept`."""
        with self._lock:
            answers = tuple([self._accept(event, claim, duplicates) for event in events])
        if claim is None:
            self._listeners()
        return Resolved(answers)

    def _accept(self, event: NewEvent, claim: Claim | None, duplicates: Duplicates) -> Accepted | Duplicate:
        row = self._keys.get((event.source, event.tenant, event.id))
        if row is not None:
            return self._meet(row, event, claim, duplicates)
        twin = self._twin(event)
        if twin is not None and duplicates.refuse_replayed_content:
            twin.duplicates += 1
            return duplicate(twin, replayed_content=True)
        self._last += 1
        row = Row(self._last, event, body=event.body, replayed_content=twin is not None)
        self._rows[row.seq] = self._keys[row.key] = row
        self._queue.came(row)
        if event.content_key is not None:
            self._contents.setdefault((event.source, event.tenant, event.content_key), row.seq)
        lease = self._start(row, event, claim)
        return Accepted(row.seq, lease, replayed_content=row.replayed_content)

    def _twin(self, event: NewEvent) -> Row | None:
        if event.content_key is None:
            return None
        seq = self._contents.get((event.source, event.tenant, event.content_key))
        return None if seq is None else self._rows[seq]

    def _meet(
        self, row: Row, event: NewEvent, claim: Claim | None, duplicates: Duplicates
    ) -> Accepted | Duplicate:
        conflict = row.first.body_hash != event.body_hash
        row.duplicates += 1
        row.conflicts += conflict
        meeting = rules.meet(row.known(), event, duplicates)
        if meeting == "duplicate":
            return duplicate(row, conflict=conflict)
        if meeting == "revive":
            begin_anew(row)
        return Accepted(row.seq, self._start(row, event, claim), meeting == "revive", row.replayed_content)

    def _start(self, row: Row, event: NewEvent, claim: Claim | None) -> Lease | None:
        """Put an accepted event where it starts: due, or leased."""
        self._ended.pop(row.seq, None)
        row.finished_at, row.error = None, ""
        if claim is None:
            self._wait(row, rules.due_at(event))
            return None
        return self._hold(row, claim.token, claim.until, event.received_at, rules.claimed_state(claim))

    def _wait(self, row: Row, run_at: float, state: EventState = "pending") -> None:
        row.state, row.run_at = state, run_at
        row.token = row.lease_until = row.leased_at = None
        self._leased.pop(row.seq, None)
        self._queue.moved(row)

    def _hold(self, row: Row, token: str, until: float, now: float, state: EventState) -> Lease:
        row.attempt += 1
        return self._give(row, token, until, now, state)

    def _give(self, row: Row, token: str, until: float, now: float, state: EventState) -> Lease:
        row.state, row.run_at = state, None
        row.token, row.lease_until, row.leased_at = token, until, now
        self._leased[row.seq] = row
        self._queue.moved(row)
        return Lease(token, until, row.stored(body=True), dict(row.runs))

    def lease(
        self,
        *,
        token: str,
        limit: int,
        now: float,
        until: float,
        caps: Mapping[str, int] = NO_CAPS,
        only: str | None = None,
    ) -> Future[tuple[Lease, ...]]:
        """See `Inbox.lease`."""
        with self._lock:
            chosen = self._ready(limit, now, caps, only)
            return Resolved(tuple([lease for row in chosen for lease in self._take(row, token, now, until)]))

    def _ready(self, limit: int, now: float, caps: Mapping[str, int], only: str | None) -> list[Row]:
        """Up to `limit` rows that are due or lost, earliest first."""
        lost = [row for row in self._lost(now) if only in (None, row.first.source)]
        due = list(self._queue.ready(limit, now, caps, only))
        chosen = list(rules.one_last_chance(sorted(lost + due, key=_time)[:limit], _lost_by_then))
        taken = {row.seq for row in chosen}
        for row in due:
            if row.seq not in taken:
                self._queue.put_back(row)
        return chosen

    def _lost(self, now: float) -> list[Row]:
        running = [row for row in self._leased.values() if row.state == "running"]
        return [row for row in running if rules.lease_is_over(row.lease_until, row.leased_at, now)]

    def standing(self, lease: Lease) -> Future[Standing]:
        """See `Inbox.standing`."""
        with self._lock:
            row = self._rows.get(lease.event.seq)
            return Resolved(Standing() if row is None else self._queue.standing(row))

    def _take(self, row: Row, token: str, now: float, until: float) -> Iterable[Lease]:
        if row.state == "running":
            row.lost += 1
            if row.lost >= rules.MAX_LOST:
                self._leave(row, Close("dead", error=rules.WORKER_LOST), now)
                return ()
        return (self._hold(row, f"{token}.{row.attempt + 1}", until, now, "running"),)

    def take(
        self, source: str, tenant: str, id: str, *, of: str, token: str, now: float, until: float
    ) -> Future[Lease | None]:
        """See `Inbox.take`."""
        with self._lock:
            row = self._keys.get((source, tenant, id))
            if row is None or not (row.state == "relayed" or (row.state == "running" and row.token == of)):
                return Resolved(None)
            return Resolved(self._give(row, token, until, now, "running"))

    def heartbeat(self, leases: Sequence[Lease], *, until: float) -> Future[tuple[bool, ...]]:
        """See `Inbox.heartbeat`."""
        with self._lock:
            return Resolved(tuple([self._prolong(lease, until) for lease in leases]))

    def _prolong(self, lease: Lease, until: float) -> bool:
        row = self._held(lease)
        if row is None:
            return False
        row.lease_until, row.leased_at = until, self._clock()
        return True

    def _held(self, lease: Lease) -> Row | None:
        row = self._rows.get(lease.event.seq)
        return row if row is not None and row.holds(lease.token) else None

    def settle(self, lease: Lease, runs: Sequence[Run], close: Close | None) -> Future[None]:
        """See `Inbox.settle`."""
        with self._lock:
            row = self._held(lease)
            if row is None:
                return failed(LeaseLost(f"event {lease.event.seq} is in other hands"))
            for run in runs:
                done = row.runs.get(run.handler)
                if done is None or done.state != "succeeded":
                    row.runs[run.handler] = run
            if close is not None:
                row.lost = row.lost if close.state == "relayed" else 0
                self._leave(row, close, self._clock())
        if close is not None and close.state == "pending":
            self._listeners()
        return Resolved(None)

    def _leave(self, row: Row, close: Close, now: float) -> None:
        row.error = close.error
        row.reply = close.reply or row.reply
        if close.state in ENDED:
            self._end(row, close.state, now)
        else:
            self._wait(row, now if close.run_at is None else close.run_at, close.state)

    def _end(self, row: Row, state: EventState, now: float) -> None:
        row.state, row.run_at, row.finished_at = state, None, now
        row.token = row.lease_until = row.leased_at = None
        self._leased.pop(row.seq, None)
        self._queue.moved(row)
        self._ended.pop(row.seq, None)
        self._ended[row.seq] = None
        while len(self._ended) > self._keep:
            self._drop(self._rows[next(iter(self._ended))])

    def _drop(self, row: Row) -> None:
        del self._rows[row.seq], self._keys[row.key]
        self._queue.forget(row)
        self._leased.pop(row.seq, None)
        self._ended.pop(row.seq, None)
        content = (row.first.source, row.first.tenant, row.first.content_key or b"")
        if self._contents.get(content) == row.seq:
            del self._contents[content]

    def release(self, leases: Sequence[Lease]) -> Future[None]:
        """See `Inbox.release`."""
        with self._lock:
            for row in filter(None, map(self._held, leases)):
                row.attempt -= 1
                state: EventState = "pending" if row.state == "running" else "failed"
                self._leave(row, Close(state), self._clock())
        self._listeners()
        return Resolved(None)

    def transaction(self, lease: Lease, run: Run) -> Transaction:
        """Always a ConfigurationError: there is no database to share."""
        raise ConfigurationError(
            "a handler asks for a transaction, which the memory inbox does not have: use sqlite:///file.db"
        )

    def find(self, query: Query) -> Sequence[StoredEvent]:
        """See `Inbox.find`."""
        with self._lock:
            rows = (row for row in reversed(self._rows.values()) if matches(row, query))
            return [row.stored(body=False) for row in islice(rows, query.limit)]

    def get(self, seq: int) -> tuple[StoredEvent, Sequence[Run]] | None:
        """See `Inbox.get`."""
        with self._lock:
            row = self._rows.get(seq)
            if row is None:
                return None
            return row.stored(body=True), [row.runs[name] for name in sorted(row.runs)]

    def state_of(self, seq: int) -> tuple[EventState | None, Response | None]:
        """See `Inbox.state_of`."""
        with self._lock:
            row = self._rows.get(seq)
            return (None, None) if row is None else (row.state, row.reply)

    def counts(self) -> dict[tuple[str, EventState], int]:
        """See `Inbox.counts`."""
        totals: dict[tuple[str, EventState], int] = {}
        with self._lock:
            for row in self._rows.values():
                key = (row.first.source, row.state)
                totals[key] = totals.get(key, 0) + 1
        return totals

    def learn(self, source: str, tenant: str, secret: Secret) -> Future[bool]:
        """See `Inbox.learn`."""
        with self._lock:
            known = self._learned.setdefault((source, tenant), secret)
        return Resolved(known.reveal() == secret.reveal())

    def learned(self, source: str, tenant: str) -> Secret | None:
        """See `Inbox.learned`."""
        return self._learned.get((source, tenant))

    def learners(self) -> Sequence[tuple[str, str]]:
        """See `Inbox.learners`."""
        with self._lock:
            return sorted(self._learned)

    def forget(self, source: str, tenant: str) -> Future[bool]:
        """See `Inbox.forget`."""
        with self._lock:
            return Resolved(self._learned.pop((source, tenant), None) is not None)

    def replay(self, seqs: Sequence[int], *, now: float) -> Future[int]:
        """See `Inbox.replay`."""
        with self._lock:
            chosen = [
                row for row in self._chosen(seqs) if row.state in rules.REPLAYABLE and row.body is not None
            ]
            for row in chosen:
                begin_anew(row)
                row.replays += 1
                self._ended.pop(row.seq, None)
                row.finished_at, row.error = None, ""
                self._wait(row, now)
        self._listeners()
        return Resolved(len(chosen))

    def _chosen(self, seqs: Sequence[int]) -> list[Row]:
        return [self._rows[seq] for seq in dict.fromkeys(seqs) if seq in self._rows]

    def discard(self, seqs: Sequence[int], *, now: float, why: str) -> Future[int]:
        """See `Inbox.discard`."""
        with self._lock:
            chosen = [row for row in self._chosen(seqs) if row.state in rules.DISCARDABLE]
            for row in chosen:
                self._leave(row, Close("discarded", error=why), now)
        return Resolved(len(chosen))

    def prune(self, *, now: float, retention: Retention) -> Future[int]:
        """See `Inbox.prune`."""
        with self._lock:
            rows = list(self._rows.values())
            old = [row for row in rows if ended_before(row, now - retention.key)][: rules.PRUNE_LIMIT]
            for row in old:
                self._drop(row)
            heavy = [row for row in rows if row.body is not None and row.state not in rules.KEPT_LONG]
            due = [row for row in heavy if finished_before(row, now - retention.payload)]
            emptied = [row for row in due if row.seq in self._rows][: rules.PRUNE_LIMIT - len(old)]
            for row in emptied:
                forget_body(row)
        return Resolved(len(old) + len(emptied))

    def next_due(self) -> float | None:
        """See `Inbox.next_due`."""
        with self._lock:
            due = self._queue.next_due()
            times = [row.lease_until or 0.0 for row in self._leased.values() if row.state == "running"]
        return min(times if due is None else [*times, due], default=None)


def _lost_by_then(row: Row) -> int:
    return row.lost + (row.state == "running")


def _time(row: Row) -> tuple[float, int]:
    """Since when it waits for a worker."""
    return ((row.lease_until if row.state == "running" else row.run_at) or 0.0, row.seq)
