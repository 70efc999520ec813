"""A Redis of the lab's own, to be killed in the middle of things."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .processes import free_port

FORGETFUL = "forgetful"
"""The build whose server keeps nothing on disk: what it forgets must be missed."""

SYNCED = ("--appendonly", "yes", "--appendfsync", "always")
KEEPS_NOTHING = ("--appendonly", "no")
PATIENCE = 20.0
"""Seconds in which it has to answer, with all that it reads from its file before."""


def missing() -> str:
    """Why there can be none; empty if there can."""
    return "" if shutil.which("redis-server") else "redis-server is not installed"


@dataclass
class OwnRedis:
    """One server with its files, which are synced before it answers unless it is to be forgetful."""

    settings: tuple[str, ...] = SYNCED
    port: int = field(default_factory=free_port)
    place: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="hookcatch-lab-redis-")))
    _child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Names it to hookcatch."""
        return f"redis://127.0.0.1:{self.port}/0"

    def make(self) -> None:
        """Start it: it makes its files itself."""
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        argv = ["redis-server", "--port", str(self.port), "--dir", str(self.place), "--save", ""]
        with (self.place / "log").open("ab") as log:
            self._child = subprocess.Popen([*argv, *self.settings], stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > end or self._child.poll() is not None:
                raise RuntimeError(f"redis-server did not start:\n{(self.place / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        from redis import Redis, RedisError

        try:
            with Redis(port=self.port) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def crash(self) -> None:
        """SIGKILL."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def remove(self) -> None:
        """End it, and drop its files."""
        self.crash()
        shutil.rmtree(self.place)


@contextmanager
def running() -> Iterator[str]:
    """Names one to hookcatch that runs as long as the block does."""
    redis = OwnRedis()
    try:
        redis.make()
        yield redis.url
    finally:
        redis.remove()
