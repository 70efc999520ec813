"""One receiver behind many doors, each broken in its own way: the first part of the path says which.

`asgi` is served by uvicorn, `wsgi` by gunicorn.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hookcatch import Hookcatch
from hookcatch.providers import provider
from hookcatch.providers.body import of_body
from support.senders import ed25519, text, whsec

PLACE = Path(os.environ["E2E_PLACE"])
MAX_BODY = 100_000
LIMIT = 20_000
LATE = 4000
UNDERSCORED = replace(provider("github"), name="underscored", scheme=of_body("x_shop_signature"))
HASTY = replace(provider("github"), name="hasty", facts=replace(provider("github").facts, ack_deadline=0.05))


def receiver(**options: Any) -> Hookcatch:
    hooks = Hookcatch(f"sqlite:///{PLACE}/inbox.db?disk_floor=0&ballast=0", **options)
    hooks.source("shop", "standard_webhooks", whsec(0), max_body=MAX_BODY)
    hooks.source(
        "till", "square", text(0), max_body=MAX_BODY, public_url="https://till.example.com/hooks/till"
    )
    hooks.source("chat", "discord", ed25519(0)[32:].hex(), max_body=MAX_BODY)
    hooks.source("under", UNDERSCORED, text(0), max_body=MAX_BODY)
    hooks.source("hasty", HASTY, text(0), max_body=MAX_BODY)
    hooks.source("once", "sinch", text(0), max_body=MAX_BODY)
    return hooks


hooks = receiver()
late = receiver(clock=lambda: time.time() - LATE)
stranger = Hookcatch(f"sqlite:///{PLACE}/inbox.db?disk_floor=0&ballast=0")
stranger.source("shop", "standard_webhooks", whsec(1))

# ASGI

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Door = Callable[[Scope, Receive, Send], Awaitable[None]]


def head(scope: Scope, name: bytes) -> bytes:
    return dict(scope["headers"]).get(name, b"")


def saying(status: int, *headers: tuple[str, str], body: bytes = b"") -> Door:
    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        pairs = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    return door


async def whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def with_body(change: Callable[[bytes], bytes], *without: bytes) -> Door:
    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        body = change(await whole(receive))
        drop = {b"content-length", *without}
        kept = [pair for pair in scope["headers"] if pair[0] not in drop]
        changed = {**scope, "headers": [*kept, (b"content-length", str(len(body)).encode())]}

        async def again() -> Any:
            return {"type": "http.request", "body": body}

        await hooks(changed, again, send)

    return door


def with_headers(change: Callable[[bytes], bytes | None]) -> Door:
    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        renamed = [(change(name), value) for name, value in scope["headers"]]
        await hooks({**scope, "headers": [pair for pair in renamed if pair[0]]}, receive, send)

    return door


def when(condition: Callable[[Scope], bool], other: Door, usual: Door = hooks) -> Door:
    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        await (other if condition(scope) else usual)(scope, receive, send)

    return door


def eaten(body: bytes) -> bytes:
    return b""


def rewritten(body: bytes) -> bytes:
    try:
        return json.dumps(json.loads(body)).encode()
    except ValueError:
        return body


def unpacked(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


async def slashed(scope: Scope, receive: Receive, send: Send) -> None:
    where = f"http://{head(scope, b'host').decode()}{scope['whole']}/"
    await saying(301, ("location", where))(scope, receive, send)


async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    where = f"https://{head(scope, b'host').decode()}{scope['whole']}"
    await saying(308, ("location", where))(scope, receive, send)


async def accepted(scope: Scope, receive: Receive, send: Send) -> None:
    async def sending(message: Any) -> None:
        await send({**message, "status": 202} if message.get("status") == 200 else message)

    await hooks(scope, receive, sending)


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0.2)
    await hooks(scope, receive, send)


async def unasked(scope: Scope, receive: Receive, send: Send) -> None:
    await hooks({**scope, "query_string": b""}, receive, send)


def is_form(scope: Scope) -> bool:
    return head(scope, b"content-type").endswith(b"urlencoded")


def is_large(scope: Scope) -> bool:
    return int(head(scope, b"content-length") or b"0") > LIMIT


ERROR = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
CSRF = b"<html><h1>Forbidden</h1><p>CSRF verification failed. Request aborted.</p></html>"

DOORS: dict[str, Door] = {
    "straight": hooks,
    "eater": with_body(eaten),
    "rewriter": with_body(rewritten),
    "unpacker": with_body(unpacked, b"content-encoding"),
    "labelless": with_headers(lambda name: None if name == b"content-encoding" else name),
    "slash": slashed,
    "elsewhere": elsewhere,
    "login": saying(302, ("location", "/accounts/login?next=/hooks/shop")),
    "wall": saying(401, ("www-authenticate", 'Basic realm="staging"'), body=b"<h1>Unauthorized</h1>"),
    "csrf": saying(403, ("content-type", "text/html"), body=CSRF),
    "firewall": saying(403, body=b"blocked"),
    "nothing": saying(404, body=b"<h1>Not Found</h1>"),
    "getonly": saying(405, ("allow", "GET")),
    "upstream": saying(502, ("server", "a-proxy"), body=ERROR),
    "yes": saying(200, body=b"OK"),
    "renamer": with_headers(lambda name: name.replace(b"webhook-", b"http_webhook_")),
    "dropper": with_headers(lambda name: None if name == b"webhook-signature" else name),
    "deaf": with_headers(lambda name: None if name == b"x-hookcatch-probe" else name),
    "limit": when(is_large, saying(413, ("server", "a-proxy"), body=b"too large")),
    "validator": when(is_form, saying(400, body=b'{"error": "JSON only"}')),
    "unchunked": when(lambda scope: not head(scope, b"content-length"), saying(411)),
    "accepted": accepted,
    "slow": slow,
    "unasked": unasked,
    "late": late,
    "stranger": stranger,
}


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        return await hooks(scope, receive, send)
    _, name, rest = scope["path"].split("/", 2)
    below = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode(), "whole": scope["path"]}
    return await DOORS[name](below, receive, send)


# WSGI

Environ = dict[str, Any]
Start = Callable[..., Any]


def wsgi_eater(environ: Environ, start: Start) -> Iterable[bytes]:
    """Reads the form, as a framework does that looks for a CSRF token."""
    environ["wsgi.input"].read()
    return hooks.wsgi({**environ, "CONTENT_LENGTH": "0"}, start)


def wsgi_rewriter(environ: Environ, start: Start) -> Iterable[bytes]:
    body = rewritten(environ["wsgi.input"].read())
    return hooks.wsgi({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}, start)


def wsgi_csrf(environ: Environ, start: Start) -> Iterable[bytes]:
    environ["wsgi.input"].read()
    start("403 Forbidden", [("content-type", "text/html")])
    return [CSRF]


def wsgi_yes(environ: Environ, start: Start) -> Iterable[bytes]:
    """Lets the receiver answer, and says yes whatever it said."""
    return hooks.wsgi(environ, lambda status, headers, *_: start("200 OK", headers))


def wsgi_limit(environ: Environ, start: Start) -> Iterable[bytes]:
    if int(environ.get("CONTENT_LENGTH") or 0) > LIMIT:
        start("413 Content Too Large", [])
        return [b""]
    return hooks.wsgi(environ, start)


WSGI_DOORS = {
    "eater": wsgi_eater,
    "rewriter": wsgi_rewriter,
    "csrf": wsgi_csrf,
    "yes": wsgi_yes,
    "limit": wsgi_limit,
}


def wsgi(environ: Environ, start: Start) -> Iterable[bytes]:
    _, name, rest = environ["PATH_INFO"].split("/", 2)
    below = {**environ, "PATH_INFO": f"/{rest}"}
    return (hooks.wsgi if name == "straight" else WSGI_DOORS[name])(below, start)
