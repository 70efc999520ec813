"""Places read what they write, say what is missing, and refuse what is there twice."""

from __future__ import annotations

import re

import pytest

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.wire import Request
from hookcatch.signing.fields import Field, FieldOrForm, Form
from hookcatch.signing.json_path import dig, planted, text_of
from hookcatch.signing.places import (
    BasicCredentials,
    FirstOf,
    Header,
    Pair,
    Place,
    Query,
    Signatures,
    Tagged,
    query_pairs,
)

FORM = ("content-type", "application/x-www-form-urlencoded")
EMPTY = Request("POST", "https://a.example/in?x=1", [("x-other", "1")], b"{}")
EMPTY_FORM = Request("POST", "", [FORM], b"x=1")

PLACES: list[tuple[Place, Request]] = [
    (Header("x-sig"), EMPTY),
    (Header("X-Sig", prefix="sha256="), EMPTY),
    (Pair("x-sig", "v1"), EMPTY),
    (Pair("x-sig", "v1"), EMPTY.with_header("x-sig", "t=1,v0=2")),
    (Pair("x-sig", "v1", b", "), EMPTY.with_header("x-sig", "t=1, v1=2")),
    (FirstOf((Header("x-sig"), Header("x-old"))), EMPTY),
    (Field("sig"), EMPTY),
    (Field("deep.er.sig"), EMPTY),
    (Form("sig"), EMPTY_FORM),
    (FieldOrForm(Field("sig"), Form("sig")), EMPTY),
    (FieldOrForm(Field("sig"), Form("sig")), EMPTY_FORM),
    (Query("sig"), EMPTY),
    (BasicCredentials(), EMPTY),
]


@pytest.mark.parametrize(("place", "request_"), PLACES)
def test_a_place_reads_what_it_writes(place: Place, request_: Request) -> None:
    written = place.write(request_, b"a:value+/=")
    assert place.reader()(written) == b"a:value+/="
    again = place.write(written, b"b:other")
    assert place.reader()(again) == b"b:other"
    assert place.title


@pytest.mark.parametrize(("place", "request_"), [one for one in PLACES if b"x-sig" not in one[1].index])
def test_an_empty_place_gives_nothing(place: Place, request_: Request) -> None:
    assert place.reader()(request_) is None


@pytest.mark.parametrize(("place", "request_"), PLACES)
def test_a_place_holds_one_signature_or_says_it_is_missing(place: Signatures, request_: Request) -> None:
    bare = Request(
        "POST", "", [(name, value) for name, value in request_.headers if name != b"x-sig"], request_.body
    )
    with pytest.raises(Rejected, match="missing_signature"):
        place.candidates()(bare)
    assert list(place.candidates()(place.write_all(bare, [b"a:b"]))) == [b"a:b"]


def test_what_is_known_before_the_body_is_said() -> None:
    in_head = [place.in_head for place, _ in PLACES]
    assert in_head == [True] * 6 + [False] * 5 + [True] * 2
    assert Tagged("x-sig", "v1").in_head
    assert not FirstOf((Header("a"), Field("b"))).in_head


def test_a_list_holds_many_signatures() -> None:
    pairs = Pair("x-sig", "v1").write_all(EMPTY.with_header("x-sig", "t=1"), [b"a", b"b"])
    assert pairs.header(b"x-sig") == b"t=1,v1=a,v1=b"
    assert list(Pair("x-sig", "v1").candidates()(pairs)) == [b"a", b"b"]
    tagged = Tagged(("x-new", "x-sig"), "v1")
    written = tagged.write_all(EMPTY, [b"a", b"b"])
    assert written.header(b"x-new") == b"v1,a v1,b"
    assert list(tagged.candidates()(written)) == [b"a", b"b"]
    assert list(tagged.candidates()(EMPTY.with_header("x-sig", "v2,x v1,c"))) == [b"c"]
    assert Tagged("x-sig", "v1").write_all(EMPTY, [b"a"]).header(b"x-sig") == b"v1,a"


@pytest.mark.parametrize("value", ["", "v2,x", "x", "v1x"])
def test_a_list_without_ours_is_missing_a_signature(value: str) -> None:
    with pytest.raises(Rejected, match="missing_signature"):
        Tagged("x-sig", "v1").candidates()(EMPTY.with_header("x-sig", value))
    with pytest.raises(Rejected, match="missing_signature"):
        Pair("x-sig", "v1").candidates()(EMPTY.with_header("x-sig", value))


