"""hookcatch, as its README says to mount it."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.deliveries import SECRET
from benchmarks.servers import Counter
from hookcatch import Event, Hookcatch


def _receiver(inbox: str, *, worker: bool = False) -> Hookcatch:
    hooks = Hookcatch(inbox, worker=worker)
    hooks.source("stripe", secret=SECRET)
    return hooks


def _file() -> str:
    return f"sqlite:///{os.environ['HOOKCATCH_BENCH_DIR']}/inbox.db"


def memory() -> Any:
    """Verified, deduped, acked; nothing is written."""
    return _receiver("memory:")


def memory_wsgi() -> Any:
    """The same for a WSGI server."""
    return _receiver("memory:").wsgi


def sqlite() -> Any:
    """Verified, deduped, on disk, acked."""
    return _receiver(_file())


def to_the_end() -> Any:
    """The same, and the handler has run."""
    hooks = _receiver(_file(), worker=True)
    counter = Counter()

    @hooks.on("*")
    async def count(event: Event) -> None:
        counter.tick()

    return hooks
