"""Where an experiment's inbox can be: a file of SQLite, a database made on a server for it, a Redis or NATS of its
own."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hookcatch.inbox import open_inbox

from . import own_nats, own_redis
from .options import Options

WRITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p "
    "ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE()",
}
"""Who has written something and has not committed it yet."""


OWN = {"redis": own_redis.missing, "nats": own_nats.missing}
"""Those that are made for the run, and why there can be none."""


def kind(options: Options) -> str:
    """`sqlite`, `postgresql`, `mysql`, `redis` or `nats`."""
    scheme = urlsplit(options.inbox_url).scheme
    return {"postgres": "postgresql", "mariadb": "mysql"}.get(scheme, scheme)


def has_tables(options: Options) -> bool:
    """Whether SQL can be said to it; all others have no transactions either."""
    return kind(options) not in OWN


def say(options: Options, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """Say something to the experiment's database, which is written `?` for a value; answers its rows."""
    with closing(_connected(options)) as db:
        cursor = db.cursor()
        cursor.execute(sql.replace("?", mark(options)), tuple(values))
        return list(cursor.fetchall()) if cursor.description else []


def mark(options: Options) -> str:
    """What stands for a value."""
    return "?" if kind(options) == "sqlite" else "%s"


def id_column(options: Options) -> str:
    """What the inbox calls the sender's id."""
    return "id" if kind(options) == "sqlite" else "event_id"


def _connected(options: Options) -> Any:
    if kind(options) == "sqlite":
        return sqlite3.connect(options.db, timeout=10, isolation_level=None)
    inbox: Any = open_inbox(options.inbox_url, clock=time.time)
    return inbox.driver.connect()


def is_writing(options: Options) -> bool:
    """Whether anybody holds a lock that others wait for."""
    if kind(options) != "sqlite":
        return bool(say(options, WRITING[kind(options)])[0][0])
    with Path(f"{options.db}-lock").open() as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def made(url: str) -> Iterator[str]:
    """A new database beside the one that a URL names, or a server of the run's own for a name in OWN, as long as the
    block runs; nothing for `sqlite`."""
    if url == "sqlite":
        yield ""
        return
    if url in OWN:
        with own_nats.own_nats() if url == "nats" else own_redis.running() as own:
            yield own
        return
    name = f"hookcatch_lab_{secrets.token_hex(4)}"
    home = Options("", "", server=url)
    say(home, f"CREATE DATABASE {name}")
    parts = urlsplit(url)
    try:
        yield parts._replace(path=f"/{name}").geturl()
    finally:
        force = " WITH (FORCE)" if kind(home) == "postgresql" else ""
        with suppress(Exception):  # a server that the experiment broke for good
            say(home, f"DROP DATABASE {name}{force}")
