"""Rows whose senders publish their keys: by certificate, by key set, pinned, and end to end."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
from jwt.algorithms import RSAAlgorithm

from hookcatch import Hookcatch
from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.keyring import KeyNeeded, Keys, Pinned
from hookcatch.core.wire import Request
from hookcatch.keyring import Published
from hookcatch.providers import jws, oidc, provider
from hookcatch.providers.published import GOOGLE
from support.edges import AsgiCaller, post
from support.senders import NOW, event, rsa
from support.tls import TlsServer, certificate, pem_of, private_key
from support.world import Clock

TOPIC = "arn:aws:sns:eu-central-1:123456789012:orders"
SNS_URL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem"
PAYPAL_URL = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42"


def sns_message(number: int = 0, url: str = SNS_URL, topic: str = TOPIC) -> Request:
    said = {"Type": "Notification", "MessageId": "m1", "Message": "hi", "SigningCertURL": url}
    blank = Request("POST", "", [("content-type", "text/plain")], json.dumps(said))
    return provider("aws_sns").sign(blank, secret=f"{topic}\n{pem_of(private_key(number))}", now=NOW)


def paypal_message(number: int = 0, url: str = PAYPAL_URL) -> Request:
    row = provider("paypal")
    signed = row.sign(event(row), secret=f"WH-ID:{pem_of(private_key(number))}", now=NOW)
    return signed.with_header("paypal-cert-url", url)


CERTIFIED = {
    "aws_sns": (TOPIC, SNS_URL, "sns.amazonaws.com", sns_message),
    "paypal": ("WH-ID", PAYPAL_URL, "messageverificationcerts.paypal.com", paypal_message),
}


def refused(name: str, request: Request, secret: str, keys: Keys, now: float = NOW) -> str:
    with pytest.raises(Rejected) as why:
        provider(name).bind(secret, None, keys).verify(request, now)
    return str(why.value)


# certificates


@pytest.mark.parametrize("name", CERTIFIED)
def test_a_certificate_that_the_request_names_proves_its_sender(name: str) -> None:
    secret, url, owner, message = CERTIFIED[name]
    keys = Pinned({url: certificate(owner, private_key(0))})
    verifier = provider(name).bind(secret, None, keys)
    assert verifier.verify(message(), NOW).key == 0
    assert verifier.verify(message(), NOW).key == 0
    assert refused(name, message(1), secret, keys) == "bad_signature"


@pytest.mark.parametrize("name", CERTIFIED)
def test_a_certificate_that_is_not_there_yet_is_asked_for_by_its_url(name: str) -> None:
    class Empty:
        def get(self, ref: object) -> None:
            return None

    secret, url, _, message = CERTIFIED[name]
    with pytest.raises(KeyNeeded) as need:
        provider(name).bind(secret, None, Empty()).verify(message(), NOW)
    assert (need.value.ref.url, need.value.ref.form) == (url, "pem")


@pytest.mark.parametrize("name", CERTIFIED)
def test_a_certificate_of_somebody_else_out_of_date_or_broken_proves_nothing(name: str) -> None:
    secret, url, owner, message = CERTIFIED[name]
    other = certificate("evil.example", private_key(0))
    old = certificate(owner, private_key(0), ends=NOW - 1)
    early = certificate(owner, private_key(0), begins=NOW + 1)
    for pem, why in (
        (other, "made out to"),
        (old, "out of date"),
        (early, "out of date"),
        (b"x", "no certificate"),
    ):
        assert why in refused(name, message(), secret, Pinned({url: pem}))


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("aws_sns", SNS_URL.replace("eu-central-1", "us-east-1")),  # the region of another topic
        ("aws_sns", SNS_URL.replace("sns.", "bucket.")),
        ("aws_sns", "https://evil.example/SimpleNotificationService-1.pem"),
        ("paypal", "https://api.paypal.com.evil.example/CERT"),
        ("paypal", "https://www.paypal.com/CERT"),
    ],
)
def test_a_certificate_elsewhere_is_not_looked_at(name: str, url: str) -> None:
    secret, _, owner, message = CERTIFIED[name]
    keys = Pinned({url: certificate(owner, private_key(0))})
    assert "not where this sender keeps its keys" in refused(name, message(url=url), secret, keys)


@pytest.mark.parametrize("name", CERTIFIED)
def test_without_a_url_there_is_no_signature(name: str) -> None:
    secret, _, _, message = CERTIFIED[name]
    request = message()
    bare = Request("POST", "", [pair for pair in request.headers if pair[0] != b"paypal-cert-url"], b"{}")
    assert refused(name, bare, secret, Pinned()).startswith("missing_signature")


@pytest.mark.parametrize("name", CERTIFIED)
def test_a_source_that_fetches_its_key_cannot_sign_and_has_no_weak_secret(name: str) -> None:
    secret, _, _, message = CERTIFIED[name]
    provider(name).check_secrets(secret)
    with pytest.raises(ConfigurationError, match="signing needs the private key"):
        provider(name).sign(message(), secret=secret, now=NOW)


def test_a_certificate_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography.x509", None)
    with pytest.raises(ConfigurationError, match="cryptography"):
        provider("paypal").bind("WH-ID", None, Pinned())


# key sets


def jwk(number: int = 0, kid: str = "k1") -> bytes:
    made = json.loads(RSAAlgorithm.to_jwk(private_key(number).public_key()))
    return json.dumps({**made, "kid": kid}).encode()


def token(claims: dict[str, Any], number: int = 0, kid: str | None = "k1") -> str:
    head = {} if kid is None else {"kid": kid}
    times = {"iat": int(NOW), "exp": int(NOW) + 60}
    return pyjwt.encode({**times, **claims}, private_key(number), algorithm="RS256", headers=head)


def bearing(made: str) -> Request:
    return Request("POST", "", [("authorization", f"Bearer {made}")], b'{"message":{"messageId":"1"}}')


PUBSUB = "https://me.example.com push@p.iam.gserviceaccount.com"
CLAIMS = {
    "iss": "https://accounts.google.com",
    "aud": "https://me.example.com",
    "email": "push@p.iam.gserviceaccount.com",
    "email_verified": True,
}


def test_a_token_by_a_published_key_is_good() -> None:
    verifier = provider("google_pubsub").bind(PUBSUB, None, Pinned({"k1": jwk()}))
    [read] = verifier.verify(bearing(token(CLAIMS)), NOW).events
    assert read.id == "1"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"email": "another@p.iam.gserviceaccount.com"}, "the claim email says something else"),
        ({"email_verified": False}, "the claim email_verified"),
        ({"email_verified": "true"}, "the claim email_verified"),
        ({"aud": "https://other.example.com"}, "for another audience"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"exp": int(NOW) - 100}, "expired"),
    ],
)
def test_what_anybody_could_have_made_for_themselves_is_not(changed: dict[str, Any], why: str) -> None:
    request = bearing(token({**CLAIMS, **changed}))
    assert why in refused("google_pubsub", request, PUBSUB, Pinned({"k1": jwk()}))


def test_the_kid_chooses_a_key_of_the_one_set_and_nothing_else() -> None:
    keys = Pinned({"k1": jwk(), "k2": jwk(1), "k3": b"{}", "k4": b'{"kty":"oct","k":"AAAA"}'})
    assert refused("google_pubsub", bearing(token(CLAIMS, kid="k2")), PUBSUB, keys) == "bad_signature"
    assert "no key is pinned" in refused("google_pubsub", bearing(token(CLAIMS, kid="k9")), PUBSUB, keys)
    for kid in ("k3", "k4"):
        assert "is of no use" in refused("google_pubsub", bearing(token(CLAIMS, kid=kid)), PUBSUB, keys)
    for kid in (None, "", "x" * 256):
        assert "by which key" in refused("google_pubsub", bearing(token(CLAIMS, kid=kid)), PUBSUB, keys)


def test_a_set_of_certificates_is_as_good() -> None:
    claims = {"iss": "chat@system.gserviceaccount.com", "aud": "1234567890"}
    keys = Pinned({"k1": certificate("chat", private_key(0)), "k2": b"-----BEGIN CERTIFICATE-----\nx"})
    assert provider("google_chat").bind("1234567890", None, keys).verify(bearing(token(claims)), NOW).key == 0
    assert "is of no use" in refused("google_chat", bearing(token(claims, kid="k2")), "1234567890", keys)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("google_pubsub", "https://me.example.com"),
        ("google_chat", "my-project"),
        ("paypal", "WH:"),
        ("aws_sns", "a"),
    ],
)
def test_a_secret_that_does_not_say_who_the_sender_is_is_refused(name: str, secret: str) -> None:
    with pytest.raises(ConfigurationError, match="the secret for"):
        provider(name).bind(secret)


def test_a_row_of_one_s_own_for_an_openid_provider() -> None:
    row = oidc(
        issuer="https://login.example.com", audience="me", jwks="https://login.example.com/keys",
        claims=(("sub", "the-shop"),),
    )  # fmt: skip
    said = {"iss": "https://login.example.com", "aud": ["me"], "sub": "the-shop"}
    verifier = row.bind("published", None, Pinned({"k1": jwk()}))
    assert verifier.verify(bearing(token(said)), NOW).key == 0
    with pytest.raises(Rejected, match="the claim sub"):
        verifier.verify(bearing(token({**said, "sub": "another"})), NOW)
    with pytest.raises(ConfigurationError, match="signing needs the private key"):
        row.sign(event(row), secret="published", now=NOW)


# detached signatures


def detached(head: dict[str, Any], body: bytes = b"{}", signature: bytes = b"x") -> Request:
    first = base64.urlsafe_b64encode(json.dumps(head).encode()).rstrip(b"=")
    text = first + b".." + base64.urlsafe_b64encode(signature).rstrip(b"=")
    return Request("POST", "", [("x-jws-signature", text)], body)


@pytest.mark.parametrize(
    "head",
    [
        {"alg": "RS256"},
        {"alg": "RS256", "b64": False},
        {"alg": "RS256", "b64": True, "crit": ["b64"]},
        {"alg": "RS256", "b64": False, "crit": ["b64", "exp"]},
        {"alg": "none", "b64": False, "crit": ["b64"]},
        {"alg": "HS256", "b64": False, "crit": ["b64"]},
    ],
)
def test_the_header_says_what_the_row_says_or_nothing_is_checked(head: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="malformed_signature"):
        provider("jws").verify(detached(head), secret=rsa(0), now=NOW)


@pytest.mark.parametrize("text", ["a", "a.b.c", "..", "e30..", "e30..!", "!..e30", "e30..e30", "W10..e30"])
def test_a_text_that_is_no_detached_signature_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="malformed_signature"):
        provider("jws").verify(
            Request("POST", "", [("x-jws-signature", text)], b"{}"), secret=rsa(0), now=NOW
        )


def test_a_critical_header_is_not_overlooked_where_the_body_is_encoded() -> None:
    row = jws(encoded=True, algorithm="HS256")
    key = "a canary of a secret, long enough"
    row.check_secrets(key)
    signed = row.sign(event(row), secret=key, now=NOW)
    assert row.verify(signed, secret=key, now=NOW).key == 0
    for head in ({"alg": "HS256", "crit": ["exp"]}, {"alg": "HS256", "b64": False}):
        with pytest.raises(Rejected, match="malformed_signature"):
            row.verify(detached(head), secret=key, now=NOW)
    with pytest.raises(ConfigurationError, match="at least 16"):
        row.check_secrets("short")


def test_a_detached_signature_by_a_published_key() -> None:
    row = jws(jwks="https://keys.example.com/keys")
    made = pyjwt.api_jws.PyJWS().encode(
        b"{}", private_key(0), "RS256", {"b64": False, "crit": ["b64"], "kid": "k1"}, is_payload_detached=True
    )
    request = Request("POST", "", [("x-jws-signature", made)], b"{}")
    assert row.bind("published", None, Pinned({"k1": jwk()})).verify(request, NOW).key == 0


# end to end: fetched from a real TLS server while the sender waits


@pytest.fixture
def google(tmp_path: Path) -> Iterator[TlsServer]:
    made = TlsServer("www.googleapis.com", tmp_path)
    yield made
    made.close()


def test_a_delivery_waits_for_the_key_and_is_then_kept(google: TlsServer) -> None:
    clock = Clock()
    published = Published(clock, google.dial, google.trust)
    hooks = Hookcatch("memory:?keep=10", worker=False, clock=clock, keys=published)
    hooks.source("pubsub", "google_pubsub", PUBSUB)
    edge = AsgiCaller(hooks)
    try:
        request = bearing(token(CLAIMS))
        answer = post(edge, request, path="/pubsub")
        assert (answer.status, int(answer.headers["retry-after"])) == (503, 60)
        assert hooks.inbox().counts() == {}
        google.pages[GOOGLE.url.removeprefix("https://www.googleapis.com")] = (
            b'{"keys": [' + jwk(0, "k1") + b"]}"
        )
        clock.now += 60
        times = {"iat": int(clock.now), "exp": int(clock.now) + 60}
        request = bearing(token({**CLAIMS, **times}))
        assert [post(edge, request, path="/pubsub").status for _ in range(3)] == [204, 204, 204]
        assert len(google.asked) == 2
        forged = bearing(token({**CLAIMS, **times}, kid="k2"))
        assert post(edge, forged, path="/pubsub").status == 401
        assert len(google.asked) == 2
    finally:
        edge.close()
