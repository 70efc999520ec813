"""The inbox in a database server: one writer thread with group commit, and a reader beside it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from hookcatch.core.errors import ConfigurationError, HookcatchError, InboxUnreachable
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
from hookcatch.inbox.forks import Forking, watch
from hookcatch.inbox.listeners import Listeners
from hookcatch.inbox.locks import NoLock
from hookcatch.inbox.writer import Lock, Writer

from . import lanes, migrations, ops, queries, rows, secrets
from .clock import ServerClock, ticking
from .dialect import Db, ask
from .driver import Driver
from .front import Front
from .hints import Hints
from .link import Link, ReadingLink, close_quietly
from .text import digest
from .transaction import ServerTransaction

T = TypeVar("T")

log: logging.Logger = logging.getLogger("hookcatch.inbox")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the inbox uses its server; each can stand in the URL: `postgresql:///shop?server_clock=0`.

    Args:
        durability: `best_effort` to go on where a commit may be lost (fsync=off, an unlogged table); such a server is
            refused otherwise.
        server_clock: go by the server's clock where this machine's is more than two seconds off.
        notify: tell other processes of new events, and hear of theirs. On PostgreSQL; elsewhere it changes nothing.
    """

    durability: Literal["strict", "best_effort"] = "strict"
    server_clock: bool = True
    notify: bool = True


