"""The app that the servers of these tests serve: as a whole, mounted, and as a middleware before other apps."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

import hookcatch.asgi
import hookcatch.wsgi
from hookcatch import Event, Hookcatch

hookcatch.asgi.READ_DEADLINE = 0.5  # a test waits for it

PLACE = Path(os.environ["E2E_PLACE"])
hooks = Hookcatch(f"sqlite:///{PLACE}/inbox.db?disk_floor=0&ballast=0")
hooks.source("shop", provider="standard_webhooks", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


@hooks.on("order.paid")
def note(event: Event) -> None:
    with (PLACE / "effects").open("a") as effects:
        effects.write(f"{event.id}\n")


async def upload(request: Request) -> PlainTextResponse:
    digest = hashlib.sha256()
    async for chunk in request.stream():
        digest.update(chunk)
    return PlainTextResponse(digest.hexdigest())


async def stream(request: Request) -> StreamingResponse:
    async def lines() -> AsyncIterator[bytes]:
        for n in range(50):
            yield b"line %d\n" % n

    return StreamingResponse(lines())


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text((await socket.receive_text()).upper())
    await socket.close()


ROUTES = [
    Route("/upload", upload, methods=["POST"]),
    Route("/stream", stream),
    WebSocketRoute("/ws", echo),
]
behind = hookcatch.asgi.WebhookMiddleware(Starlette(routes=ROUTES), hooks, prefix="/hooks")
mounted = Starlette(routes=[*ROUTES, Mount("/hooks", hooks)])


def plain(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/upload":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        answer = [hashlib.sha256(body).hexdigest().encode()]
    elif environ["PATH_INFO"] == "/stream":
        answer = (b"line %d\n" % n for n in range(50))
    else:
        start_response("404 Not Found", [("content-length", "6")])
        return [b"plain\n"]
    start_response("200 OK", [("content-type", "text/plain")])
    return answer


def __getattr__(name: str) -> Any:
    """What only a WSGI server asks for."""
    if name == "wsgi":
        return hooks.wsgi
    if name == "behind_wsgi":
        return hookcatch.wsgi.WebhookMiddleware(plain, hooks, prefix="/hooks")
    raise AttributeError(name)
