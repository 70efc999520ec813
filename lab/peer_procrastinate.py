"""Procrastinate as its documentation begins: `defer_async` in the view, a task, no options."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .options import PATH
from .peer_shop import Shop, shop, verified, work

app = App(connector=PsycopgConnector(conninfo=shop().broker))


@app.task
async def handle(event: dict[str, Any]) -> None:
    """The work."""
    await asyncio.to_thread(work, event)


async def receive(request: Request) -> Response:
    """The view."""
    event = verified(request.headers, await request.body())
    if event is None:
        return Response(status_code=400)
    await handle.defer_async(event=event)
    return Response(b"ok\n")


@asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncIterator[None]:
    async with app.open_async():
        yield


web = Starlette(routes=[Route(PATH, receive, methods=["POST"])], lifespan=_lifespan)


def prepare() -> None:
    """Make its tables."""
    with app.open():
        app.schema_manager.apply_schema()


def waiting(here: Shop) -> int:
    """How many jobs a worker would get now."""
    with psycopg.connect(here.broker) as db:
        row = db.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'").fetchone()
    return int(row[0]) if row else 0


def stranded(here: Shop) -> set[str]:
    """The ids of what died with a worker, which stays `doing` until somebody looks for it."""
    with psycopg.connect(here.broker) as db:
        held = db.execute("SELECT args -> 'event' ->> 'id' FROM procrastinate_jobs WHERE status = 'doing'")
        return {str(id_) for (id_,) in held}
