"""The inbox in the project's own database: the one of servers, on connections of Django's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

from hookcatch.core.errors import ConfigurationError, HookcatchError
from hookcatch.core.model import Accepted, Claim, Duplicate, Duplicates, Lease, NewEvent, Run
from hookcatch.core.ports import Clock, Transaction
from hookcatch.inbox.locks import NoLock, WriteLock
from hookcatch.inbox.shared import migrations
from hookcatch.inbox.shared.dialect import Db
from hookcatch.inbox.shared.inbox import ServerInbox, ServerOptions
from hookcatch.inbox.spool import Spool, SpooledInbox
from hookcatch.inbox.writer import Lock

from . import sqlite
from .driver import driver_of
from .inline import Inline
from .transaction import DjangoTransaction

T = TypeVar("T")


class DjangoInbox(ServerInbox):
    """Events in tables of the project, on disk before they are acked. `manage.py migrate` makes the tables.

    Args:
        alias: which of `settings.DATABASES`.
        clock: seconds since the epoch.
        options: see ServerOptions.
        is_test: whether to do everything at once on the caller's own connection: in tests, whose transactions no
            other connection sees.
    """

    all_right = 'HOOKCATCH["DURABILITY"] = "best_effort"'

    def __init__(
        self,
        alias: str = DEFAULT_DB_ALIAS,
        *,
        clock: Clock,
        options: ServerOptions = ServerOptions(),
        is_test: Callable[[], bool] = lambda: False,
    ) -> None:
        self.alias: str = alias
        self._is_test = is_test
        super().__init__(driver_of(alias), clock=clock, options=options, lock=_lock(alias))

    def open(self) -> None:
        """See `Inbox.open`."""
        if not self._is_test():
            super().open()

    def _hear(self) -> None:
        if not self._is_test():
            super()._hear()

    def _ask(self, query: Callable[[Db], T]) -> T:
        return Inline(self.driver).submit(query).result() if self._is_test() else super()._ask(query)

    def _write(self, op: Callable[[Db], T | HookcatchError], *, wakes: bool = False) -> Future[T]:
        return Inline(self.driver).submit(op) if self._is_test() else super()._write(op, wakes=wakes)

    def _with_connection(self, what: Callable[[Any], T]) -> T:
        """In a thread: Django refuses to speak to a database in an event loop's."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(super()._with_connection, what).result()

    def _make_tables(self, connection: Any) -> None:
        """They are made by others."""
        if self.driver.dialect is sqlite.DIALECT:
            sqlite.refuse_anothers_tables(connection)
        if migrations.version(connection, self.driver.schema) < self.driver.schema.version:
            raise ConfigurationError(
                f"{self.driver.place} does not have the tables of the inbox as this hookcatch wants them: run "
                f"`manage.py migrate --database {self.alias}`"
            )

    def transaction(self, lease: Lease, run: Run) -> Transaction:
        """See `Inbox.transaction`: `transaction.atomic()` on this thread's connection, which is what it gives."""
        return DjangoTransaction(self.driver, _lock(self.alias), lease, self._clock.there(run))


class SpooledDjangoInbox(SpooledInbox):
    """The same with a spool in front. In tests there is none: they see the database at once.

    Args:
        store: the inbox in the database.
        spool: see Spool.
        is_test: see DjangoInbox.
    """

    def __init__(self, store: DjangoInbox, spool: Spool, *, is_test: Callable[[], bool]) -> None:
        super().__init__(store, spool)
        self.alias: str = store.alias
        self._is_test = is_test

    def open(self) -> None:
        """See `Inbox.open`."""
        if not self._is_test():
            super().open()

    def accept(
        self,
        events: Sequence[NewEvent],
        *,
        claim: Claim | None = None,
        duplicates: Duplicates = Duplicates(),
    ) -> Future[tuple[Accepted | Duplicate, ...]]:
        """See `Inbox.accept`."""
        accept = self.store.accept if self._is_test() else super().accept
        return accept(events, claim=claim, duplicates=duplicates)


def _lock(alias: str) -> Lock:
    """SQLite's own lock is unfair between processes, see WriteLock."""
    connection = connections[alias]
    is_file = connection.vendor == "sqlite" and not connection.is_in_memory_db()
    return WriteLock(str(connection.settings_dict["NAME"])) if is_file else NoLock()
