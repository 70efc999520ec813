"""The transaction in a server that a handler shares with the mark of its run: both are committed, or neither."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from hookcatch.core.errors import ConfigurationError, HookcatchError, LeaseLost
from hookcatch.core.model import Lease, Run
from hookcatch.inbox.block import Block

from . import ops
from .dialect import Db, Dialect
from .driver import OVER, Driver
from .front import Front
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


def demand(holds: bool, lease: Lease) -> None:
    """Raises LeaseLost unless it is held."""
    if not holds:
        raise LeaseLost(f"event {lease.event.seq} is in other hands")


@contextmanager
def explaining(driver: Driver) -> Iterator[None]:
    """A server that fails, as InboxUnavailable; what it finds in the handler's statements is the handler's error."""
    try:
        yield
    except Exception as error:
        if driver.is_gone(error) or driver.is_passing(error):
            raise driver.explained(error) from error
        raise


def watch(db: Db) -> None:
    """From here on it is known whether the transaction is the same still."""
    db.execute("SAVEPOINT hookcatch")


def demand_the_same(db: Db, driver: Driver) -> None:
    """Raises HookcatchError unless it is."""
    try:
        db.execute("RELEASE SAVEPOINT hookcatch")
    except driver.error as error:
        if driver.code(error) not in OVER:
            raise
        raise HookcatchError(
            "the transaction did not last to the end of its block: a statement in it failed and its error was "
            f"swallowed, or one ended it (in MySQL every DDL does); the run is not marked done: {error}"
        ) from error


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
        self._db: Statements | None = None

    def begin(self) -> Any:
        """See `Block.begin`."""
        try:
            with explaining(self._driver):
                self._connection = self._driver.connect_for_effects()
                self._db = db = Statements(self._driver.cursor(self._connection), self._driver.dialect)
                db.execute(db.dialect.begin_effect)
                demand(ops.holds(db, self._lease), self._lease)
                watch(db)
        except BaseException:
            self._let_go()
            raise
        return self._connection

    def end(self, error: BaseException | None) -> None:
        """See `Block.end`."""
        db = self._db
        if db is None:
            return
        try:
            if error is None:
                with explaining(self._driver):
                    self._commit(db)
        finally:
            self._let_go()

    def _commit(self, db: Statements) -> None:
        demand_the_same(db, self._driver)
        demand(ops.mark(db, self._lease, self._run), self._lease)
        db.execute("COMMIT")
        self.committed = True

    def _let_go(self) -> None:
        connection, self._connection, self._db = self._connection, None, None
        if connection is not None:
            close_quietly(self._driver, connection)


class Statements:
    """`Db` on a connection that somebody else has."""

    def __init__(self, cursor: Any, dialect: Dialect) -> None:
        self._cursor = cursor
        self.dialect: Dialect = dialect
        self.front: Front = Front()

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """A cursor that has done it."""
        self._cursor.execute(sql, values or None)
        return self._cursor
