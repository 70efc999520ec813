"""Celery over Redis: `.delay`, by as many threads as gunicorn has here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery

from benchmarks.contenders import REDIS
from benchmarks.deliveries import around_the_id
from benchmarks.servers import Ticks

QUEUE = "hookcatch-bench"
"""Both the queue, and how all keys in Redis begin."""

queue = Celery("bench", broker=REDIS)
queue.conf.update(
    task_default_queue=os.environ.get("HOOKCATCH_BENCH_TARGET", QUEUE),
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    broker_transport_options={"global_keyprefix": f"{QUEUE}:"},
    broker_connection_retry_on_startup=True,
)

_ticks: list[Ticks] = []


@queue.task  # type: ignore[untyped-decorator]
def handle(event: dict[str, Any]) -> None:
    """Count it, in the process that was forked for it."""
    if not _ticks:
        _ticks.append(Ticks(Path(os.environ["HOOKCATCH_BENCH_DIR"])))
    _ticks[0].tick()


@contextmanager
def receiving(target: str, *, working: bool) -> Iterator[Callable[[str], object]]:
    """Sends an event by its id to the queue that this module was imported for."""
    before, after = around_the_id()
    made = json.loads(before + b"THE_ID" + after)
    yield lambda id_: handle.delay({**made, "id": id_})


def prepare(target: str) -> None:
    """Nothing to prepare."""


def empty() -> None:
    """Let go of everything that is in Redis."""
    from redis import Redis

    redis = Redis.from_url(REDIS)
    for key in redis.scan_iter(f"{QUEUE}:*", count=1000):
        redis.delete(key)
