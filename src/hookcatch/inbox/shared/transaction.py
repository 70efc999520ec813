"""The transaction in a server that a handler shares with the mark of its run: both are committed, or neither."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NoReturn

from hookcatch.core.errors import ConfigurationError, HookcatchError, LeaseLost
from hookcatch.core.model import Lease, Run
from hookcatch.inbox.block import Block

from . import ops
from .dialect import Dialect
from .driver import OVER, Driver
from .link import close_quietly

_ENDS = re.compile(
    r"\s*(COMMIT|END|ABORT|BEGIN|START\s+TRANSACTION|PREPARE\s+TRANSACTION|ROLLBACK(?!(\s+WORK)?\s+TO\b))\b",
    re.IGNORECASE,
)


def refuse_to_end(statement: str) -> None:
    """Raises ConfigurationError for a statement that would part the mark of a run from its effect."""
    found = _ENDS.match(statement)
    if found:
        refuse(found[1].upper())


def refuse(word: str) -> NoReturn:
    """Raises ConfigurationError."""
    raise ConfigurationError(f"{word} is refused inside the transaction: hookcatch ends it with the block")


class ServerTransaction(Block[Any]):
    """`with` or `async with`: the fence is looked at; then the caller's statements; then the mark, under the fence,
    and COMMIT.

    The mark comes last: the row of an event whose handler takes its time must not stand in the way of heartbeats and
    of copies that arrive. A worker that was replaced meanwhile finds that out at the end, and its effects are rolled
    back. A savepoint tells whether it is the same transaction still: what the statements' words do not show
    (a COMMIT behind a `;`, MySQL's implicit ones) is found out by it.

    It has a connection of its own, which is closed when the block ends, so nothing can be written through it later.
    """

    def __init__(self, driver: Driver, lease: Lease, run: Run) -> None:
        self._driver = driver
        self._lease = lease
        self._run = run
        self._connection: Any = None
        self._db: _Statements | None = None

    def begin(self) -> Any:
        """See `Block.begin`."""
        try:
            self._connection = self._driver.connect_for_effects()
            self._db = db = _Statements(self._driver.cursor(self._connection), self._driver.dialect)
            db.execute(db.dialect.begin_effect)
            self._demand(ops.holds(db, self._lease))
            db.execute("SAVEPOINT hookcatch")
        except BaseException as error:
            self._let_go()
            raise self._known(error) from error
        return self._connection

    def end(self, error: BaseException | None) -> None:
        """See `Block.end`."""
        db = self._db
        if db is None:
            return
        try:
            if error is None:
                self._commit(db)
        except Exception as why:
            raise self._known(why) from why
        finally:
            self._let_go()

    def _commit(self, db: _Statements) -> None:
        try:
            db.execute("RELEASE SAVEPOINT hookcatch")
        except self._driver.error as error:
            if self._driver.code(error) not in OVER:
                raise
            raise HookcatchError(
                "the transaction did not last to the end of its block: a statement in it failed and its error was "
                f"swallowed, or one ended it (in MySQL every DDL does); the run is not marked done: {error}"
            ) from error
        self._demand(ops.mark(db, self._lease, self._run))
        db.execute("COMMIT")
        self.committed = True

    def _demand(self, holds: bool) -> None:
        if not holds:
            raise LeaseLost(f"event {self._lease.event.seq} is in other hands")

    def _known(self, error: BaseException) -> BaseException:
        return self._driver.explained(error) if isinstance(error, Exception) else error

    def _let_go(self) -> None:
        connection, self._connection, self._db = self._connection, None, None
        if connection is not None:
            close_quietly(self._driver, connection)


class _Statements:
    """`Db` on a connection that somebody else has."""

    def __init__(self, cursor: Any, dialect: Dialect) -> None:
        self._cursor = cursor
        self.dialect: Dialect = dialect

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """A cursor that has done it."""
        self._cursor.execute(sql, values or None)
        return self._cursor
