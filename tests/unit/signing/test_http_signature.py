"""RFC 9421: what has to be signed, by which algorithm and when is said by the source, never by the request."""

from __future__ import annotations

import base64
import builtins
import datetime as dt
import hashlib
import hmac
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.core.errors import ConfigurationError, MissingExtra, Rejected
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing import http_signature
from hookcatch.signing.http_signature import MessageSignature
from hookcatch.signing.keys import Base64

NOW = 1_700_000_000.0
SECRET = Secret(b"0123456789abcdef")
URL = "https://hooks.example.com/in?a=1"
BODY = b'{"id": "evt_1"}'
HMAC = MessageSignature(algorithm="hmac-sha256")


def pem(key: Any) -> Secret:
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def public(key: Any) -> Secret:
    return Secret(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


RSA = rsa.generate_private_key(65537, 2048)
KEYS: dict[str, Any] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ecdsa-p256-sha256": ec.generate_private_key(ec.SECP256R1()),
    "rsa-pss-sha512": RSA,
    "rsa-v1_5-sha256": RSA,
}


def request(body: bytes = BODY, *headers: tuple[str, str]) -> Request:
    return Request("POST", URL, [("content-type", "application/json"), *headers], body)


def signed(scheme: MessageSignature = HMAC, blank: Request | None = None, now: float = NOW) -> Request:
    return scheme.sign(blank or request(), SECRET, now)


def refused(given: Request, scheme: MessageSignature = HMAC, now: float = NOW, **more: Any) -> str:
    with pytest.raises(Rejected) as why:
        scheme.bind([SECRET], more.get("tolerance")).check(given, now)
    return str(why.value)


@pytest.mark.parametrize("name", list(KEYS))
def test_every_algorithm_signs_with_the_private_key_and_verifies_with_either(name: Any) -> None:
    scheme = MessageSignature(algorithm=name)
    made = scheme.sign(request(), pem(KEYS[name]), NOW)
    for key in (pem(KEYS[name]), public(KEYS[name])):
        scheme.check_strength(key)
        assert scheme.bind([key], None).check(made, NOW) == (0, NOW)
    with pytest.raises(ConfigurationError, match="can only verify"):
        scheme.sign(request(), public(KEYS[name]), NOW)


def test_the_algorithm_is_never_taken_from_the_request() -> None:
    made = MessageSignature(algorithm="rsa-v1_5-sha256").sign(request(), pem(RSA), NOW)
    scheme = MessageSignature(algorithm="rsa-pss-sha512")
    with pytest.raises(Rejected, match="bad_signature"):
        scheme.bind([public(RSA)], None).check(made, NOW)


