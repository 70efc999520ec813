"""Senders that sign something taken out of the body, and what of it they leave open."""

from __future__ import annotations

import sys
from base64 import encodebytes
from urllib.parse import urlencode

import pytest

from hookcatch.core.errors import MissingExtra, Rejected
from hookcatch.core.wire import Request
from hookcatch.providers import provider
from hookcatch.providers.taken_out import MAX_PAIRS, braintree_notification, dropbox_sign_event, json_part
from hookcatch.providers.tokens import without_passcode
from support.senders import NOW, URL, secret, signed

FORM = ("content-type", "application/x-www-form-urlencoded")
XML = b"<notification><kind>check</kind></notification>"


def refused(name: str, request: Request) -> str:
    with pytest.raises(Rejected) as refusal:
        provider(name).verify(request, secret=secret(name), now=NOW)
    return refusal.value.reason


def form(**fields: str) -> Request:
    return Request("POST", URL, [FORM], urlencode(fields).encode())


# --- Braintree


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (form(bt_signature="a|b"), "missing_signature"),
        (form(bt_payload="AAAA"), "missing_signature"),
        (form(bt_signature="user0", bt_payload="AAAA"), "bad_signature"),
        (form(bt_signature="user0|", bt_payload="AAAA"), "bad_signature"),
        (form(bt_signature="user0|é", bt_payload="AAAA"), "bad_signature"),
        (form(bt_signature="user0|a", bt_payload="AAAA", more="1"), "malformed_body"),
        (form(bt_signature="&".join(["a|b"] * (MAX_PAIRS + 1)), bt_payload="AAAA"), "malformed_signature"),
    ],
)
def test_a_braintree_form_that_proves_nothing_is_refused(request_: Request, reason: str) -> None:
    assert refused("braintree", request_) == reason


def test_one_of_several_braintree_pairs_is_enough_if_it_is_ours() -> None:
    request = signed("braintree")
    body = request.body.replace(b"bt_signature=", b"bt_signature=other%7C00%26")
    assert (
        provider("braintree").verify(request.replace(body=body), secret=secret("braintree"), now=NOW).key == 0
    )
    theirs = request.body.replace(b"user0%7C", b"other%7C")
    assert refused("braintree", request.replace(body=theirs)) == "bad_signature"


def test_the_line_feed_at_the_end_of_a_braintree_payload_may_be_lost() -> None:
    request = signed("braintree")
    assert request.body.endswith(b"%0A")
    shorter = request.replace(body=request.body.removesuffix(b"%0A"))
    [event] = provider("braintree").verify(shorter, secret=secret("braintree"), now=NOW).events
    [same] = provider("braintree").verify(request, secret=secret("braintree"), now=NOW).events
    assert event == same


def test_a_braintree_payload_that_is_not_base64_is_malformed() -> None:
    assert braintree_notification(urlencode({"bt_payload": encodebytes(XML)}).encode()) == XML
    for payload in ("%%%", "AAA", "AA AA"):
        with pytest.raises(Rejected, match="malformed_body"):
            braintree_notification(urlencode({"bt_payload": payload}).encode())


def test_what_xml_needs_is_missed_when_the_source_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "defusedxml", None)
    with pytest.raises(MissingExtra, match=r"hookcatch\[xml\]"):
        provider("braintree").bind(secret("braintree"))


# --- Dropbox Sign

EVENT = b'{"event":{}}'


def multipart(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    return b"--B" + b"--B".join(b"\r\n" + part + b"\r\n" for part in parts) + b"--B" + end


def part(name: bytes, value: bytes, *more: bytes) -> bytes:
    lines = [b'Content-Disposition: form-data; name="' + name + b'"', *more]
    return b"\r\n".join(lines) + b"\r\n\r\n" + value


@pytest.mark.parametrize(
    "body",
    [
        multipart(part(b"json", EVENT)),
        multipart(part(b"json", EVENT), end=b"--"),
        multipart(part(b"json", EVENT, b"Content-Type: application/json")),
        multipart(part(b"other", b"1"), part(b"json", EVENT)),
    ],
)
def test_the_json_in_a_multipart_body_is_found(body: bytes) -> None:
    assert json_part(body) == dropbox_sign_event(body) == EVENT


@pytest.mark.parametrize(
    "body",
    [
        b"",
        EVENT,
        b"--\r\n",
        b"--B\r\n",
        b"--B C\r\n\r\n",
        multipart(part(b"other", EVENT)),
        multipart(part(b"json", EVENT), part(b"json", EVENT)),
        multipart(part(b"json", EVENT), end=b""),
        multipart(part(b"json", EVENT), end=b"--\r\nmore"),
        multipart(*[part(b"other", EVENT)] * (MAX_PAIRS + 1), part(b"json", EVENT)),
    ],
)
def test_a_body_without_that_part_has_no_event(body: bytes) -> None:
    assert json_part(body) is None
    with pytest.raises(Rejected, match="malformed_body"):
        dropbox_sign_event(body)
    assert refused("dropbox_sign", Request("POST", URL, [], body)) == "missing_signature"


# --- Paddle Classic, Segment, Figma


def test_a_field_of_a_paddle_form_is_there_once() -> None:
    request = signed("paddle_classic")
    assert refused("paddle_classic", request.replace(body=request.body + b"&name=2")) == "malformed_body"
    assert refused("paddle_classic", request.replace(body=request.body + b"&more=2")) == "bad_signature"


def test_the_fields_of_a_paddle_form_may_come_in_any_order() -> None:
    request = signed("paddle_classic")
    turned = b"&".join(reversed(request.body.split(b"&")))
    assert (
        provider("paddle_classic")
        .verify(request.replace(body=turned), secret=secret("paddle_classic"), now=NOW)
        .key
        == 0
    )


def test_of_a_segment_batch_only_the_first_event_is_signed() -> None:
    request, row = signed("segment"), provider("segment")
    first = request.body[1:-1]
    batch = request.replace(body=b"[" + first + b',{"messageId":"forged"}]')
    ids = [event.id for event in row.verify(batch, secret=secret("segment"), now=NOW).events]
    assert ids == ["evt_1", "forged"]
    assert not row.body_is_signed
    assert not row.id_is_signed


def test_the_passcode_of_figma_is_not_kept() -> None:
    assert without_passcode(b'{"a":1,"passcode":"x"}') == b'{"a":1}'
    assert without_passcode(b"[1]") == b"[1]"
