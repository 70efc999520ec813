"""Starlette, and a pool of PostgreSQL connections: dedupe by a unique key, one commit a request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.contenders import POSTGRES
from benchmarks.deliveries import PATH
from benchmarks.peers.by_hand import verified

TABLE = "hookcatch_bench_asyncpg"
INSERT = f"INSERT INTO {TABLE} (id, type, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"


def app() -> Any:
    """One route."""
    import asyncpg
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    pools: list[asyncpg.Pool] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(POSTGRES, min_size=16, max_size=16) as pool:
            await pool.execute(f"DROP TABLE IF EXISTS {TABLE}")
            await pool.execute(
                f"CREATE TABLE {TABLE} (seq bigserial PRIMARY KEY, id text UNIQUE, type text, body bytea)"
            )
            pools.append(pool)
            yield
            await pool.execute(f"DROP TABLE {TABLE}")

    async def webhook(request: Request) -> Response:
        body = await request.body()
        event = verified(request.headers["stripe-signature"], body)
        if event is None:
            return Response(status_code=400)
        await pools[0].execute(INSERT, event["id"], event["type"], body)
        return Response(b"ok\n", 200)

    return Starlette(routes=[Route(PATH, webhook, methods=["POST"])], lifespan=lifespan)
