"""The same callers, with a framework around the webhooks."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus

import fastapi
import flask
import functions_framework
import litestar
import quart
import sanic
import tornado.web
from aiohttp import web
from lab.processes import free_port
from litestar.handlers import asgi as litestar_asgi
from starlette.applications import Starlette
from starlette.routing import Mount

import hookcatch.aiohttp
import hookcatch.fastapi
import hookcatch.flask
import hookcatch.sanic
import hookcatch.tornado
from hookcatch import Hookcatch, asgi
from hookcatch.aws_lambda import lambda_handler
from hookcatch.google_functions import http_function
from support.edges import EDGES, Answer, AsgiCaller, Edge, Lack, Pairs, WsgiCaller

PREFIX = "/hooks"


def in_flask(hooks: Hookcatch) -> WsgiCaller:
    app = flask.Flask(__name__)
    hookcatch.flask.mount(app, hooks, PREFIX)
    made = WsgiCaller(hooks, app, PREFIX)
    made.lacks |= {"head bodies"}
    return made


def in_fastapi(hooks: Hookcatch, **options: Any) -> AsgiCaller:
    app = fastapi.FastAPI(**options)
    app.include_router(hookcatch.fastapi.router(hooks, PREFIX))
    return AsgiCaller(hooks, app, PREFIX)


def in_starlette(hooks: Hookcatch, **options: Any) -> AsgiCaller:
    made = AsgiCaller(hooks, Starlette(routes=[Mount(PREFIX, hooks)], **options), PREFIX)
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


class LambdaCaller:
    """Calls a Lambda function as API Gateway, a load balancer or a function URL does: with all of the body."""

    def __init__(self, hooks: Hookcatch, form: str, base64: bool) -> None:
        self.hooks, self.prefix, self.form, self.base64 = hooks, PREFIX, form, base64
        self.handler = lambda_handler(hooks, PREFIX)
        of_form: dict[str, set[Lack]] = {"v1": set(), "v2": {"twins"}, "alb": {"peer"}}
        self.lacks: frozenset[Lack] = frozenset({"unread", "pause"} | of_form[form])

    def call(
        self, method: str, path: str, headers: Pairs, chunks: Iterable[bytes], *, query: bytes = b""
    ) -> Answer | None:
        return lambda_answer(
            self.handler(lambda_event(self, method, path, headers, b"".join(chunks), query), None)
        )

    def close(self) -> None:
        if self.hooks._runtime is not None:
            self.hooks._runtime.close()


def lambda_event(
    caller: LambdaCaller, method: str, path: str, headers: Pairs, body: bytes, query: bytes
) -> dict[str, Any]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html (v1, v2)
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html"""
    try:
        text, encoded = (base64.b64encode(body).decode(), True) if caller.base64 else (body.decode(), False)
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(body).decode(), True
    pairs = [(name.decode(), value.decode("latin-1")) for name, value in headers]
    made: dict[str, Any] = {"body": text or None, "isBase64Encoded": encoded}
    if caller.form == "v2":
        joined: dict[str, str] = {}
        for name, value in pairs:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        http = {"method": method, "path": path, "sourceIp": "192.0.2.1"}
        return {
            **made, "version": "2.0", "rawPath": path, "rawQueryString": query.decode(), "headers": joined,
            "requestContext": {"http": http},
        }  # fmt: skip
    many: dict[str, list[str]] = {}
    for name, value in pairs:
        many.setdefault(name, []).append(value)
    asked = parse_qs(query.decode(), keep_blank_values=True)
    if caller.form == "alb":
        asked = {key: [quote_plus(value) for value in values] for key, values in asked.items()}
    return {
        **made, "httpMethod": method, "path": path, "multiValueHeaders": many,
        "headers": {name: values[-1] for name, values in many.items()},
        "multiValueQueryStringParameters": asked or None,
        "queryStringParameters": {key: values[-1] for key, values in asked.items()} or None,
        "requestContext": {"elb": {}} if caller.form == "alb" else {"identity": {"sourceIp": "192.0.2.1"}},
    }  # fmt: skip


def lambda_answer(told: dict[str, Any]) -> Answer:
    many = told.get("multiValueHeaders", {})
    headers = told.get("headers", {name: values[0] for name, values in many.items()})
    body = base64.b64decode(told["body"]) if told["isBase64Encoded"] else told["body"].encode()
    return Answer(told["statusCode"], {**headers, "content-length": str(len(body))}, body)


