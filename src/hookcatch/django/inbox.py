"""The inbox in the project's own database: one writer thread with group commit, and a reader beside it."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

from hookcatch.core.errors import ConfigurationError, HookcatchError, InboxUnavailable
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
    StoredEvent,
)
from hookcatch.core.ports import Clock, Query, Retention, Transaction
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Response
from hookcatch.inbox.locks import WriteLock
from hookcatch.inbox.writer import Lock, Writer

from . import brought, ops, queries, rows
from .dialect import Db
from .inline import Inline
from .link import Link, explained
from .transaction import DjangoTransaction

T = TypeVar("T")

log: logging.Logger = logging.getLogger("hookcatch.inbox")


class NoLock:
    """Where the database keeps writers apart by itself."""

    def held(self) -> AbstractContextManager[None]:
        """Nothing to wait for."""
        return nullcontext()

    def close(self) -> None:
        """Nothing to let go of."""


class DjangoInbox:
    """Events in tables of the project, on disk before they are acked.

    Args:
        alias: which of `settings.DATABASES`.
        clock: seconds since the epoch.
        is_test: whether to do everything at once on the caller's own connection: in tests, whose transactions no
            other connection sees.
    """

    transactional = True

    def __init__(
        self, alias: str = DEFAULT_DB_ALIAS, *, clock: Clock, is_test: Callable[[], bool] = lambda: False
    ) -> None:
        self.alias: str = alias
        self.durable: bool = True
        self._clock = clock
        self._is_test = is_test
        self._inline = Inline(alias)
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._opening = threading.Lock()
        self._opened = False
        self._inherited: list[Link | None] = []
        self._writer = self._hand(self._lock())
        self._reader = self._hand(NoLock(), reads=True)
        _inboxes.add(self)

    def _hand(self, lock: Lock, *, reads: bool = False) -> Writer[Link]:
        return Writer(
            partial(Link, self.alias, reads=reads),
            lock,
            on_due=self._wake,
            on_full=_nothing,
            explain=explained,
        )

    def _lock(self) -> Lock:
        """SQLite's own lock is unfair between processes, see WriteLock."""
        connection = connections[self.alias]
        is_file = connection.vendor == "sqlite" and not connection.is_in_memory_db()
        return WriteLock(str(connection.settings_dict["NAME"])) if is_file else NoLock()

    def open(self) -> None:
        """See `Inbox.open`. The tables are made by `manage.py migrate`."""
        with self._opening:
            if not (self._opened or self._is_test()):
                self._check()
                self._opened = True

    def _check(self) -> None:
        """In the writer's thread: Django refuses to speak to a database in an event loop's."""
        try:
            why_not = self._writer.submit(Link.check).result()
        except InboxUnavailable as why:
            raise ConfigurationError(f"the database {self.alias!r} cannot be opened: {why}") from why
        self.durable = not why_not
        if why_not:
            log.warning("%s: an event that was acknowledged can be lost when the machine stops", why_not)

    def close(self) -> None:
        """See `Inbox.close`."""
        with self._opening:
            self._writer.close()
            self._reader.close()
            self._opened = False

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See `Inbox.listen`."""
        self._listeners = (*self._listeners, callback)

        def stop() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not callback)

        return stop

    def _wake(self) -> None:
        for callback in self._listeners:
            callback()

    def accept(
        self,
        events: Sequence[NewEvent],
        *,
        claim: Claim | None = None,
        duplicates: Duplicates = Duplicates(),
    ) -> Future[tuple[Accepted | Duplicate, ...]]:
        """See `Inbox.accept`."""
        ready = [(event, rows.new_event(event)) for event in events]
        return self._write(lambda db: ops.accept(db, ready, claim, duplicates), wakes=claim is None)

    def lease(self, *, token: str, limit: int, now: float, until: float) -> Future[tuple[Lease, ...]]:
        """See `Inbox.lease`."""
        return self._write(lambda db: ops.lease(db, token, limit, now, until))

    def heartbeat(self, leases: Sequence[Lease], *, until: float) -> Future[tuple[bool, ...]]:
        """See `Inbox.heartbeat`."""
        now = self._clock()
        return self._write(lambda db: ops.heartbeat(db, leases, until, now))

    def settle(self, lease: Lease, runs: Sequence[Run], close: Close | None) -> Future[None]:
        """See `Inbox.settle`."""
        now = self._clock()
        return self._write(
            lambda db: ops.settle(db, lease, runs, close, now),
            wakes=close is not None and close.state == "pending",
        )

    def release(self, leases: Sequence[Lease]) -> Future[None]:
        """See `Inbox.release`."""
        now = self._clock()
        return self._write(lambda db: ops.release(db, leases, now), wakes=True)

    def transaction(self, lease: Lease, run: Run) -> Transaction:
        """See `Inbox.transaction`: `transaction.atomic()` on this thread's connection, which is what it gives."""
        return DjangoTransaction(self.alias, self._lock(), lease, run)

    def find(self, query: Query) -> Sequence[StoredEvent]:
        """See `Inbox.find`."""
        return self._read(lambda db: queries.find(db, query))

    def get(self, seq: int) -> tuple[StoredEvent, Sequence[Run]] | None:
        """See `Inbox.get`."""
        return self._read(lambda db: queries.get(db, seq))

    def state_of(self, seq: int) -> tuple[EventState | None, Response | None]:
        """See `Inbox.state_of`."""
        return self._read(lambda db: queries.state_of(db, seq))

    def counts(self) -> dict[tuple[str, EventState], int]:
        """See `Inbox.counts`."""
        return self._read(queries.counts)

    def next_due(self) -> float | None:
        """See `Inbox.next_due`."""
        return self._read(queries.next_due)

    def _read(self, query: Callable[[Db], T]) -> T:
        hand = self._inline if self._is_test() else self._reader
        return hand.submit(query).result()

    def _write(self, op: Callable[[Db], T | HookcatchError], *, wakes: bool = False) -> Future[T]:
        hand = self._inline if self._is_test() else self._writer
        return hand.submit(op, wakes=wakes)

    def replay(self, seqs: Sequence[int], *, now: float) -> Future[int]:
        """See `Inbox.replay`."""
        return self._write(lambda db: queries.replay(db, seqs, now), wakes=True)

    def discard(self, seqs: Sequence[int], *, now: float, why: str) -> Future[int]:
        """See `Inbox.discard`."""
        return self._write(lambda db: queries.discard(db, seqs, now, why))

    def prune(self, *, now: float, retention: Retention) -> Future[int]:
        """See `Inbox.prune`."""
        return self._write(lambda db: queries.prune(db, now, retention))

    def learn(self, source: str, tenant: str, secret: Secret) -> Future[bool]:
        """Keep the secret that a sender brought for one tenant of a source. False, having changed nothing, if
        another one is known; True also if it is the same."""
        return self._write(lambda db: brought.learn(db, source, tenant, secret))

    def learned(self, source: str, tenant: str) -> Secret | None:
        """The secret that was learned."""
        return self._read(lambda db: brought.learned(db, source, tenant))

    def learners(self) -> Sequence[tuple[str, str]]:
        """Source and tenant of every secret that was learned, sorted."""
        return self._read(brought.learners)

    def forget(self, source: str, tenant: str) -> Future[bool]:
        """Drop a learned secret, so that the next handshake teaches another; False if there was none."""
        return self._write(lambda db: brought.forget(db, source, tenant))

    def _before_fork(self) -> None:
        self._writer.before_fork()
        self._reader.before_fork()

    def _after_fork_in_parent(self) -> None:
        self._reader.after_fork_in_parent()
        self._writer.after_fork_in_parent()

    def _after_fork_in_child(self) -> None:
        self._opening = threading.Lock()
        self._inherited += [self._writer.after_fork_in_child(), self._reader.after_fork_in_child()]


def _nothing() -> None:
    """There is no ballast to drop."""


_inboxes: weakref.WeakSet[DjangoInbox] = weakref.WeakSet()
"""Whom a fork concerns. Not state of ours: `os.register_at_fork` cannot be undone, so it is called once."""


def _all(what: Callable[[DjangoInbox], Any]) -> None:
    for inbox in list(_inboxes):
        what(inbox)


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(
        before=partial(_all, DjangoInbox._before_fork),
        after_in_parent=partial(_all, DjangoInbox._after_fork_in_parent),
        after_in_child=partial(_all, DjangoInbox._after_fork_in_child),
    )