def test_the_hmac_example_of_the_rfc() -> None:
    # RFC 9421, B.2.5: it does not cover the body, so here it comes without one.
    scheme = MessageSignature(
        algorithm="hmac-sha256",
        components=("date", "@authority", "content-type"),
        key=Base64(),
        label="sig-b25",
    )
    key = Secret(b"uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
    example = Request(
        "POST",
        "https://example.com/foo?param=Value&Pet=dog",
        [
            ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("Content-Type", "application/json"),
            (
                "Signature-Input",
                'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
            ),
            ("Signature", "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:"),
        ],
    )
    bound = scheme.bind([key], None)
    assert bound.check(example, 1_618_884_473.0) == (0, 1_618_884_473.0)
    with pytest.raises(Rejected, match="bad_signature"):
        bound.check(example.replace(body=b'{"hello": "world"}'), 1_618_884_473.0)


# RFC 9530: the body is bound by its digest

SHA256 = ("Content-Digest", "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:")
SHA512 = (
    "Content-Digest",
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
)


@pytest.mark.parametrize("digest", [SHA256, SHA512], ids=["sha-256", "sha-512"])
def test_the_digests_of_the_rfc_bind_the_body(digest: tuple[str, str]) -> None:
    made = signed(blank=request(b'{"hello": "world"}', digest))
    assert HMAC.bind([SECRET], None).check(made, NOW).key == 0
    assert refused(made.replace(body=b'{"hello": "world"} ')) == "bad_signature"


def test_a_digest_of_another_body_cannot_be_signed() -> None:
    with pytest.raises(ConfigurationError, match="cannot be signed"):
        signed(blank=request(b"{}", SHA256))


def test_a_body_has_to_be_covered_whatever_the_source_asks_for() -> None:
    lax = MessageSignature(algorithm="hmac-sha256", components=())
    made = signed(lax, request(b""))
    lax.bind([SECRET], None).check(made, NOW)
    assert refused(made.replace(body=b"{}"), lax) == "bad_signature"
    uncovered = made.replace(body=b'{"hello": "world"}').with_header(*SHA256)
    assert refused(uncovered, lax) == "bad_signature"


def test_what_has_to_be_covered_and_is_not_is_refused() -> None:
    made = signed(MessageSignature(algorithm="hmac-sha256", components=("@method",)))
    assert refused(made) == "bad_signature"


@pytest.mark.parametrize(
    "changed",
    [
        signed().replace(url=URL + "&b=2"),
        signed().replace(url=""),
        signed().replace(url="not a URL"),
        signed().replace(body=BODY + b" "),
        Request("PUT", URL, signed().headers, BODY),
    ],
)
def test_method_url_and_body_are_covered_by_default(changed: Request) -> None:
    assert refused(changed) == "bad_signature"


# which signature counts


def two() -> Request:
    first = signed(MessageSignature(algorithm="hmac-sha256", label="a"))
    second = signed(MessageSignature(algorithm="hmac-sha256", label="b", tag="shop"))
    both = {
        name: (first.header(name) or b"") + b", " + (second.header(name) or b"")
        for name in (b"signature-input", b"signature")
    }
    for name, value in both.items():
        first = first.with_header(name.decode(), value)
    return first


def test_one_signature_alone_counts_or_the_one_of_the_label() -> None:
    assert refused(two()).startswith("malformed_signature: 2 signatures")
    for label in ("a", "b"):
        labelled = MessageSignature(algorithm="hmac-sha256", label=label)
        assert labelled.bind([SECRET], None).check(two(), NOW).key == 0
    missing = MessageSignature(algorithm="hmac-sha256", label="c")
    assert refused(two(), missing) == "missing_signature: no signature is called c"


def test_the_tag_and_the_key_have_to_be_called_as_the_source_says() -> None:
    tagged = MessageSignature(algorithm="hmac-sha256", tag="shop", keyid="k1")
    assert tagged.bind([SECRET], None).check(signed(tagged), NOW).key == 0
    assert refused(signed(), tagged) == "bad_signature"
    other = MessageSignature(algorithm="hmac-sha256", tag="shop", keyid="k2")
    assert refused(signed(other), tagged) == "unknown_key: signed with another keyid"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("signature", "", "missing_signature"),
        ("signature-input", "", "missing_signature"),
        ("signature", "sig1", "bad_signature"),
        ("signature", "sig1=:%:", "malformed_signature"),
        ("signature", "é", "malformed_signature"),
        ("signature-input", "(", "malformed_signature"),
        ("signature-input", "sig1=();created=1, sig1=()", "malformed_signature"),
        ("signature-input", "sig1=7", "bad_signature"),
        ("signature-input", 'sig1=("@method");created="1"', "bad_signature"),
        ("signature", "sig1=:AAAA:", "bad_signature"),
    ],
)
def test_what_is_no_signature_is_refused(name: str, value: str, reason: str) -> None:
    assert refused(signed().with_header(name, value)).startswith(reason)


def test_a_header_that_came_twice_is_ambiguous() -> None:
    made = signed()
    twice = made.replace(headers=[*made.headers, ("signature", "sig1=:AAAA:")])
    assert refused(twice).startswith("duplicate_header")
    digests = made.replace(headers=[*made.headers, SHA256])
    assert refused(digests).startswith("duplicate_header")


@given(said=st.text(max_size=40), signature=st.text(max_size=40))
def test_whatever_is_sent_only_a_refusal_escapes(said: str, signature: str) -> None:
    given = request().with_header("signature-input", f"sig1={said}".encode("utf-8", "replace"))
    refused(given.with_header("signature", f"sig1={signature}".encode("utf-8", "replace")))


