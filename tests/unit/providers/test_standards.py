"""Standards and senders whose signature takes a few words to describe."""

from __future__ import annotations

import json
import sys
from urllib.parse import urlencode

import pytest

from hookcatch.core.errors import ConfigurationError, MissingExtra, Rejected
from hookcatch.core.wire import Request
from hookcatch.providers import provider
from support.senders import NOW, URL, secret, signed

FORM = ("content-type", "application/x-www-form-urlencoded")


def refused(name: str, request: Request) -> str:
    with pytest.raises(Rejected) as why:
        provider(name).verify(request, secret=secret(name), now=NOW)
    return str(why.value)


# CloudEvents


def cloud(body: bytes, kind: str, *headers: tuple[str, str]) -> list[tuple[str, str]]:
    token = ("authorization", f"Bearer {secret('cloudevents')}")
    request = Request("POST", "", [("content-type", kind), token, *headers], body)
    delivery = provider("cloudevents").verify(request, secret=secret("cloudevents"), now=NOW)
    return [(event.id, event.type) for event in delivery.events]


EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.order", "data": {"a": 1}}


def test_a_cloud_event_comes_whole_in_parts_or_with_others() -> None:
    other = {**EVENT, "id": "2", "source": "/depot"}
    assert cloud(json.dumps(EVENT).encode(), "application/cloudevents+json") == [
        ("/shop#1", "com.example.order")
    ]
    assert cloud(json.dumps([EVENT, other]).encode(), "application/cloudevents-batch+json") == [
        ("/shop#1", "com.example.order"),
        ("/depot#2", "com.example.order"),
    ]
    parts = [("ce-id", "1"), ("ce-source", "/shop"), ("ce-type", "com.example.order")]
    assert cloud(b'{"a": 1}', "application/json", *parts) == [("/shop#1", "com.example.order")]
    assert cloud(b"\x00\x01", "application/octet-stream", *parts) == [("/shop#1", "com.example.order")]


# Plivo


def plivo(body: bytes, url: str = URL) -> Request:
    return provider("plivo").sign(Request("POST", url, [FORM], body), secret=secret("plivo"), now=NOW)


def test_plivo_signs_its_form_in_any_order_and_its_url() -> None:
    request = plivo(urlencode({"To": "1", "From": "2", "Text": "hi there"}).encode())
    assert provider("plivo").verify(request, secret=secret("plivo"), now=NOW).key == 0
    assert (
        provider("plivo").verify(plivo(b"", "https://a.example/"), secret=secret("plivo"), now=NOW).key == 0
    )
    for changed in (
        request.replace(body=request.body.replace(b"To=1", b"To=3")),
        request.replace(url=URL + "2"),
        request.replace(url="http://hooks.example.com/in?a=1"),
        request.with_header("x-plivo-signature-v3-nonce", "2"),
    ):
        assert refused("plivo", changed) == "bad_signature"


def test_any_signature_of_plivos_list_may_be_the_right_one() -> None:
    request = plivo(b"To=1")
    right = (request.header(b"x-plivo-signature-v3") or b"").decode()
    listed = request.with_header("x-plivo-signature-v3", f"{'A' * 43}=,{right}")
    assert provider("plivo").verify(listed, secret=secret("plivo"), now=NOW).key == 0


def test_plivo_sends_forms_to_a_known_url_only() -> None:
    assert "signs forms only" in refused(
        "plivo", plivo(b"").replace(body=b"{}", headers=[*plivo(b"").headers[1:]])
    )
    assert "set public_url" in refused("plivo", plivo(b"").replace(url=""))


# MessageBird


def test_messagebird_binds_url_and_body_and_says_nothing_of_an_empty_one() -> None:
    request = signed("messagebird")
    assert "payload_hash" in refused("messagebird", request.replace(body=b"{}"))
    assert "payload_hash" in refused("messagebird", request.replace(body=b""))
    assert "url_hash" in refused("messagebird", request.replace(url=URL + "&b=2"))
    assert "set public_url" in refused("messagebird", request.replace(url=""))
    row, key = provider("messagebird"), secret("messagebird")
    empty = row.sign(Request("POST", URL, []), secret=key, now=NOW)
    assert row.bind(key).check(empty, NOW).key == 0
    assert "payload_hash" in refused("messagebird", empty.replace(body=b"{}"))


def test_each_report_of_messagebird_on_one_text_message_is_an_event_of_its_own_though_it_comes_as_a_get() -> (
    None
):
    row, key = provider("messagebird"), secret("messagebird")
    reports = [Request("GET", f"{URL}&id=1&status={status}", []) for status in ("sent", "delivered")]
    events = [
        event
        for report in reports
        for event in row.verify(row.sign(report, secret=key, now=NOW), secret=key, now=NOW).events
    ]
    assert [(event.id, event.type) for event in events] == [("1:sent", "sent"), ("1:delivered", "delivered")]


# Moralis


def test_keccak_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "Crypto.Hash", None)
    with pytest.raises(MissingExtra, match=r"hookcatch\[keccak\]"):
        provider("moralis").bind(secret("moralis"))


# secrets of two parts


@pytest.mark.parametrize("name", ["sinch_voice", "tiktok_shop"])
def test_a_secret_of_two_parts_has_a_colon(name: str) -> None:
    with pytest.raises(ConfigurationError, match="user:password"):
        provider(name).bind("without")


def test_sinch_signs_method_type_time_and_path_and_of_the_body_a_hash() -> None:
    request = signed("sinch_voice")
    for changed in (
        request.with_header("content-type", "text/plain"),
        request.replace(url=URL.replace("/in", "/out")),
        request.replace(body=b"{}"),
        Request("PUT", request.url, request.headers, request.body),
    ):
        assert refused("sinch_voice", changed) == "bad_signature"
    assert "x-timestamp" in refused("sinch_voice", request.with_header("x-timestamp", ""))


def test_the_robot_of_dingtalk_signs_the_time_alone() -> None:
    request = signed("dingtalk_robot")
    assert refused("dingtalk_robot", request.with_header("timestamp", "1700000000001")) == "bad_signature"
    assert provider("dingtalk_robot").verify(
        request.replace(body=b'{"msgId":"2"}'), secret=secret("dingtalk_robot"), now=NOW
    )
