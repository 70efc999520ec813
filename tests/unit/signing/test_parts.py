"""A message is put together from literals and parts, in their order and without change."""

from __future__ import annotations

import binascii
import hashlib

import pytest

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request
from hookcatch.signing.parts import BODY, METHOD, TIME, URL, At, BodyHash, Message, Nonce, renderer
from hookcatch.signing.places import Header

REQUEST = Request("POST", "https://a.example/é", [("x-id", "7"), ("x-b", "9")], b"body%s")
ID = At(Header("x-id"))


@pytest.mark.parametrize(
    ("message", "rendered"),
    [
        ((BODY,), b"body%s"),
        ((b"only",), b"only"),
        ((TIME, BODY), b"12body%s"),
        ((b"v0:%", TIME, b":", BODY, b"!"), b"v0:%12:body%s!"),
        ((ID, b".", TIME, b".", BODY), b"7.12.body%s"),
        ((ID, At(Header("x-b")), TIME, BODY), b"7912body%s"),
        ((BODY, TIME), b"body%s12"),
        ((METHOD, URL, BODY), "POSThttps://a.example/ébody%s".encode()),
        ((BodyHash("sha256"), TIME), hashlib.sha256(b"body%s").digest() + b"12"),
        ((BodyHash("md5", binascii.hexlify),), hashlib.md5(b"body%s").hexdigest().encode()),
        ((Nonce(Header("x-id")),), b"7"),
    ],
)
def test_a_message_is_its_parts_in_order(message: Message, rendered: bytes) -> None:
    assert renderer(message)(REQUEST, b"12") == rendered


def test_a_signed_part_that_is_missing_is_said() -> None:
    with pytest.raises(Rejected, match="missing_signature: x-none is signed, and missing"):
        renderer((At(Header("x-none")),))(REQUEST, b"")
    with pytest.raises(Rejected, match="set public_url"):
        renderer((URL, BODY))(REQUEST.replace(url=""), b"")


def test_no_method_or_url_raises() -> None:
    odd = Request("\ud800", "\ud800", [], b"")
    assert renderer((METHOD, URL))(odd, b"")


def test_a_nonce_is_made_up_once_and_the_same_again() -> None:
    nonce = Nonce(Header("x-nonce"), "msg_")
    filled = nonce.fill(REQUEST)
    assert filled == nonce.fill(REQUEST) == nonce.fill(filled)
    assert (filled.header(b"x-nonce") or b"").startswith(b"msg_")
    assert Nonce(Header("x-id")).fill(REQUEST) == REQUEST
