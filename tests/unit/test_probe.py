"""Probes: who may ask, what is told, and that nothing of it is kept."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hookcatch import Hookcatch, Request
from hookcatch.core.ports import Query
from hookcatch.core.secret import Secret
from hookcatch.probe import HEADER, LASTS, MAX_TOKEN, Asking, Report, asked, plain, read_report, token
from support.edges import EDGES, Edge, post
from support.senders import ed25519, whsec

RIGHT, OTHER = (Secret(whsec(0).encode()),), (Secret(whsec(1).encode()),)
LARGE = b"x" * 100_000


def asking(made: float | None = None, *headers: str) -> Asking:
    return Asking("n1", time.time() if made is None else made, headers)


def probe(value: str, body: bytes = b"{}", *headers: tuple[str, str]) -> Request:
    return Request("POST", "", [("content-type", "application/json"), (HEADER, value), *headers], body)


@pytest.fixture(params=EDGES)
def edge(request: pytest.FixtureRequest) -> Iterator[Edge]:
    hooks = Hookcatch("memory:?keep=10")
    hooks.source("shop", "standard_webhooks", [whsec(2), whsec(0)])
    hooks.source("slack", "slack", whsec(0))
    hooks.source("chat", "discord", ed25519(0)[32:].hex())
    hooks.source("anybody", unsigned=True)
    made = EDGES[request.param](hooks)
    yield made
    made.close()


def kept(edge: Edge) -> int:
    return len(list(edge.hooks.inbox().find(Query())))


def report(edge: Edge, request: Request, source: str = "shop", **changed: Any) -> Report | None:
    answer = post(edge, request, f"{edge.prefix}/{source}", **changed)
    return read_report(json.loads(answer.body), "n1") if answer.status == 200 else None


# who may ask


def test_a_probe_is_told_what_arrived_of_it_and_is_not_kept(edge: Edge):
    told = report(
        edge, probe(token(RIGHT, asking(None, "content-type", "x-lost")), b"\xff{"), query=b"a=%20b"
    )
    assert told is not None
    assert (told.length, told.sha256) == (2, hashlib.sha256(b"\xff{").hexdigest())
    assert (told.headers, told.url, told.verified) == (("content-type",), "?a=%20b", False)
    assert abs(told.now - time.time()) < 60
    assert kept(edge) == 0


def test_a_signed_probe_is_told_that_it_is_and_is_not_kept_either(edge: Edge):
    signed = edge.hooks.sources["shop"].sign("order.created", {}, id="msg_1")
    told = report(edge, signed.with_header(HEADER, token(RIGHT, asking())))
    assert told is not None
    assert (told.verified, kept(edge)) == (True, 0)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        token(OTHER, asking()),
        token(RIGHT, asking())[:-1],
        "x" + token(RIGHT, asking()),
        token(RIGHT, asking(None, "a" * MAX_TOKEN, *map(str, range(2000)))),
        token(RIGHT, asking(time.time() - LASTS - 60)),
        token(RIGHT, asking(time.time() + 10 * LASTS)),
        token(RIGHT, asking(float("nan"))),
        "\xff\xfe",
    ],
    ids=range(10),
)
def test_without_a_right_token_the_header_means_nothing(edge: Edge, value: str):
    forged = probe(value)
    assert post(edge, forged, f"{edge.prefix}/shop").status == 401
    signed = edge.hooks.sources["shop"].sign("order.created", {}, id="msg_1").with_header(HEADER, value)
    assert post(edge, signed, f"{edge.prefix}/shop").body == b"ok\n"
    assert kept(edge) == 1


def test_the_token_of_one_source_is_not_that_of_another_nor_of_one_without_secrets(edge: Edge):
    value = token((Secret(ed25519(0)[32:].hex().encode()),), asking())
    assert report(edge, probe(value), "chat") is not None
    assert report(edge, probe(value)) is None
    assert post(edge, probe(value), f"{edge.prefix}/anybody").body == b"ok\n"


def test_a_large_probe_is_read_without_a_signature_and_a_large_stranger_is_not(edge: Edge):
    told = report(edge, probe(token(RIGHT, asking()), LARGE))
    assert (told is not None and told.length) == len(LARGE)
    assert post(edge, probe(token(OTHER, asking()), LARGE), f"{edge.prefix}/shop").status == 401
    assert post(edge, probe("", LARGE), f"{edge.prefix}/shop").status == 401


def test_the_handshakes_of_a_sender_go_on(edge: Edge):
    body = b'{"type": "url_verification", "challenge": "abc"}'
    slack = edge.hooks.sources["slack"]
    blank = Request("POST", "", [("content-type", "application/json")], body)
    signed = slack.provider.sign(blank, secret=whsec(0), now=time.time())
    assert b"abc" in post(edge, signed, f"{edge.prefix}/slack").body
    told = report(edge, signed.with_header(HEADER, token(RIGHT, asking())), "slack")
    assert told is not None
    assert kept(edge) == 0


def test_only_the_methods_of_deliveries_can_probe(edge: Edge):
    answer = post(edge, probe(token(RIGHT, asking())), f"{edge.prefix}/shop", method="GET")
    assert answer.status == 405


# what is told


def test_of_the_headers_only_those_are_told_that_were_asked_for():
    value = token(RIGHT, asking(None, "x-sent", "x_under", "x-lost"))
    hooks = Hookcatch("memory:?keep=1")
    shop = hooks.source("shop", "standard_webhooks", whsec(0))
    came = probe(value, b"", ("http_x_sent", "1"), ("x_under", "2"), ("x-forwarded-for", "10.0.0.1"))
    assert shop.endpoint.greeter is not None
    greeting = shop.endpoint.greeter.before(came, time.time())
    assert greeting is not None
    said = json.loads(greeting.response.body)
    assert said["headers"] == ["http_x_sent", "x_under"]
    assert "10.0.0.1" not in greeting.response.body.decode()
    assert (b"content-type", b"application/json") in greeting.response.headers


@pytest.mark.parametrize("name", ["x-a-b", "x_a_b", "http_x_a_b"])
def test_a_name_is_known_however_it_was_respelt(name: str):
    assert plain(name) == "x-a-b"


def test_every_secret_of_a_rotation_may_ask_and_the_first_one_signs():
    both = (*RIGHT, *OTHER)
    assert asked(both, token(OTHER, asking()).encode()) is not None
    assert asked(RIGHT, token(both, asking()).encode()) is not None
    assert asked(OTHER, token(both, asking()).encode()) is None


def test_no_secret_is_in_a_token_or_shown_with_what_knows_it():
    hooks = Hookcatch("memory:?keep=1")
    shop = hooks.source("shop", "standard_webhooks", whsec(0))
    shown = f"{token(RIGHT, asking())} {shop.endpoint.greeter!r} {shop.endpoint.verifier!r}"
    assert whsec(0).removeprefix("whsec_") not in shown


@pytest.mark.parametrize("body", [{}, {"nonce": "n1"}, {"headers": 1}, {"headers": [], "other": 1}])
def test_what_is_no_report_is_none(body: dict[str, Any]):
    assert read_report(body, "n1") is None


def test_the_report_of_another_probe_is_none_of_ours():
    made = {"nonce": "n1", "length": 0, "sha256": "", "headers": [], "url": "", "verified": True, "now": 1.0}
    assert read_report(made, "n1") is not None
    assert read_report(made, "n2") is None
