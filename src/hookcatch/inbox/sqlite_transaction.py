"""The transaction a handler shares with the mark of its run: both are committed, or neither."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from hookcatch.core.errors import HookcatchError
from hookcatch.core.model import Lease, Run

from . import rows, sqlite_ops
from .block import Block
from .locks import WriteLock
from .writer import close_quietly, explained

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


class SqliteTransaction(Block[sqlite3.Connection]):
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
        self._refused = ""

    def begin(self) -> sqlite3.Connection:
        """See `Block.begin`."""
        try:
            self._lock.acquire()
            self._connection = self._connect()
            self._connection.execute("BEGIN IMMEDIATE")
            sqlite_ops.check_fence(self._connection, self._lease)
            row = (self._lease.event.seq, *rows.run_row(self._run))
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

    def end(self, error: BaseException | None) -> None:
        """See `Block.end`."""
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


def _known(error: BaseException) -> BaseException:
    return explained(error) if isinstance(error, Exception) else error
