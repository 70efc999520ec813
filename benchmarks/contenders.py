"""Who takes part, as data: an app, the server it runs on, and what it needs."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal
from urllib.parse import urlsplit

REDIS = os.environ.get("HOOKCATCH_BENCH_REDIS", "redis://127.0.0.1:6379/0")
POSTGRES = os.environ.get("HOOKCATCH_BENCH_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")

Service = Literal["", "redis", "postgres"]
_SERVICES = {"redis": REDIS, "postgres": POSTGRES}


@dataclass(frozen=True, slots=True)
class Contender:
    """An app, `module:function` below `benchmarks.peers`; the function makes it, in the server's process.

    `workers` is a command that runs beside the server, on the same core.
    """

    name: str
    app: str
    server: Literal["uvicorn", "gthread"] = "uvicorn"
    packages: tuple[str, ...] = ()
    service: Service = ""
    workers: tuple[str, ...] = ()

    def why_not(self) -> str:
        """Why it cannot run here, in plain words; empty if it can."""
        needed = (*self.packages, "uvicorn" if self.server == "uvicorn" else "gunicorn")
        missing = [package for package in needed if find_spec(package) is None]
        if missing:
            return f"{', '.join(missing)} not installed"
        if self.service and not answers(_SERVICES[self.service]):
            return f"no {self.service} at {_SERVICES[self.service]}"
        return ""


def answers(url: str) -> bool:
    """Whether somebody listens there."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), timeout=1).close()
    except OSError:
        return False
    return True


_CELERY = ("celery", "-A", "benchmarks.peers.flask_celery:queue", "worker", "-c", "1", "-l", "ERROR")
_CELERY = (*_CELERY, "--without-gossip", "--without-mingle", "--without-heartbeat")
_PEERS = ("celery", "redis", "flask")

CONTENDERS = {
    one.name: one
    for one in (
        Contender("bare ASGI", "bare:asgi"),
        Contender("bare Starlette", "bare:starlette"),
        Contender("bare WSGI", "bare:wsgi", "gthread"),
        Contender("memory", "ours:memory"),
        Contender("memory, WSGI", "ours:memory_wsgi", "gthread"),
        Contender("sqlite", "ours:sqlite"),
        Contender("sqlite, to the end", "ours:to_the_end"),
        Contender("Flask + Celery", "flask_celery:app", "gthread", _PEERS, "redis"),
        Contender("Flask + Celery, to the end", "flask_celery:app", "gthread", _PEERS, "redis", _CELERY),
        Contender("Starlette + sqlite3, a commit a request", "sqlite_pool:app"),
        Contender("Starlette + asyncpg pool", "asyncpg_pool:app", packages=("asyncpg",), service="postgres"),
        Contender("Django ORM, PostgreSQL", "django_orm:app", "gthread", ("django", "psycopg"), "postgres"),
    )
}
