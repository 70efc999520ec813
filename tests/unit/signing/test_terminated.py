"""A client certificate that a proxy passes on: known by what the source says of it, in every spelling of a proxy."""

from __future__ import annotations

import builtins
import hashlib
from base64 import b64decode
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.x509 import DNSName, UniformResourceIdentifier
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.core.errors import ConfigurationError, MissingExtra, Rejected
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing.places import Header
from hookcatch.signing.terminated import ByteSequence, ClientCertificate, EscapedPem, ForwardedClientCert
from support.senders import NOW, certificate

PEM = certificate(0)
DER = b64decode("".join(PEM.splitlines()[1:-1]))
PINNED = f"sha256:{hashlib.sha256(DER).hexdigest()}"
BLANK = Request("POST", "", ())
PLACES = [ByteSequence(), EscapedPem("x-ssl-client-cert"), ForwardedClientCert()]
NAMED = certificate(1, DNSName("client.example.com"), UniformResourceIdentifier("spiffe://example.com/shop"))
VERIFIED = ClientCertificate(ByteSequence(), Header("x-ssl-client-verify"))


def refused(scheme: ClientCertificate, request: Request, pin: str = PINNED, now: float = NOW) -> str:
    with pytest.raises(Rejected) as why:
        scheme.bind([Secret(pin.encode())], None).check(request, now)
    return str(why.value)


@pytest.mark.parametrize("place", PLACES, ids=repr)
@pytest.mark.parametrize(
    "pin", [PINNED, PINNED.upper().replace("SHA256", "sha256"), PEM, PEM + "\n"], ids=range(4)
)
def test_it_is_known_by_its_fingerprint_or_by_itself_in_every_spelling(place: Any, pin: str) -> None:
    scheme = ClientCertificate(place)
    passed = scheme.sign(BLANK, Secret(PEM.encode()), NOW)
    bound = scheme.bind([Secret(b"sha256:" + b"00" * 32), Secret(pin.encode())], None)
    assert bound.check(passed, NOW) == (1, None)
    bound.precheck(passed, None)
    assert place.in_head
    assert place.title


@pytest.mark.parametrize("place", PLACES, ids=repr)
def test_another_certificate_is_not_it(place: Any) -> None:
    scheme = ClientCertificate(place)
    other = scheme.sign(BLANK, Secret(certificate(2).encode()), NOW)
    assert refused(scheme, other) == "bad_signature: another certificate"


@pytest.mark.parametrize("place", PLACES, ids=repr)
def test_without_one_the_request_is_unsigned(place: Any) -> None:
    scheme = ClientCertificate(place)
    assert refused(scheme, BLANK) == f"missing_signature: {place.title}"
    with pytest.raises(Rejected, match="missing_signature"):
        scheme.bind([Secret(PINNED.encode())], None).precheck(BLANK, None)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (PLACES[0], "AAAA"),
        (PLACES[0], ":AA:"),
        (PLACES[0], "::"),
        (PLACES[0], ":AAAA:"),
        (PLACES[1], "no%20PEM"),
        (PLACES[1], quote(PEM.replace("M", "%"))),
        (PLACES[2], f'Cert="{quote(PEM)}",Cert="{quote(PEM)}"'),
        (PLACES[2], f'Cert="{quote(PEM)}";Cert="{quote(PEM)}"'),
        (PLACES[2], f'By=a;Hash=b;Cert="{quote(PEM)}",By=c'),
        (PLACES[2], "By=spiffe://a;Hash=0000"),
        (PLACES[2], 'Cert="no PEM"'),
    ],
)
def test_what_is_no_certificate_of_one_sender_is_refused(place: Any, value: str) -> None:
    request = BLANK.with_header(place.header, value)
    assert refused(ClientCertificate(place), request).startswith("malformed_signature")


def test_envoy_may_say_more_of_it() -> None:
    said = f'By=spiffe://a;Hash=00;Cert="{quote(PEM)}";Subject="CN=a,O=\\"b\\"";URI=spiffe://c'
    scheme = ClientCertificate(ForwardedClientCert())
    request = BLANK.with_header("x-forwarded-client-cert", said)
    assert scheme.bind([Secret(PINNED.encode())], None).check(request, NOW).key == 0


@pytest.mark.parametrize("off", [-6 * 86400, 6 * 86400])
def test_out_of_its_time_it_proves_nothing(off: float) -> None:
    scheme = ClientCertificate(ByteSequence())
    passed = scheme.sign(BLANK, Secret(PEM.encode()), NOW)
    assert refused(scheme, passed, now=NOW + off) == "unknown_key: the certificate is out of date"


@pytest.mark.parametrize("name", ["dns:client.example.com", "uri:spiffe://example.com/shop"])
def test_a_name_is_enough_where_the_proxy_has_verified_it(name: str) -> None:
    passed = VERIFIED.sign(BLANK, Secret(NAMED.encode()), NOW)
    assert VERIFIED.bind([Secret(name.encode())], None).check(passed, NOW).key == 0
    assert refused(VERIFIED, passed, name + "x") == "bad_signature: another certificate"
    for said in ("FAILED:self signed", "NONE", ""):
        assert "not verified" in refused(VERIFIED, passed.with_header("x-ssl-client-verify", said), name)
    nameless = VERIFIED.sign(BLANK, Secret(PEM.encode()), NOW)
    assert refused(VERIFIED, nameless, name) == "bad_signature: another certificate"


def test_a_name_alone_is_refused_where_nobody_verifies_it() -> None:
    with pytest.raises(ConfigurationError, match="anybody can make a certificate with any name"):
        ClientCertificate(ByteSequence()).bind([Secret(b"dns:client.example.com")], None)


@pytest.mark.parametrize(
    "pin", ["", "client", "sha256:00", "sha1:" + "00" * 20, PEM.replace("M", "%"), "dns:"]
)
def test_a_pin_that_says_nothing_is_found_when_the_source_is_built(pin: str) -> None:
    with pytest.raises(ConfigurationError, match="which certificate is meant"):
        VERIFIED.bind([Secret(pin.encode())], None)


def test_passing_it_on_needs_the_certificate_itself() -> None:
    with pytest.raises(ConfigurationError, match="the certificate itself"):
        VERIFIED.sign(BLANK, Secret(PINNED.encode()), NOW)
    VERIFIED.check_strength(Secret(PINNED.encode()))


@pytest.mark.parametrize("place", PLACES, ids=repr)
@given(value=st.binary(max_size=200))
def test_whatever_the_header_holds_only_a_refusal_escapes(place: Any, value: bytes) -> None:
    refused(ClientCertificate(place), BLANK.with_header(place.header, value))


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "cryptography":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"hookcatch\[crypto\]"):
        VERIFIED.bind([Secret(PINNED.encode())], None)
