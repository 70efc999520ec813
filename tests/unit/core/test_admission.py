"""What is decided from a request's head, before its body is read."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from hookcatch.core.admission import MAX_HEADER_BYTES, MAX_HEADERS, SMALL, admit, check_length
from hookcatch.core.endpoint import Endpoint, Policy
from hookcatch.core.errors import Rejected
from hookcatch.core.greeting import Greeting
from hookcatch.core.model import Delivery
from hookcatch.core.wire import Request


class Prechecks:
    """A verifier that notes what it was asked before the body was there."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def verify(self, request: Request, now: float) -> Delivery:
        raise AssertionError("no body, no verification")

    def precheck(self, request: Request) -> None:
        self.asked.append(request)


class Knocks:
    """Handshakes that come as GET, unsigned."""

    methods = frozenset({"GET"})

    def before(self, request: Request, now: float) -> Greeting | None:
        return None

    def after(self, request: Request, delivery: Delivery) -> Greeting | None:
        return None


def endpoint(**policy: Any) -> Endpoint:
    return Endpoint("shop", "/shop", "test", Prechecks(), Policy(**policy))


def head(*pairs: tuple[str, str], method: str = "POST") -> Request:
    return Request(method, "", pairs)


def refused(request: Request, **policy: Any) -> str:
    with pytest.raises(Rejected) as why:
        admit(request, endpoint(**policy))
    return why.value.reason


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "", "POST "])
def test_only_post_is_let_in(method: str):
    assert refused(head(method=method)) == "method_not_allowed"


def test_too_many_or_too_large_headers_are_refused():
    assert refused(head(*[("x", "1")] * (MAX_HEADERS + 1))) == "headers_too_large"
    assert refused(head(("x", "1" * MAX_HEADER_BYTES))) == "headers_too_large"
    assert admit(head(*[(f"x{n}", "1") for n in range(MAX_HEADERS)]), endpoint()) is None


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, identity", "GZIP", "x"])
def test_a_compressed_body_is_refused(encoding: str):
    assert refused(head(("content-encoding", encoding))) == "unsupported_encoding"


@pytest.mark.parametrize("encoding", ["identity", " Identity ", ""])
def test_an_encoding_that_is_none_is_let_in(encoding: str):
    assert admit(head(("content-encoding", encoding), ("content-length", "3")), endpoint()) == 3


def test_two_content_encodings_are_refused():
    assert refused(head(("content-encoding", "identity"), ("content-encoding", "gzip"))) == "duplicate_header"


def test_a_body_that_is_said_to_be_too_large_is_refused_unread():
    assert refused(head(("content-length", "101")), max_body=100) == "body_too_large"
    assert admit(head(("content-length", "100")), endpoint(max_body=100)) == 100


@pytest.mark.parametrize(
    "length", ["", "-1", "+1", "1.0", "0x10", "1e3", " 1", "1_0", "1,1", "٣", "9" * 16, "9" * 5000]
)
def test_a_length_that_is_no_plain_number_is_refused(length: str):
    assert refused(head(("content-length", length))) == "malformed_header"


def test_two_lengths_are_refused_even_if_equal():
    assert refused(head(("content-length", "5"), ("content-length", "5"))) == "duplicate_header"


def test_a_small_body_is_read_before_any_check_and_a_large_or_endless_one_after_the_checks_of_its_head():
    for length, asked in ((str(SMALL), 0), (str(SMALL + 1), 1), (None, 1)):
        source = endpoint()
        admit(head(*([("content-length", length)] if length else [])), source)
        assert len(source.verifier.asked) == asked


def test_what_the_check_of_the_head_refuses_is_refused():
    source = endpoint()

    def refuse(request: Request) -> None:
        raise Rejected("missing_signature")

    source.verifier.precheck = refuse
    with pytest.raises(Rejected, match="missing_signature"):
        admit(head(), source)


def test_a_body_that_is_not_as_long_as_promised_is_refused():
    check_length(None, b"abc")
    check_length(3, b"abc")
    for promised in (2, 4):
        with pytest.raises(Rejected, match="truncated_body"):
            check_length(promised, b"abc")


def test_a_request_without_a_body_may_be_a_handshake_that_proves_nothing_in_its_head():
    knocked = endpoint()
    greeted = dataclasses.replace(knocked, greeter=Knocks())
    assert admit(head(method="GET"), greeted) is None
    assert cast("Prechecks", greeted.verifier).asked == []
    admit(head(), greeted)
    assert (
        len(cast("Prechecks", greeted.verifier).asked) == 1
    )  # a delivery proves itself in its head, as ever


def test_the_methods_of_handshakes_are_let_in_beside_those_of_deliveries():
    greeted = dataclasses.replace(endpoint(), greeter=Knocks())
    assert greeted.allowed == {"GET", "POST"}
    with pytest.raises(Rejected, match="method_not_allowed"):
        admit(head(method="PUT"), greeted)
