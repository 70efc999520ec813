"""aiohttp: routes of its own, for it is no ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator

from . import asgi
from .app import Hookcatch
from .core.answers import refuse
from .core.errors import MissingExtra, Rejected
from .core.wire import Response

try:
    from aiohttp import StreamReader, web
except ModuleNotFoundError:
    raise MissingExtra("aiohttp", "aiohttp") from None


def setup(app: web.Application, hooks: Hookcatch, prefix: str = "/hooks") -> None:
    """Serve all sources in an app, with the worker from its start to its end. Everything is checked here.

    Raises:
        ConfigurationError: with what to change.
    """
    hooks.build()
    start = ("/" + prefix.strip("/")).rstrip("/")

    async def receive(request: web.Request) -> web.Response:
        endpoint = hooks.match(request.path[len(start) :])
        if endpoint is None:
            return _response(refuse(Rejected("not_found")))
        scope = {
            "method": request.method,
            "query_string": request.rel_url.raw_query_string.encode(),
            "headers": [(name.lower(), value) for name, value in request.raw_headers],
            "client": request.transport and request.transport.get_extra_info("peername"),
        }
        answered = await asgi.answer(hooks, endpoint, scope, lambda: _chunk(request))
        made = _response(answered or refuse(Rejected("truncated_body")))
        if isinstance(request.content, StreamReader) and request.content.exception() is not None:
            # a body that is not what its head says, and that nobody has read: aiohttp would throw it away with a
            # traceback in the log, which anybody could fill
            request.content.feed_eof()
            made.force_close()
        return made

    async def running(_: web.Application) -> AsyncIterator[None]:
        async with asgi.running(hooks):
            yield

    for path in ([start] if start else []) + [start + "/{path:.*}"]:
        app.router.add_route("*", path, receive)
    app.cleanup_ctx.append(running)


async def _chunk(request: web.Request) -> asgi.Message:
    """What is there of the body, or all that a middleware has read before us and aiohttp has kept; the limit is the
    source's, not the app's `client_max_size`."""
    try:
        if request.content.at_eof():
            return {"type": "http.request", "body": await request.read()}
        chunk = await request.content.readany()
    except (web.RequestPayloadError, ConnectionError):
        return {"type": "http.disconnect"}
    return {"type": "http.request", "body": chunk, "more_body": bool(chunk) or not request.content.at_eof()}


def _response(answered: Response) -> web.Response:
    made = web.Response(body=answered.body, status=answered.status)
    made.headers.popall("content-type", None)
    for name, value in answered.headers:
        made.headers.add(name.decode("latin-1"), value.decode("latin-1"))
    return made
