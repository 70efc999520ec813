"""An inbox that hands everything on to another: what stands in front of a store says only what it does otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

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
from hookcatch.core.ports import NO_CAPS, Inbox, Query, Retention, Transaction
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Response


class Passing:
    """Every method is the store's.

    Args:
        store: the inbox behind.
    """

    def __init__(self, store: Inbox) -> None:
        self.store: Inbox = store
        self.shared: bool = store.shared
        self.durable: bool = store.durable
        self.transactional: bool = store.transactional

    def open(self) -> None:
        """See `Inbox.open`."""
        self.store.open()
        self.durable = self.store.durable  # some know only now

    def close(self) -> None:
        """See `Inbox.close`."""
        self.store.close()

    def accept(
        self,
        events: Sequence[NewEvent],
        *,
        claim: Claim | None = None,
        duplicates: Duplicates = Duplicates(),
    ) -> Future[tuple[Accepted | Duplicate, ...]]:
        """See `Inbox.accept`."""
        return self.store.accept(events, claim=claim, duplicates=duplicates)

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
        return self.store.lease(token=token, limit=limit, now=now, until=until, caps=caps, only=only)

    def standing(self, lease: Lease) -> Future[Standing]:
        """See `Inbox.standing`."""
        return self.store.standing(lease)

    def take(
        self, source: str, tenant: str, id: str, *, of: str, token: str, now: float, until: float
    ) -> Future[Lease | None]:
        """See `Inbox.take`."""
        return self.store.take(source, tenant, id, of=of, token=token, now=now, until=until)

    def heartbeat(self, leases: Sequence[Lease], *, until: float) -> Future[tuple[bool, ...]]:
        """See `Inbox.heartbeat`."""
        return self.store.heartbeat(leases, until=until)

    def settle(self, lease: Lease, runs: Sequence[Run], close: Close | None) -> Future[None]:
        """See `Inbox.settle`."""
        return self.store.settle(lease, runs, close)

    def release(self, leases: Sequence[Lease]) -> Future[None]:
        """See `Inbox.release`."""
        return self.store.release(leases)

    def transaction(self, lease: Lease, run: Run) -> Transaction:
        """See `Inbox.transaction`."""
        return self.store.transaction(lease, run)

    def find(self, query: Query) -> Sequence[StoredEvent]:
        """See `Inbox.find`."""
        return self.store.find(query)

    def get(self, seq: int) -> tuple[StoredEvent, Sequence[Run]] | None:
        """See `Inbox.get`."""
        return self.store.get(seq)

    def state_of(self, seq: int) -> tuple[EventState | None, Response | None]:
        """See `Inbox.state_of`."""
        return self.store.state_of(seq)

    def counts(self) -> dict[tuple[str, EventState], int]:
        """See `Inbox.counts`."""
        return self.store.counts()

    def learn(self, source: str, tenant: str, secret: Secret) -> Future[bool]:
        """See `Inbox.learn`."""
        return self.store.learn(source, tenant, secret)

    def learned(self, source: str, tenant: str) -> Secret | None:
        """See `Inbox.learned`."""
        return self.store.learned(source, tenant)

    def learners(self) -> Sequence[tuple[str, str]]:
        """See `Inbox.learners`."""
        return self.store.learners()

    def forget(self, source: str, tenant: str) -> Future[bool]:
        """See `Inbox.forget`."""
        return self.store.forget(source, tenant)

    def replay(self, seqs: Sequence[int], *, now: float) -> Future[int]:
        """See `Inbox.replay`."""
        return self.store.replay(seqs, now=now)

    def discard(self, seqs: Sequence[int], *, now: float, why: str) -> Future[int]:
        """See `Inbox.discard`."""
        return self.store.discard(seqs, now=now, why=why)

    def prune(self, *, now: float, retention: Retention) -> Future[int]:
        """See `Inbox.prune`."""
        return self.store.prune(now=now, retention=retention)

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See `Inbox.listen`."""
        return self.store.listen(callback)

    def next_due(self) -> float | None:
        """See `Inbox.next_due`."""
        return self.store.next_due()
