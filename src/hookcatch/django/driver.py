"""Django's databases, as the inbox of servers speaks to them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from django.db import connections
from django.db.utils import Error, InterfaceError, OperationalError

from hookcatch.core.errors import ConfigurationError
from hookcatch.inbox.shared import dialect, migrations
from hookcatch.inbox.shared.dialect import Dialect
from hookcatch.inbox.shared.driver import Driver
from hookcatch.inbox.shared.ear import PsycopgEar
from hookcatch.inbox.shared.migrations import Schema

from . import sqlite

KINDS: Mapping[str, tuple[Dialect, Schema]] = MappingProxyType(
    {
        "postgresql": (dialect.POSTGRES, migrations.POSTGRES),
        "mysql": (dialect.MYSQL, migrations.MYSQL),
        "sqlite": (sqlite.DIALECT, sqlite.SCHEMA),
    }
)
"""By what a connection calls its vendor. MariaDB is `mysql`."""


def driver_of(alias: str) -> Driver:
    """How one of `settings.DATABASES` is spoken to. Raises ConfigurationError for a kind that is not supported."""
    connection = connections[alias]
    if connection.vendor not in KINDS:
        raise ConfigurationError(
            f"the inbox cannot live in {connection.display_name}: name a database of PostgreSQL, MySQL, MariaDB or "
            'SQLite in HOOKCATCH["DATABASE"]'
        )
    kind, schema = KINDS[connection.vendor]
    return Driver(
        place=f"the database {alias!r}",
        dialect=kind,
        schema=schema,
        connect=partial(Connection, alias),
        connect_for_effects=lambda: connections[alias],
        cursor=lambda connection: connection.cursor(),
        error=Error,
        broken=(OperationalError, InterfaceError),
        code=_code,
        ear=partial(_ear, alias) if _is_psycopg3(connection) else None,
        can_be_gone=connection.vendor != "sqlite",
    )


class Connection:
    """A connection that belongs to no request and no thread.

    It is told `BEGIN` and `COMMIT` in so many words, so that Django's own idea of transactions, which goes with the
    thread, stays out of it; and what it says is not logged with DEBUG, which would hold on to bodies.
    """

    def __init__(self, alias: str) -> None:
        self._wrapper = connections.create_connection(alias)
        self._wrapper.inc_thread_sharing()
        self._wrapper.ensure_connection()
        self._wrapper.set_autocommit(True)

    def cursor(self) -> Any:
        """A new one, with Django's errors and its `%s`."""
        with self._wrapper.wrap_database_errors:
            return self._wrapper.make_cursor(self._wrapper.create_cursor())

    def bare(self) -> Any:
        """The library's own."""
        return self._wrapper.connection

    def close(self) -> None:
        """Let go of it, and of what is not committed."""
        self._wrapper.close()


def _is_psycopg3(connection: Any) -> bool:
    return bool(connection.vendor == "postgresql" and connection.Database.__name__ == "psycopg")


def _ear(alias: str) -> PsycopgEar:
    connection = Connection(alias)
    return PsycopgEar(connection.bare(), connection.close)


def _code(error: Exception) -> object:
    """MySQL's number, PostgreSQL's state, or what SQLite has instead: words."""
    said = error.args[0] if error.args else None
    if isinstance(said, int):
        return said
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or said
