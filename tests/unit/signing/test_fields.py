"""What of a body is signed, where it is not all of it."""

from __future__ import annotations

import pytest

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request
from hookcatch.signing.fields import Field, FirstItem, Form, Payload

FORM = ("content-type", "application/x-www-form-urlencoded")


def request(body: bytes, *headers: tuple[str, str]) -> Request:
    return Request("POST", "", headers, body)


def payload(body: bytes, *headers: tuple[str, str]) -> bytes:
    return Payload().render()(request(body, *headers), b"")


def first(body: bytes) -> bytes:
    return FirstItem().render()(request(body), b"")


def test_a_number_is_written_as_one() -> None:
    written = Field("at", number=True).write(request(b"{}"), b"170")
    assert written.body == b'{"at":170}'
    assert Field("at").reader()(written) == b"170"


def test_what_is_no_form_has_no_fields() -> None:
    assert Form("a").reader()(request(b"{}")) is None
    assert Form("a").reader()(request(b"")) is None


def test_a_body_that_is_no_form_is_its_own_payload() -> None:
    assert payload(b"payload=1") == b"payload=1"


def test_of_a_form_the_decoded_field_is_the_payload() -> None:
    assert payload(b"payload=%7B%22a%22%3A%22%C3%A9+%2B%22%7D", FORM) == '{"a":"é +"}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=1&payload=1",
        b"payload=1&more=2",
        b"other=1",
        b"payload=%7b%7D",  # Go writes %7B
        b"payload={}",
        b"payload=a%20b",
    ],
)
def test_there_is_one_way_to_write_that_form(body: bytes) -> None:
    with pytest.raises(Rejected, match="malformed_body"):
        payload(body, FORM)


@pytest.mark.parametrize(
    ("body", "signed"),
    [
        (b'{"a":1}', b'{"a":1}'),
        (b"", b""),
        (b"not JSON", b"not JSON"),
        (b'[{"a":1.50},{"b":2}]', b'{"a":1.50}'),
        (b'[ \n"x]", 2]', b'"x]"'),
        ('["é",1]'.encode(), '"é"'.encode()),
        (b"[" + b"9" * 4000 + b",1]", b"9" * 4000),
        (b"[[1,2],3]", b"[1,2]"),
    ],
)
def test_of_a_list_the_first_item_is_signed_as_it_stands(body: bytes, signed: bytes) -> None:
    assert first(body) == signed


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[]", "missing_signature"),
        (b"[ ]", "missing_signature"),
        (b"[1,", "malformed_body"),
        (b"[" * 100_000, "malformed_body"),
        (b'["\xff"]', "malformed_body"),
        (b"[NaN]", "malformed_body"),
    ],
)
def test_a_list_that_is_none_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        first(body)
