"""The app of these tests in frameworks that are their own servers: `python own_server.py aiohttp --port 8000`."""

from __future__ import annotations

import asyncio
import importlib
import sys

from app import hooks


def serve_aiohttp(port: int) -> None:
    web = importlib.import_module("aiohttp.web")
    app = web.Application()
    importlib.import_module("hookcatch.aiohttp").setup(app, hooks, "")
    web.run_app(app, host="127.0.0.1", port=port, print=None)


def serve_sanic(port: int) -> None:
    app = importlib.import_module("sanic").Sanic("shop")
    importlib.import_module("hookcatch.sanic").setup(app, hooks, "")
    app.run("127.0.0.1", port, single_process=True, access_log=False, motd=False)


def serve_tornado(port: int) -> None:
    module = importlib.import_module("hookcatch.tornado")

    async def main() -> None:
        app = importlib.import_module("tornado.web").Application()
        module.setup(app, hooks, "")
        async with module.running(hooks):
            app.listen(port, "127.0.0.1")
            await asyncio.Event().wait()

    asyncio.run(main())


if __name__ == "__main__":
    {"aiohttp": serve_aiohttp, "sanic": serve_sanic, "tornado": serve_tornado}[sys.argv[1]](int(sys.argv[3]))
