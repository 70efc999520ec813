"""A directory with an app in it, and `hookcatch` as real processes in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SHOP = """
import os, threading, time
from decimal import Decimal
from pydantic import BaseModel
from hookcatch import Event, Hookcatch, Retry
import hookcatch.worker

hooks = Hookcatch("sqlite:///inbox.db")
shop = hooks.source("shop", provider="standard_webhooks", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

class Order(BaseModel):
    id: str
    total: Decimal

@hooks.on("order.created")
async def fulfil(order: Order) -> None:
    print("fulfilled", order.id, flush=True)

@hooks.on("order.later")
def later(event: Event) -> None:
    raise Retry("not today", after=3600)

@hooks.on("order.endless")
def endless(event: Event) -> None:
    print("endless begins", flush=True)
    threading.Event().wait()
"""


class Project:
    """Runs commands in a directory and ends what it started."""

    def __init__(self, place: Path, app: str = SHOP) -> None:
        self.place = place
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith("HOOKCATCH")
        }
        self._started: list[subprocess.Popen[bytes]] = []
        (place / "app.py").write_text(app)

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "hookcatch", *words],
            cwd=self.place, env=self.environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command; what it says goes to `log`."""
        with (self.place / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hookcatch", *words],
                cwd=self.place, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        self._started.append(process)
        return process

    def serve(self, *options: str) -> subprocess.Popen[bytes]:
        """Serve `app:hooks` at a free port, which `send` then uses."""
        (self.place / "log").write_text("")
        process = self.start("run", "app:hooks", "--port", "0", *options)
        self.wait_for(lambda: "startup complete" in self.log(), process)
        found = re.search(r"http://127\.0\.0\.1:\d+", self.log())
        assert found, self.log()
        self.environment["HOOKCATCH_URL"] = found[0]
        return process

    def log(self) -> str:
        """What the processes said so far."""
        return (self.place / "log").read_text()

    def wait_for(self, condition: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
        """Wait until something is so; it is an error if it never is, or the process ends before."""
        deadline = time.monotonic() + 30
        while not condition():
            assert process is None or process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def close(self) -> None:
        """End what still runs."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
