"""Starlette, and sqlite3 in the thread pool: dedupe by a unique key, one synced commit a request."""

from __future__ import annotations

import os
import sqlite3
import threading
from typing import Any

from benchmarks.deliveries import PATH
from benchmarks.peers.by_hand import verified

_local = threading.local()


def _connection() -> sqlite3.Connection:
    if not hasattr(_local, "connection"):
        _local.connection = sqlite3.connect(
            f"{os.environ['HOOKCATCH_BENCH_DIR']}/by_hand.db", timeout=30, isolation_level=None
        )
        _local.connection.execute("PRAGMA journal_mode = WAL")
        _local.connection.execute("PRAGMA synchronous = FULL")
    connection: sqlite3.Connection = _local.connection
    return connection


def _keep(event: dict[str, Any], body: bytes) -> None:
    _connection().execute(
        "INSERT INTO event (id, type, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (event["id"], event["type"], body),
    )


def app() -> Any:
    """One route."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    _connection().execute(
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, type TEXT, body BLOB)"
    )

    async def webhook(request: Request) -> Response:
        body = await request.body()
        event = verified(request.headers["stripe-signature"], body)
        if event is None:
            return Response(status_code=400)
        await run_in_threadpool(_keep, event, body)
        return Response(b"ok\n", 200)

    return Starlette(routes=[Route(PATH, webhook, methods=["POST"])])
