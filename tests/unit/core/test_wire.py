"""What comes in from the socket: raw, ordered, unchanged."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request, Response


def request(*headers: tuple[str, str]) -> Request:
    return Request("POST", "", headers)


def test_a_request_keeps_bytes_order_and_duplicates():
    made = Request("post", None, [("B", "1"), (b"a", b"\xff"), ("B", "2")], b"\x00\xff")
    assert made.method == "POST"
    assert made.url == ""
    assert made.headers == ((b"B", b"1"), (b"a", b"\xff"), (b"B", b"2"))
    assert made.body == b"\x00\xff"


def test_text_is_taken_as_the_wire_has_it():
    made = request(("a", "é"), ("b", "→"), ("c", "\udcff"))
    assert made.header(b"a") == b"\xe9"
    assert made.header(b"b") == "→".encode()
    assert made.header(b"c") == b"\xed\xb3\xbf"
    assert Request("POST", "", [], "→").body == "→".encode()
    assert Request("POST", "", [], bytearray(b"x")).body == b"x"


def test_names_are_found_in_any_case_and_a_missing_one_is_none():
    assert request(("Webhook-ID", "1")).header(b"webhook-id") == b"1"
    assert request().header(b"webhook-id") is None


def test_what_comes_from_a_server_is_the_same_request():
    pairs = [(b"webhook-id", b"1"), (b"a", b"2")]
    assert Request.from_wire("POST", "u", pairs).with_body(b"b") == Request("POST", "u", pairs, b"b")


def test_a_header_sent_twice_is_refused_even_if_both_say_the_same():
    made = request(("Webhook-Id", "1"), ("webhook-id", "1"), ("other", "x"))
    with pytest.raises(Rejected) as refused:
        made.header(b"webhook-id")
    assert refused.value.reason == "duplicate_header"
    assert made.header(b"other") == b"x"


def test_a_twin_with_underscores_is_refused_whether_or_not_the_real_one_is_there():
    for headers in ([("webhook-id", "1"), ("webhook_id", "2")], [("Webhook_Id", "2")]):
        with pytest.raises(Rejected) as refused:
            request(*headers).header(b"webhook-id")
        assert refused.value.reason == "ambiguous_header"


def test_a_copy_changes_only_what_is_said():
    made = Request("POST", "u", [("a", "1"), ("A", "2"), ("b", "3")], b"x")
    assert made.replace() == made
    assert made.replace(url="v", headers=[], body=b"") == Request("POST", "v", [], b"")
    assert made.with_header("A", "9").headers == ((b"b", b"3"), (b"A", b"9"))


def test_requests_are_frozen_and_compare_by_value():
    made = request(("a", "1"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.method = "GET"  # type: ignore[misc]
    assert made == request(("a", "1"))


def test_the_repr_of_a_request_shows_what_it_is_and_nothing_that_may_prove_the_sender():
    made = Request(
        "POST", "https://x.org/in?token=canary", [("Authorization", "canary"), ("b\n", "1")], b"canary"
    )
    assert repr(made) == (
        "<Request POST 'https://x.org/in' headers=['Authorization', 'b\\n'] body of 6 bytes>"
    )


@pytest.mark.parametrize(
    ("status", "ok"), [(199, False), (200, True), (299, True), (300, False), (503, False)]
)
def test_a_response_is_ok_if_it_is_a_2xx(status: int, ok: bool):
    assert Response(status).ok is ok


_names = st.sampled_from(["x-a", "X-A", "x_a", "b", "B"])


@given(st.lists(st.tuples(_names, st.text(alphabet="12", max_size=2)), max_size=5))
def test_a_header_is_given_only_when_there_is_exactly_one_way_to_read_it(pairs: list[tuple[str, str]]):
    made = Request("POST", "", pairs)
    for name in ("x-a", "b"):
        exact = [value for n, value in pairs if n.lower() == name]
        twins = [n for n, _ in pairs if "_" in n and n.replace("_", "-").lower() == name]
        if len(exact) > 1 or twins:
            with pytest.raises(Rejected):
                made.header(name.encode())
        else:
            assert made.header(name.encode()) == (exact[0].encode() if exact else None)
