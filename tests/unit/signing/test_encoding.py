"""Each encoding has one text for some bytes, and takes no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.signing.encoding import BASE64, BASE64URL, HEX, HEX_ANY_CASE, Encoding

ALL = [HEX, HEX_ANY_CASE, BASE64, BASE64URL]


@given(st.sampled_from(ALL), st.binary(max_size=70))
def test_what_is_written_is_read(encoding: Encoding, raw: bytes) -> None:
    assert encoding.decode(encoding.encode(raw)) == raw


@given(st.sampled_from([HEX, BASE64, BASE64URL]), st.binary(max_size=30))
def test_no_two_texts_stand_for_the_same_bytes(encoding: Encoding, text: bytes) -> None:
    raw = encoding.decode(text)
    assert raw is None or encoding.encode(raw) == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        (HEX, b"AB"),
        (HEX, b"abc"),
        (HEX, b"a b "),
        (HEX, b"\xff\xff"),
        (BASE64, b"QQ"),
        (BASE64, b"QR=="),
        (BASE64, b"QQ==\n"),
        (BASE64, b"Q Q=="),
        (BASE64, b"-_=="),
        (BASE64, "é".encode()),
        (BASE64URL, b"QQ=="),
        (BASE64URL, b"QR"),
        (BASE64URL, b"+/"),
        (BASE64URL, b"Q"),
    ],
)
def test_a_second_spelling_is_refused(encoding: Encoding, text: bytes) -> None:
    assert encoding.decode(text) is None


def test_either_case_only_where_the_sender_writes_both() -> None:
    assert HEX_ANY_CASE.decode(b"Ab") == HEX_ANY_CASE.decode(b"aB") == b"\xab"


def test_it_prints_as_its_name() -> None:
    assert repr(ALL) == "[HEX, HEX_ANY_CASE, BASE64, BASE64URL]"
