"""Redis servers of a test's own: they keep on disk what the shared one does not, and may be killed and misconfigured."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import redis

from lab.processes import free_port

from .databases import REDIS
from .edges import wait_until

STRICT = {"appendonly": "yes", "appendfsync": "always", "save": ""}


@dataclass
class OwnRedis:
    """One that starts when it is needed first, and ends with the process. `settings` are those of redis.conf."""

    settings: dict[str, str] = field(default_factory=lambda: dict(STRICT))
    binary: str = "redis-server"
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None
    _clean_for: object = None

    def url(self, options: str = "") -> str:
        """Its name to hookcatch; the clock is the test's own, which no server goes by."""
        return f"redis://127.0.0.1:{self.port}/0?server_clock=0{options}"

    def start(self) -> OwnRedis:
        """Have it run. Skips the test where Redis is not installed."""
        if self._process is not None:
            return self
        if shutil.which(self.binary) is None:
            REDIS.need()
        if not hasattr(self, "_home"):
            self._home = tempfile.mkdtemp(prefix="hookcatch-redis-")
            atexit.register(self._end, os.getpid())
        words = [f"--{name} {value or chr(34) * 2}" for name, value in self.settings.items()]
        line = [self.binary, "--port", str(self.port), "--dir", self._home]
        for word in words:
            line += word.split(" ", 1)
        with Path(self._home, "log").open("ab") as log:
            self._process = subprocess.Popen(line, stdout=log, stderr=log)
        wait_until(self._answers)
        return self

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        """Something to say commands by."""
        return redis.Redis(port=self.port, socket_timeout=5)

    def clean(self, owner: object) -> str:
        """Its URL, without events unless it was handed to the same owner before."""
        self.start()
        if owner != self._clean_for:
            self.client().flushall()
            self._clean_for = owner
        return self.url()

    def kill(self) -> None:
        """As `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _end(self, owner: int) -> None:
        if os.getpid() == owner:
            self.kill()
            shutil.rmtree(self._home)


OWN_REDIS = OwnRedis()
"""The one that serves the contract."""
