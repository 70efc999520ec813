"""Callers of the web edges, in process: one way to send a request, whatever stands behind it."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from hookcatch import Hookcatch, Request, asgi, wsgi

from . import django_project

Pairs = Sequence[tuple[bytes, bytes]]


Lack = Literal[
    "unread", "pause", "bare prefix", "exact paths", "twins", "lengths", "heads", "head bodies", "peer"
]
"""What an edge cannot show, or its framework has done before us:

unread       how much of a body was not read
pause        a body that comes slowly
bare prefix  without a slash at its end it is redirected
exact paths  `//shop` is tidied to `/shop`
twins        headers of one name are joined
lengths      the server itself refuses a length that is none, and a body that does not have it
heads        the server itself refuses a head that is too large
head bodies  an answer to HEAD has none
peer         the address at the socket is not told
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Edge(Protocol):
    """`prefix` is where the webhooks' paths begin, `lacks` what cannot be seen or done there."""

    hooks: Hookcatch
    prefix: str
    lacks: frozenset[Lack]

    def call(
        self, method: str, path: str, headers: Pairs, chunks: Iterable[bytes], *, query: bytes = b""
    ) -> Answer | None:
        """Send a request, its body in chunks. None if nothing was answered."""
        ...

    def close(self) -> None: ...


