"""Parameters, wherever they stand: in the query of a GET, in a form, in JSON."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing.called import (
    FORM,
    Parameter,
    QueryAsBody,
    SortedParameters,
    SortedQuery,
    UrlWithoutQuery,
    parameters,
)
from hookcatch.signing.mac import Hmac
from hookcatch.signing.places import Header
from hookcatch.signing.scheme import Match, Opened
from hookcatch.signing.schemes import Signed

PLACE = "https://hooks.example.com/in"
SECRET = Secret(b"0123456789abcdef")
SIG = Parameter("sig")
SCHEME = QueryAsBody(Signed(algorithm=Hmac(), signature=SIG, message=(SortedParameters("sig"),)))


def called(query: str) -> Request:
    return Request("GET", f"{PLACE}?{query}", ())


def form(body: str) -> Request:
    return Request("POST", f"{PLACE}?ours=1", [("content-type", FORM)], body)


def json(body: str) -> Request:
    return Request("POST", f"{PLACE}?ours=1", [("content-type", "application/json")], body)


@pytest.mark.parametrize("request_", [called("a=1&b=x+y"), form("a=1&b=x+y"), json('{"a": 1, "b": "x y"}')])
def test_the_parameters_are_the_same_wherever_they_stand(request_: Request) -> None:
    assert parameters(request_) == [("a", "1"), ("b", "x y")]
    written = SIG.write(request_, b"abc")
    assert SIG.reader()(written) == b"abc"
    assert SIG.reader()(request_) is None
    assert ("sig", "abc") in parameters(written)
    assert not SIG.in_head
    assert SIG.title == "the parameter sig"


@pytest.mark.parametrize(
    "request_",
    [
        called("a=1&a=2"),
        form("a=1&a=2"),
        form("a"),
        json("[]"),
        json("{"),
        json('{"a": {}}'),
        json('{"a": null}'),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(request_: Request) -> None:
    with pytest.raises(Rejected, match="malformed_body"):
        parameters(request_)


def test_they_are_signed_in_order_without_the_signature_and_the_two_signs_replaced() -> None:
    render = SortedParameters("sig").render()
    assert render(form("b=x%26y&a=1%3D2&sig=abc"), b"") == b"&a=1_2&b=x_y"
    for name in ("a%3D1", "a%26b"):
        with pytest.raises(Rejected, match="cut out of two others"):
            render(form(f"{name}=1"), b"")


@pytest.mark.parametrize("request_", [called("a=1"), form("a=1"), json('{"a": 1}')])
def test_signing_and_checking_agree_everywhere(request_: Request) -> None:
    bound = SCHEME.bind([SECRET], None)
    signed = SCHEME.sign(request_, SECRET, 0.0)
    assert bound.check(signed, 0.0) == (0, None)
    with pytest.raises(Rejected, match="bad_signature"):
        bound.check(SCHEME.sign(request_, Secret(b"another secret.."), 0.0), 0.0)
    with pytest.raises(Rejected, match="missing_signature"):
        bound.check(request_, 0.0)


def test_the_query_of_a_get_is_read_as_a_form_and_nothing_else_is_touched() -> None:
    bound = SCHEME.bind([SECRET], None)
    assert bound.open is not None
    opened = bound.open(called("a=1&b=x+y"), Match(0)).request
    assert (opened.body, opened.header(b"content-type")) == (b"a=1&b=x+y", FORM.encode())
    assert bound.open(form("a=1"), Match(0)) == Opened(form("a=1"))


@given(
    query=st.text(max_size=50), body=st.binary(max_size=50), kind=st.sampled_from([FORM, "application/json"])
)
def test_whatever_comes_only_a_refusal_escapes(query: str, body: bytes, kind: str) -> None:
    bound = SCHEME.bind([SECRET], None)
    for method in ("GET", "POST"):
        request = Request(
            method, f"{PLACE}?{urlencode({'sig': query})}&{query}", [("content-type", kind)], body
        )
        with pytest.raises(Rejected):
            bound.check(request, 0.0)


def test_a_query_is_sorted_and_a_url_cut_off_at_it() -> None:
    assert SortedQuery().render()(called("b=x+y&a=1"), b"") == b"a=1&b=x+y"
    assert UrlWithoutQuery().render()(called("b=1"), b"") == PLACE.encode()
    with pytest.raises(Rejected, match="set public_url"):
        UrlWithoutQuery().render()(Request("POST", "", ()), b"")


def test_its_strength_is_that_of_the_scheme_inside() -> None:
    scheme = QueryAsBody(Signed(algorithm=Hmac(), signature=Header("x-sig")))
    scheme.check_strength(SECRET)
    with pytest.raises(ConfigurationError, match="at least 16"):
        scheme.check_strength(Secret(b"short"))
