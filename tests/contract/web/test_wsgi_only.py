"""What only WSGI has: servers that do not mark the end of a body, threads, and no start of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.validate import validator

import pytest

from hookcatch import ConfigurationError, Event, Hookcatch, Request
from hookcatch.core.ports import Query
from hookcatch.wsgi import WebhookMiddleware
from support.edges import Input, WsgiCaller, post, wait_until
from support.senders import whsec
from support.world import Clock


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "hookcatch")


@pytest.fixture
def caller(hooks: Hookcatch) -> Iterator[WsgiCaller]:
    made = WsgiCaller(hooks)
    yield made
    made.close()


def letter(hooks: Hookcatch, id: str = "msg_1") -> Request:
    return hooks.sources["shop"].sign("order.created", {}, id=id)


def test_a_chunked_body_is_411_where_the_server_does_not_mark_its_end(caller: WsgiCaller, hooks: Hookcatch):
    caller.terminated = False
    request = letter(hooks)
    chunked = [*request.headers, (b"transfer-encoding", b"chunked")]
    answer = post(caller, request, headers=chunked)
    assert (answer.status, answer.body) == (411, b"Length Required\n")
    assert caller.unread == 1


def test_no_length_and_no_chunks_is_no_body(caller: WsgiCaller, hooks: Hookcatch):
    caller.terminated = False
    request = letter(hooks)
    assert post(caller, request, headers=request.headers).status == 401
    assert caller.unread == 1


def test_an_empty_length_is_no_length(caller: WsgiCaller, hooks: Hookcatch):
    request = letter(hooks)
    headers = [*request.headers, (b"content-length", b"")]
    assert post(caller, request, headers=headers).status == 200


def test_it_keeps_the_rules_of_pep_3333(hooks: Hookcatch):
    caller, request = WsgiCaller(hooks), letter(hooks)
    started: list[str] = []
    for content in (request.body, b"forged"):
        body = Lines(content)
        environ = caller.environ(
            "POST", "/shop", [*request.headers, (b"content-length", b"%d" % len(body.content))], b"", body
        )
        environ |= {
            "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": True,
            "wsgi.run_once": False, "SERVER_PORT": "443", "wsgi.errors": Errors(),
        }  # fmt: skip
        answer = validator(hooks.wsgi)(environ, lambda status, headers, exc_info=None: started.append(status))
        list(answer)
        answer.close()
    assert started == ["200 OK", "401 Unauthorized"]
    caller.close()


class Lines(Input):
    def __init__(self, content: bytes) -> None:
        super().__init__([content])
        self.content = content

    def readline(self) -> bytes:
        raise AssertionError

    def readlines(self) -> list[bytes]:
        raise AssertionError

    def __iter__(self) -> Iterator[bytes]:
        raise AssertionError


class Errors:
    def flush(self) -> None: ...

    def write(self, text: str) -> None: ...

    def writelines(self, lines: list[str]) -> None: ...


def test_what_is_not_ours_reaches_the_app_behind_with_its_own_environ_unread(hooks: Hookcatch):
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        seen.append((environ, start_response))
        return seen

    front = WebhookMiddleware(app, hooks, "/hooks")
    environ = {"PATH_INFO": "/hooks/other", "wsgi.input": None}
    assert front(environ, print) is seen
    assert seen[0][0] is environ
    assert seen[0][1] is print
    assert hooks._runtime is None


@pytest.mark.parametrize("prefix", ["hooks", "/hooks", "/hooks/"])
def test_the_prefix_may_be_written_with_slashes_or_without(hooks: Hookcatch, prefix: str):
    caller = WsgiCaller(hooks, WebhookMiddleware(lambda *_: [], hooks, prefix), "/hooks")
    assert post(caller, letter(hooks)).status == 200
    caller.close()


def working(**options: Any) -> Hookcatch:
    hooks = Hookcatch("memory:", clock=Clock(), **options)
    hooks.source("shop", "standard_webhooks", whsec(0))
    return hooks


def test_the_worker_runs_in_a_thread_of_its_own_and_what_runs_ends_at_the_close(caplog: Any):
    hooks, handled = working(), []

    @hooks.on("*")
    async def handler(event: Event) -> None:
        handled.append(event.id)

    caller = WsgiCaller(hooks)
    for n in range(20):
        assert post(caller, letter(hooks, f"msg_{n}")).status == 200
    wait_until(lambda: hooks.inbox().next_due() is None)
    caller.close()
    assert sorted(handled) == sorted(f"msg_{n}" for n in range(20))
    assert not [one for one in caplog.records if one.name == "asyncio"]


def test_many_threads_at_once_start_one_runtime_and_lose_nothing():
    hooks, handled = working(), []
    hooks.on("*")(lambda: handled.append(1))
    caller = WsgiCaller(hooks)
    letters = [letter(hooks, f"msg_{n}") for n in range(64)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda request: post(caller, request).status, letters))
    assert answers == [200] * 64
    assert hooks.runtime()._requests == 0
    caller.close()
    hooks.runtime()
    assert len(hooks.inbox().find(Query())) == 64
    hooks.runtime().close()


@pytest.mark.parametrize("options", [{"ack": "handled"}, {"reply": True}])
def test_an_async_handler_before_the_ack_is_an_error_where_the_wsgi_app_is_made(options: dict[str, Any]):
    hooks = Hookcatch("memory:", clock=Clock())
    reply = options.pop("reply", False)
    hooks.source("shop", "standard_webhooks", whsec(0), **options)

    @hooks.on("*", name="fulfil", reply=reply)
    async def handler() -> None: ...

    for make in (lambda: hooks.wsgi, lambda: WebhookMiddleware(lambda *_: [], hooks)):
        with pytest.raises(ConfigurationError, match="handler fulfil is async and has to run before the ack"):
            make()


def test_an_async_handler_at_the_deadline_runs_in_the_workers_loop():
    hooks, handled = Hookcatch("memory:", clock=Clock()), []
    source = hooks.source("shop", "standard_webhooks", whsec(0), ack="deadline")

    @source.on("*")
    async def handler() -> None:
        handled.append(1)

    caller = WsgiCaller(hooks)
    assert post(caller, letter(hooks)).status == 200
    assert handled == [1]
    caller.close()


def test_a_handler_before_the_ack_runs_in_the_requests_own_thread():
    import threading

    hooks, threads = Hookcatch("memory:", clock=Clock()), []
    source = hooks.source("shop", "standard_webhooks", whsec(0), ack="handled")
    source.on("*")(lambda: threads.append(threading.get_ident()))
    caller = WsgiCaller(hooks)
    assert post(caller, letter(hooks)).status == 200
    assert threads == [threading.get_ident()]
    caller.close()
