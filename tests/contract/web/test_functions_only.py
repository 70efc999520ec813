"""What only functions in a cloud have: they stop after their answer, get bodies in base64, and EventBridge."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hookcatch import ConfigurationError, Event, Hookcatch, HookcatchError, Request
from hookcatch.aws_lambda import EVENTBRIDGE, lambda_handler
from hookcatch.core.ports import Query
from hookcatch.google_functions import http_function
from support.senders import whsec
from support.world import Clock


def proxied(request: Request, path: str = "/shop", **changes: Any) -> dict[str, Any]:
    """A function URL's event."""
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {name.decode(): value.decode() for name, value in request.headers},
        "requestContext": {"http": {"method": "POST"}},
        "body": request.body.decode(),
        "isBase64Encoded": False,
        **changes,
    }


def letter(hooks: Hookcatch) -> Request:
    return hooks.sources["shop"].sign("order.created", {"name": "Zoë 😀"}, id="msg_1")


def kept(hooks: Hookcatch) -> list[tuple[str, str]]:
    return [(one.id, one.type) for one in hooks.inbox().find(Query())]


@pytest.mark.parametrize("make", [lambda_handler, http_function])
def test_a_worker_that_would_be_stopped_with_the_process_is_an_error_where_the_function_is_made(make):
    with pytest.raises(ConfigurationError, match=r"worker=False.*or before the answer with ack=.handled"):
        make(Hookcatch("memory:?keep=10"))


@pytest.mark.parametrize("make", [lambda_handler, http_function])
def test_an_async_handler_before_the_answer_is_an_error_where_the_function_is_made(make, hooks):
    source = hooks.source("patient", "standard_webhooks", whsec(1), ack="handled")

    @source.on("*")
    async def handler() -> None: ...

    with pytest.raises(ConfigurationError, match="make it a plain function"):
        make(hooks)


def test_a_body_that_the_host_has_parsed_is_refused_and_the_log_says_what_to_do(hooks, caplog):
    """A mapping template, or a framework in front: the bytes are gone (PEERS A11)."""
    handler = lambda_handler(hooks)
    event = proxied(letter(hooks), body={"type": "order.created"})
    assert handler(event, None)["statusCode"] == 400
    assert "it was parsed before hookcatch got it: use a proxy integration" in caplog.text


def test_base64_that_is_none_is_refused(hooks):
    handler = lambda_handler(hooks)
    assert handler(proxied(letter(hooks), isBase64Encoded=True, body="{}!"), None)["statusCode"] == 400
    encoded = base64.b64encode(letter(hooks).body).decode()
    assert handler(proxied(letter(hooks), isBase64Encoded=True, body=encoded), None)["statusCode"] == 200


def test_an_answer_that_is_no_text_goes_out_in_base64(hooks):
    @hooks.on("*", reply=True)
    def reply(event: Event) -> bytes:
        return b"\xff\x00"

    answer = lambda_handler(hooks)(proxied(letter(hooks)), None)
    assert (answer["isBase64Encoded"], base64.b64decode(answer["body"])) == (True, b"\xff\x00")


@pytest.mark.parametrize("event", [{}, {"body": None}, {"requestContext": {}, "headers": None}])
def test_what_is_no_request_is_not_found(hooks, event):
    assert lambda_handler(hooks)(event, None)["statusCode"] == 404


BUS = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "order.created",
    "source": "com.example.shop",
    "time": "2026-11-21T08:00:00Z",
    "detail": {"id": "o_1"},
}
"""https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html"""


def test_events_of_a_bus_reach_the_same_handlers_and_are_known_again():
    hooks = Hookcatch("memory:?keep=10", worker=False, clock=Clock())
    bus = hooks.source("bus", EVENTBRIDGE, unsigned=True, ack="handled")
    ran = []

    @bus.on("order.created")
    def fulfil(event: Event[dict[str, Any]]) -> None:
        ran.append((event.id, event.data, event.payload["source"]))

    handler = lambda_handler(hooks, eventbridge="bus")
    assert [handler(BUS, None)["statusCode"] for _ in range(2)] == [200, 200]
    assert ran == [(BUS["id"], {"id": "o_1"}, "com.example.shop")]
    assert (
        handler(proxied(Request("POST", "", [], b'{"id": "e", "type": "t"}'), "/bus"), None)["statusCode"]
        == 404
    ), "it is for AWS alone, and not for whoever finds the URL"
    hooks.runtime().close()


def test_what_a_bus_brings_and_cannot_be_kept_is_an_error_so_that_it_comes_again():
    hooks = Hookcatch("memory:?keep=10", worker=False, clock=Clock())

    @hooks.source("bus", EVENTBRIDGE, unsigned=True, ack="handled").on("*")
    def fail() -> None:
        raise RuntimeError

    with pytest.raises(HookcatchError, match="was not kept: 503"):
        lambda_handler(hooks, eventbridge="bus")(BUS, None)
    hooks.runtime().close()


def test_a_bus_that_nobody_expects_is_an_error(hooks):
    with pytest.raises(ConfigurationError, match="lambda_handler\\(hooks, eventbridge="):
        lambda_handler(hooks)(BUS, None)
    for name in ("shop", "nobody"):
        with pytest.raises(
            ConfigurationError, match=f"hooks.source\\('{name}', EVENTBRIDGE, unsigned=True\\)"
        ):
            lambda_handler(hooks, eventbridge=name)
    assert kept(hooks) == []
