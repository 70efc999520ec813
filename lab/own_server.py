"""Frameworks that are their own servers: `python -m lab.own_server aiohttp lab.receiver:hooks 8000`."""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Any


def serve_aiohttp(hooks: Any, port: int) -> None:
    """Under aiohttp."""
    web = importlib.import_module("aiohttp.web")
    app = web.Application()
    importlib.import_module("hookcatch.aiohttp").setup(app, hooks, "")
    web.run_app(app, host="127.0.0.1", port=port, print=None)


def serve_sanic(hooks: Any, port: int) -> None:
    """Under Sanic."""
    app = importlib.import_module("sanic").Sanic("shop")
    importlib.import_module("hookcatch.sanic").setup(app, hooks, "")
    app.run("127.0.0.1", port, single_process=True, access_log=False, motd=False)


def serve_tornado(hooks: Any, port: int) -> None:
    """Under Tornado."""
    module = importlib.import_module("hookcatch.tornado")

    async def main() -> None:
        app = importlib.import_module("tornado.web").Application()
        module.setup(app, hooks, "")
        async with module.running(hooks):
            app.listen(port, "127.0.0.1")
            await asyncio.Event().wait()

    asyncio.run(main())


SERVE = {"aiohttp": serve_aiohttp, "sanic": serve_sanic, "tornado": serve_tornado}

if __name__ == "__main__":
    module, _, name = sys.argv[2].partition(":")
    SERVE[sys.argv[1]](getattr(importlib.import_module(module), name), int(sys.argv[3]))
