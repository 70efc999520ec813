"""Connections: the inbox's own, apart from any request, and those of the thread that is asked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import Error, InterfaceError, OperationalError

from hookcatch.core.errors import ConfigurationError, InboxUnavailable
from hookcatch.inbox.writer import explained as known

from .dialect import EVENTS, Dialect, dialect_of

log: logging.Logger = logging.getLogger("hookcatch.inbox")

_AGAIN = frozenset({"40001", "40P01", 1213, 1205})
"""Serialization failures, deadlocks and waits for a lock: the next try may not meet them."""


class Link:
    """A connection that belongs to no request and no thread, and outlives the server's restarts.

    It speaks SQL in autocommit and is told `BEGIN IMMEDIATE`, `COMMIT` and `ROLLBACK`, so that Django's own idea of
    transactions, which goes with the thread, stays out of it.
    """

    def __init__(self, alias: str = DEFAULT_DB_ALIAS, *, reads: bool = False) -> None:
        self._wrapper = connections.create_connection(alias)
        self._wrapper.inc_thread_sharing()
        self.dialect: Dialect = dialect_of(self._wrapper)
        self._begin = self.dialect.begin_reading if reads else self.dialect.begin
        self._cursor: Any = None
        self.in_transaction: bool = False
        self.connect()

    def connect(self) -> None:
        """Connect now. Raises InboxUnavailable."""
        try:
            self._wrapper.ensure_connection()
            with self._wrapper.cursor() as cursor:
                for statement in self.dialect.connected:
                    cursor.execute(statement)
        except Error as error:
            self.close()
            raise _gone(error) from error

    def check(self) -> str:
        """Why a commit would not survive a crash, or `""`. Raises ConfigurationError for what is not to be used."""
        try:
            self._run(f"SELECT 1 FROM {EVENTS} LIMIT 1")
            return self.dialect.check(self._wrapper)
        except (Error, InboxUnavailable) as error:
            raise ConfigurationError(
                f"the tables of the inbox cannot be read ({str(error).strip()}): run `manage.py migrate` on the "
                f"database {self._wrapper.alias!r}"
            ) from error

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """A cursor that has done it. Raises InboxUnavailable when the database is away."""
        if sql == "BEGIN IMMEDIATE":
            return self._start()
        if sql in ("COMMIT", "ROLLBACK"):
            self.in_transaction = False
        return self._run(sql, values)

    def _start(self) -> Any:
        self._wrapper.queries_log.clear()  # with DEBUG it would hold on to bodies
        try:
            cursor = self._run(self._begin)
        except InboxUnavailable:
            if self._wrapper.vendor == "sqlite":  # it is locked
                raise
            # a server that was restarted; nothing of this transaction was said yet
            log.info("the inbox connects again")
            self.close()
            self.connect()
            cursor = self._run(self._begin)
        self.in_transaction = True
        return cursor

    def _run(self, sql: str, values: Sequence[Any] = ()) -> Any:
        try:
            if self._cursor is None:
                self._cursor = self._wrapper.cursor()
            self._cursor.execute(sql, values or None)
        except (OperationalError, InterfaceError) as error:
            if is_passing(error):
                raise
            raise _gone(error) from error
        return self._cursor

    def close(self) -> None:
        """Let go of it, whatever state it is in."""
        self.in_transaction = False
        cursor, self._cursor = self._cursor, None
        try:
            if cursor is not None:
                cursor.close()
            self._wrapper.close()
        except Error as error:
            log.debug("closing the inbox: %s", error)
        finally:
            self._wrapper.connection = None


class Borrowed:
    """The connection of this thread, inside a transaction that somebody else ends."""

    def __init__(self, connection: Any) -> None:
        self._cursor = connection.cursor()
        self.dialect: Dialect = dialect_of(connection)

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """A cursor that has done it."""
        self._cursor.execute(sql, values or None)
        return self._cursor


def is_passing(error: Exception) -> bool:
    """Whether the database took a transaction back that may succeed when it is tried again."""
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return code in _AGAIN or bool(error.args and error.args[0] in _AGAIN)


def explained(error: Exception) -> Exception:
    """The database's own errors as InboxUnavailable; any other as it is."""
    return _gone(error) if isinstance(error, OperationalError | InterfaceError) else known(error)


def _gone(error: Exception) -> InboxUnavailable:
    unavailable = InboxUnavailable(f"the inbox cannot be written or read: {str(error).strip()}")
    unavailable.__cause__ = error
    return unavailable
