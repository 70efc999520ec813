"""A text that every item of a list repeats."""

from __future__ import annotations

import pytest

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request
from hookcatch.signing.fields import EveryItem

PLACE = EveryItem("value", "key")


def reads(body: bytes) -> bytes | None:
    return PLACE.reader()(Request("POST", "", [], body))


def test_it_is_written_to_every_item_and_read_again() -> None:
    request = PLACE.write(Request("POST", "", [], b'{"value":[{"a":1},{"a":2}]}'), b"x")
    assert request.body == b'{"value":[{"a":1,"key":"x"},{"a":2,"key":"x"}]}'
    assert reads(request.body) == b"x"
    assert not PLACE.in_head
    assert PLACE.without(request.body) == b'{"value":[{"a":1},{"a":2}]}'


@pytest.mark.parametrize(
    "body", [b"{}", b'{"value":[]}', b'{"value":{}}', b'{"value":[{}]}', b'{"value":[7]}', b"[]"]
)
def test_a_list_without_it_is_a_missing_one(body: bytes) -> None:
    assert reads(body) is None


@pytest.mark.parametrize("other", [b'{"key":"y"}', b"{}", b"7", b'{"key":true}'])
def test_one_item_that_says_something_else_is_enough_to_refuse(other: bytes) -> None:
    body = b'{"value":[{"key":"x"},' + other + b"]}"
    with pytest.raises(Rejected, match="bad_signature"):
        reads(body)
    assert b'"x"' not in PLACE.without(body)
