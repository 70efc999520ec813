"""The transaction a handler shares with the mark of its run: `transaction.atomic()` around both."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, NoReturn

from django.db import connections, transaction
from django.db.utils import InterfaceError, OperationalError

from hookcatch.core.errors import ConfigurationError, HookcatchError, LeaseLost
from hookcatch.core.model import Lease, Run
from hookcatch.inbox.writer import Lock

from . import ops
from .dialect import dialect_of
from .link import Borrowed, explained


class DjangoTransaction:
    """`with`: the ORM's writes in the block and the mark of the run are committed together, or neither is.

    SQLite locks its whole database, so there the mark comes first and takes the lock. Elsewhere it comes last: the
    row of an event whose handler takes its time must not stand in the way of heartbeats and of copies that arrive.
    A worker that was replaced meanwhile finds that out at the end, and its effects are rolled back.
    """

    def __init__(self, alias: str, lock: Lock, lease: Lease, run: Run) -> None:
        self._alias = alias
        self._lock = lock
        self._lease = lease
        self._run = run
        self._opened = False
        self._held: AbstractContextManager[None] | None = None
        self._atomic: Any = None
        self.committed: bool = False

    def __enter__(self) -> Any:
        if self._opened:
            raise ConfigurationError("this transaction was opened before: open it once in a run")
        self._opened = True
        connection = connections[self._alias]
        self._held = self._lock.held()
        self._held.__enter__()
        try:
            self._atomic = transaction.atomic(using=self._alias, durable=True)
            self._atomic.__enter__()
        except BaseException as error:
            self._let_go()
            raise _known(error) from error
        try:
            db = Borrowed(connection)
            self._demand(
                ops.mark(db, self._lease, self._run) if db.dialect.early_mark else ops.holds(db, self._lease)
            )
        except BaseException as error:
            self._leave(error)
            raise _known(error) from error
        return connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._atomic is None:
            return
        if error is not None:
            self._leave(error)
            return
        connection = connections[self._alias]
        try:
            _refuse_if_rolled_back(connection)
            if not dialect_of(connection).early_mark:
                self._demand(ops.mark(Borrowed(connection), self._lease, self._run))
        except BaseException as why:
            self._leave(why)
            raise _known(why) from why
        try:
            self._leave(None)
        except (OperationalError, InterfaceError) as why:
            raise _known(why) from why
        self.committed = True

    async def __aenter__(self) -> NoReturn:
        raise ConfigurationError(
            "Django's transactions are not for async code: make the handler a plain function, which runs in a thread"
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Never reached: there is no way in."""

    def _demand(self, holds: bool) -> None:
        if not holds:
            raise LeaseLost(f"event {self._lease.event.seq} is in other hands")

    def _leave(self, error: BaseException | None) -> None:
        try:
            self._atomic.__exit__(type(error) if error else None, error, None)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.__exit__(None, None, None)
        self._lock.close()


def _refuse_if_rolled_back(connection: Any) -> None:
    if connection.needs_rollback:
        raise HookcatchError(
            "a database error in the block was swallowed, or set_rollback was called: nothing was written"
        )


def _known(error: BaseException) -> BaseException:
    return explained(error) if isinstance(error, Exception) else error
