"""The same callers, with a framework around the webhooks."""

from __future__ import annotations

from collections.abc import Callable

import fastapi
import flask
import litestar
import quart
from litestar.handlers import asgi as litestar_asgi
from starlette.applications import Starlette
from starlette.routing import Mount

import hookcatch.fastapi
import hookcatch.flask
from hookcatch import Hookcatch, asgi
from support.edges import EDGES, AsgiCaller, Edge, WsgiCaller

PREFIX = "/hooks"


def in_flask(hooks: Hookcatch) -> WsgiCaller:
    app = flask.Flask(__name__)
    hookcatch.flask.mount(app, hooks, PREFIX)
    made = WsgiCaller(hooks, app, PREFIX)
    made.lacks |= {"head bodies"}
    return made


def in_fastapi(hooks: Hookcatch) -> AsgiCaller:
    app = fastapi.FastAPI()
    app.include_router(hookcatch.fastapi.router(hooks, PREFIX))
    return AsgiCaller(hooks, app, PREFIX)


def in_starlette(hooks: Hookcatch) -> AsgiCaller:
    made = AsgiCaller(hooks, Starlette(routes=[Mount(PREFIX, hooks)]), PREFIX)
    made.lacks = frozenset({"bare prefix"})
    return made


def before_quart(hooks: Hookcatch) -> AsgiCaller:
    app = quart.Quart(__name__)
    app.asgi_app = asgi.WebhookMiddleware(app.asgi_app, hooks, PREFIX)  # type: ignore[method-assign]
    return AsgiCaller(hooks, app, PREFIX)


def in_litestar(hooks: Hookcatch) -> AsgiCaller:
    mounted = litestar_asgi(PREFIX, is_mount=True, copy_scope=True)(hooks)
    made = AsgiCaller(hooks, litestar.Litestar([mounted]), PREFIX)
    made.lacks = frozenset({"exact paths"})
    return made


FRAMEWORKS: dict[str, Callable[[Hookcatch], Edge]] = {
    "flask": in_flask,
    "fastapi": in_fastapi,
    "starlette-mount": in_starlette,
    "quart-middleware": before_quart,
    "litestar-mount": in_litestar,
}
ALL = {**EDGES, **FRAMEWORKS}
