"""What users of other libraries report again and again: the body or the URL is not what was signed any more.

One test each, in the frameworks where it was reported; the issue is named.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import pytest
from aiohttp import web
from django.conf import settings as django_settings
from django.test import override_settings
from flask_wtf import CSRFProtect
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware

import hookcatch.asgi
import hookcatch.flask
from hookcatch import Hookcatch, Request
from hookcatch.core.ports import Query
from support.edges import AsgiCaller, DjangoAsyncCaller, DjangoCaller, Edge, WsgiCaller, post, wait_until
from support.frameworks import in_aiohttp, in_fastapi, in_sanic, in_starlette, in_tornado
from support.senders import secret, whsec

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


def kept_body(hooks: Hookcatch) -> bytes:
    """Of the one event that is kept."""
    inbox = hooks.inbox()
    (one,) = inbox.find(Query())
    found = inbox.get(one.seq)
    assert found is not None
    return found[0].body


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
    """stripe-node#356, stripe-node#396, stripe-node#932, stripe-php#884, stripe-php#1223, stripe-ruby#561,
    stripe-java#919; PostHog#50566 (a throttle reads the data); zulip#13847 (a multipart form)."""
    caller = in_flask(hooks, lambda app: app.before_request(READERS[reader]))
    answer = post(caller, signed(hooks, KINDS[kind], kind), "/hooks/raw")
    assert answer.status == 200
    assert kept_body(hooks) == KINDS[kind]
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


async def reading(request: Any, call_next: Any) -> Any:
    await request.body()
    return await call_next(request)


@web.middleware
async def reading_in_aiohttp(request: web.Request, handler: Any) -> Any:
    await request.read()
    return await handler(request)


async def reading_in_sanic(request: Any) -> None:
    await request.receive_body()


