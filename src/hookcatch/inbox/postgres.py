"""The inbox in PostgreSQL, through psycopg 3."""

from __future__ import annotations

from typing import Any, NoReturn
from urllib.parse import urlsplit

from hookcatch.core.errors import ConfigurationError, MissingExtra
from hookcatch.core.ports import Clock

try:
    import psycopg
    from psycopg import conninfo, sql
except ImportError:
    raise MissingExtra("psycopg", "postgres") from None

from .shared import dialect, migrations
from .shared.driver import Driver
from .shared.ear import PsycopgEar
from .shared.inbox import ServerInbox, ServerOptions
from .shared.transaction import refuse, refuse_to_end

_DEFAULTS = {"application_name": "hookcatch", "connect_timeout": "5", "tcp_user_timeout": "10000"}
"""libpq's; a server that is gone has to be noticed while a sender still waits."""


class PostgresInbox(ServerInbox):
    """Events in a PostgreSQL database; its `tx` gives a `psycopg.Connection`.

    Args:
        url: as libpq takes it: `postgresql://user:password@host/database?sslmode=verify-full`.
        clock: seconds since the epoch.
        options: see ServerOptions.
    """

    def __init__(self, url: str, *, clock: Clock, options: ServerOptions = ServerOptions()) -> None:
        super().__init__(driver_of(url), clock=clock, options=options)


def driver_of(url: str) -> Driver:
    """How the server at a URL is spoken to. Raises ConfigurationError for a URL that libpq does not take."""
    try:
        given = conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        raise ConfigurationError(
            f"{_place(url)} is no PostgreSQL URL ({str(error).strip()}): write postgresql://user:password@host/database"
        ) from None
    parameters: dict[str, Any] = {**_DEFAULTS, **given}

    def connect() -> psycopg.Connection[Any]:
        return psycopg.Connection.connect("", autocommit=True, prepare_threshold=None, **parameters)

    def connect_for_effects() -> psycopg.Connection[Any]:
        return _Effects.connect(
            "", autocommit=True, prepare_threshold=None, cursor_factory=_EffectsCursor, **parameters
        )

    def ear() -> PsycopgEar:
        connection = connect()
        return PsycopgEar(connection, connection.close)

    return Driver(
        place=_place(url),
        dialect=dialect.POSTGRES,
        schema=migrations.POSTGRES,
        connect=connect,
        connect_for_effects=connect_for_effects,
        cursor=psycopg.Cursor,
        error=psycopg.Error,
        broken=(psycopg.OperationalError, psycopg.InterfaceError),
        code=lambda error: getattr(error, "sqlstate", None),
        ear=ear,
    )


class _Effects(psycopg.Connection[Any]):
    """What a handler gets: the transaction is not his to end."""

    def commit(self) -> NoReturn:
        """Refused."""
        refuse("COMMIT")

    def rollback(self) -> NoReturn:
        """Refused."""
        refuse("ROLLBACK")


class _EffectsCursor(psycopg.Cursor[Any]):
    """The same for what is said in SQL."""

    def execute(self, query: Any, *given: Any, **named: Any) -> Any:
        """See `psycopg.Cursor.execute`."""
        refuse_to_end(_text(query, self.connection))
        return super().execute(query, *given, **named)


def _text(query: Any, connection: Any) -> str:
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    return query.as_string(connection) if isinstance(query, sql.Composable) else str(query)


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
