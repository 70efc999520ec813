"""A NATS server of the tests' own: JetStream in a directory of its own, at a free port."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext


@dataclass
class NatsServer:
    """Starts with the first URL that is asked for, and ends with the process."""

    options: Sequence[str] = ("-js",)
    port: int = 0
    directory: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    _buckets: dict[object, str] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)

    def start(self) -> None:
        """Start it, with what it kept before."""
        if shutil.which("nats-server") is None:
            why = "no nats-server is installed to be started"
            if os.environ.get("CI") == "true":
                pytest.fail(why)
            pytest.skip(why)
        if self.directory is None:
            self.directory = Path(tempfile.mkdtemp(prefix="hookcatch-nats-"))
            self.port = _free_port()
            atexit.register(self.stop, os.getpid())
        command = ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self.directory)]
        self.process = subprocess.Popen(
            [*command, *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 20
        while not self._listens():
            assert time.monotonic() < end, "the NATS server does not come up"
            time.sleep(0.02)

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False

    def kill(self) -> None:
        """As the power would: no signal that it could heed."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """It hears nothing any more, and says nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)

    def resume(self) -> None:
        """It goes on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self, owner: int | None = None) -> None:
        """End it for good."""
        if owner in (None, os.getpid()) and self.directory is not None:
            self.kill()
            shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, owner: object = None, options: str = "fsync=always") -> str:
        """Of a bucket of the owner's own."""
        if self.process is None:
            self.start()
        bucket = self._buckets.get(owner) if owner is not None else None
        if bucket is None:
            bucket = self._buckets[owner] = f"t{next(self._numbers)}"
        return f"nats://127.0.0.1:{self.port}/{bucket}?{options}"

    def say(self, what: Callable[[JetStreamContext], Awaitable[Any]]) -> Any:
        """Do something behind the inbox's back."""

        async def ask() -> Any:
            client = await nats.connect(f"nats://127.0.0.1:{self.port}")
            try:
                return await what(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(ask())


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


NATS = NatsServer()
"""The one that the tests of a process share."""
