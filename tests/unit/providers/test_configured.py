"""Senders that send what their user configures, and those that nobody can check."""

from __future__ import annotations

import json

import pytest

from hookcatch import Hookcatch
from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.wire import Request
from hookcatch.providers import names, provider, token
from hookcatch.providers.configured import ACK, without
from hookcatch.providers.silent import SILENT
from support.edges import EDGES, post
from support.senders import text

SECRET = text(0).replace(" ", "-").replace(",", "")
PLACE = "https://hooks.example.com/in"
OPEN, CLOSE = (
    '<Envelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Body><notifications>',
    "</notifications></Body></Envelope>",
)


def salesforce(*ids: str) -> bytes:
    one = '<Notification><Id>{}</Id><sObject xsi:type="sf:Contact"><LastName>Zoë</LastName></sObject></Notification>'
    return (OPEN + "".join(one.format(number) for number in ids) + CLOSE).encode()


@pytest.mark.parametrize("ids", [("04l1",), ("04l1", "04l2")])
def test_salesforce_is_answered_in_its_own_words(ids: tuple[str, ...]) -> None:
    hooks = Hookcatch("memory:", worker=False)
    hooks.source("crm", "salesforce", SECRET)
    caller = EDGES["wsgi-app"](hooks)
    request = Request("POST", "", [("content-type", "text/xml; charset=utf-8")], salesforce(*ids))
    answer = post(caller, request, "/crm", query=f"secret={SECRET}".encode())
    assert (answer.status, answer.body.decode()) == (200, ACK)
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    for seq, number in enumerate(ids, 1):
        kept = hooks.inbox().get(seq)
        assert kept is not None
        assert (kept[0].id, kept[0].type, kept[0].format) == (number, "sf:Contact", "json")
        assert json.loads(kept[0].body or b"")["sObject"]["LastName"] == "Zoë"
    assert post(caller, request, "/crm", query=b"secret=another").status == 401
    caller.close()


def test_a_token_may_stand_in_the_url_if_it_has_to() -> None:
    row = token(query="key", name="mine")
    request = Request("POST", f"{PLACE}?key={SECRET}", [("content-type", "application/json")], "{}")
    assert row.verify(request, secret=SECRET, now=0.0).key == 0
    with pytest.raises(Rejected, match="missing_signature: key in the query"):
        row.verify(request.replace(url=PLACE), secret=SECRET, now=0.0)
    assert row.title == "Token in the URL"
    assert token().title == "Token in a header"


def test_a_token_for_cloudevents_stands_in_the_header_or_in_the_url() -> None:
    row, event = provider("cloudevents"), b'{"id": "1", "source": "/shop", "type": "made"}'
    request = Request("POST", f"{PLACE}?access_token={SECRET}", [("content-type", "application/json")], event)
    assert row.verify(request, secret=SECRET, now=0.0).events[0].id == "/shop#1"
    both = request.with_header("authorization", "Bearer another secret of it")
    with pytest.raises(Rejected, match="bad_signature"):
        row.verify(both, secret=SECRET, now=0.0)


def test_a_hint_without_content_is_never_a_duplicate() -> None:
    form = ("content-type", "application/x-www-form-urlencoded")
    request = Request("POST", f"{PLACE}?secret={SECRET}", [form], "id=tr_1")
    delivery = provider("mollie_classic").verify(request, secret=SECRET, now=0.0)
    assert delivery.repeats
    assert delivery.events[0].id == "tr_1"


def test_a_token_in_the_body_is_not_kept() -> None:
    said = {"schema": "2.0", "header": {"event_id": "e1", "token": SECRET}, "event": {}}
    request = Request("POST", PLACE, [("content-type", "application/json")], json.dumps(said))
    [event] = provider("lark_token").verify(request, secret=SECRET, now=0.0).events
    assert (event.id, event.payload["header"]) == ("e1", {"event_id": "e1"})
    assert without("a.b", "c")(b'{"a": 1, "c": 2, "d": 3}') == b'{"a":1,"d":3}'
    assert without("a.b")(b"[]") == b"[]"


def test_a_video_and_one_that_is_gone_are_two_events() -> None:
    row = provider("youtube")
    for body, known in (
        (
            "<feed><entry><videoId>v1</videoId><updated>2026-01-02T03:04:05Z</updated></entry></feed>",
            "v1@2026-01-02T03:04:05Z",
        ),
        ('<feed><deleted-entry ref="yt:video:v1"/></feed>', "yt:video:v1"),
    ):
        request = row.sign(
            Request("POST", "", [("content-type", "application/atom+xml")], body), secret=SECRET, now=0.0
        )
        assert row.verify(request, secret=SECRET, now=0.0).events[0].id == known


@pytest.mark.parametrize("name", SILENT)
def test_who_signs_nothing_is_explained_with_what_to_do(name: str) -> None:
    assert name not in names()
    with pytest.raises(ConfigurationError) as why:
        provider(name)
    assert SILENT[name] in str(why.value)
    assert "did you mean" not in str(why.value)


def test_the_rows_that_explanations_name_are_there() -> None:
    assert {"secret_in_url", "hmac", "jwt", "woocommerce"} <= set(names())
