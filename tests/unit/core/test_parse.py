"""How a body is read: strictly, and by its own rules only."""

from __future__ import annotations

import contextlib
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.core.errors import MissingExtra, Rejected
from hookcatch.core.parse import (
    MAX_DEPTH,
    MAX_FIELDS,
    MAX_LINES,
    detect,
    parse,
    parse_form,
    parse_json,
    parse_lines,
)


@pytest.mark.parametrize(
    ("content_type", "body", "found"),
    [
        (b"application/json", b"", "json"),
        (b"Application/JSON; charset=utf-8", b"x", "json"),
        (b"application/vnd.contentful.management.v1+json", b"x", "json"),
        (b"application/x-www-form-urlencoded", b"{}", "form"),
        (b"application/xml", b"{}", "xml"),
        (b"text/xml;charset=UTF-8", b"{}", "xml"),
        (b"application/atom+xml", b"{}", "xml"),
        (b"text/plain", b"{}", "json"),
        (b"text/plain", b"  [1]", "json"),
        (b"text/plain", b"hello", "bytes"),
        (b"multipart/form-data; boundary=x", b"--x", "bytes"),
        (None, b"{}", "json"),
        (None, b"gidget", "bytes"),
        (None, b"", "bytes"),
        (b"\xff", b"\xff", "bytes"),
    ],
)
def test_the_format_goes_by_content_type_and_then_by_how_the_body_begins(
    content_type: bytes | None, body: bytes, found: str
) -> None:
    assert detect(content_type, body) == found


def reason(body: bytes, kind: str) -> str:
    with pytest.raises(Rejected) as refusal:
        parse(body, kind)  # type: ignore[arg-type]
    return refusal.value.reason


def test_bytes_are_left_alone() -> None:
    assert parse(b"\x00\xff", "bytes") == b"\x00\xff"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
        max_leaves=20,
    )
)
def test_what_is_written_as_json_is_read_back(value: object) -> None:
    import json

    assert parse(json.dumps(value).encode(), "json") == value


@given(st.binary(max_size=200), st.sampled_from(["json", "form", "form-json", "xml", "bytes"]))
def test_whatever_the_bytes_only_a_rejection_comes_out(body: bytes, kind: str) -> None:
    with contextlib.suppress(Rejected):
        parse(body, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_the_deepest_json_allowed_is_64_levels(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    inner = b"" if opening == b"[" else b"1"
    assert parse_json(opening * MAX_DEPTH + inner + closing * MAX_DEPTH)
    assert reason(opening * (MAX_DEPTH + 1) + inner + closing * (MAX_DEPTH + 1), "json") == "malformed_body"


def test_many_shallow_objects_are_not_deep() -> None:
    assert len(parse_json(b"[" + b",".join([b"{}"] * 1000) + b"]")) == 1000
    assert parse_json(b'"' + b"[" * 1000 + b'"') == "[" * 1000


@pytest.mark.parametrize(
    "text", [b"1e999", b"-1e999", b"1E+999", b"[1e1000]", b'{"a":{"b":9e400}}', b"1" + b"0" * 400 + b".0"]
)
def test_a_number_out_of_range_is_refused(text: bytes) -> None:
    assert reason(text, "json") == "malformed_body"


def test_a_number_out_of_range_is_found_among_ids_that_look_like_one() -> None:
    ids = ", ".join(f'"ff{n}e999"' for n in range(100))
    assert parse_json(f"[{ids}]".encode())[99] == "ff99e999"
    for hidden in (f"[{ids}, 1e999]", f'["ff1e999", 1e999, {ids}]', f"[{ids}, 1{'0' * 400}e-999, -1.5E+999]"):
        with pytest.raises(Rejected):
            parse_json(hidden.encode())


@pytest.mark.parametrize("text", [b'"1e999"', b"1e-999", b"1e100", b'["0e000", 1.5]'])
def test_what_only_looks_out_of_range_is_not(text: bytes) -> None:
    parse_json(text)


def test_json_lines_are_a_list() -> None:
    assert parse_lines(b'{"a":1}\n\n{"a":2}\r\n[3]') == [{"a": 1}, {"a": 2}, [3]]
    assert parse_lines(b"") == []


def test_a_flood_of_json_lines_is_refused() -> None:
    with pytest.raises(Rejected, match="lines"):
        parse_lines(b"1\n" * (MAX_LINES + 1))
    assert len(parse_lines(b"1\n" * MAX_LINES)) == MAX_LINES


def test_a_form_gives_texts_and_lists_of_them() -> None:
    assert parse_form(b"a=1&b=&a=2&a=3&c=%C3%A9+x") == {"a": ["1", "2", "3"], "b": "", "c": "é x"}
    assert parse_form(b"") == {}


@pytest.mark.parametrize(
    "body", [b"a", b"a&b=1", b"&", b"a=1&", b"a=%ff", b"a=\xc3\xa9", b"&".join([b"a=1"] * (MAX_FIELDS + 1))]
)
def test_a_form_that_two_parsers_may_read_differently_is_refused(body: bytes) -> None:
    assert reason(body, "form") == "malformed_body"


def test_a_form_can_carry_json() -> None:
    assert parse(b"payload=%7B%22a%22%3A1%7D", "form-json") == {"a": 1}
    for body in (b"other=1", b"payload=1&payload=2", b"payload=%7B"):
        assert reason(body, "form-json") == "malformed_body"


def test_xml_becomes_nested_dicts() -> None:
    body = (
        b'<n:order xmlns:n="urn:x" id="7"><item>a</item><item>b</item>'
        b'<note k="v"/><total>1</total><void/></n:order>'
    )
    assert parse(body, "xml") == {
        "order": {"@id": "7", "item": ["a", "b"], "note": {"@k": "v", "#text": ""}, "total": "1", "void": ""}
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<?xml version="1.0" encoding="x-unheard-of"?><a/>',
        b"<a>" * 65 + b"</a>" * 65,
        b"<a>" * 100_000,
    ],
)
def test_xml_with_entities_or_depth_is_refused(body: bytes) -> None:
    assert reason(body, "xml") == "malformed_body"


def test_xml_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "defusedxml", None)
    with pytest.raises(MissingExtra, match=r"hookcatch\[xml\]"):
        parse(b"<a/>", "xml")
