"""What any dialect becomes within a transaction that somebody else began and ends."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import await_only


class Joint(DefaultDialect):
    """Leaves the transaction and the connection to those whose they are."""

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begun already."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """Not ours to do."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Not ours to do."""

    def do_close(self, dbapi_connection: Any) -> None:
        """Not ours to do."""


class Connection:
    """One whose cursors say what an async session asks of them; all else is the connection's own."""

    def __init__(self, connection: Any) -> None:
        self.known: Any = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self.known, name)

    def cursor(self, *given: Any, **named: Any) -> Cursor:
        """See DB-API."""
        return Cursor(self.known.cursor(*given, **named))


class Cursor:
    """See `Connection`."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    async def _async_soft_close(self) -> None:
        """Nothing to wait for: what a statement answers lies in memory."""


class InThreads(Joint):
    """Waits for each statement in a thread."""

    is_async = True

    def get_driver_connection(self, connection: Any) -> Any:
        """What the database's own library made."""
        return connection.known

    def do_execute(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        """One statement."""
        await_only(asyncio.to_thread(super().do_execute, cursor, statement, parameters, context))

    def do_executemany(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        """One statement, many times."""
        await_only(asyncio.to_thread(super().do_executemany, cursor, statement, parameters, context))

    def do_execute_no_params(self, cursor: Any, statement: Any, context: Any = None) -> None:
        """One statement as it is."""
        await_only(asyncio.to_thread(super().do_execute_no_params, cursor, statement, context))
