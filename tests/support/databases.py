"""Database servers and brokers for tests: found, or started from their binaries; a database of each process's own."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from lab.processes import Process, free_port

TABLES = ("hookcatch_event", "hookcatch_run", "hookcatch_secret")


@dataclass
class Service:
    """What may listen at a port, and the command that starts it."""

    name: str
    port: int
    start: Sequence[str]

    def missing(self) -> str:
        """Why there is none; empty if there is."""
        if self._listens():
            return ""
        if not self.start or shutil.which(self.start[0]) is None:
            return f"no {self.name} listens at port {self.port}, and none is installed to be started"
        subprocess.run(self.start, capture_output=True, check=False)
        end = time.monotonic() + 20
        while not self._listens():
            if time.monotonic() > end:
                return f"{self.name} was started and does not listen at port {self.port}"
            time.sleep(0.1)
        return ""

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def need(self) -> None:
        """Skip the test where there is none; in CI there has to be one."""
        why = self.missing()
        if why and os.environ.get("CI") == "true":
            pytest.fail(why)
        if why:
            pytest.skip(why)


@dataclass
class Server(Service):
    """A database server. `connect` opens a database of it in autocommit, `url` names it to hookcatch."""

    connect: Callable[[str], Any]
    url: Callable[[str], str]
    home: str
    empty: Callable[[Any], None]
    _database: str = ""
    _clean_for: object = field(default=None)

    def database(self) -> str:
        """A database of this process's own, which goes when it ends."""
        if not self._database:
            self.need()
            self._database = f"hookcatch_test_{os.getpid()}"
            self.say(self.home, f"DROP DATABASE IF EXISTS {self._database}")
            self.say(self.home, f"CREATE DATABASE {self._database}")
            atexit.register(self._drop, os.getpid())
        return self._database

    def clean(self, owner: object) -> str:
        """The URL of that database, without events unless it was handed to the same owner before."""
        database = self.database()
        if owner != self._clean_for:
            with closing(self.connect(database)) as connection:
                self.empty(connection)
            self._clean_for = owner
        return self.url(database)

    def bare(self) -> str:
        """The URL of that database without any tables."""
        database = self.database()
        for table in (*TABLES, "hookcatch_schema"):
            self.say(database, f"DROP TABLE IF EXISTS {table}")
        self._clean_for = None
        return self.url(database)

    def say(self, database: str, sql: str) -> list[Any]:
        """Say something to a database; answers its rows."""
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    def _drop(self, owner: int) -> None:
        if os.getpid() == owner:
            force = " WITH (FORCE)" if self.name == "PostgreSQL" else ""
            self.say(self.home, f"DROP DATABASE IF EXISTS {self._database}{force}")


def _postgres(database: str) -> Any:
    return psycopg.connect(host="127.0.0.1", user="postgres", dbname=database, autocommit=True)


def _mariadb(database: str) -> Any:
    return pymysql.connect(host="127.0.0.1", user="root", database=database, autocommit=True)


def _empty_postgres(connection: Any) -> None:
    if connection.execute("SELECT to_regclass('hookcatch_schema')").fetchone()[0]:
        connection.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")


def _empty_mariadb(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        for (table,) in cursor.fetchall():
            if table in TABLES:
                cursor.execute(f"DELETE FROM {table}")  # ten times faster than TRUNCATE for a few rows
            if table == "hookcatch_event":
                cursor.execute("ALTER TABLE hookcatch_event AUTO_INCREMENT = 1")


def _cluster() -> str:
    versions = sorted(path.name for path in Path("/etc/postgresql").glob("*"))
    return versions[-1] if versions else "none"


POSTGRES = Server(
    "PostgreSQL",
    5432,
    ("pg_ctlcluster", "--skip-systemctl-redirect", _cluster(), "main", "start"),
    _postgres,
    lambda database: f"postgresql://postgres@127.0.0.1:5432/{database}",
    "postgres",
    _empty_postgres,
)
MARIADB = Server(
    "MariaDB",
    3306,
    ("start-stop-daemon", "--start", "--oknodo", "--background", "--exec", "/usr/sbin/mariadbd"),
    _mariadb,
    lambda database: f"mariadb://root@127.0.0.1:3306/{database}",
    "mysql",
    _empty_mariadb,
)
SERVERS = {"postgres": POSTGRES, "mariadb": MARIADB}


@dataclass
class Bouncer:
    """PgBouncer before the PostgreSQL of this machine, in transaction mode. There are two connections to the server,
    so that all who come share them."""

    directory: Path

    def __post_init__(self) -> None:
        self.port = free_port()
        settings = self.directory / "pgbouncer.ini"
        settings.write_text(f"""
[databases]
* = host=127.0.0.1 port={POSTGRES.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
""")
        as_whom = ["-u", "postgres"] if os.geteuid() == 0 else []  # it refuses to be root
        argv = ["pgbouncer", *as_whom, str(settings)]
        self.process = Process(argv, dict(os.environ), self.directory / "pgbouncer.log", self.port)

    def need(self) -> None:
        """Start it. Skip the test where there is none; in CI there has to be one."""
        POSTGRES.need()
        if shutil.which("pgbouncer") is None:
            Service("PgBouncer", self.port, ()).need()
        self.restart()

    def restart(self) -> None:
        """Kill it, whatever goes through it, and start it again."""
        self.process.kill()
        self.process.start()
        asyncio.run(self.process.ready())

    def url(self, database: str) -> str:
        """Names a database to hookcatch, by way of it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


REDIS = Service("Redis", 6379, ("redis-server", "--daemonize", "yes", "--save", ""))
RABBITMQ = Service("RabbitMQ", 5672, ("rabbitmq-server", "-detached"))
NATS = Service(
    "NATS",
    4222,
    ("start-stop-daemon", "--start", "--oknodo", "--background", "--exec", shutil.which("nats-server") or "none",
     "--", "--addr", "127.0.0.1", "--jetstream", "--store_dir", str(Path(tempfile.gettempdir()) / "hookcatch-nats")),
)  # fmt: skip
