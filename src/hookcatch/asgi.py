"""ASGI: an app, and a middleware that takes the webhooks' paths and passes everything else through untouched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from .concurrency import Patience
from .core.admission import READ_DEADLINE, admit, check_length
from .core.answers import come_back, refuse
from .core.endpoint import Endpoint
from .core.errors import ClientGone, Rejected
from .core.flow import receive, turn_away
from .core.wire import Request, Response
from .runtime import Hooks

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_CHUNKS = 16 << 10
"""A megabyte in single bytes is an attack, not a body (ATTACKS A35)."""


async def serve(hooks: Hooks, scope: Scope, receive_: Receive, send: Send) -> None:
    """The whole ASGI app: webhooks, 404 for any other path, and the server's lifespan."""
    if scope["type"] == "lifespan":
        await lifespan(hooks, receive_, send)
    elif scope["type"] == "http":
        endpoint = hooks.match(_path(scope))
        if endpoint is None:
            await _send(send, refuse(Rejected("not_found")))
        else:
            await take(hooks, endpoint, scope, receive_, send)
    else:
        raise NotImplementedError(f"hookcatch serves HTTP, not {scope['type']}")


class WebhookMiddleware:
    """In front of an app: requests to the configured paths are ours, all others are not looked at.

    Args:
        app: the app behind.
        hooks: the Hookcatch whose sources are served.
        prefix: where its paths begin: `"/hooks"` serves the source `shop` at `/hooks/shop`.
    """

    def __init__(self, app: ASGIApp, hooks: Hooks, prefix: str = "") -> None:
        self.app = app
        self.hooks = hooks
        self.prefix: str = ("/" + prefix.strip("/")).rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = _path(scope)
            endpoint = self.hooks.match(path[len(self.prefix) :]) if path.startswith(self.prefix) else None
            if endpoint is not None:
                return await take(self.hooks, endpoint, scope, receive, send)
        elif scope["type"] == "lifespan":
            receive, send = _with_lifespan(self.hooks, receive, send)
        return await self.app(scope, receive, send)


async def take(hooks: Hooks, endpoint: Endpoint, scope: Scope, receive_: Receive, send: Send) -> None:
    """Answer one request to a webhook's path."""
    response = await answer(hooks, endpoint, scope, receive_)
    if response is None:
        # a sender that has only ended its half may still listen, and a server that gets nothing to say may say 500
        with suppress(OSError):
            await _send(send, refuse(Rejected("truncated_body")))
    else:
        await _send(send, response)


async def answer(hooks: Hooks, endpoint: Endpoint, scope: Scope, receive_: Receive) -> Response | None:
    """The response to one request to a webhook's path, for a server that sends it in its own way; None if the sender
    is gone. Of the scope it reads the method, the query string, the headers and the client."""
    runtime = hooks.runtime()
    ports = runtime.in_loop()
    request = head_of(scope, endpoint)
    if not runtime.enter():
        return come_back()
    try:
        promised = admit(request, endpoint, (scope.get("client") or ("",))[0])
        body = await _read(receive_, endpoint.policy.max_body, runtime.patience)
        request = request.with_body(body)
        check_length(promised, body)
        return await receive(request, endpoint, runtime.app, ports)
    except Rejected as why:
        return turn_away(why, request, endpoint, ports)
    except ClientGone:
        return None
    finally:
        runtime.leave()


@asynccontextmanager
async def running(hooks: Hooks) -> AsyncIterator[None]:
    """Open the inbox and start the worker, drain and close at the end: a part of any framework's lifespan."""
    hooks.runtime().in_loop()
    try:
        yield
    finally:
        await _shut_down(hooks)


async def lifespan(hooks: Hooks, receive_: Receive, send: Send) -> None:
    """Open the inbox and start the worker with the server, drain and close with it."""
    await receive_()
    try:
        hooks.runtime().in_loop()
    except Exception as why:
        await send({"type": "lifespan.startup.failed", "message": str(why)})
        raise
    await send({"type": "lifespan.startup.complete"})
    await receive_()
    await _shut_down(hooks)
    await send({"type": "lifespan.shutdown.complete"})


def _with_lifespan(hooks: Hooks, receive_: Receive, send: Send) -> tuple[Receive, Send]:
    """The app behind keeps its own lifespan; ours starts before it and ends after it."""

    async def receiving() -> Message:
        message = await receive_()
        if message["type"] == "lifespan.startup":
            hooks.runtime().in_loop()
        return message

    async def sending(message: Message) -> None:
        if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            await _shut_down(hooks)
        await send(message)

    return receiving, sending


async def _shut_down(hooks: Hooks) -> None:
    runtime = hooks.runtime()
    await runtime.drain()
    runtime.close()


def _path(scope: Scope) -> str:
    """The path below the mount (https://asgi.readthedocs.io/en/latest/specs/www.html, root_path)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root):
        return path[len(root) :]
    return path


def head_of(scope: Scope, endpoint: Endpoint) -> Request:
    query: bytes = scope.get("query_string", b"")
    return Request.from_wire(scope["method"], endpoint.called(query.decode("latin-1")), scope["headers"])


async def _read(receive_: Receive, limit: int, patience: Patience) -> bytes:
    """The whole body. Raises Rejected if it is too large, too slow or in crumbs."""
    task = patience.begin(READ_DEADLINE)
    try:
        return await _whole(receive_, limit)
    except asyncio.CancelledError:
        if patience.was_late(task):
            raise Rejected("slow_body", f"not whole after {READ_DEADLINE:g} s") from None
        raise
    finally:
        patience.end(task)


async def _whole(receive_: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for _ in range(MAX_CHUNKS):
        message = await receive_()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise Rejected("body_too_large", f"more than {limit} bytes")
        if not message.get("more_body", False):
            return b"".join([*chunks, chunk]) if chunks else chunk
        chunks.append(chunk)
    raise Rejected("slow_body", f"more than {MAX_CHUNKS} chunks")


async def _send(send: Send, response: Response) -> None:
    length = (b"content-length", str(len(response.body)).encode())
    await send(
        {"type": "http.response.start", "status": response.status, "headers": [*response.headers, length]}
    )
    await send({"type": "http.response.body", "body": response.body})
