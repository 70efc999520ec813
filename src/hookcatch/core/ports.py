"""The ports: all that the flow needs from the world, with the contract of each.

An inbox answers with `concurrent.futures.Future`: it has no colour. `Colour.wait` gives it one, by awaiting
in an event loop or by blocking in a thread. So every store is written once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from .greeting import Visit
from .keyring import KeyRef
from .model import (
    Accepted,
    Claim,
    Close,
    Delivery,
    Duplicate,
    Duplicates,
    EventState,
    Lease,
    NewEvent,
    Outcome,
    Run,
    Standing,
    StoredEvent,
)
from .secret import Secret
from .wire import Request, Response

T = TypeVar("T")

LEASE = 60.0
"""Seconds until the event of a dead worker is taken over, unless the app says otherwise."""

Clock = Callable[[], float]
"""Seconds since the epoch."""

Suspect = Callable[[Request, str, str, str], None]
"""Is told of a refused request: itself, the name of its source, its tenant, the reason. Must not raise, block or cost
much."""


NO_CAPS: Mapping[str, int] = MappingProxyType({})
"""No source has a limit."""


def shrug(request: Request, source: str, tenant: str, reason: str) -> None:
    """Whoever does not want to know why."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which events: every condition that is set must hold. `type` may end in `*`; times are seconds since
    the epoch, `since` inclusive, `until` exclusive; `before` is a `seq`, for the next page; newest first."""

    source: str | None = None
    type: str | None = None
    id: str | None = None
    tenant: str | None = None
    states: frozenset[EventState] = frozenset()
    since: float | None = None
    until: float | None = None
    before: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in seconds: `payload` the bodies of ended events, `key` the rows that dedupe
    compares (and the bodies of parked events, which a person may still want to replay)."""

    payload: float = 14 * 86400.0
    key: float = 90 * 86400.0


class Transaction(AbstractContextManager[Any], AbstractAsyncContextManager[Any], Protocol):
    """The transaction in which a run is marked done.

    Ask for it by annotation (`tx: Transaction`) and open it once, for as short as it takes::

        with tx as db:                       # `async with` in an async handler
            db.execute("UPDATE orders SET paid = 1 WHERE id = ?", (order.id,))

    Entering begins it, checks the fence (LeaseLost if another worker owns the event) and marks the run done;
    leaving commits both or, on an exception, neither. `db` is the store's own connection: for the SQLite
    inbox a `sqlite3.Connection` on the same file.
    """

    committed: bool


