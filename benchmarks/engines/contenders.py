"""Who takes part, as data."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from benchmarks.contenders import POSTGRES, REDIS, answers

PYTHON = (sys.executable, "-m")
_QUIET = ("-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")
_CELERY = (*PYTHON, "celery", "-A", "benchmarks.peers.engine_celery:queue", "worker", *_QUIET)
_PROCRASTINATE = (*PYTHON, "procrastinate", "--app", "benchmarks.peers.engine_procrastinate.app")


@dataclass(frozen=True, slots=True)
class Engine:
    """What keeps events, and has them worked off.

    Attributes:
        name: as the tables say it.
        promise: what is true once it has said yes.
        peer: the module below `benchmarks.peers` that opens it.
        store: what it keeps events in.
        waiting: how many events a process keeps on the way, in so many tasks or threads.
        threads: whether its calls block.
        worker: the command that works events off beside the processes that receive; none if these work themselves.
        forks: whether that command makes as many processes as it is told by `-c`.
        ends: whether it works events off at all.
        packages: what has to be installed.
    """

    name: str
    promise: str
    peer: str
    store: Literal["sqlite", "postgres", "redis"]
    waiting: int = 64
    threads: bool = False
    worker: tuple[str, ...] = ()
    forks: bool = False
    ends: bool = True
    packages: tuple[str, ...] = ()

    def workers(self, processes: int) -> list[list[str]]:
        """The command lines of its workers."""
        if not self.worker:
            return []
        if self.forks:
            return [[*self.worker, "-c", str(processes)]]
        return [list(self.worker)] * processes


ENGINES = (
    Engine("hookcatch, SQLite", "on disk; a copy is noticed", "engine_ours", "sqlite"),
    Engine(
        "hookcatch, PostgreSQL",
        "on disk; a copy is noticed",
        "engine_ours",
        "postgres",
        packages=("psycopg",),
    ),
    Engine(
        "Celery, Redis",
        "in memory; every copy is worked on",
        "engine_celery",
        "redis",
        8,
        threads=True,
        worker=_CELERY,
        forks=True,
        packages=("celery", "redis"),
    ),
    Engine(
        "Procrastinate, PostgreSQL",
        "on disk; every copy is worked on",
        "engine_procrastinate",
        "postgres",
        worker=(*_PROCRASTINATE, "worker", "--concurrency", "10"),
        packages=("procrastinate", "psycopg"),
    ),
    Engine(
        "Django ORM, PostgreSQL",
        "on disk; a copy is an IntegrityError; nothing works it off",
        "engine_django",
        "postgres",
        8,
        threads=True,
        ends=False,
        packages=("django", "psycopg"),
    ),
)


def why_not(engine: Engine) -> str:
    """Why it cannot run here, in plain words; empty if it can."""
    missing = [package for package in engine.packages if find_spec(package) is None]
    if missing:
        return f"{engine.name}: {', '.join(missing)} not installed: pip install --group bench"
    service = {"redis": REDIS, "postgres": POSTGRES}.get(engine.store, "")
    if service and not answers(service):
        return f"{engine.name}: no {engine.store} at {service}"
    return ""
