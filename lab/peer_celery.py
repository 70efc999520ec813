"""Celery over Redis as its documentation begins: `.delay` in the view, a task, no options."""

from __future__ import annotations

import base64
import json
from typing import Any

from celery import Celery
from redis import Redis
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .options import PATH
from .peer_shop import Shop, shop, verified, work

_shop = shop()
queue = Celery("lab", broker=_shop.broker)
# names alone, so that others may use the same Redis: every other setting is Celery's
queue.conf.update(
    task_default_queue=_shop.queue, broker_transport_options={"global_keyprefix": f"{_shop.queue}:"}
)


@queue.task  # type: ignore[untyped-decorator]
def handle(event: dict[str, Any]) -> None:
    """The work."""
    work(event)


async def receive(request: Request) -> Response:
    """The view."""
    event = verified(request.headers, await request.body())
    if event is None:
        return Response(status_code=400)
    await run_in_threadpool(handle.delay, event)
    return Response(b"ok\n")


web = Starlette(routes=[Route(PATH, receive, methods=["POST"])])


def waiting(here: Shop) -> int:
    """How many messages a worker would get now."""
    return int(Redis.from_url(here.broker).llen(f"{here.queue}:{here.queue}"))  # type: ignore[arg-type]


def stranded(here: Shop) -> set[str]:
    """The ids of what a worker held and did not acknowledge: it comes again after the visibility timeout, an hour."""
    held: Any = Redis.from_url(here.broker).hvals(f"{here.queue}:unacked")
    return {_id(json.loads(one)[0]) for one in held}


def _id(message: dict[str, Any]) -> str:
    (event,), _, _ = json.loads(base64.b64decode(message["body"]))
    return str(event["id"])


def clean(here: Shop) -> None:
    """Leave nothing in Redis."""
    redis = Redis.from_url(here.broker)
    for key in redis.scan_iter(f"{here.queue}:*", count=1000):
        redis.delete(key)
