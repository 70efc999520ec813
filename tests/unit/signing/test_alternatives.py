"""Senders that sign in one of several ways, and what such messages are made of."""

from __future__ import annotations

import hashlib

import pytest

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.providers import provider
from hookcatch.signing.alternatives import EitherOf, Strongest
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, NamedHeaders, Nonce, Sorted, renderer
from hookcatch.signing.places import Header, Pair, Query
from hookcatch.signing.schemes import Signed
from support.senders import NOW, secret, signed

KEY = Secret(b"a secret that is long enough")
PLAIN = Request("POST", "https://a.example/?a=1", [], b"{}")


def by(header: str, digest: str = "sha256") -> Signed:
    return Signed(algorithm=Hmac(digest), signature=Header(header), message=(BODY,))


STRONG, WEAK = by("x-strong"), by("x-weak", "sha1")


def reason(scheme: EitherOf | Strongest, request: Request) -> str:
    with pytest.raises(Rejected) as refusal:
        scheme.bind([KEY], None).check(request, NOW)
    return refusal.value.reason


@pytest.mark.parametrize("made", [EitherOf((STRONG, WEAK)), Strongest((STRONG, WEAK))])
def test_any_of_the_ways_is_enough_where_it_is_the_only_one(made: EitherOf | Strongest) -> None:
    bound = made.bind([KEY], None)
    for scheme in (STRONG, WEAK):
        request = scheme.sign(PLAIN, KEY, NOW)
        bound.precheck(request, NOW)
        assert bound.check(request, NOW).key == 0
    assert made.sign(PLAIN, KEY, NOW) == STRONG.sign(PLAIN, KEY, NOW)
    assert reason(made, PLAIN) == "missing_signature"
    with pytest.raises(Rejected, match="missing_signature"):
        bound.precheck(PLAIN, NOW)
    with pytest.raises(ConfigurationError, match="at least 16"):
        made.check_strength(Secret(b"short"))


def test_a_weaker_signature_does_not_mend_a_stronger_one_that_is_wrong() -> None:
    both = WEAK.sign(PLAIN, KEY, NOW).with_header("x-strong", "0" * 64)
    assert reason(Strongest((STRONG, WEAK)), both) == "bad_signature"
    assert EitherOf((STRONG, WEAK)).bind([KEY], None).check(both, NOW).key == 0


def test_a_stronger_signature_that_is_malformed_in_the_head_is_refused_there() -> None:
    prefixed = Signed(algorithm=Hmac(), signature=Header("x-strong", prefix="v1="))
    both = WEAK.sign(PLAIN, KEY, NOW).with_header("x-strong", "v2=0")
    with pytest.raises(Rejected, match="malformed_signature"):
        Strongest((prefixed, WEAK)).bind([KEY], None).precheck(both, NOW)


def test_the_headers_that_are_signed_are_those_that_are_named() -> None:
    part = NamedHeaders(Pair("x-proof", "h", spaces=True), b"x-a")
    request = Request("POST", "", [("x-proof", "t=1,h=x-a x-b"), ("x-a", "1"), ("x-b", "2")])
    assert part.render()(request, b"") == b"1.2"
    assert part.fill(request) is request
    filled = part.fill(Request("POST", "", [("x-a", "1")]))
    assert filled.header(b"x-proof") == b"h=x-a"
    with pytest.raises(Rejected, match="malformed_signature"):
        part.render()(request.with_header("x-proof", "h=x-c"), b"")


def test_sorted_texts_are_joined_in_the_order_of_their_bytes() -> None:
    part = Sorted((b"m", Nonce(Query("nonce")), b"a"))
    filled = part.fill(PLAIN)
    nonce = hashlib.sha256(PLAIN.body).hexdigest()[:32].encode()
    assert renderer((part,))(filled, b"") == b"".join(sorted([b"a", b"m", nonce]))


def test_each_group_of_persona_is_a_whole_claim() -> None:
    row = provider("persona")
    good = signed("persona").header(b"persona-signature") or b""
    other = signed("persona", 1).header(b"persona-signature") or b""
    verifier = row.bind(secret("persona"))
    request = signed("persona")
    rotated = request.with_header("persona-signature", other + b" " + good)
    verifier.precheck(rotated, NOW)
    assert verifier.check(rotated, NOW).key == 0
    mixed = request.with_header("persona-signature", good.replace(b",", b" "))
    with pytest.raises(Rejected):
        verifier.check(mixed, NOW)
    with pytest.raises(Rejected, match="missing_signature"):
        verifier.precheck(mixed.replace(headers=[]), NOW)


SNS = "arn:aws:sns:us-east-1:1:topic"


def test_a_message_of_another_topic_is_refused() -> None:
    key = secret("aws_sns")
    with pytest.raises(Rejected, match="another topic"):
        provider("aws_sns").verify(signed("aws_sns"), secret=key.replace(SNS, SNS + "2"), now=NOW)


def test_a_field_of_sns_is_one_line_of_text() -> None:
    row, key = provider("aws_sns"), secret("aws_sns")
    for body in (b'{"MessageId":"1\\n2"}', b'{"MessageId":7}'):
        with pytest.raises(ConfigurationError, match="cannot be signed for aws_sns"):
            row.sign(PLAIN.replace(body=body), secret=key, now=NOW)
    two_lines = row.sign(PLAIN.replace(body=b'{"Message":"1\\n2"}'), secret=key, now=NOW)
    assert row.verify(two_lines, secret=key, now=NOW).key == 0


def test_a_secret_of_sns_begins_with_a_topic() -> None:
    for wrong in (
        "arn:aws:sqs:a:1:b",
        secret("aws_sns").partition("\n")[2],
        "topic\n-----BEGIN CERTIFICATE-----",
    ):
        with pytest.raises(ConfigurationError, match="the ARN of your topic"):
            provider("aws_sns").bind(wrong)


def test_the_form_of_mandrill_has_one_field() -> None:
    request = signed("mandrill")
    with pytest.raises(Rejected, match="malformed_body"):
        provider("mandrill").verify(
            request.replace(body=request.body + b"&a=1"), secret=secret("mandrill"), now=NOW
        )


def test_signalwire_keeps_what_its_form_repeats() -> None:
    row, key = provider("signalwire"), secret("signalwire")
    form = "application/x-www-form-urlencoded"
    request = Request("POST", "https://a.example/", [("content-type", form)], b"b=2&b=1&b=1&a=0")
    cxml = row.scheme.schemes[1]  # type: ignore[attr-defined]
    made = cxml.sign(request, Secret(key.encode()), NOW)
    assert row.verify(made, secret=key, now=NOW).key == 0
    again = made.replace(body=b"b=2&b=1&a=0")
    with pytest.raises(Rejected, match="bad_signature"):
        row.verify(again, secret=key, now=NOW)
