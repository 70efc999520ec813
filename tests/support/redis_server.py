"""Redis servers of a test's own: they keep things on disk, and may be killed and misconfigured."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis
from lab.processes import free_port

from .databases import REDIS
from .edges import wait_until

STRICT = {"appendonly": "yes", "appendfsync": "always", "save": "", "enable-debug-command": "local"}


@dataclass
class OwnRedis:
    """One that starts when it is needed first, and ends with the process. `settings` are those of redis.conf."""

    settings: Mapping[str, str] = field(default_factory=lambda: STRICT)
    binary: str = "redis-server"
    port: int = field(default_factory=free_port)
    _home: str = ""
    _process: subprocess.Popen[bytes] | None = None
    _clean_for: object = None

    def url(self, options: str = "server_clock=0", user: str = "") -> str:
        """Its name to hookcatch; the clock is the test's own, which no server goes by."""
        return f"redis://{user}127.0.0.1:{self.port}/0?{options}"

    def start(self) -> None:
        """Have it run. Skips the test where Redis is not installed."""
        if self._process is not None:
            return
        if shutil.which(self.binary) is None:
            REDIS.need()
        if not self._home:
            self._home = tempfile.mkdtemp(prefix="hookcatch-redis-")
            atexit.register(self._end, os.getpid())
        places = {"port": str(self.port), "dir": self._home}
        lines = [f'{name} "{value}"' for name, value in (places | dict(self.settings)).items()]
        settings = Path(self._home, "redis.conf")
        settings.write_text("\n".join(lines))
        with Path(self._home, "log").open("ab") as log:
            self._process = subprocess.Popen([self.binary, str(settings)], stdout=log, stderr=log)
        wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self.say("PING"))
        except redis.RedisError:
            return False

    def say(self, *words: str) -> object:
        """What it says to a command."""
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            return client.execute_command(*words)

    def clean(self, owner: object) -> str:
        """Its URL, without events unless it was handed to the same owner before."""
        self.start()
        if owner != self._clean_for:
            self.say("FLUSHALL")
            self._clean_for = owner
        return self.url()

    @contextmanager
    def set_to(self, **settings: str) -> Iterator[None]:
        """Other settings for a while; `_` stands for `-`."""
        before = {name: self.settings.get(name, after) for name, after in _DEFAULTS.items()}
        for name, value in settings.items():
            self.say("CONFIG", "SET", name.replace("_", "-"), value)
        try:
            yield
        finally:
            for name in settings:
                name = name.replace("_", "-")
                self.say("CONFIG", "SET", name, before[name])

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


_DEFAULTS = {
    "appendonly": "no",
    "appendfsync": "everysec",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
    "maxmemory": "0",
}

OWN_REDIS = OwnRedis()
"""The one that serves the contract."""
