"""Handshakes through every web edge: their methods are let in, their answers go out as they are, nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from hookcatch import Hookcatch
from support.edges import Edge, post
from support.senders import secret

Make = Callable[[Hookcatch], Edge]
TOKEN = "the token of the subscription"


@pytest.fixture
def hooks() -> Hookcatch:
    made = Hookcatch("memory:?keep=10", worker=False, public_url="https://hooks.example.com")
    made.source("meta", secret=secret("meta"), verify_token=TOKEN)
    made.source("trello", secret=secret("trello"))
    made.source("graph", "ms_graph", secret=secret("ms_graph"))
    made.source("grid", "azure_eventgrid", secret=secret("azure_eventgrid"), origins=["emitter.example.com"])
    made.source("xero", secret=secret("xero"))
    return made


def test_a_challenge_in_the_query_is_sent_back_as_text(edge: Edge, hooks: Hookcatch):
    query = f"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={quote(TOKEN)}".encode()
    answer = edge.call("GET", f"{edge.prefix}/meta", [], [b""], query=query)
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"1158201444")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert hooks.inbox().counts() == {}


def test_a_challenge_with_another_token_is_refused_with_the_usual_words(edge: Edge):
    query = b"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=another"
    answer = edge.call("GET", f"{edge.prefix}/meta", [], [b""], query=query)
    assert answer is not None
    assert (answer.status, answer.body) == (401, b"Unauthorized\n")


def test_a_probe_gets_a_status_and_nothing_else(edge: Edge):
    answer = edge.call("HEAD", f"{edge.prefix}/trello", [], [b""])
    assert answer is not None
    assert (answer.status, answer.body, answer.headers.get("content-length", "0")) == (200, b"", "0")


def test_a_post_without_a_body_may_be_a_handshake(edge: Edge):
    query = b"validationToken=Validation%3a+Testing+client"
    answer = edge.call("POST", f"{edge.prefix}/graph", [(b"content-length", b"0")], [b""], query=query)
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"Validation: Testing client")


def test_who_asks_for_permission_is_told_what_is_allowed(edge: Edge):
    headers = [(b"webhook-request-origin", b"emitter.example.com")]
    answer = edge.call("OPTIONS", f"{edge.prefix}/grid", headers, [b""])
    assert answer is not None
    assert answer.status == 200
    assert answer.headers["webhook-allowed-origin"] == "emitter.example.com"


@pytest.mark.parametrize(
    ("source", "allowed"),
    [("meta", "GET, POST"), ("trello", "HEAD, POST"), ("graph", "POST"), ("grid", "OPTIONS, POST")],
)
def test_another_method_is_told_which_ones_there_are(edge: Edge, source: str, allowed: str):
    answer = edge.call("PUT", f"{edge.prefix}/{source}", [], [b""])
    assert answer is not None
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


def test_a_method_of_handshakes_brings_no_event(edge: Edge, hooks: Hookcatch):
    request = hooks.sources["meta"].sign("page", {"id": "1"}, id="1")
    assert post(edge, request, path=f"{edge.prefix}/meta", method="GET").status == 405
    assert post(edge, request, path=f"{edge.prefix}/meta").status == 200
    assert sum(hooks.inbox().counts().values()) == 1


def test_the_intent_to_receive_is_a_signed_post_answered_without_a_word(edge: Edge, hooks: Hookcatch):
    body = b'{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}'
    asked = hooks.sources["xero"].sign("a", {}, id="1").replace(body=body)
    wrong = post(edge, asked, path=f"{edge.prefix}/xero")
    row = hooks.sources["xero"].provider
    right = post(edge, row.sign(asked, secret=secret("xero"), now=0), path=f"{edge.prefix}/xero")
    assert [(answer.status, answer.body) for answer in (wrong, right)] == [(401, b""), (200, b"")]
    assert "set-cookie" not in {**wrong.headers, **right.headers}