class ServerInbox(Forking):
    """Events in tables of a server, on its disk before they are acked.

    Args:
        driver: how the server is spoken to.
        clock: seconds since the epoch.
        options: see ServerOptions.
        lock: held round what is written.
    """

    shared = True
    transactional = True
    all_right = "?durability=best_effort"
    """How to say that an event may be lost."""

    def __init__(
        self,
        driver: Driver,
        *,
        clock: Clock,
        options: ServerOptions = ServerOptions(),
        lock: Lock = NoLock(),
    ) -> None:
        self.driver: Driver = driver
        self.options: ServerOptions = options
        self.durable: bool = True
        self._clock = ServerClock(clock, timer=ticking, wanted=options.server_clock)
        self._listeners = Listeners()
        self._opening = threading.Lock()
        self._opened = False
        self._inherited: list[Link | None] = []
        front = Front()
        self._writer = self._hand(partial(Link, driver, self._clock, front), lock)
        self._reader = self._hand(partial(ReadingLink, driver, self._clock, front), NoLock())
        self._hints = Hints(self._say, driver.ear if options.notify else None, self._listeners)
        watch(self)

    def _hand(self, connect: Callable[[], Link], lock: Lock) -> Writer[Link]:
        return Writer(
            connect,
            lock,
            on_due=self._wake,
            on_full=_nothing,
            explain=self.driver.explained,
            passes=self.driver.is_passing,
            together=ops.together,
        )

    def open(self) -> None:
        """See `Inbox.open`."""
        with self._opening:
            if not self._opened:
                self._with_connection(self._prepare)
                self._opened = True
                self._hear()

    def version(self) -> tuple[int, int]:
        """Of the tables that are there (0 for none), and of those that this code works with. Raises
        ConfigurationError for a server that cannot be asked, or tables that are newer."""
        schema = self.driver.schema
        return self._with_connection(
            lambda connection: migrations.version(connection, schema)
        ), schema.version

    def script(self, since: int = 0) -> str:
        """The SQL that makes the tables, from a version on."""
        return migrations.script(self.driver.schema, since)

    def _with_connection(self, what: Callable[[Any], T]) -> T:
        """Raises ConfigurationError for whatever the server does not like, InboxUnreachable if it is away."""
        connection = None
        try:
            connection = self.driver.connect()
            return what(connection)
        except self.driver.error as error:
            kind = InboxUnreachable if self.driver.is_away(error) else ConfigurationError
            raise kind(f"the inbox in {self.driver.place} cannot be opened: {str(error).strip()}") from error
        finally:
            if connection is not None:
                close_quietly(self.driver, connection)

    def _prepare(self, connection: Any) -> None:
        self._make_tables(connection)
        if self._clock.is_due():  # before anything is taken by a clock that nobody has asked about
            self._clock.measure(lambda: float(ask(connection, self.driver.dialect.now)))
        why_not = self.driver.dialect.check(connection)
        self.durable = not why_not
        if why_not and self.options.durability == "strict":
            raise ConfigurationError(
                f"{why_not}: an event that was acknowledged can be lost when the server stops; mend it, or say that "
                f"this is all right with {self.all_right}"
            )
        if why_not:
            log.warning("%s: an event that was acknowledged can be lost when the server stops", why_not)

    def _make_tables(self, connection: Any) -> None:
        migrations.migrate(connection, self.driver.schema)

    def close(self) -> None:
        """See `Inbox.close`."""
        with self._opening:
            self._writer.close()
            self._hints.close()
            self._reader.close()
            self._opened = False

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See `Inbox.listen`."""
        leave = self._listeners.add(callback)
        self._hear()

        def stop() -> None:
            leave()
            self._hear()

        return stop

    def _hear(self) -> None:
        self._hints.hear(bool(self._listeners))

    def _wake(self) -> None:
        if self.options.notify and self.driver.dialect.notify:
            self._hints.tell()
        self._listeners()

    def _say(self, who: str) -> None:
        """In the reader's thread: whoever keeps an event is not to wait for it."""
        self._ask(lambda db: db.execute(db.dialect.notify, (who,)))

    def accept(
        self,
        events: Sequence[NewEvent],
        *,
        claim: Claim | None = None,
        duplicates: Duplicates = Duplicates(),
    ) -> Future[tuple[Accepted | Duplicate, ...]]:
        """See `Inbox.accept`."""
        clock = self._clock
        ready = [(event, rows.new_event(event)) for event in clock.there(tuple(events))]
        op = ops.Accept(ready, clock.there(claim), clock.there(duplicates), clock.here)
        return self._write(op, wakes=claim is None)

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
        clock = self._clock
        now, until = clock.there(now), clock.there(until)
        return self._write(lambda db: clock.here(ops.lease(db, token, limit, now, until, caps, only)))

    def standing(self, lease: Lease) -> Future[Standing]:
        """See `Inbox.standing`."""
        return self._reader.submit(lambda db: lanes.standing(db, lease.event))

    def take(
        self, source: str, tenant: str, id: str, *, of: str, token: str, now: float, until: float
    ) -> Future[Lease | None]:
        """See `Inbox.take`."""
        clock, key = self._clock, digest(source, tenant, id)
        now, until = clock.there(now), clock.there(until)
        return self._write(lambda db: clock.here(ops.take(db, key, of, token, now, until)))

    def heartbeat(self, leases: Sequence[Lease], *, until: float) -> Future[tuple[bool, ...]]:
        """See `Inbox.heartbeat`."""
        now, until = self._clock(), self._clock.there(until)
        return self._write(lambda db: ops.heartbeat(db, leases, until, now))

    def settle(self, lease: Lease, runs: Sequence[Run], close: Close | None) -> Future[None]:
        """See `Inbox.settle`."""
        now, runs, close = self._clock(), self._clock.there(tuple(runs)), self._clock.there(close)
        return self._write(
            ops.Settle(lease, runs, close, now),
            wakes=close is not None and close.state == "pending",
        )

    def release(self, leases: Sequence[Lease]) -> Future[None]:
        """See `Inbox.release`."""
        now = self._clock()
        return self._write(lambda db: ops.release(db, leases, now), wakes=True)

    def transaction(self, lease: Lease, run: Run) -> Transaction:
        """See `Inbox.transaction`: a connection of the driver's own kind."""
        return ServerTransaction(self.driver, lease, self._clock.there(run))

    def find(self, query: Query) -> Sequence[StoredEvent]:
        """See `Inbox.find`."""
        asked = self._clock.there(query)
        return self._read(lambda db: queries.find(db, asked))

    def get(self, seq: int) -> tuple[StoredEvent, Sequence[Run]] | None:
        """See `Inbox.get`."""
        return self._read(lambda db: queries.get(db, seq))

    def state_of(self, seq: int) -> tuple[EventState | None, Response | None]:
        """See `Inbox.state_of`."""
        return self._read(lambda db: queries.state_of(db, seq))

    def counts(self) -> dict[tuple[str, EventState], int]:
        """See `Inbox.counts`."""
        return self._ask(queries.counts)

    def next_due(self) -> float | None:
        """See `Inbox.next_due`."""
        return self._read(queries.next_due)

    def _read(self, query: Callable[[Db], T]) -> T:
        return self._clock.here(self._ask(query))

    def _ask(self, query: Callable[[Db], T]) -> T:
        return self._reader.submit(query).result()

    def _write(self, op: Callable[[Db], T | HookcatchError], *, wakes: bool = False) -> Future[T]:
        return self._writer.submit(op, wakes=wakes)

    def learn(self, source: str, tenant: str, secret: Secret) -> Future[bool]:
        """See `Inbox.learn`."""
        return self._write(lambda db: secrets.learn(db, source, tenant, secret))

    def learned(self, source: str, tenant: str) -> Secret | None:
        """See `Inbox.learned`."""
        return self._read(lambda db: secrets.learned(db, source, tenant))

    def learners(self) -> Sequence[tuple[str, str]]:
        """See `Inbox.learners`."""
        return self._read(secrets.learners)

    def forget(self, source: str, tenant: str) -> Future[bool]:
        """See `Inbox.forget`."""
        return self._write(lambda db: secrets.forget(db, source, tenant))

    def replay(self, seqs: Sequence[int], *, now: float) -> Future[int]:
        """See `Inbox.replay`."""
        now = self._clock.there(now)
        return self._write(lambda db: queries.replay(db, seqs, now), wakes=True)

    def discard(self, seqs: Sequence[int], *, now: float, why: str) -> Future[int]:
        """See `Inbox.discard`."""
        now = self._clock.there(now)
        return self._write(lambda db: queries.discard(db, seqs, now, why))

    def prune(self, *, now: float, retention: Retention) -> Future[int]:
        """See `Inbox.prune`."""
        now = self._clock.there(now)
        return self._write(lambda db: queries.prune(db, now, retention))

    def before_fork(self) -> None:
        """See `Forking`."""
        self._hints.before_fork()
        self._writer.before_fork()
        self._reader.before_fork()

    def after_fork_in_parent(self) -> None:
        """See `Forking`."""
        self._reader.after_fork_in_parent()
        self._writer.after_fork_in_parent()
        self._hints.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """See `Forking`."""
        self._opening = threading.Lock()
        self._hints.after_fork_in_child()
        self._inherited += [self._writer.after_fork_in_child(), self._reader.after_fork_in_child()]


def _nothing() -> None:
    """There is no ballast to drop."""
