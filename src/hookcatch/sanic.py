"""Sanic: a route of its own, which takes bodies as they come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol
from urllib.parse import unquote

from . import asgi
from .app import Hookcatch
from .core.answers import refuse
from .core.errors import MissingExtra, Rejected
from .core.wire import Response

try:
    from sanic import HTTPResponse, Request
    from sanic.compat import Header
except ModuleNotFoundError:
    raise MissingExtra("sanic", "sanic") from None

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


class App(Protocol):
    """What is asked of a `Sanic`, whose own type checkers cannot tell to the end."""

    @property
    def add_route(self) -> Callable[..., Any]: ...

    @property
    def register_listener(self) -> Callable[..., Any]: ...


def setup(app: App, hooks: Hookcatch, prefix: str = "/hooks") -> None:
    """Serve all sources in an app, with the worker from the start of each of its processes to its end. Everything is
    checked here.

    Raises:
        ConfigurationError: with what to change.
    """
    hooks.build()
    start = ("/" + prefix.strip("/")).rstrip("/")
    life = AsyncExitStack()

    async def receive(request: Request, path: str = "") -> HTTPResponse:
        endpoint = hooks.match(unquote(request.path)[len(start) :])
        if endpoint is None:
            return _response(refuse(Rejected("not_found")))
        scope = {
            "method": request.method,
            "query_string": request.query_string.encode(),
            "headers": [(_octets(name.lower()), _octets(value)) for name, value in request.headers.items()],
            "client": (request.ip,),
        }
        answered = await asgi.answer(hooks, endpoint, scope, lambda: _chunk(request))
        return _response(answered or refuse(Rejected("truncated_body")))

    async def begin(_: App) -> None:
        await life.enter_async_context(asgi.running(hooks))

    async def end(_: App) -> None:
        await life.aclose()

    for name, path in (("hookcatch_root", start), ("hookcatch", f"{start}/<path:path>")):
        app.add_route(receive, path, methods=METHODS, name=name, stream=True)
    app.register_listener(begin, "before_server_start")
    app.register_listener(end, "after_server_stop")


async def _chunk(request: Request) -> asgi.Message:
    """What is there of the body, and at its end what a middleware has read before us; the limit is the source's, not
    the app's `REQUEST_MAX_SIZE`."""
    stream: Any = request.stream  # its type names half of what it has
    chunk = await stream.read()
    if chunk is None:
        return {"type": "http.request", "body": request.body}
    return {"type": "http.request", "body": chunk, "more_body": True}


def _octets(text: str) -> bytes:
    """Of a header, as it came: Sanic has read it as UTF-8, and kept what is none."""
    return text.encode(errors="surrogateescape")


def _response(answered: Response) -> HTTPResponse:
    headers = Header([(name.decode("latin-1"), value.decode("latin-1")) for name, value in answered.headers])
    return HTTPResponse(answered.body, answered.status, headers)