@pytest.mark.parametrize(
    ("place", "request_"),
    [
        (Pair("x-sig", "t"), EMPTY.with_header("x-sig", "t=1,t=1")),
        (Form("a"), EMPTY_FORM.replace(body=b"a=1&a=2")),
        (Query("x"), EMPTY.replace(url="https://a.example/?x=1&x=1")),
        (Header("x-sig"), EMPTY.replace(headers=[("x-sig", "1"), ("X-SIG", "1")])),
        (Header("x-sig"), EMPTY.replace(headers=[("x-sig", "1"), ("x_sig", "1")])),
        (Header("x-sig", prefix="p="), EMPTY.with_header("x-sig", "1")),
        (Header("x-sig"), EMPTY.with_header("x-sig", "1" * 8193)),
        (Pair("x-sig", "t"), EMPTY.with_header("x-sig", "t=1, v1=2")),
        (BasicCredentials(), EMPTY.with_header("authorization", "Basic QQ")),
        (BasicCredentials(), EMPTY.with_header("authorization", "Bearer QQ==")),
        (BasicCredentials(), EMPTY.with_header("authorization", "Basic")),
        (Field("a"), EMPTY.replace(body=b"{")),
        (Form("a"), EMPTY_FORM.replace(body=b"a=%ff")),
    ],
)
def test_what_is_ambiguous_or_malformed_is_refused(place: Place, request_: Request) -> None:
    with pytest.raises(Rejected):
        place.reader()(request_)


def test_the_name_of_basic_is_written_in_any_case() -> None:
    request = EMPTY.with_header("authorization", "bAsIc QTpC")
    assert BasicCredentials().reader()(request) == b"A:B"


@pytest.mark.parametrize(
    ("value", "text"), [("é", "é".encode()), (7, b"7"), (True, None), (1.5, None), (None, None)]
)
def test_a_field_is_a_text_or_a_whole_number(value: object, text: bytes | None) -> None:
    assert text_of(value) == text


def test_a_path_goes_through_objects_and_lists_and_may_break_off() -> None:
    value = {"a": [{"b": 1}], "c": None}
    assert dig(value, ["a", "0", "b"]) == 1
    for steps in (
        ["x"],
        ["a", "1"],
        ["a", "x"],
        ["a", "-1"],
        ["a", "9" * 5000],
        ["c", "d"],
        ["a", "0", "b", "c"],
    ):
        assert dig(value, steps) is None


def test_a_signature_is_planted_in_an_object_only() -> None:
    assert planted(b"", "a.b", "é") == '{"a":{"b":"é"}}'.encode()
    for body in (b"[]", b'{"a":1}'):
        with pytest.raises(ConfigurationError, match="no object"):
            planted(body, "a.b", "x")
    with pytest.raises(ConfigurationError, match="belongs in a JSON body"):
        planted(b"text", "a", "x")


def test_a_url_that_cannot_be_read_has_no_parameters() -> None:
    assert query_pairs("https://[bad") == []
    assert query_pairs("https://a.example/?" + "&".join(["a=1"] * 2000)) == []
    assert query_pairs("https://a.example/?a=&b=1") == [("a", ""), ("b", "1")]


def test_an_id_consists_of_what_the_row_allows() -> None:
    place = Header("x-id", only=re.compile(rb"[a-z]+"))
    assert place.reader()(EMPTY.with_header("x-id", "abc")) == b"abc"
    assert place.reader()(EMPTY) is None
    for value in ("", "a.b", "A"):
        with pytest.raises(Rejected, match="malformed_id"):
            place.reader()(EMPTY.with_header("x-id", value))


def test_the_scheme_of_an_authorization_may_be_spelt_in_any_case_and_no_other_prefix() -> None:
    read = Header("authorization", prefix="Bearer ").reader()
    assert read(EMPTY.with_header("authorization", "bEARER abc")) == b"abc"
    with pytest.raises(Rejected, match="does not begin"):
        read(EMPTY.with_header("authorization", "Basic abc"))
    with pytest.raises(Rejected, match="does not begin"):
        Header("x-sig", prefix="sha256=").reader()(EMPTY.with_header("x-sig", "SHA256=abc"))