READING = [Middleware(BaseHTTPMiddleware, dispatch=reading)]
BEHIND_READERS: dict[str, Callable[[Hookcatch], Edge]] = {
    "starlette": lambda hooks: in_starlette(hooks, middleware=READING),
    "fastapi": lambda hooks: in_fastapi(hooks, middleware=READING),
    "aiohttp": lambda hooks: in_aiohttp(hooks, middlewares=[reading_in_aiohttp]),
    "sanic": lambda hooks: in_sanic(hooks, lambda app: app.register_middleware(reading_in_sanic, "request")),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("framework", BEHIND_READERS)
def test_a_middleware_that_reads_the_body_and_gives_it_back_hurts_nobody(hooks, framework, kind):
    """starlette#495, fastapi#394, fastapi#5386."""
    caller = BEHIND_READERS[framework](hooks)
    assert post(caller, signed(hooks, KINDS[kind], kind), "/hooks/raw").status == 200
    assert kept_body(hooks) == KINDS[kind]
    assert post(caller, signed(hooks, KINDS[kind], kind).replace(body=b"{}"), "/hooks/raw").status == 401
    caller.close()


def reads_body(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda request: (request.body, get_response(request))[1]


def reads_post(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda request: (request.POST, get_response(request))[1]


def reads_stream(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """As a parser of Django REST framework does, for a throttle that asks for `request.data`."""
    return lambda request: (request.read(), get_response(request))[1]


DJANGO = {"django": DjangoCaller, "django-async": DjangoAsyncCaller}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", [reads_body, reads_post, reads_stream])
@pytest.mark.parametrize("edge_name", DJANGO)
def test_what_a_middleware_of_django_has_read_is_kept_or_comes_again_and_is_no_500(
    hooks, edge_name, reader, kind, caplog
):
    """PostHog#50566, zulip#13847, PayPal-Python-SDK#196, pusher-http-python#161, coinbase-commerce-python#22: a body
    that Django has not kept is asked for again, and the log says who has to be changed."""
    caller = DJANGO[edge_name](hooks)
    usual = django_settings.MIDDLEWARE
    with override_settings(MIDDLEWARE=[*usual, f"{__name__}.{reader.__name__}"]):
        caller.app.load_middleware(is_async=edge_name == "django-async")
    answer = post(caller, signed(hooks, KINDS[kind], kind), f"{caller.prefix}/raw")
    if reader is reads_stream or (reader is reads_post and kind.startswith("multipart")):
        assert answer.status == 503
        assert "was read before hookcatch could see it" in caplog.text
    else:
        assert answer.status == 200
        assert kept_body(hooks) == KINDS[kind]
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


CAUSES = {
    "json_rewritten": lambda shop, bank, old: spread(shop),
    "another_source": lambda shop, bank, old: bank,
    "too_old": lambda shop, bank, old: old,
}


def spread(request: Request) -> Request:
    return request.replace(body=json.dumps(json.loads(request.body), indent=1).encode())


@pytest.mark.parametrize("cause", CAUSES)
def test_the_three_causes_of_a_mismatch_are_told_apart_in_the_log(hooks, cause, caplog):
    """stripe-node#356: a body that was parsed and written again, the secret of something else, an old request."""
    hooks.source("bank", "standard_webhooks", whsec(1))
    past = Hookcatch("memory:", clock=lambda: hooks.clock() - 3600)
    past.source("shop", "standard_webhooks", whsec(0))
    shop, bank, old = (
        one.sources[name].sign("order.created", {"a": 1}, id="msg_1")
        for one, name in ((hooks, "shop"), (hooks, "bank"), (past, "shop"))
    )
    caller = WsgiCaller(hooks)
    assert post(caller, CAUSES[cause](shop, bank, old)).status == 401
    wait_until(lambda: f": {cause} - " in caplog.text)
    caller.close()


@pytest.mark.parametrize(
    "text", ['{"id": "msg_1", "a": "\\u001B\\u2028\\/"}', '{"id": "msg_1", "a": "😀 Zoë"}']
)
def test_the_signature_is_over_what_came_and_never_over_json_written_again(
    edge: Edge, hooks: Hookcatch, text: str
):
    """webhooks.js#71, webhooks.js#76 (escapes), webhooks.js#1155, docs#3567, ecs-conex#64 (emoji)."""
    request = signed(hooks, text.encode(), "application/json")
    again = json.dumps(json.loads(text), separators=(",", ":")).encode()
    assert again != request.body
    assert post(edge, request.replace(body=again), f"{edge.prefix}/raw").status == 401
    assert post(edge, request, f"{edge.prefix}/raw").status == 200
    assert kept_body(hooks) == text.encode()


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
    """twilio-python#751, twilio-node#321, node-twilio-api#13, django-twilio#196, yap#1589, dograh#510,
    vellum-assistant#5235: the edges are called as 10.0.0.7 over http, and by a stranger who forges what a proxy would
    say."""
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


def flask_with_csrf(hooks: Hookcatch) -> WsgiCaller:
    def prepare(app: flask.Flask) -> None:
        app.config["SECRET_KEY"] = "a key"
        CSRFProtect(app)

    return in_flask(hooks, prepare)


WITH_CSRF: dict[str, Callable[[Hookcatch], Edge]] = {
    **DJANGO,
    "flask": flask_with_csrf,
    "tornado": lambda hooks: in_tornado(
        hooks, xsrf_cookies=True, cross_origin_protection=True, cookie_secret="a"
    ),
}


@pytest.mark.parametrize("framework", WITH_CSRF)
def test_a_sender_is_asked_for_no_csrf_token_and_a_wrong_url_is_a_404(hooks, framework):
    """dj-stripe#690, dj-stripe#618, django-anymail#19: a 403 that was a wrong URL, or a view that was not exempt."""
    caller = WITH_CSRF[framework](hooks)
    request = signed(hooks, KINDS["application/json"], "application/json")
    from_a_page = request.with_header("origin", "https://evil.example")
    assert post(caller, from_a_page, f"{caller.prefix}/raw").status == 200
    assert post(caller, request, f"{caller.prefix}/row").status == 404
    caller.close()


# the page


def test_every_case_that_the_page_names_is_named_by_a_test_and_the_other_way_round():
    page = (Path(__file__).parents[3] / "docs" / "frameworks.md").read_text()
    text = "\n".join(one.__doc__ or "" for name, one in globals().items() if name.startswith("test_"))
    told, tested = (set(re.findall(r"[\w.-]+#\d+", one)) for one in (page, text))
    assert told
    assert told == tested
