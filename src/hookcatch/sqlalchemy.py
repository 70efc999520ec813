"""SQLAlchemy: a session whose transaction is the one in which the handler's run is marked done."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .core.errors import ConfigurationError, MissingExtra
from .core.ports import Transaction

try:
    from sqlalchemy import create_engine
    from sqlalchemy.dialects import registry
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import StaticPool
except ModuleNotFoundError:
    raise MissingExtra("sqlalchemy", "sqlalchemy") from None


@contextmanager
def session(tx: Transaction, **options: Any) -> Iterator[Session]:
    """Open a handler's transaction as a SQLAlchemy session; leaving it commits the effect and our mark, or neither::

        @hooks.on("order.created")
        def book(order: Order, tx: Transaction) -> None:
            with session(tx) as db:
                db.add(Purchase(id=order.id))

    The tables are in the file of the inbox. `db.commit()` and `db.rollback()` end a savepoint: the transaction itself
    ends with the block. For plain handlers; in an async one it would keep the event loop waiting.

    Args:
        tx: the transaction that the handler asked for.
        **options: for `Session`.

    Raises:
        ConfigurationError: the inbox is not an SQLite file.
    """
    with tx as connection:
        if not isinstance(connection, sqlite3.Connection):
            raise ConfigurationError(
                f"a session over {type(connection).__name__} is not known, only over SQLite"
            )
        engine = create_engine("sqlite+hookcatch://", creator=lambda: connection, poolclass=StaticPool)
        with (
            engine.connect() as bind,
            bind.begin(),
            Session(bind, join_transaction_mode="create_savepoint", **options) as made,
        ):
            yield made
            made.commit()


class _Joined(SQLiteDialect_pysqlite):
    """SQLite, within a transaction that somebody else began, ends, and whose connection is theirs."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None: ...

    def do_commit(self, dbapi_connection: Any) -> None: ...

    def do_rollback(self, dbapi_connection: Any) -> None: ...

    def do_close(self, dbapi_connection: Any) -> None: ...


registry.register("sqlite.hookcatch", __name__, "_Joined")
