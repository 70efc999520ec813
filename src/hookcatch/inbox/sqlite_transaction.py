"""The transaction a handler shares with the mark of its run: both are committed, or neither."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from hookcatch.core.errors import ConfigurationError, HookcatchError
from hookcatch.core.model import Lease, Run

from . import rows, sqlite_ops
from .locks import WriteLock
from .writer import close_quietly, explained

T = TypeVar("T")

_READING_PRAGMAS = frozenset(
    [
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "foreign_key_check",
        "collation_list",
        "compile_options",
        "database_list",
        "function_list",
        "data_version",
    ]
)
_ENDING = frozenset({sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})


class SqliteTransaction:
    """`with` or `async with`: BEGIN IMMEDIATE, the fence, the run; then the caller's statements; then COMMIT.

    It has a connection of its own, which is closed when the block ends, so nothing can be written through it
    later. Inside the block COMMIT, ROLLBACK, BEGIN, ATTACH and settings are refused: they would part the mark
    from the effect. Savepoints are fine.
    """

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], lock: WriteLock, lease: Lease, run: Run
    ) -> None:
        self._connect = connect
        self._lock = lock
        self._lease = lease
        self._run = run
        self._connection: sqlite3.Connection | None = None
        self._opened = False
        self._refused = ""
        self.committed: bool = False

    def __enter__(self) -> sqlite3.Connection:
        self._claim()
        return self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error)

    async def __aenter__(self) -> sqlite3.Connection:
        import asyncio

        self._claim()
        begun = asyncio.wrap_future(_in_thread(self._begin))
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            await asyncio.wait([begun])
            if begun.exception() is None:
                self._end(asyncio.CancelledError())
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        ended = asyncio.wrap_future(_in_thread(partial(self._end, error)))
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:  # not before it is known whether it was committed
            await asyncio.wait([ended])
            raise

    def _claim(self) -> None:
        if self._opened:
            raise ConfigurationError("this transaction was opened before: open it once in a run")
        self._opened = True

    def _begin(self) -> sqlite3.Connection:
        try:
            self._lock.acquire()
            self._connection = self._connect()
            self._connection.execute("BEGIN IMMEDIATE")
            sqlite_ops.check_fence(self._connection, self._lease)
            row = rows.run_row(self._lease.event.seq, self._run)
            self._connection.execute(sqlite_ops.UPSERT_RUN, row)
            self._connection.set_authorizer(self._authorize)
        except BaseException as error:
            self._let_go()
            raise _known(error) from error
        return self._connection

    def _authorize(self, action: int, first: str | None, second: str | None, *_: Any) -> int:
        setting = action == sqlite3.SQLITE_PRAGMA and second is not None and first not in _READING_PRAGMAS
        if setting or action in _ENDING:
            self._refused = "PRAGMA " + (first or "") if setting else first or "ATTACH"
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    def _end(self, error: BaseException | None) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            connection.set_authorizer(None)
            if error is None:
                self._commit(connection)
            elif self._refused:
                error.add_note(
                    f"{self._refused} is refused inside the transaction: hookcatch ends it with the block"
                )
        finally:
            self._let_go()

    def _commit(self, connection: sqlite3.Connection) -> None:
        if not connection.in_transaction:
            raise HookcatchError(
                "a statement in the block rolled the transaction back (ON CONFLICT ROLLBACK, or a full disk) and "
                "its error was swallowed: nothing was written"
            )
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise explained(error) from error
        self.committed = True

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            close_quietly(connection)  # rolls back what is not committed
        self._lock.close()


def _in_thread(function: Callable[[], T]) -> Future[T]:
    """Run it in a thread of its own. In a shared pool those that wait for the lock would take all threads, and
    the one that holds it would find none to end in."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="hookcatch-transaction", daemon=True).start()
    return future


def _known(error: BaseException) -> BaseException:
    return explained(error) if isinstance(error, Exception) else error
