"""What users of other libraries report again and again: the body or the URL is not what was signed any more.

One test each, in the frameworks where it was reported; the issue is named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount

import hookcatch.asgi
import hookcatch.flask
from hookcatch import Hookcatch, Request
from hookcatch.core.ports import Query
from support.edges import AsgiCaller, Edge, WsgiCaller, post
from support.senders import secret

FORM = b"id=msg_1&type=order.created&note=a+b%20c&note="
MULTIPART = b'--cut\r\ncontent-disposition: form-data; name="json"\r\n\r\n{"event": 1}\r\n--cut--\r\n'
KINDS = {
    "application/json": b'{"id": "msg_1", "type": "order.created"}',
    "application/x-www-form-urlencoded": FORM,
    "multipart/form-data; boundary=cut": MULTIPART,
}


@pytest.fixture(autouse=True)
def _raw(hooks: Hookcatch) -> None:
    """A source that signs any bytes at all."""
    hooks.source("raw", "hmac", "a secret that is long enough")


def signed(hooks: Hookcatch, body: bytes, kind: str) -> Request:
    blank = Request("POST", "", [("content-type", kind)], body)
    return hooks.sources["raw"].provider.sign(blank, secret="a secret that is long enough", now=hooks.clock())


def in_flask(hooks: Hookcatch, prepare: Callable[[flask.Flask], Any]) -> WsgiCaller:
    app = flask.Flask(__name__)
    prepare(app)
    hookcatch.flask.mount(app, hooks)
    return WsgiCaller(hooks, app, "/hooks")


READERS = {
    "form": lambda: (flask.request.form, None)[1],
    "data": lambda: (flask.request.data, None)[1],
    "json": lambda: (flask.request.get_json(silent=True), None)[1],
    "stream": lambda: (flask.request.stream.read(), None)[1],
    "values": lambda: (flask.request.values, None)[1],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_whatever_a_hook_has_read_of_the_request_the_signature_is_over_what_came(hooks, reader, kind):
    """stripe-node#356, #396, #932; PostHog#50566 (a throttle reads the data); zulip#13847 (a multipart form)."""
    caller = in_flask(hooks, lambda app: app.before_request(READERS[reader]))
    answer = post(caller, signed(hooks, KINDS[kind], kind), "/hooks/raw")
    assert answer.status == 200
    inbox = hooks.inbox()
    found = inbox.get(inbox.find(Query())[0].seq)
    assert found is not None
    assert found[0].body == KINDS[kind]
    assert post(caller, signed(hooks, KINDS[kind], kind).replace(body=b"{}"), "/hooks/raw").status == 401
    caller.close()


@pytest.mark.parametrize("reader", READERS)
def test_hooks_see_what_they_saw_before(hooks, reader):
    seen: list[Any] = []
    caller = in_flask(
        hooks, lambda app: app.before_request(lambda: seen.append(flask.request.form.get("note")))
    )
    kind = "application/x-www-form-urlencoded"
    post(caller, signed(hooks, FORM, kind), "/hooks/raw")
    assert seen == ["a b c"]
    caller.close()


def earlier(app: flask.Flask, reader: str) -> None:
    app.url_value_preprocessor(lambda endpoint, values: READERS[reader]())


def test_even_before_all_hooks_the_data_may_be_read(hooks):
    caller = in_flask(hooks, lambda app: earlier(app, "data"))
    assert (
        post(caller, signed(hooks, KINDS["application/json"], "application/json"), "/hooks/raw").status == 200
    )
    caller.close()


@pytest.mark.parametrize("reader", ["form", "stream"])
def test_who_throws_the_body_away_before_all_hooks_is_spoken_of_in_the_log(hooks, reader, caplog):
    """webhooks.js#961: a helpful error, and not a mismatch that nobody understands."""
    caller = in_flask(hooks, lambda app: earlier(app, reader))
    answer = post(caller, signed(hooks, FORM, "application/x-www-form-urlencoded"), "/hooks/raw")
    assert answer.status == 400
    assert "something in front has read the body before hookcatch" in caplog.text
    caller.close()


