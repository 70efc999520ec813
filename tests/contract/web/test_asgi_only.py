"""What only ASGI has: lifespan, websockets, streams, clients that go, and frameworks around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from hookcatch import ConfigurationError, Event, Hookcatch, Request
from hookcatch.asgi import MAX_CHUNKS, WebhookMiddleware
from hookcatch.core.ports import Query
from support.edges import AsgiCaller, post, scope, wait_until
from support.senders import whsec
from support.world import Clock


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "hookcatch")


def letter(hooks: Hookcatch, id: str = "msg_1") -> Request:
    return hooks.sources["shop"].sign("order.created", {}, id=id)


def working(clock: Any = None) -> Hookcatch:
    hooks = Hookcatch("memory:", clock=clock or Clock())
    hooks.source("shop", "standard_webhooks", whsec(0))
    return hooks


@pytest.fixture
def caller(hooks: Hookcatch) -> Iterator[AsgiCaller]:
    made = AsgiCaller(hooks)
    yield made
    made.close()


def headers(request: Request) -> list[tuple[bytes, bytes]]:
    return [*request.headers, (b"content-length", str(len(request.body)).encode())]


# the client


def test_a_client_that_goes_before_its_body_is_whole_leaves_nothing_and_may_still_listen(
    caller: AsgiCaller, hooks: Hookcatch
):
    """Granian says 500 in the place of an app that says nothing."""
    request = letter(hooks)
    answer: Any = caller.call("POST", "/shop", headers(request), [request.body[:5], None])
    assert answer.status == 400
    assert hooks.inbox().counts() == {}
    assert post(caller, request).status == 200


def test_a_server_that_knows_that_the_client_is_gone_may_say_so(caller: AsgiCaller, hooks: Hookcatch):
    """https://asgi.readthedocs.io/en/latest/specs/www.html#disconnected-client-send-exception"""

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise OSError("the client is gone")

    request = letter(hooks)
    caller.run(caller.app(scope("POST", "/shop", headers(request), b""), receive, send))
    assert hooks.inbox().counts() == {}


def test_a_body_in_crumbs_is_refused(caller: AsgiCaller, hooks: Hookcatch):
    request = letter(hooks)
    answer = post(caller, request, headers=request.headers, chunks=[b""] * (MAX_CHUNKS + 1))
    assert answer.status == 408


def test_a_request_that_is_cancelled_while_its_body_is_read_leaves_nothing(
    caller: AsgiCaller, hooks: Hookcatch
):
    request = letter(hooks)
    caller.pause = 5.0

    async def story() -> None:
        task = asyncio.ensure_future(caller.calling("POST", "/shop", headers(request), [request.body]))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    caller.run(story())
    caller.pause = 0.0
    assert hooks.inbox().counts() == {}
    assert post(caller, request).status == 200


def test_a_cancelled_request_never_cancels_its_commit(caller: AsgiCaller, hooks: Hookcatch):
    request = letter(hooks)
    inbox, started = hooks.inbox(), []
    accept = inbox.accept

    def slow(*args: Any, **kwargs: Any) -> Any:
        from concurrent.futures import Future

        answer: Future[Any] = Future()
        started.append((answer, args, kwargs))
        return answer

    async def story() -> None:
        task = asyncio.ensure_future(caller.calling("POST", "/shop", headers(request), [request.body]))
        while not started:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ((answer, args, kwargs),) = started
        assert not answer.cancelled()
        answer.set_result(accept(*args, **kwargs).result())

    inbox.accept = slow
    caller.run(story())
    inbox.accept = accept
    assert post(caller, request).status == 200
    assert hooks.inbox().find(Query())[0].duplicates == 1


def test_a_websocket_is_none_of_its_business(caller: AsgiCaller):
    with pytest.raises(NotImplementedError, match="not websocket"):
        caller.run(caller.app({"type": "websocket", "path": "/shop"}, None, None))


# the framework behind


async def upload(request: StarletteRequest) -> JSONResponse:
    return JSONResponse([request.url.path, len(await request.body()), request.headers.get("x-a")])


async def stream(request: StarletteRequest) -> StreamingResponse:
    chunks = [chunk async for chunk in request.stream()]

    async def parts() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk[::-1]

    return StreamingResponse(parts())


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text((await socket.receive_text()).upper())
    await socket.close()


def behind(**options: Any) -> Starlette:
    return Starlette(
        routes=[
            Route("/upload", upload, methods=["GET", "POST"]),
            Route("/stream", stream, methods=["POST"]),
            WebSocketRoute("/echo", echo),
        ],
        **options,
    )


def test_what_is_not_ours_reaches_the_app_behind_with_its_own_channels_unread(hooks: Hookcatch):
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        raise AssertionError

    front = WebhookMiddleware(app, hooks, "/hooks")
    for kind in ("http", "websocket", "something.new"):
        scope = {"type": kind, "path": "/hooks/other", "root_path": ""}
        asyncio.run(front(scope, receive, send))
        assert seen.pop() == (scope, receive, send)
    assert hooks._runtime is None


@pytest.mark.parametrize("prefix", ["hooks", "/hooks", "/hooks/", "hooks/"])
def test_the_prefix_may_be_written_with_slashes_or_without(hooks: Hookcatch, prefix: str):
    caller = AsgiCaller(hooks, WebhookMiddleware(behind(), hooks, prefix), "/hooks")
    assert post(caller, letter(hooks)).status == 200
    caller.close()


