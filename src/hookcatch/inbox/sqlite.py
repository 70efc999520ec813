"""The inbox in a SQLite file: one writer thread with group commit, readers beside it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from hookcatch.core.errors import ConfigurationError, InboxUnavailable
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

from . import disk, migrations, rows, sqlite_file, sqlite_lanes, sqlite_ops, sqlite_queries, sqlite_secrets
from .forks import Forking, watch
from .listeners import Listeners
from .locks import Presence, WriteLock
from .rules import failed
from .sqlite_file import SqliteOptions
from .sqlite_transaction import SqliteTransaction
from .writer import Writer, close_quietly, explained

T = TypeVar("T")


class SqliteInbox(Forking):
    """Events in a SQLite file, on disk before they are acked.

    Args:
        path: the file. `-wal` and `-shm` (SQLite's), `-lock`, `-turn`, `-here` and `-ballast` (ours) lie beside it.
        clock: seconds since the epoch.
        options: see SqliteOptions.
    """

    shared = True
    durable = True
    transactional = True

    def __init__(self, path: str | Path, *, clock: Clock, options: SqliteOptions = SqliteOptions()) -> None:
        self.path: Path = Path(path)
        self._clock = clock
        self.options = options
        self._listeners = Listeners()
        self.floor: disk.Floor = disk.Floor(self.path.parent, options.disk_floor, timer=time.monotonic)
        self._ballast = self.path.with_name(f"{self.path.name}-ballast")
        self._presence = Presence(str(self.path))
        self._readers: list[sqlite3.Connection] = []
        self._opening = threading.Lock()
        self._opened = False
        self._inherited: list[sqlite3.Connection | None] = []
        self._writer = Writer(
            self._connect, WriteLock(str(self.path)), on_due=self._listeners, on_full=self._drop_ballast
        )
        watch(self)

    def open(self) -> None:
        """See `Inbox.open`."""
        with self._opening:
            if not self._opened:
                sqlite_file.check_place(self.path, self.options)
                try:
                    self._migrate()
                    self._announce()
                except (sqlite3.Error, OSError) as error:
                    raise ConfigurationError(f"the inbox cannot be opened at {self.path}: {error}") from error
                self._take_ballast()
                self._opened = True

    def _migrate(self) -> None:
        lock = WriteLock(str(self.path))
        try:
            with lock.held():
                connection = self._connect()
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    migrations.migrate(connection)
                    connection.execute("COMMIT")
                finally:
                    connection.close()
        finally:
            lock.close()

    def _announce(self) -> None:
        if sqlite3.sqlite_version_info < sqlite_file.SAFE_WITH_MANY:
            sqlite_file.warn_of_company(self._presence.others(), self.path)

    def _connect(self) -> sqlite3.Connection:
        return sqlite_file.connect(self.path, self.options)

    def close(self) -> None:
        """See `Inbox.close`."""
        with self._opening:
            self._writer.close()
            self._close_readers()
            self._presence.close()
            self._opened = False

    def _close_readers(self) -> None:
        while self._readers:
            close_quietly(self._readers.pop())

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See `Inbox.listen`."""
        return self._listeners.add(callback)

    def _take_ballast(self) -> None:
        if self.options.ballast and self.floor.why_not() is None:
            disk.take_ballast(self._ballast, self.options.ballast)

    def _drop_ballast(self) -> None:
        disk.drop_ballast(self._ballast)

    def accept(
        self,
        events: Sequence[NewEvent],
        *,
        claim: Claim | None = None,
        duplicates: Duplicates = Duplicates(),
    ) -> Future[tuple[Accepted | Duplicate, ...]]:
        """See `Inbox.accept`. Fails with InboxUnavailable below the disk's floor."""
        why_not = self.floor.why_not()
        if why_not is not None:
            return failed(InboxUnavailable(why_not, retry_after=30.0))
        ready = [(event, rows.new_event(event)) for event in events]
        return self._writer.submit(
            lambda connection: sqlite_ops.accept(connection, ready, claim, duplicates), wakes=claim is None
        )

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
        return self._writer.submit(
            lambda connection: sqlite_ops.lease(connection, token, limit, now, until, caps, only)
        )

    def standing(self, lease: Lease) -> Future[Standing]:
        """See `Inbox.standing`."""
        return self._writer.submit(lambda connection: sqlite_lanes.standing(connection, lease.event))

    def take(
        self, source: str, tenant: str, id: str, *, of: str, token: str, now: float, until: float
    ) -> Future[Lease | None]:
        """See `Inbox.take`."""
        key = (source, tenant, id)
        return self._writer.submit(lambda connection: sqlite_ops.take(connection, key, of, token, now, until))

    def heartbeat(self, leases: Sequence[Lease], *, until: float) -> Future[tuple[bool, ...]]:
        """See `Inbox.heartbeat`."""
        now = self._clock()
        return self._writer.submit(lambda connection: sqlite_ops.heartbeat(connection, leases, until, now))

    def settle(self, lease: Lease, runs: Sequence[Run], close: Close | None) -> Future[None]:
        """See `Inbox.settle`."""
        now = self._clock()
        return self._writer.submit(
            lambda connection: sqlite_ops.settle(connection, lease, runs, close, now),
            wakes=close is not None and close.state == "pending",
        )

    def release(self, leases: Sequence[Lease]) -> Future[None]:
        """See `Inbox.release`."""
        now = self._clock()
        return self._writer.submit(lambda connection: sqlite_ops.release(connection, leases, now), wakes=True)

    def transaction(self, lease: Lease, run: Run) -> Transaction:
        """See `Inbox.transaction`: a `sqlite3.Connection` on the inbox's own file."""
        return SqliteTransaction(self._connect, WriteLock(str(self.path)), lease, run)

    def find(self, query: Query) -> Sequence[StoredEvent]:
        """See `Inbox.find`."""
        return self._read(lambda connection: sqlite_queries.find(connection, query))

    def get(self, seq: int) -> tuple[StoredEvent, Sequence[Run]] | None:
        """See `Inbox.get`."""
        return self._read(lambda connection: sqlite_queries.get(connection, seq))

    def state_of(self, seq: int) -> tuple[EventState | None, Response | None]:
        """See `Inbox.state_of`."""
        return self._read(lambda connection: sqlite_queries.state_of(connection, seq))

    def counts(self) -> dict[tuple[str, EventState], int]:
        """See `Inbox.counts`."""
        return self._read(sqlite_queries.counts)

    def next_due(self) -> float | None:
        """See `Inbox.next_due`."""
        return self._read(sqlite_queries.next_due)

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            reader = self._readers.pop() if self._readers else self._connect()
        except sqlite3.Error as error:
            raise explained(error) from error
        try:
            answer = query(reader)
        except sqlite3.Error as error:
            close_quietly(reader)
            raise explained(error) from error
        self._readers.append(reader)
        return answer

    def learn(self, source: str, tenant: str, secret: Secret) -> Future[bool]:
        """See `Inbox.learn`."""
        return self._writer.submit(
            lambda connection: sqlite_secrets.learn(connection, source, tenant, secret)
        )

    def learned(self, source: str, tenant: str) -> Secret | None:
        """See `Inbox.learned`."""
        return self._read(lambda connection: sqlite_secrets.learned(connection, source, tenant))

    def learners(self) -> Sequence[tuple[str, str]]:
        """See `Inbox.learners`."""
        return self._read(sqlite_secrets.learners)

    def forget(self, source: str, tenant: str) -> Future[bool]:
        """See `Inbox.forget`."""
        return self._writer.submit(lambda connection: sqlite_secrets.forget(connection, source, tenant))

    def replay(self, seqs: Sequence[int], *, now: float) -> Future[int]:
        """See `Inbox.replay`."""
        return self._writer.submit(
            lambda connection: sqlite_queries.replay(connection, seqs, now), wakes=True
        )

    def discard(self, seqs: Sequence[int], *, now: float, why: str) -> Future[int]:
        """See `Inbox.discard`."""
        return self._writer.submit(lambda connection: sqlite_queries.discard(connection, seqs, now, why))

    def prune(self, *, now: float, retention: Retention) -> Future[int]:
        """See `Inbox.prune`."""
        self._take_ballast()
        return self._writer.submit(lambda connection: sqlite_queries.prune(connection, now, retention))

    def before_fork(self) -> None:
        """See `Forking`."""
        self._writer.before_fork()
        self._close_readers()

    def after_fork_in_parent(self) -> None:
        """See `Forking`."""
        self._writer.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """See `Forking`."""
        self._inherited += self._readers
        self._readers = []
        self._opening = threading.Lock()
        self._inherited.append(self._writer.after_fork_in_child())