class Inbox(Protocol):
    """The durable table of events. Every method that returns a Future may be called from any thread and
    never blocks; the future fails with InboxUnavailable when the store cannot do it, in which case nothing
    of the call has happened, or (a lost connection) it is unknown and calling again is harmless.

    `durable`: whether a resolved `accept` survives the death of the process and of the machine.
    `transactional`: whether `transaction` works.
    """

    durable: bool
    transactional: bool

    def open(self) -> None:
        """Connect, check, migrate. Blocks. Raises ConfigurationError with what to do. Idempotent."""
        ...

    def accept(
        self,
        events: Sequence[NewEvent],
        *,
        claim: Claim | None = None,
        duplicates: Duplicates = Duplicates(),
    ) -> Future[tuple[Accepted | Duplicate, ...]]:
        """Keep the events of one delivery, all or none, in one commit: an answer for each, in order.

        The claim of the key and the row are the same write, so of simultaneous copies exactly one is
        Accepted. It resolves only after the commit is on disk. Every event starts `pending`, due at `due_at` or
        else `received_at`; with `claim` it starts leased (`running`, or `handling` if not `claim.rescue`) with
        attempt 1, and so does a known event that is `failed`, or `handling` past its lease (its `attempt` grows,
        its first body and its runs stay).
        Without `claim` such an event becomes `pending`, due as if new, and is Accepted too: a worker has it now.
        A known event is otherwise a Duplicate, and nothing of it changes, except that a `dead` one may be
        revived. `duplicates` counts every arrival after the first, `conflicts` those with another body.
        """
        ...

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
        """Take up to `limit` events that are due (`pending` or `relayed`, `run_at <= now`) or whose worker is lost
        (`running`, past its lease, or leased absurdly far ahead because a clock was set back), earliest
        first; of the source `only`, if it is named. Each becomes `running` until `until` under a token made from
        `token`, its `attempt` grows in the same commit, and `lost` too if its worker was. An event lost for the
        third time is not leased but becomes `dead` with error `worker_lost`. Of events on their last chance before
        that one a call is leased: which of those that were lost together killed its worker shows when they are
        apart.

        A `pending` event of a lane is left as it is while others of the lane stand in its way: in an ordered one
        any that is in work (IN_WORK), pending and earlier or, with `blocks`, parked and earlier (by `seq`); else
        `limit` of them in work. So is one of a source of which as many as `caps` says are `running` or `relayed`.
        Whoever claims at the same instant does not break these limits. An event whose worker is lost is in its
        place already, and so is one that is `relayed`. A call may look at a bounded number of events that are in
        such a way, and come back with less than there is: the next one goes on behind them.
        """
        ...

    def standing(self, lease: Lease) -> Future[Standing]:
        """How a leased event stands in its lane now."""
        ...

    def take(
        self, source: str, tenant: str, id: str, *, of: str, token: str, now: float, until: float
    ) -> Future[Lease | None]:
        """Take one event that was handed to an engine: it is `relayed`, or still `running` under the lease token
        `of`, because the engine was faster than whoever handed it over. It becomes `running` until `until` under
        `token`, and its `attempt` stays. None, having changed nothing, if it is neither.
        """
        ...

    def heartbeat(self, leases: Sequence[Lease], *, until: float) -> Future[tuple[bool, ...]]:
        """Prolong leases; False for one that is lost."""
        ...

    def settle(self, lease: Lease, runs: Sequence[Run], close: Close | None) -> Future[None]:
        """Record runs under the lease's fence, and with `close` give the lease back and set the event's
        state and error (`lost` starts again from 0: this worker has survived; but not with `relayed`, for then the
        work is still to be done); None keeps it. A run that has
        succeeded stays so, whatever is recorded later; a reply stays until there is another. Fails with
        LeaseLost, having written nothing, if the lease is not held any more.
        """
        ...

    def release(self, leases: Sequence[Lease]) -> Future[None]:
        """Give leases back unused (drain): `pending` again at once, the attempt not counted; what is `handling`
        was never acked and becomes `failed`, the sender's. Lost ones are skipped."""
        ...

    def transaction(self, lease: Lease, run: Run) -> Transaction:
        """The transaction that records `run` (succeeded) under the fence. ConfigurationError if not
        `transactional`."""
        ...

    def find(self, query: Query) -> Sequence[StoredEvent]:
        """Events, newest first, without their bodies. Blocks."""
        ...

    def get(self, seq: int) -> tuple[StoredEvent, Sequence[Run]] | None:
        """One event with its body and its runs. Blocks."""
        ...

    def state_of(self, seq: int) -> tuple[EventState | None, Response | None]:
        """The state of an event (None if it is gone) and the stored answer of its reply handler. Blocks, briefly."""
        ...

    def counts(self) -> dict[tuple[str, EventState], int]:
        """How many events there are, by source and state. Blocks."""
        ...

    def learn(self, source: str, tenant: str, secret: Secret) -> Future[bool]:
        """Keep the secret that a sender brought for one tenant of a source. False, having changed nothing, if another
        one is known; True also if it is the same."""
        ...

    def learned(self, source: str, tenant: str) -> Secret | None:
        """The secret that was learned. Blocks, briefly."""
        ...

    def learners(self) -> Sequence[tuple[str, str]]:
        """Source and tenant of every secret that was learned, sorted. Blocks."""
        ...

    def forget(self, source: str, tenant: str) -> Future[bool]:
        """Drop a learned secret, so that the next handshake teaches another; False if there was none."""
        ...

    def replay(self, seqs: Sequence[int], *, now: float) -> Future[int]:
        """Make ended or failed events with a body due again, with a fresh series of attempts and no runs
        done, counting `replays`; answers how many. Others are left alone."""
        ...

    def discard(self, seqs: Sequence[int], *, now: float, why: str) -> Future[int]:
        """Give up parked, failed and waiting events by an operator's word; answers how many."""
        ...

    def prune(self, *, now: float, retention: Retention) -> Future[int]:
        """Drop what retention allows, a bounded number a call; answers how many rows or bodies went, so that the
        caller goes on until it is 0. Only what has ended goes, and past the retention of keys what the sender
        was told to bring again and never brought (`failed`, `handling`). Headers go with the body."""
        ...

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after a commit of this process that made events due, from the committing thread; it must
        not block. A hint, to save a worker the wait for its next look. Answers how to stop it."""
        ...

    def next_due(self) -> float | None:
        """When the next event is due or the next lease runs out; None if nothing waits. What another one of its lane
        stands in the way of may be left out. Blocks, briefly."""
        ...

    def close(self) -> None:
        """Finish what is queued and let go. Blocks. The inbox can be opened again."""
        ...


class Colour(Protocol):
    """How a leaf waits: awaiting in an event loop, or blocking in a thread and never suspending."""

    async def wait(self, future: Future[T], timeout: float | None = None) -> T:
        """The future's result. TimeoutError after `timeout` seconds; the future itself goes on."""
        ...

    async def call(self, function: Callable[..., Any], timeout: float | None, /, **arguments: Any) -> Any:
        """A handler's result: a coroutine function is awaited, a plain one runs in a thread where the caller
        must not block. TimeoutError after `timeout` seconds."""
        ...


