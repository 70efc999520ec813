"""A connection of the inbox, which outlives the server's restarts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from hookcatch.core.errors import InboxUnavailable

from .clock import ServerClock
from .dialect import Dialect
from .driver import Driver
from .front import Front

log: logging.Logger = logging.getLogger("hookcatch.inbox")


class Link:
    """Speaks to the server in autocommit, as the writer does: `BEGIN IMMEDIATE`, `COMMIT`, `ROLLBACK`.

    Nothing of it outlasts a transaction in the server (no prepared statement), so it may go through
    a pooler that hands out connections by the transaction.

    Args:
        clock: kept in step with the server's.
        front: where claims begin to look.
    """

    def __init__(self, driver: Driver, clock: ServerClock, front: Front) -> None:
        self._driver = driver
        self._clock = clock
        self.dialect: Dialect = driver.dialect
        self.front: Front = front
        self._connection: Any = None
        self._cursor: Any = None
        self.in_transaction: bool = False
        self._connect()

    def _connect(self) -> None:
        try:
            self._connection = self._driver.connect()
            self._cursor = self._connection.cursor()
            for statement in self.dialect.connected:
                self._cursor.execute(statement)
        except self._driver.error as error:
            self.close()
            raise self._driver.explained(error) from error

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """A cursor that has done it. Raises InboxUnavailable when the server is away."""
        if sql == "BEGIN IMMEDIATE":
            return self._start()
        if sql in ("COMMIT", "ROLLBACK"):
            self.in_transaction = False
        return self._run(sql, values)

    def _start(self) -> Any:
        try:
            self._cursor.execute(self.dialect.begin)
        except self._driver.error as error:
            if not self._driver.can_be_gone:
                raise self._driver.explained(error) from error
            self._again(error)  # a server that was restarted; nothing of this transaction was said
            self._run(self.dialect.begin)
        self.in_transaction = True
        if self._clock.is_due():
            self._clock.measure(lambda: float(self._run(self.dialect.now).fetchone()[0]))
        return self._cursor

    def _again(self, error: Exception) -> None:
        log.info("the inbox connects again: %s", str(error).strip())
        self.close()
        self._connect()

    def _run(self, sql: str, values: Sequence[Any] = ()) -> Any:
        try:
            self._cursor.execute(sql, values or None)
        except self._driver.error as error:
            if self._driver.is_gone(error):
                raise self._driver.explained(error) from error
            raise
        return self._cursor

    def close(self) -> None:
        """Let go of it, whatever state it is in."""
        self.in_transaction = False
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            close_quietly(self._driver, connection)


class ReadingLink(Link):
    """Reads, each statement by itself: a transaction would cost two more ways to the server and, with READ COMMITTED,
    show the same."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """A cursor that has done it. Raises InboxUnavailable when the server is away."""
        if sql in ("BEGIN IMMEDIATE", "COMMIT"):
            return self._cursor
        try:
            return self._run(sql, values)
        except InboxUnavailable as error:
            self._again(error)
            return self._run(sql, values)


def close_quietly(driver: Driver, connection: Any) -> None:
    """Close it, whatever state it is in; what is not committed is rolled back."""
    try:
        connection.close()
    except driver.error as error:
        log.debug("closing the inbox: %s", error)
