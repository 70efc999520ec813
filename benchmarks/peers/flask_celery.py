"""Flask, and Celery over Redis: verify, `.delay`, 200. Nothing is deduped and nothing is on disk."""

from __future__ import annotations

from typing import Any

from celery import Celery

from benchmarks.contenders import REDIS
from benchmarks.deliveries import PATH
from benchmarks.peers.by_hand import verified
from benchmarks.servers import Counter

QUEUE = "hookcatch-bench"

queue = Celery("bench", broker=REDIS)
queue.conf.update(task_default_queue=QUEUE, task_ignore_result=True, worker_prefetch_multiplier=64)

_counters: list[Counter] = []


@queue.task  # type: ignore[untyped-decorator]
def handle(event: dict[str, Any]) -> None:
    """Count it."""
    if not _counters:
        _counters.append(Counter())
    _counters[0].tick()


def app() -> Any:
    """The view."""
    from flask import Flask, Response, request
    from redis import Redis

    Redis.from_url(REDIS).delete(QUEUE)
    flask = Flask(__name__)

    @flask.post(PATH)
    def webhook() -> Response:
        event = verified(request.headers["stripe-signature"], request.get_data())
        if event is None:
            return Response(status=400)
        handle.delay(event)
        return Response(b"ok\n", 200)

    return flask
