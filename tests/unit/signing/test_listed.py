"""Signatures in more than one header, or told apart by their order."""

from __future__ import annotations

import pytest

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request
from hookcatch.signing.listed import AnyHeader, First, Others
from hookcatch.signing.places import MAX_CANDIDATES

EMPTY = Request("POST", "", [], b"{}")
TWO = AnyHeader(("x-sig-1", "x-sig-2"))


def test_a_signature_in_any_of_the_headers_is_a_candidate() -> None:
    assert TWO.in_head
    assert TWO.candidates()(EMPTY.with_header("x-sig-2", "b")) == [b"b"]
    assert TWO.candidates()(TWO.write_all(EMPTY, [b"a", b"b"])) == [b"a", b"b"]


def test_where_there_is_no_room_for_more_signatures_the_first_are_written() -> None:
    assert TWO.candidates()(TWO.write_all(EMPTY, [b"a", b"b", b"c"])) == [b"a", b"b"]


@pytest.mark.parametrize("request_", [EMPTY, EMPTY.with_header("x-sig-1", "")])
def test_none_in_any_of_the_headers_is_a_missing_one(request_: Request) -> None:
    with pytest.raises(Rejected, match="missing_signature: x-sig-1"):
        TWO.candidates()(request_)


def test_the_time_stands_first_and_the_signatures_behind_it() -> None:
    time, signatures = First("x-sig"), Others("x-sig")
    assert time.in_head
    assert signatures.in_head
    request = signatures.write_all(time.write(EMPTY, b"170"), [b"a", b"b"])
    assert request.header(b"x-sig") == b"170,a,b"
    assert time.reader()(request) == b"170"
    assert signatures.candidates()(request) == [b"a", b"b"]
    assert time.write(request, b"171").header(b"x-sig") == b"171,a,b"
    assert time.title == "the first item of x-sig"


def test_they_may_be_written_the_other_way_round() -> None:
    request = First("x-sig").write(Others("x-sig").write_all(EMPTY, [b"a"]), b"170")
    assert request.header(b"x-sig") == b"170,a"


@pytest.mark.parametrize("value", [None, "", "170", "170,", "170,,"])
def test_a_time_alone_is_no_signature(value: str | None) -> None:
    request = EMPTY if value is None else EMPTY.with_header("x-sig", value)
    with pytest.raises(Rejected, match="missing_signature"):
        Others("x-sig").candidates()(request)


def test_more_signatures_than_can_be_tried_are_refused() -> None:
    many = EMPTY.with_header("x-sig", "170" + ",a" * (MAX_CANDIDATES + 1))
    with pytest.raises(Rejected, match="malformed_signature"):
        Others("x-sig").candidates()(many)
    assert len(Others("x-sig").candidates()(EMPTY.with_header("x-sig", "170" + ",a" * MAX_CANDIDATES))) == 16


def test_without_the_header_there_is_no_time() -> None:
    assert First("x-sig").reader()(EMPTY) is None
