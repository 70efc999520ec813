"""Inboxes: where events are kept. `open_inbox` finds the one a URL names."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.ports import Clock, Inbox

if TYPE_CHECKING:
    from .shared.inbox import ServerOptions
    from .spool import Spool

FORMS = (
    "memory:, sqlite:///relative.db, sqlite:////absolute/path.db, postgresql://user:password@host/database, "
    "mysql://user:password@host/database, redis://user:password@host:6379/0 or nats://user:password@host/bucket"
)


def open_inbox(url: str, *, clock: Clock) -> Inbox:
    """The inbox a URL names; nothing is opened before its `open()`.

    `memory:` keeps events in memory, `sqlite:///shop.db` in a file beside the working directory,
    `sqlite:////var/lib/shop.db` in an absolute one, `postgresql://user:password@host/shop` (or `postgres:`) in
    PostgreSQL, `mysql://user:password@host/shop` (or `mariadb:`) in MySQL or MariaDB,
    `redis://user:password@host:6379/0` (or `rediss:`, with TLS) in Redis, `nats://user:password@host/shop` (or
    `tls:`) in a stream of NATS JetStream. Options follow as a query: `?busy_timeout=5&disk_floor=0` (see
    `SqliteOptions`, `ServerOptions`, `RedisOptions` and `NatsOptions`; for memory `?keep=1000`).

    Raises:
        ConfigurationError: the URL names no inbox we know, or an option that it does not have.
    """
    scheme, _, _ = url.partition(":")
    make = _MAKERS.get(scheme)
    if make is None:
        raise ConfigurationError(f"no inbox is called {scheme!r}: write {FORMS}")
    return make(url, clock)


def behind_spool(inbox: Inbox, place: str | os.PathLike[str] | Spool) -> Inbox:
    """The inbox, with a spool in front of it. Raises ConfigurationError for one that cannot have any."""
    from .spool import Spool, SpooledInbox

    return SpooledInbox(inbox, place if isinstance(place, Spool) else Spool(place))


def _memory(url: str, clock: Clock) -> Inbox:
    from .memory import MemoryInbox

    keep = _options(url, {"keep": int}).get("keep", 100_000)
    return MemoryInbox(clock=clock, keep=keep)


def _sqlite(url: str, clock: Clock) -> Inbox:
    from .sqlite import SqliteInbox
    from .sqlite_file import SqliteOptions

    parts = urlsplit(url)
    path = unquote(parts.path)[1:]
    if parts.netloc or not url.startswith("sqlite:///") or not path or path.endswith("/"):
        raise ConfigurationError(
            f"{url!r} names no file: write sqlite:///relative.db or sqlite:////absolute/path.db"
        )
    types: dict[str, Callable[[str], Any]] = {
        "busy_timeout": float,
        "disk_floor": int,
        "checkpoint": int,
        "ballast": int,
        "any_file_system": _yes,
    }
    return SqliteInbox(
        path, clock=clock, options=dataclasses.replace(SqliteOptions(), **_options(url, types))
    )


def _postgres(url: str, clock: Clock) -> Inbox:
    from .postgres import PostgresInbox

    rest, options = _server_options(url, "postgresql")
    return PostgresInbox(rest, clock=clock, options=options)


def _mysql(url: str, clock: Clock) -> Inbox:
    from .mysql import MysqlInbox

    rest, options = _server_options(url, "mysql")
    return MysqlInbox(rest, clock=clock, options=options)


def _redis(url: str, clock: Clock) -> Inbox:
    from .redis.inbox import RedisInbox, RedisOptions

    scheme, _, _ = url.partition(":")
    rest, options = _apart(url, scheme, {"durability": _durability, "server_clock": _yes, "prefix": str})
    return RedisInbox(rest, clock=clock, options=RedisOptions(**options))


def _nats(url: str, clock: Clock) -> Inbox:
    from .jetstream.inbox import NatsInbox
    from .jetstream.options import NatsOptions

    types: dict[str, Callable[[str], Any]] = {
        "durability": _durability,
        "fsync": _always,
        "replicas": _positive,
        "server_clock": _yes,
        "snapshot_every": _positive,
    }
    return NatsInbox(url, clock=clock, options=NatsOptions(**_options(url, types)))


def _server_options(url: str, scheme: str) -> tuple[str, ServerOptions]:
    from .shared.inbox import ServerOptions

    rest, options = _apart(url, scheme, {"durability": _durability, "server_clock": _yes, "notify": _yes})
    return rest, ServerOptions(**options)


def _apart(url: str, scheme: str, types: dict[str, Callable[[str], Any]]) -> tuple[str, dict[str, Any]]:
    """The URL without our options, and these."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    ours, rest = (
        urlencode([pair for pair in pairs if (pair[0] in types) is own], quote_via=quote)
        for own in (True, False)
    )
    options = _options(parts._replace(query=ours).geturl(), types)
    # a URL without a host would lose its slashes when it is put together again
    place = url.partition("?")[0].partition(":")[2]
    return f"{scheme}:{place}{'?' if rest else ''}{rest}", options


def _durability(value: str) -> str:
    if value not in {"strict", "best_effort"}:
        raise ValueError(value)
    return value


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError(value)
    return number


def _always(value: str) -> str:
    if value != "always":
        raise ValueError(value)
    return value


def _options(url: str, types: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    shown = re.sub(r"//[^/?]*@", "//", url)  # without a password
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name not in types:
            raise ConfigurationError(f"{shown!r}: no option is called {name!r}: there are {', '.join(types)}")
        try:
            found[name] = types[name](value)
        except ValueError:
            raise ConfigurationError(f"{shown!r}: {name} cannot be {value!r}") from None
    return found


def _yes(value: str) -> bool:
    if value not in {"0", "1"}:
        raise ValueError(value)
    return value == "1"


_MAKERS: dict[str, Callable[[str, Clock], Inbox]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "postgresql": _postgres,
    "postgres": _postgres,
    "mysql": _mysql,
    "mariadb": _mysql,
    "redis": _redis,
    "rediss": _redis,
    "nats": _nats,
    "tls": _nats,
}