def test_a_middleware_that_reads_the_body_and_gives_it_back_hurts_nobody(hooks):
    """starlette#495, fastapi#394, #5386."""

    async def reading(request: Any, call_next: Any) -> Any:
        await request.body()
        return await call_next(request)

    app = Starlette(
        routes=[Mount("/hooks", hooks)], middleware=[Middleware(BaseHTTPMiddleware, dispatch=reading)]
    )
    caller = AsgiCaller(hooks, app, "/hooks")
    assert (
        post(caller, signed(hooks, KINDS["application/json"], "application/json"), "/hooks/raw").status == 200
    )
    caller.close()


def test_a_middleware_that_keeps_the_body_for_itself_ends_in_a_408_and_not_in_a_hang(hooks, monkeypatch):
    """starlette#495, webex-assistant-sdk#30: there is nothing left to read, and the client waits for its answer."""
    monkeypatch.setattr(hookcatch.asgi, "READ_DEADLINE", 0.01)

    async def greedy(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await hooks(scope, lambda: asyncio.sleep(60), send)

    caller = AsgiCaller(hooks, greedy)
    assert post(caller, signed(hooks, KINDS["application/json"], "application/json"), "/raw").status == 408
    caller.close()


def test_a_chunked_body_without_a_length_is_no_empty_body(edge: Edge, hooks: Hookcatch):
    """flask#2229, gunicorn#1803, python-flask-template#5, granian#909."""
    request = signed(hooks, KINDS["application/json"], "application/json")
    headers = [*request.headers, (b"transfer-encoding", b"chunked")]
    answer = post(
        edge, request, f"{edge.prefix}/raw", headers=headers, chunks=[request.body[:3], request.body[3:]]
    )
    assert answer.status == 200
    assert len(hooks.inbox().find(Query())) == 1


def test_text_and_bytes_are_the_same_body(hooks):
    """razorpay-python#146."""
    source = hooks.sources["shop"]
    request = source.sign("order.created", {"name": "Zoë 😀"}, id="msg_1")
    for body in (request.body, request.body.decode(), bytearray(request.body), memoryview(request.body)):
        assert source.verify(Request("POST", "", request.headers, body)).events[0].id == "msg_1"


# the URL


def twilio(hooks: Hookcatch, url: str) -> Request:
    return hooks.sources["twilio"].sign("sms", {"From": "+1"}, id="SM1", url=url)


PROXIED = [
    (b"host", b"10.0.0.7:8080"),
    (b"x-forwarded-proto", b"http"),
    (b"x-forwarded-host", b"evil.example"),
]


def test_behind_a_proxy_the_url_is_the_one_that_was_configured(make_edge: Callable[[Hookcatch], Edge]):
    """twilio-python#751, twilio-node#321, django-twilio#196, yap#1589, dograh#510: the edges are called as 10.0.0.7
    over http, and by a stranger who forges what a proxy would say."""
    hooks = Hookcatch("memory:?keep=9", worker=False, public_url="https://shop.example.com/in")
    hooks.source("twilio", secret=secret("twilio"))
    edge = make_edge(hooks)
    good = twilio(hooks, "https://shop.example.com/in/twilio")
    for request, status in ((good, 200), (twilio(hooks, "http://10.0.0.7:8080/hooks/twilio"), None)):
        answer = post(edge, request, f"{edge.prefix}/twilio", headers=[*request.headers, *PROXIED])
        assert answer.status == status if status else answer.status in (401, 403)


def test_a_url_may_have_a_password_in_it(make_edge: Callable[[Hookcatch], Edge]):
    """django-anymail#48: Mandrill signs it with what the user put before the @."""
    url = "https://user:password@shop.example.com/mandrill"
    hooks = Hookcatch("memory:?keep=9", worker=False)
    hooks.source("mandrill", secret=secret("mandrill"), public_url=url)
    edge = make_edge(hooks)
    request = hooks.sources["mandrill"].sign("send", {}, id="1", url=url)
    assert post(edge, request, f"{edge.prefix}/mandrill").status == 200


def test_a_path_with_or_without_a_slash_at_its_end_is_answered_and_never_redirected(
    edge: Edge, hooks: Hookcatch
):
    """automated-survey-django#8, koku#228: a POST cannot be redirected."""
    request = signed(hooks, KINDS["application/json"], "application/json")
    assert {post(edge, request, f"{edge.prefix}/raw{slash}").status for slash in ("", "/")} == {200}