# when


def test_its_time_is_judged_by_our_clock_either_way() -> None:
    assert refused(signed(now=NOW - 301)).startswith("stale_timestamp")
    assert refused(signed(now=NOW + 301)).startswith("future_timestamp")
    assert HMAC.bind([SECRET], None).check(signed(now=NOW - 300), NOW).signed_at == NOW - 300


def by_the_library(**more: Any) -> Request:
    from http_message_signatures import HTTPMessageSigner
    from http_message_signatures.algorithms import HMAC_SHA256

    message = http_signature._Message(request())
    key = http_signature._Key(None, SECRET.reveal())
    HTTPMessageSigner(signature_algorithm=HMAC_SHA256, key_resolver=key).sign(
        message, key_id="k", covered_component_ids=("@method", "@target-uri"), body=BODY, **more
    )
    return request().replace(headers=message.headers.items())


def moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def test_an_expiry_is_obeyed() -> None:
    made = by_the_library(created=moment(NOW), expires=moment(NOW + 10))
    assert HMAC.bind([SECRET], None).check(made, NOW + 10).key == 0
    assert refused(made, now=NOW + 11) == "stale_timestamp: the signature has expired"


def test_without_a_time_it_is_refused_unless_the_sender_has_none() -> None:
    covered = '"@method" "@target-uri" "content-digest"'
    made = signed()
    digest = (made.header(b"content-digest") or b"").decode()
    params = f'({covered});keyid="k"'
    base = f'"@method": POST\n"@target-uri": {URL}\n"content-digest": {digest}\n"@signature-params": {params}'
    mac = hmac.digest(SECRET.reveal(), base.encode(), hashlib.sha256)
    timeless = made.with_header("signature-input", f"sig1={params}").with_header(
        "signature", b"sig1=:" + base64.b64encode(mac) + b":"
    )
    assert refused(timeless).startswith("missing_timestamp")
    lax = MessageSignature(algorithm="hmac-sha256", tolerance=None)
    assert lax.bind([SECRET], None).check(timeless, NOW) == (0, None)
    assert refused(timeless, lax, tolerance=60.0).startswith("missing_timestamp")


# configuration


def test_the_head_alone_passes_the_precheck() -> None:
    bound = HMAC.bind([SECRET], None)
    bound.precheck(signed().replace(body=b""), NOW)
    with pytest.raises(Rejected, match="missing_signature"):
        bound.precheck(request(b""), None)


@pytest.mark.parametrize(
    ("algorithm", "key", "why"),
    [
        ("rsa-pss-sha256", SECRET, "no algorithm of RFC 9421"),
        ("ed25519", public(RSA), "of another kind"),
        ("ed25519", SECRET, "public key"),
        ("ecdsa-p256-sha256", public(ec.generate_private_key(ec.SECP384R1())), "does not fit"),
        ("rsa-v1_5-sha256", public(rsa.generate_private_key(65537, 1024)), "1024 bits"),
    ],
)
def test_a_key_that_does_not_fit_is_found_when_the_source_is_built(
    algorithm: Any, key: Secret, why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        MessageSignature(algorithm=algorithm).bind([key], None)


def test_a_short_secret_is_too_easy_to_guess() -> None:
    HMAC.check_strength(SECRET)
    with pytest.raises(ConfigurationError, match="at least 16"):
        HMAC.check_strength(Secret(b"short"))


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("http_message_signatures"):
            raise ImportError(name)
        return real(name, *rest, **more)

    http_signature._algorithms.cache_clear()
    for name in [name for name in sys.modules if name.startswith("http_message_signatures")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"hookcatch\[rfc9421\]"):
        HMAC.bind([SECRET], None)


def test_headers_are_written_in_the_place_of_those_of_the_same_name() -> None:
    fields = http_signature._Fields(request(b"", ("X-A", "1"), ("x-a", "2")))
    assert "X-a" in fields
    assert list(fields) == ["content-type", "X-A", "x-a"]
    fields["x-A"] = "3"
    assert fields.items()[1:] == [("x-A", "3")]
    del fields["x-a"]
    assert "x-a" not in fields