@pytest.mark.parametrize("prefix", ["", "/"])
def test_without_a_prefix_the_sources_stand_at_the_root(hooks: Hookcatch, prefix: str):
    caller = AsgiCaller(hooks, WebhookMiddleware(behind(), hooks, prefix))
    assert post(caller, letter(hooks)).status == 200
    assert post(caller, letter(hooks), path="/upload").status == 200
    caller.close()


def test_uploads_streams_and_websockets_pass_through_a_middleware_of_a_framework():
    hooks = working()
    handled = []
    hooks.on("*")(lambda: handled.append(1))
    app = behind(middleware=[Middleware(WebhookMiddleware, hooks=hooks, prefix="/hooks")])
    with TestClient(app) as client:
        big = b"x" * (3 << 20)
        assert client.post("/upload", content=big, headers={"x-a": "1"}).json() == ["/upload", len(big), "1"]
        assert client.post("/stream", content=iter([b"abc", b"def"])).text == "fedcba"
        assert client.get("/upload").json() == ["/upload", 0, None]
        with client.websocket_connect("/echo") as socket:
            socket.send_text("hi")
            assert socket.receive_text() == "HI"
        assert client.post("/nowhere").status_code == 404
        request = letter(hooks)
        answer = client.post("/hooks/shop", content=request.body, headers=list(request.headers))
        assert (answer.status_code, answer.text) == (200, "ok\n")
    assert handled == [1]


# where it is mounted


async def deliver(app: Any, url: str, request: Request) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://example.org") as client:
        return await client.post(url, content=request.body, headers=list(request.headers))


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def test_mounted_inside_another_app_it_gets_no_lifespan_and_still_works_on_events():
    hooks, handled = working(), []
    hooks.on("*")(lambda: handled.append(1))

    async def story() -> None:
        app = Starlette(routes=[Mount("/in", app=hooks)])
        assert (await deliver(app, "/in/shop", letter(hooks))).status_code == 200
        assert (await deliver(app, "/in/other", letter(hooks))).status_code == 404
        await until(lambda: handled)

    asyncio.run(story())
    hooks.runtime().close()
    assert handled == [1]


def test_a_root_path_is_taken_off_whether_or_not_the_path_has_it(caller: AsgiCaller, hooks: Hookcatch):
    async def call(path: str, root: str) -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        scope = {"type": "http", "method": "GET", "path": path, "root_path": root, "headers": []}
        await hooks(scope, receive, send)
        return sent[0]["status"]

    assert caller.run(call("/api/shop", "/api")) == 405
    assert caller.run(call("/shop", "/api")) == 405
    assert caller.run(call("/apishop", "/api")) == 404


# lifespan


def test_with_a_lifespan_the_worker_starts_with_the_server_and_what_runs_ends_with_it():
    hooks, order = working(), []

    @hooks.on("*")
    async def handler(event: Event) -> None:
        order.append("started")
        await asyncio.sleep(0.02)
        order.append("done")

    with TestClient(hooks) as client:
        request = letter(hooks)
        assert client.post("/shop", content=request.body, headers=list(request.headers)).status_code == 200
        assert hooks.runtime().alive
        wait_until(lambda: order)
    assert order == ["started", "done"]
    assert hooks._runtime is not None
    assert not hooks._runtime.alive


def test_a_configuration_error_fails_the_start_with_its_own_words():
    hooks = working()
    hooks.on("*", source="shpo")(lambda: None)
    with pytest.raises(ConfigurationError, match="there is no source 'shpo'"), TestClient(hooks):
        raise AssertionError
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(ConfigurationError):
        asyncio.run(hooks({"type": "lifespan"}, receive, send))
    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "there is no source 'shpo'" in sent[0]["message"]


def test_in_front_of_an_app_a_configuration_error_fails_the_start_of_both():
    hooks = working()
    hooks.on("*", source="shpo")(lambda: None)
    front = WebhookMiddleware(behind(), hooks)
    with pytest.raises(ConfigurationError, match="there is no source 'shpo'"), TestClient(front):
        raise AssertionError


def test_the_app_behind_keeps_its_own_lifespan_inside_ours():
    hooks, order = working(), []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        order.append(f"up, worker {hooks._runtime is not None}")
        yield
        order.append(f"down, worker {hooks.runtime().alive}")

    with TestClient(WebhookMiddleware(behind(lifespan=lifespan), hooks)):
        order.append("serving")
    assert order == ["up, worker True", "serving", "down, worker True"]
    assert hooks._runtime is not None
    assert not hooks._runtime.alive


def test_a_restart_in_the_same_process_opens_everything_again():
    hooks, handled = working(), []
    hooks.on("*")(lambda: handled.append(1))
    for n in (1, 2):
        with TestClient(hooks) as client:
            request = letter(hooks, f"msg_{n}")
            assert (
                client.post("/shop", content=request.body, headers=list(request.headers)).status_code == 200
            )
    assert handled == [1, 1]


def test_without_a_lifespan_each_loop_gets_its_own_worker_and_a_closed_loop_hurts_nobody():
    hooks = working()
    client = TestClient(hooks)
    for n in range(3):
        request = letter(hooks, f"msg_{n}")
        assert client.post("/shop", content=request.body, headers=list(request.headers)).status_code == 200
    hooks.runtime().close()
