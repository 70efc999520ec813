"""Receivers and workers as real processes, in process groups of their own, to be stopped or killed whole."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from .options import Options

ROOT = Path(__file__).parent.parent

AN_ANSWER = 5.0
"""Seconds for it; then another connection is tried, for whoever had this one may have died."""

SERVERS = (
    "uvicorn", "uvicorn-h11", "hypercorn", "granian", "aiohttp", "sanic", "tornado",
    "gunicorn", "gunicorn-sync", "granian-wsgi", "waitress", "run",
)  # fmt: skip
"""Those that can serve lab.receiver."""

SEVERAL = ("uvicorn", "granian", "granian-wsgi", "gunicorn", "gunicorn-sync")
"""Those of them that can be several processes."""

FOUR = ("gunicorn", "gunicorn-sync")
"""Those that are, unless one says otherwise: four."""


def command(server: str, port: int, processes: int = 1) -> list[str]:
    """The command line of a server."""
    asgi, wsgi, here = "lab.receiver:hooks", "lab.receiver:wsgi", f"127.0.0.1:{port}"
    uvicorn = ["uvicorn", asgi, "--port", str(port), "--log-level", "warning", "--no-access-log"]
    gunicorn = ["gunicorn", wsgi, "-b", here, "--log-level", "warning", "-w", str(processes)]
    granian = ["granian", "--port", str(port), "--log-level", "warning", "--workers", str(processes)]
    known = {
        "uvicorn": [*uvicorn, "--timeout-graceful-shutdown", "10", "--workers", str(processes)],
        "uvicorn-h11": [*uvicorn, "--http", "h11", "--loop", "asyncio"],
        "hypercorn": [
            "hypercorn",
            "lab.receiver:__getattr__('hooks')",
            "-b",
            here,
        ],  # of its dict alone
        "granian": [*granian, "--interface", "asgi", asgi],
        **{name: ["lab.own_server", name, asgi, str(port)] for name in ("aiohttp", "sanic", "tornado")},
        "gunicorn": [*gunicorn, "-k", "gthread", "--threads", "8"],
        "gunicorn-sync": [*gunicorn, "-k", "sync"],
        "granian-wsgi": [*granian, "--interface", "wsgi", "--blocking-threads", "8", wsgi],
        "waitress": ["waitress", f"--listen={here}", "--threads=8", wsgi],
        "run": ["run", asgi, "--port", str(port), "--log-level", "warning"],
        "worker": ["worker", asgi, "--log-level", "info"],
    }
    if server in ("run", "worker"):
        return [sys.executable, "-c", "from hookcatch.cli import main; main()", *known[server]]
    return [sys.executable, "-m", *known[server]]


def free_port() -> int:
    """A port that nobody listens at, below those that the system gives to clients: a client that knocks at one of
    these while nobody listens can end up connected to itself."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Process:
    """A process under test; `log` gets what it prints.

    It is ready when it says `says`; or, if it says nothing, when it listens at its port. With `http` it has to answer
    there: a server of several processes listens before any of them can.
    """

    argv: Sequence[str]
    environ: dict[str, str]
    log: Path
    port: int = 0
    cwd: Path = ROOT
    says: str = ""
    http: bool = False
    _before: int = field(default=0, repr=False)
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, and do not wait for it."""
        self._before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.argv, env=self.environ, cwd=self.cwd, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._child is not None
        return self._child.pid

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.poll() is None

    def signal_all(self, number: int) -> None:
        """Send a signal to it and all its children."""
        os.killpg(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, to all of it."""
        if self._child is None:
            return
        all_ = family(self.pid)
        with suppress(ProcessLookupError):
            self.signal_all(signal.SIGKILL)
        self._child.wait()
        self._child = None
        while any(map(lives, all_)):  # a child that still dies holds the port
            time.sleep(0.001)

    async def stop(self, patience: float = 40.0) -> float:
        """SIGTERM, to the main process alone; answers the seconds until it was gone."""
        assert self._child is not None
        started = time.monotonic()
        self._child.terminate()
        await until(lambda: not self.is_alive(), patience, f"{self.log.stem} does not end: {self.log}")
        return time.monotonic() - started

    async def ready(self, patience: float = 60.0) -> None:
        """Wait until it answers, accepts connections or says that it is ready. TimeoutError after `patience` seconds,
        RuntimeError if it ends before."""
        try:
            async with asyncio.timeout(patience):
                while not await self._is_ready():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise TimeoutError(f"{self.log.stem} does not get ready; see {self.log}") from None

    async def _is_ready(self) -> bool:
        if not self.is_alive():
            raise RuntimeError(f"{self.log.stem} ended at once:\n{self.log.read_text()[-2000:]}")
        if self.says:
            return self.says.encode() in self.log.read_bytes()[self._before :]
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            return not self.http or await _answers(reader, writer)
        finally:
            writer.close()


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether anybody answers a request; nobody does where all who could have died or do not listen yet."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(AN_ANSWER):
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return (await reader.readline()).startswith(b"HTTP/")
    return False


def family(pid: int) -> list[psutil.Process]:
    """The descendants of a process."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def lives(process: psutil.Process) -> bool:
    """Whether it is more than an entry in the table."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def server(name: str, options: Options, directory: Path, port: int = 0, processes: int = 0) -> Process:
    """A server of lab.receiver, not yet started, of as many processes as it usually is or as one says."""
    port, processes = port or free_port(), processes or usual(name)
    log = directory / f"{name}-{port}.log"
    says = "working on up to" if name == "worker" else ""
    argv = command(name, port, processes)
    return Process(argv, options.environ(), log, port, says=says, http=not says)


def usual(name: str) -> int:
    """How many processes a server is if nobody says anything."""
    return 4 if name in FOUR else 1


async def until(holds: Callable[[], bool], patience: float, what: str) -> None:
    """Wait until it holds. TimeoutError, saying what, if it does not in `patience` seconds."""
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(what)
        await asyncio.sleep(0.02)
