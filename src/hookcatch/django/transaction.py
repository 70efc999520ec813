"""The transaction a handler shares with the mark of its run: `transaction.atomic()` around both."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, NoReturn

from django.db import transaction

from hookcatch.core.errors import ConfigurationError, HookcatchError
from hookcatch.core.model import Lease, Run
from hookcatch.inbox.block import Block
from hookcatch.inbox.shared import ops
from hookcatch.inbox.shared.driver import Driver
from hookcatch.inbox.shared.transaction import Statements, demand, demand_the_same, explaining, watch
from hookcatch.inbox.writer import Lock

from . import sqlite


class DjangoTransaction(Block[Any]):
    """`with`: the ORM's writes in the block and the mark of the run are committed together, or neither is.

    SQLite locks its whole database, so there the mark comes first and takes the lock. Elsewhere it comes last, as in
    `ServerTransaction`.
    """

    def __init__(self, driver: Driver, lock: Lock, lease: Lease, run: Run) -> None:
        self._driver = driver
        self._lock = lock
        self._lease = lease
        self._run = run
        self._connection: Any = None
        self._entered: ExitStack | None = None

    def begin(self) -> Any:
        """See `Block.begin`: the connection of this thread."""
        self._connection = self._driver.connect_for_effects()
        with explaining(self._driver), ExitStack() as stack:
            stack.callback(self._lock.close)
            stack.enter_context(self._lock.held())
            stack.enter_context(transaction.atomic(using=self._connection.alias, durable=True))
            db = self._statements()
            demand((self._mark if self._is_marked_first() else ops.holds)(db, self._lease), self._lease)
            watch(db)
            self._entered = stack.pop_all()
        return self._connection

    def end(self, error: BaseException | None) -> None:
        """See `Block.end`."""
        stack, self._entered = self._entered, None
        if stack is None:
            return
        if error is not None:
            stack.__exit__(type(error), error, error.__traceback__)
            return
        with explaining(self._driver), stack:
            self._finish()
        self.committed = True

    def _finish(self) -> None:
        if self._connection.needs_rollback:
            raise HookcatchError(
                "a database error in the block was swallowed, or set_rollback was called: nothing was written"
            )
        db = self._statements()
        demand_the_same(db, self._driver)
        if not self._is_marked_first():
            demand(self._mark(db, self._lease), self._lease)

    def _is_marked_first(self) -> bool:
        return self._driver.dialect is sqlite.DIALECT

    def _mark(self, db: Statements, lease: Lease) -> bool:
        return ops.mark(db, lease, self._run)

    def _statements(self) -> Statements:
        return Statements(self._driver.cursor(self._connection), self._driver.dialect)

    async def __aenter__(self) -> NoReturn:
        raise ConfigurationError(
            "Django's transactions are not for async code: make the handler a plain function, which runs in a thread"
        )
