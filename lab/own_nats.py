"""A NATS of the lab's own, as long as a block runs."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .processes import Process, free_port


def missing() -> str:
    """Why there can be none; empty if there can."""
    return "" if shutil.which("nats-server") else "nats-server is not installed"


@contextmanager
def own_nats() -> Iterator[str]:
    """Names it to hookcatch. It is never killed, so it need not sync what it takes; `sync_interval: always` came with
    NATS 2.10 and keeps older ones from starting."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="hookcatch-lab-nats-") as place:
        argv = ["nats-server", "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", place]
        nats = Process(argv, dict(os.environ), Path(place, "log"), port)
        try:
            nats.start()
            asyncio.run(nats.ready())
            yield f"nats://127.0.0.1:{port}/lab?durability=best_effort"
        finally:
            nats.kill()
