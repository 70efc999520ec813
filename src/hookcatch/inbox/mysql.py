"""The inbox in MySQL or MariaDB, through PyMySQL."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

from hookcatch.core.errors import ConfigurationError, MissingExtra
from hookcatch.core.ports import Clock

try:
    import pymysql
    from pymysql.constants import CLIENT
    from pymysql.cursors import Cursor
except ImportError:
    raise MissingExtra("PyMySQL", "mysql") from None

from .shared import dialect, migrations
from .shared.driver import Driver
from .shared.inbox import ServerInbox, ServerOptions
from .shared.transaction import refuse, refuse_to_end

_PATIENCE = 30
"""Seconds for an answer: a server that is gone has to be noticed."""

_OPTIONS: dict[str, Callable[[str], Any]] = {
    "unix_socket": str,
    "ssl_ca": str,
    "ssl_cert": str,
    "ssl_key": str,
    "connect_timeout": int,
}


class MysqlInbox(ServerInbox):
    """Events in a MySQL or MariaDB database; its `tx` gives a `pymysql.Connection`.

    Args:
        url: `mysql://user:password@host/database`, with `?unix_socket=`, `?ssl_ca=`, `?ssl_cert=`, `?ssl_key=` and
            `?connect_timeout=` as PyMySQL takes them; with `ssl_ca` the server's certificate has to be of that CA.
        clock: seconds since the epoch.
        options: see ServerOptions.
    """

    def __init__(self, url: str, *, clock: Clock, options: ServerOptions = ServerOptions()) -> None:
        super().__init__(driver_of(url), clock=clock, options=options)


def driver_of(url: str) -> Driver:
    """How the server at a URL is spoken to. Raises ConfigurationError for a URL that says too little."""
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    parameters: dict[str, Any] = {
        "connect_timeout": 5,
        **_parameters(url, place),
        "charset": "utf8mb4",
        "autocommit": True,
        # so that rowcount says how many rows were found, not how many look different now
        "client_flag": CLIENT.FOUND_ROWS,
    }
    return Driver(
        place=place,
        dialect=dialect.MYSQL,
        schema=migrations.MYSQL,
        connect=partial(_Connection, **parameters, read_timeout=_PATIENCE, write_timeout=_PATIENCE),
        connect_for_effects=partial(_Effects, **parameters, cursorclass=_EffectsCursor),
        cursor=Cursor,
        error=pymysql.Error,
        broken=(pymysql.OperationalError, pymysql.InterfaceError, pymysql.InternalError),
        code=lambda error: error.args[0] if error.args else None,
    )


def _parameters(url: str, place: str) -> dict[str, Any]:
    parts = urlsplit(url)
    try:
        given = {name: _OPTIONS[name](value) for name, value in parse_qsl(parts.query)}
        port = parts.port
    except (KeyError, ValueError) as error:
        raise ConfigurationError(
            f"{place} is no MySQL URL ({error}): the options are {', '.join(_OPTIONS)}"
        ) from None
    database = unquote(parts.path[1:])
    if not database:
        raise ConfigurationError(f"{place} names no database: write mysql://user:password@host/database")
    return {
        "host": parts.hostname or "localhost",
        "port": port or 3306,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password or ""),
        "database": database,
        # PyMySQL takes a CA and checks nothing by it unless it is told to
        **({"ssl_verify_cert": True} if "ssl_ca" in given else {}),
        **given,
    }


class _Connection(pymysql.Connection):  # type: ignore[misc]
    """One that is made in a few milliseconds: each handler's transaction makes one. Where nothing is said of TLS,
    PyMySQL uses it if the server does and checks no certificate, but reads all those of the system each time, which
    takes ten times as long as the rest."""

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        if sslp:
            return super()._create_ssl_ctx(sslp)  # type: ignore[no-any-return]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


class _Effects(_Connection):
    """What a handler gets: the transaction is not his to end."""

    def commit(self) -> NoReturn:
        """Refused."""
        refuse("COMMIT")

    def rollback(self) -> NoReturn:
        """Refused."""
        refuse("ROLLBACK")

    def begin(self) -> NoReturn:
        """Refused."""
        refuse("BEGIN")


class _EffectsCursor(Cursor):  # type: ignore[misc]
    """The same for what is said in SQL."""

    def execute(self, query: Any, args: Any = None) -> int:
        """See `pymysql.cursors.Cursor.execute`."""
        refuse_to_end(query if isinstance(query, str) else bytes(query).decode("utf-8", "replace"))
        return int(super().execute(query, args))
