"""SQLAlchemy: a session whose transaction is the one in which the handler's run is marked done.

The tables are in the database of the inbox: its SQLite file, or what its URL names in PostgreSQL or MySQL.
`db.commit()` and `db.rollback()` end a savepoint: the transaction itself ends with the block.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from hookcatch.core.errors import ConfigurationError, MissingExtra
from hookcatch.core.ports import Transaction

try:
    from sqlalchemy import Engine, create_engine
    from sqlalchemy.dialects import registry
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import StaticPool

    from .joint import Connection
except ImportError:
    raise MissingExtra("sqlalchemy", "sqlalchemy") from None

DIALECTS = {"sqlite3": "sqlite", "psycopg": "postgresql", "pymysql": "mysql"}
"""By the package of the connection that a transaction gives: each has a module of its name here."""


@contextmanager
def session(tx: Transaction, **options: Any) -> Iterator[Session]:
    """Open a handler's transaction as a SQLAlchemy session; leaving it commits the effect and our mark, or neither::

        @hooks.on("order.created")
        def book(order: Order, tx: Transaction) -> None:
            with session(tx) as db:
                db.add(Purchase(id=order.id))

    For plain handlers; in an async one it would keep the event loop waiting.

    Args:
        tx: the transaction that the handler asked for.
        **options: for `Session`.

    Raises:
        ConfigurationError: the inbox has a connection that SQLAlchemy does not know.
    """
    with (
        tx as connection,
        _engine(connection, "joined", connection).connect() as bind,
        bind.begin(),
        Session(bind, join_transaction_mode="create_savepoint", **options) as made,
    ):
        yield made
        made.commit()


@asynccontextmanager
async def async_session(tx: Transaction, **options: Any) -> AsyncIterator[AsyncSession]:
    """The same for async handlers; each statement runs in a thread, and the event loop goes on::

        @hooks.on("order.created")
        async def book(order: Order, tx: Transaction) -> None:
            async with async_session(tx) as db:
                db.add(Purchase(id=order.id))

    Args:
        tx: the transaction that the handler asked for.
        **options: for `AsyncSession`.

    Raises:
        ConfigurationError: as `session`.
    """
    async with (
        tx as connection,
        AsyncEngine(_engine(connection, "awaited", Connection(connection))).connect() as bind,
        bind.begin(),
        AsyncSession(bind, join_transaction_mode="create_savepoint", **options) as made,
    ):
        yield made
        await made.commit()


def _engine(connection: Any, how: str, as_seen: Any) -> Engine:
    for base in type(connection).__mro__:
        name = DIALECTS.get(base.__module__.partition(".")[0])
        if name is not None:
            return create_engine(f"{name}+hookcatch_{how}://", creator=lambda: as_seen, poolclass=StaticPool)
    raise ConfigurationError(
        f"a session over {type(connection).__name__} is not known: only over {', '.join(DIALECTS)}"
    )


for _name in DIALECTS.values():
    registry.register(f"{_name}.hookcatch_joined", f"{__name__}.{_name}", "Joined")
    registry.register(f"{_name}.hookcatch_awaited", f"{__name__}.{_name}", "Awaited")
