"""The app of tests/e2e/app.py under a real server, in a directory of its own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lab.processes import Process, free_port

APPS = Path(__file__).parent.parent / "e2e"
UVICORN = ["-m", "uvicorn", "--log-level", "warning", "--app-dir", str(APPS)]
GUNICORN = ["-m", "gunicorn", "--log-level", "warning", "--chdir", str(APPS)]
COMMANDS = {
    "uvicorn-h11": [*UVICORN, "--http", "h11", "--loop", "asyncio"],
    "uvicorn-httptools": [*UVICORN, "--http", "httptools", "--loop", "uvloop"],
    "uvicorn-without-lifespan": [*UVICORN, "--lifespan", "off"],
    "gunicorn-sync": [*GUNICORN, "-k", "sync"],
    "gunicorn-gthread": [*GUNICORN, "-k", "gthread", "--threads", "8", "--keep-alive", "5"],
    "hypercorn": ["-m", "hypercorn"],
    "granian": ["-m", "granian", "--interface", "asgi", "--log-level", "warning"],
    "granian-wsgi": ["-m", "granian", "--interface", "wsgi", "--log-level", "warning"],
    "waitress": ["-m", "waitress"],
    "flask": ["-m", "flask", "--app", "flask_app", "run"],
    "django": ["-m", "django", "runserver", "--settings", "django_settings", "--noreload", "--skip-checks"],
    **{name: ["-m", "lab.own_server", name, "app:hooks"] for name in ("aiohttp", "sanic", "tornado")},
    "gunicorn-prefork": [*GUNICORN, "-k", "gthread", "--threads", "4", "-w", "4"],
}


@dataclass
class Served:
    """A running server and its files."""

    process: Process
    place: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.process.port

    def stored(self, id_: str) -> int:
        """How many events there are with that id."""
        with closing(sqlite3.connect(self.place / "inbox.db", timeout=10)) as db:
            return int(db.execute("SELECT count(*) FROM hookcatch_event WHERE id = ?", (id_,)).fetchone()[0])

    def handled(self, id_: str) -> int:
        """How often its handler has run."""
        return (self.place / "effects").read_text().splitlines().count(id_)

    def wait_for(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until it holds."""
        end = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < end, f"{what} never came:\n{self.log()}"
            time.sleep(0.02)

    def log(self) -> str:
        """What the server has printed."""
        return self.process.log.read_text()


def serve(server: str, app: str, place: Path) -> Served:
    """Start it, and wait until it listens."""
    port = free_port()
    by_port = server.startswith(("uvicorn", "granian", "flask"))
    bind = ["--port", str(port)] if by_port else [f"--listen=127.0.0.1:{port}"]
    if server.startswith(("gunicorn", "hypercorn")):
        bind = ["-b", f"127.0.0.1:{port}"]
    if server == "django":
        bind = [f"127.0.0.1:{port}"]
    if server in ("aiohttp", "sanic", "tornado"):
        bind = [str(port)]
    (place / "effects").touch()
    path = os.pathsep.join(filter(None, [str(APPS), os.environ.get("PYTHONPATH")]))
    environ = {**os.environ, "E2E_PLACE": str(place), "PYTHONPATH": path}
    argv = [sys.executable, *COMMANDS[server], *bind, *([app] if app else [])]
    process = Process(argv, environ, place / "log", port)
    process.start()
    try:
        asyncio.run(process.ready())
    except BaseException:
        process.kill()
        raise
    return Served(process, place)
