"""Tornado: a handler that takes bodies as they come. Tornado has no start of its own: `running` is one."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from urllib.parse import unquote

from . import asgi
from .app import Hookcatch
from .asgi import running as running
from .core.answers import refuse
from .core.errors import MissingExtra, Rejected
from .core.wire import Response

try:
    from tornado import web
    from tornado.httputil import HTTPServerRequest
except ModuleNotFoundError:
    raise MissingExtra("tornado", "tornado") from None


def setup(app: web.Application, hooks: Hookcatch, prefix: str = "/hooks") -> None:
    """Serve all sources in an app. Everything is checked here.

    The worker starts with the first request. Around your server it starts and ends with that:
    `async with running(hooks): ...`.

    Raises:
        ConfigurationError: with what to change.
    """
    hooks.build()
    start = ("/" + prefix.strip("/")).rstrip("/")
    app.add_handlers(".*", [(f"{re.escape(start)}(?:/.*)?", Receiver, {"hooks": hooks, "start": start})])


LINGER = 1.0
"""Seconds in which a body that nobody wants any more is thrown away. Tornado ends the connection after an early
answer, and a client that still sends would then never see it."""


@web.stream_request_body
class Receiver(web.RequestHandler):
    """The webhooks' paths. The answer is made beside the arriving body, for it may come before the body's end."""

    def initialize(self, hooks: Hookcatch, start: str) -> None:
        self._hooks, self._start = hooks, start
        self._messages: asyncio.Queue[asgi.Message] = asyncio.Queue()
        self._is_read = False
        self._end = asyncio.Event()
        self._auto_finish = False

    def prepare(self) -> None:
        self._answering = asyncio.ensure_future(self._answer())

    async def data_received(self, chunk: bytes) -> None:
        if not self._is_read:
            self._messages.put_nowait({"type": "http.request", "body": chunk, "more_body": True})
        await asyncio.sleep(0)  # who has enough can say so before the next

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._messages.put_nowait({"type": "http.disconnect"})
        self._end.set()

    async def post(self) -> None:
        self._messages.put_nowait({"type": "http.request"})
        self._end.set()
        await self._answering

    get = head = put = delete = patch = options = post

    async def _answer(self) -> None:
        endpoint = self._hooks.match(unquote(self.request.path)[len(self._start) :])
        if endpoint is None:
            answered: Response | None = refuse(Rejected("not_found"))
        else:
            answered = await asgi.answer(self._hooks, endpoint, _scope(self.request), self._messages.get)
        self._is_read = True
        if answered is not None:
            await self._send(answered)

    async def _send(self, answered: Response) -> None:
        self.set_status(answered.status)
        self.clear_header("content-type")
        for name, value in answered.headers:
            self.add_header(name.decode("latin-1"), value.decode("latin-1"))
        if answered.body:
            self.set_header("content-length", len(answered.body))
            self.write(answered.body)
        if not self._end.is_set():
            self.flush()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), LINGER)
        self.finish()

    def check_xsrf_cookie(self) -> None:
        """A sender has no session, and signs."""

    def check_trusted_origin(self, origin: str) -> bool:
        return True

    def compute_etag(self) -> None:
        """None: a handshake is answered whatever the sender says it knows."""


def _scope(request: HTTPServerRequest) -> asgi.Scope:
    return {
        "method": request.method,
        "query_string": request.query.encode("latin-1"),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in request.headers.get_all()
        ],
        "client": (request.remote_ip,),
    }
