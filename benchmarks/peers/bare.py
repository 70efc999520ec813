"""What a server and a framework cost before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.deliveries import PATH

_START = {"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"3")]}
_BODY = {"type": "http.response.body", "body": b"ok\n"}


def asgi() -> Any:
    """Reads the body and says 202."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        while (await receive()).get("more_body", False):
            pass
        await send(_START)
        return await send(_BODY)

    return app


async def _lifespan(receive: Any, send: Any) -> None:
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


def starlette() -> Any:
    """One route that reads the body and says 202."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def webhook(request: Request) -> Response:
        await request.body()
        return Response(b"ok\n", 202)

    return Starlette(routes=[Route(PATH, webhook, methods=["POST"])])


def wsgi() -> Any:
    """Reads the body and says 202."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("202 Accepted", [("content-length", "3")])
        return [b"ok\n"]

    return app
