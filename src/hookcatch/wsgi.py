"""WSGI: an app, and a middleware that takes the webhooks' paths and passes everything else through untouched."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from .core.admission import READ_DEADLINE, admit, check_length
from .core.answers import come_back, phrase, refuse
from .core.bridge import step
from .core.endpoint import Endpoint
from .core.errors import Rejected
from .core.flow import receive, turn_away
from .core.wire import Request, Response
from .runtime import Hooks

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]

BLOCK = 64 << 10

HELD = "hookcatch.body"
"""Where `hold` puts the bytes of the wire."""


def serve(hooks: Hooks, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The whole WSGI app: webhooks, and 404 for any other path."""
    endpoint = hooks.match(_path(environ))
    response = refuse(Rejected("not_found")) if endpoint is None else take(hooks, endpoint, environ)
    return _answer(response, start_response)


class WebhookMiddleware:
    """In front of an app: requests to the configured paths are ours, all others are not looked at.

    Args:
        app: the app behind.
        hooks: the Hookcatch whose sources are served.
        prefix: where its paths begin: `"/hooks"` serves the source `shop` at `/hooks/shop`.
    """

    def __init__(self, app: WSGIApp, hooks: Hooks, prefix: str = "") -> None:
        self.app = app
        self.hooks = hooks
        self.prefix: str = ("/" + prefix.strip("/")).rstrip("/")
        hooks.build(blocking=True)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = _path(environ)
        endpoint = self.hooks.match(path[len(self.prefix) :]) if path.startswith(self.prefix) else None
        if endpoint is None:
            return self.app(environ, start_response)
        return _answer(take(self.hooks, endpoint, environ), start_response)


def take(hooks: Hooks, endpoint: Endpoint, environ: Environ) -> Response:
    """Answer one request to a webhook's path."""
    runtime = hooks.runtime()
    ports = runtime.blocking()
    request = head_of(environ, endpoint)
    if not runtime.enter():
        return come_back()
    try:
        promised = admit(request, endpoint, environ.get("REMOTE_ADDR", ""))
        body = _read(environ, promised, endpoint.policy.max_body)
        request = request.with_body(body)
        check_length(promised, body)
        return step(receive(request, endpoint, runtime.app, ports))
    except Rejected as why:
        return turn_away(why, request, endpoint, ports)
    finally:
        runtime.leave()


def hold(endpoint: Endpoint, environ: Environ) -> None:
    """Read the body before anybody else does, and let all who ask later read it again: forms, hooks, and `take`.

    Raises Rejected, as `take` would."""
    promised = admit(head_of(environ, endpoint), endpoint, environ.get("REMOTE_ADDR", ""))
    body = _read(environ, promised, endpoint.policy.max_body)
    check_length(promised, body)
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ[HELD] = body


def _path(environ: Environ) -> str:
    """PEP 3333 hands over bytes, one a character."""
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode("utf-8", "replace")


def head_of(environ: Environ, endpoint: Endpoint) -> Request:
    """A request without its body."""
    url = endpoint.called(environ.get("QUERY_STRING", ""))
    headers = [
        (_name(key), value.encode("latin-1")) for key, value in environ.items() if key.startswith("HTTP_")
    ]
    for name, key in ((b"content-type", "CONTENT_TYPE"), (b"content-length", "CONTENT_LENGTH")):
        if environ.get(key):
            headers.append((name, environ[key].encode("latin-1")))
    return Request.from_wire(environ["REQUEST_METHOD"], url, headers)


@lru_cache(256)
def _name(key: str) -> bytes:
    """A header's name, from its key in the environ."""
    return key[5:].replace("_", "-").lower().encode("latin-1")


def _read(environ: Environ, promised: int | None, limit: int) -> bytes:
    """The whole body, by count.

    Without a length it can be read to its end only where the server marks that end; PEP 3333 does not ask
    it to. A single read cannot be interrupted: the server's own timeout bounds it.
    """
    if HELD in environ:
        return bytes(environ[HELD])
    if promised is None:
        if not environ.get("wsgi.input_terminated"):
            if "HTTP_TRANSFER_ENCODING" in environ:
                raise Rejected("length_required", "this server does not mark where a chunked body ends")
            return b""
        promised = limit + 1
    deadline = time.monotonic() + READ_DEADLINE
    chunks: list[bytes] = []
    size = 0
    while size < promised:
        chunk: bytes = environ["wsgi.input"].read(min(BLOCK, promised - size))
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
        if time.monotonic() > deadline:
            raise Rejected("slow_body", f"not whole after {READ_DEADLINE:g} s")
    if size > limit:
        raise Rejected("body_too_large", f"more than {limit} bytes")
    return b"".join(chunks)


def _answer(response: Response, start_response: StartResponse) -> Iterable[bytes]:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
    headers.append(("content-length", str(len(response.body))))
    start_response(f"{response.status} {phrase(response.status)}", headers)
    return [response.body]