def wait_until(condition: Callable[[], Any]) -> None:
    """For what another thread does."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def post(edge: Edge, request: Request, path: str | None = None, **changed: Any) -> Answer:
    """A request as a sender sends it, with its length."""
    length = (b"content-length", str(len(request.body)).encode())
    wanted: dict[str, Any] = {
        "method": "POST",
        "headers": [*request.headers, length],
        "chunks": [request.body],
    }
    answer = edge.call(path=path or f"{edge.prefix}/shop", **{**wanted, **changed})
    assert answer is not None
    return answer


class AsgiCaller:
    """Calls an ASGI app in an event loop that lasts as long as the caller."""

    def __init__(self, hooks: Hookcatch, app: Any = None, prefix: str = "") -> None:
        self.hooks, self.app, self.prefix = hooks, app or hooks, prefix
        self.lacks: frozenset[Lack] = frozenset()
        self.loop = asyncio.new_event_loop()
        self.unread = 0
        self.pause = 0.0  # seconds before each part of a body
        self.reads_first = False  # whether a server reads the whole body before it asks us

    def call(
        self, method: str, path: str, headers: Pairs, chunks: Iterable[bytes], *, query: bytes = b""
    ) -> Answer | None:
        return self.run(self.calling(method, path, headers, chunks, query=query))

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    async def calling(
        self, method: str, path: str, headers: Pairs, chunks: Iterable[bytes], *, query: bytes = b""
    ) -> Answer | None:
        sent: list[dict[str, Any]] = []
        messages = _messages(chunks)
        all_sent: list[bool] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(self.pause)
            message = next(messages, None)
            if message is None and self.reads_first and all_sent:
                await asyncio.Event().wait()
            all_sent.extend([True] * (message is not None and not message["more_body"]))
            return message or {"type": "http.disconnect"}

        await self.app(scope(method, path, headers, query), receive, send)
        self.unread = sum(1 for _ in messages)
        if not sent:
            return None
        start, *bodies = sent
        shown = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], shown, b"".join(one.get("body", b"") for one in bodies))

    def close(self) -> None:
        runtime = self.hooks._runtime
        if runtime is not None and runtime.alive:
            self.run(runtime.drain())
            runtime.close()
        self.loop.close()


def _messages(chunks: Iterable[bytes]) -> Any:
    """The messages of a body; one that ends in None is cut off by the client."""
    whole = list(chunks)
    for position, chunk in enumerate(whole):
        if chunk is None:
            return
        yield {"type": "http.request", "body": chunk, "more_body": position < len(whole) - 1}


def scope(method: str, path: str, headers: Pairs, query: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(name.lower(), value) for name, value in headers],
        "server": ("example.org", 443),
        "client": ("192.0.2.1", 1234),
    }


class WsgiCaller:
    """Calls a WSGI app as gunicorn does: joins headers of one name by a comma, drops names with underscores."""

    def __init__(self, hooks: Hookcatch, app: Any = None, prefix: str = "") -> None:
        self.hooks, self.app, self.prefix = hooks, app or hooks.wsgi, prefix
        self.lacks: frozenset[Lack] = frozenset({"twins"})
        self.unread = 0
        self.terminated = True

    def call(
        self, method: str, path: str, headers: Pairs, chunks: Iterable[bytes], *, query: bytes = b""
    ) -> Answer | None:
        body = Input([chunk for chunk in chunks if chunk is not None])
        environ = self.environ(method, path, headers, query, body)
        started: list[tuple[str, list[tuple[str, str]]]] = []
        answer = self.app(environ, lambda status, headers, *_: started.append((status, headers)))
        content = b"".join(answer)
        self.unread = body.unread()
        ((status, pairs),) = started
        return Answer(int(status.split()[0]), {name.lower(): value for name, value in pairs}, content)

    def environ(self, method: str, path: str, headers: Pairs, query: bytes, body: Any) -> dict[str, Any]:
        made: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path.encode().decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "SERVER_NAME": "example.org",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            "wsgi.url_scheme": "https",
            "wsgi.input": body,
            "wsgi.input_terminated": self.terminated,
            "wsgi.errors": io.StringIO(),
        }
        for name, value in headers:
            if b"_" in name:
                continue
            key = name.decode().upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            text = value.decode("latin-1")
            made[key] = f"{made[key]},{text}" if key in made else text
        return made

    def close(self) -> None:
        if self.hooks._runtime is not None:
            self.hooks._runtime.close()


class Input:
    """A body that arrives chunk by chunk: a read gives no more than one."""

    def __init__(self, chunks: Sequence[bytes], before: Callable[[], None] = lambda: None) -> None:
        self._chunks = [chunk for chunk in chunks if chunk]
        self._before = before

    def read(self, size: int = -1) -> bytes:
        self._before()
        if not self._chunks:
            return b""
        first = self._chunks.pop(0)
        if 0 <= size < len(first):
            self._chunks.insert(0, first[size:])
            return first[:size]
        return first

    readline = read  # PEP 3333 has it, and Django looks

    def unread(self) -> int:
        return len(self._chunks)


async def _behind(request: StarletteRequest) -> PlainTextResponse:
    return PlainTextResponse(f"behind {request.method} {len(await request.body())}")


def asgi_app(hooks: Hookcatch) -> AsgiCaller:
    return AsgiCaller(hooks)


def asgi_middleware(hooks: Hookcatch) -> AsgiCaller:
    behind = Starlette(routes=[Route("/app", _behind, methods=["POST", "GET"])])
    return AsgiCaller(hooks, asgi.WebhookMiddleware(behind, hooks, prefix="/hooks"), "/hooks")


def wsgi_app(hooks: Hookcatch) -> WsgiCaller:
    return WsgiCaller(hooks)


def wsgi_middleware(hooks: Hookcatch) -> WsgiCaller:
    def behind(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        found = environ["PATH_INFO"] == "/app"
        start_response("200 OK" if found else "404 Not Found", [("content-type", "text/plain")])
        text = f"behind {environ['REQUEST_METHOD']} {len(environ['wsgi.input'].read())}"
        return [text.encode() if found else b"Not Found"]

    return WsgiCaller(hooks, wsgi.WebhookMiddleware(behind, hooks, prefix="/hooks"), "/hooks")


def _in_project(hooks: Hookcatch) -> Callable[[], None]:
    """Put it in the place of the one that the settings describe; answers how to take it back."""
    django_project.set_up()
    from django.apps import apps

    config = apps.get_app_config("hookcatch")
    config.__dict__["hooks"] = hooks
    return lambda: config.__dict__.pop("hooks", None)


class DjangoCaller(WsgiCaller):
    """The view of a Django project under WSGI, behind the usual middleware."""

    def __init__(self, hooks: Hookcatch) -> None:
        self._restore = _in_project(hooks)
        from django.core.handlers.wsgi import WSGIHandler

        hooks.build(blocking=True)
        super().__init__(hooks, WSGIHandler(), "/hooks")

    def close(self) -> None:
        super().close()
        self._restore()


class DjangoAsyncCaller(AsgiCaller):
    """The async view under ASGI. Django reads a body before anything of the project runs."""

    def __init__(self, hooks: Hookcatch) -> None:
        self._restore = _in_project(hooks)
        from django.core.handlers.asgi import ASGIHandler

        super().__init__(hooks, ASGIHandler(), "/async")
        self.reads_first = True
        self.lacks = frozenset({"unread", "pause"})

    def close(self) -> None:
        super().close()
        self._restore()


EDGES: dict[str, Callable[[Hookcatch], Edge]] = {
    "asgi-app": asgi_app,
    "asgi-middleware": asgi_middleware,
    "wsgi-app": wsgi_app,
    "wsgi-middleware": wsgi_middleware,
    "django": DjangoCaller,
    "django-async": DjangoAsyncCaller,
}