class SocketCaller:
    """Sends bytes to a server that runs in an event loop of the caller's, and reads what comes back."""

    def __init__(
        self, hooks: Hookcatch, start: Callable[[int], Awaitable[Callable[[], Awaitable[None]]]]
    ) -> None:
        self.hooks, self.prefix = hooks, PREFIX
        self.lacks: frozenset[Lack] = frozenset({"unread", "pause", "lengths", "heads", "head bodies"})
        self.loop = asyncio.new_event_loop()
        self.port = free_port()
        self.stop = self.loop.run_until_complete(start(self.port))

    def call(
        self, method: str, path: str, headers: Pairs, chunks: Iterable[bytes], *, query: bytes = b""
    ) -> Answer | None:
        head = {name for name, _ in headers}
        target = quote(path, safe="/%") + (f"?{query.decode()}" if query else "")
        lines = [f"{method} {target} HTTP/1.1".encode(), *([] if b"host" in head else [b"host: example.org"])]
        lines += [b"%b: %b" % pair for pair in headers]
        parts = [chunk for chunk in chunks if chunk]
        if not {b"content-length", b"transfer-encoding"} & head:
            lines.append(b"transfer-encoding: chunked")
            head = head | {b"transfer-encoding"}
        if b"transfer-encoding" in head:
            parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in parts] + [b"0\r\n\r\n"]
        lines += [b"connection: close", b"", b""]
        promised = dict(headers).get(b"content-length", b"0")
        is_short = promised.isdigit() and int(promised) > sum(map(len, parts))
        return self.loop.run_until_complete(self._send(b"\r\n".join(lines), parts, is_short=is_short))

    async def _send(self, head: bytes, parts: list[bytes], *, is_short: bool) -> Answer | None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(head)
            with suppress(ConnectionError):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
            reading = asyncio.ensure_future(reader.read())
            if is_short and not (await asyncio.wait([reading], timeout=0.3))[0]:
                writer.write_eof()
            async with asyncio.timeout(20):
                return _parsed(await reading)
        except ConnectionError:
            return None
        finally:
            writer.close()

    def close(self) -> None:
        self.loop.run_until_complete(self.stop())
        if self.hooks._runtime is not None and self.hooks._runtime.alive:
            self.loop.run_until_complete(self.hooks._runtime.drain())
            self.hooks._runtime.close()
        self.loop.close()


def _parsed(answer: bytes) -> Answer | None:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        return None
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    headers.pop("date", None)  # the server's own, and another one each second
    return Answer(int(status.split()[1]), headers, body)


def in_aiohttp(hooks: Hookcatch, **options: Any) -> SocketCaller:
    async def start(port: int) -> Callable[[], Awaitable[None]]:
        app = web.Application(**options)
        hookcatch.aiohttp.setup(app, hooks, PREFIX)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner.cleanup

    return SocketCaller(hooks, start)


def in_sanic(hooks: Hookcatch, prepare: Callable[[Any], Any] = lambda app: None) -> SocketCaller:
    async def start(port: int) -> Callable[[], Awaitable[None]]:
        app = sanic.Sanic(f"shop_{port}", configure_logging=False)
        app.config.TOUCHUP = False  # it rewrites its own code, once a process
        prepare(app)
        hookcatch.sanic.setup(app, hooks, PREFIX)
        server = await app.create_server("127.0.0.1", port, access_log=False)
        assert server is not None
        await server.startup()
        await server.before_start()
        await server.start_serving()

        async def stop() -> None:
            await server.close()
            await server.after_stop()
            sanic.Sanic.unregister_app(app)

        return stop

    return SocketCaller(hooks, start)


def in_tornado(hooks: Hookcatch, **settings: Any) -> SocketCaller:
    async def start(port: int) -> Callable[[], Awaitable[None]]:
        app = tornado.web.Application(**settings)
        hookcatch.tornado.setup(app, hooks, PREFIX)
        server = app.listen(port, "127.0.0.1")

        async def stop() -> None:
            server.stop()
            await server.close_all_connections()

        return stop

    return SocketCaller(hooks, start)


def in_google_functions(hooks: Hookcatch) -> WsgiCaller:
    place = Path(__file__).parent / "google_function.py"
    app = functions_framework.create_app("webhooks", str(place), "http")
    app.view_functions["run"] = lambda path: function(flask.request._get_current_object())
    function = http_function(hooks, PREFIX)
    made = WsgiCaller(hooks, app, PREFIX)
    made.lacks |= {"head bodies", "exact paths", "unread"}  # it reads the rest, after the answer
    return made


def in_lambda(form: str, *, encoded: bool) -> Callable[[Hookcatch], Edge]:
    return lambda hooks: LambdaCaller(hooks, form, encoded)


FRAMEWORKS: dict[str, Callable[[Hookcatch], Edge]] = {
    "flask": in_flask,
    "fastapi": in_fastapi,
    "starlette-mount": in_starlette,
    "quart-middleware": before_quart,
    "litestar-mount": in_litestar,
    "lambda-v1": in_lambda("v1", encoded=False),
    "lambda-v2-base64": in_lambda("v2", encoded=True),
    "lambda-alb": in_lambda("alb", encoded=False),
    "google-functions": in_google_functions,
    "aiohttp": in_aiohttp,
    "sanic": in_sanic,
    "tornado": in_tornado,
}
ALL = {**EDGES, **FRAMEWORKS}