class KeyFetcher(Protocol):
    """Fetches what senders publish, once for all who ask at the same time."""

    def fetch(self, ref: KeyRef) -> Future[None]:
        """Make `Keys.get` know the key, or know that there is none. Fails with KeysUnavailable if that cannot be
        found out now."""
        ...


class Observer(Protocol):
    """Who is told. Must not raise and must not block."""

    def delivered(
        self, *, source: str, delivery: Delivery | None, status: int, verdict: str, seconds: float
    ) -> None:
        """One request was answered; `delivery` is None if it was not verified."""
        ...

    def attempted(
        self, *, lease: Lease, handler: str, outcome: Outcome, attempt: int, seconds: float
    ) -> None:
        """One attempt of one handler ended."""
        ...


class Relay(Protocol):
    """An engine that brings events to the process where their handlers run.

    `patience`: seconds for which it is trusted with an event; then the event is handed over again.
    `timeout`: seconds in which it has to confirm one.
    `send`: gives it a message, plain or async; returns once the message is confirmed, and raises anything if not.
    """

    patience: float
    timeout: float
    send: Callable[..., Any]

    def seal(self, lease: Lease) -> str:
        """The signed message that names an event."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as the flow knows it.

    Attributes:
        random: draws from [0, 1), for jitter.
        token: makes a lease token: random, never twice the same.
        keep: keeps a lease alive as long as its block runs.
        lease: seconds a lease lasts; it is prolonged four times in that time while its worker lives.
        work: runs `process` on a lease apart from the caller, who may stop waiting for it.
        keys: fetches senders' published keys.
        visit: calls the URL by which a sender wants a handshake confirmed.
        suspect: may look into why a request was refused.
    """

    inbox: Inbox
    clock: Clock
    colour: Colour
    observer: Observer
    random: Callable[[], float]
    token: Callable[[], str]
    keep: Callable[[Lease], AbstractContextManager[None]]
    work: Callable[[Lease], Future[Close]]
    keys: KeyFetcher
    visit: Visit
    suspect: Suspect = shrug
    lease: float = LEASE
