"""A client certificate, as the proxy that ends TLS passes it on. Needs the extra `crypto`.

A header proves nothing: whoever reaches the app past the proxy writes it as he likes. So these schemes are used with
a word that only the proxy knows (`providers.terminated`), never alone.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn
from urllib.parse import quote, unquote_to_bytes

from hookcatch.core.errors import ConfigurationError, MissingExtra, Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .encoding import BASE64
from .places import Header, One, Place, Read
from .scheme import Bound, Match

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
_PIN = re.compile(rb"sha256:([0-9A-Fa-f]{2}(?::?[0-9A-Fa-f]{2}){31})")
_NAME = re.compile(rb"(dns|uri):(\S+)")
_PAIR = rb'[A-Za-z]+=(?:"(?:[^"\\]|\\.)*"|[^",;]*)'
_ELEMENT = re.compile(rb"%b(?:;%b)*" % (_PAIR, _PAIR))
_CERT = re.compile(rb'(?:^|;)Cert="([^"]*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _InHeader(One, ABC):
    """A certificate in a header: how it is written there is each one's own."""

    header: str

    @property
    def title(self) -> str:
        return self.header

    @property
    def in_head(self) -> bool:
        return True

    def reader(self) -> Read:
        read = Header(self.header).reader()

        def der(request: Request) -> bytes | None:
            value = read(request)
            return (self._decoded(value) or _malformed(self.header)) if value else None

        return der

    def write(self, request: Request, value: bytes) -> Request:
        return request.with_header(self.header, self._encoded(value))

    @abstractmethod
    def _decoded(self, value: bytes) -> bytes | None:
        """The certificate's DER; None if it is none. May raise Rejected to say more."""

    @abstractmethod
    def _encoded(self, der: bytes) -> bytes:
        """The value of the header."""


@dataclass(frozen=True, slots=True)
class ByteSequence(_InHeader):
    """A certificate as RFC 9440 has it: its DER in base64, between colons."""

    header: str = "client-cert"

    def _decoded(self, value: bytes) -> bytes | None:
        return BASE64.decode(value[1:-1]) if value[:1] == value[-1:] == b":" else None

    def _encoded(self, der: bytes) -> bytes:
        return b":" + BASE64.encode(der) + b":"


@dataclass(frozen=True, slots=True)
class EscapedPem(_InHeader):
    """A certificate in PEM, escaped as in a URL: nginx (`$ssl_client_escaped_cert`) and AWS load balancers
    (`x-amzn-mtls-clientcert-leaf`)."""

    def _decoded(self, value: bytes) -> bytes | None:
        return _from_pem(unquote_to_bytes(value))

    def _encoded(self, der: bytes) -> bytes:
        return quote(_to_pem(der)).encode()


@dataclass(frozen=True, slots=True)
class ForwardedClientCert(_InHeader):
    """Envoy's `x-forwarded-client-cert`, with the certificate (`Cert`) in it and of one hop alone: Envoy has to be
    told to replace what comes (`SANITIZE_SET`), not to append to it."""

    header: str = "x-forwarded-client-cert"

    def _decoded(self, value: bytes) -> bytes | None:
        found = _CERT.findall(value) if _ELEMENT.fullmatch(value) else []
        if len(found) != 1:
            raise Rejected("malformed_signature", f"{self.header} is not of one hop, with one Cert")
        return _from_pem(unquote_to_bytes(found[0]))

    def _encoded(self, der: bytes) -> bytes:
        return f'Cert="{quote(_to_pem(der))}"'.encode()


class _Certificate(NamedTuple):
    """What a certificate says: from when to when it is good, in seconds since the epoch, and its names."""

    begins: float
    ends: float
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The certificate that the secret tells: by its SHA-256 (`sha256:...`), itself in PEM, or by one of its names
    (`dns:...`, `uri:...`).

    Attributes:
        place: where the proxy puts it.
        verified: the header in which the proxy says `SUCCESS` once it has verified the certificate; without one
            a name is not enough to know it by.
    """

    place: Place
    verified: Header | None = None

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        load = _loader()
        known = [self._knows(secret.reveal()) for secret in secrets]
        read, title = self.place.reader(), self.place.title
        said = None if self.verified is None else self.verified.reader()

        def check(request: Request, now: float) -> Match:
            der = read(request)
            if der is None:
                raise Rejected("missing_signature", title)
            if said is not None and said(request) != b"SUCCESS":
                raise Rejected("bad_signature", "the proxy has not verified the certificate")
            certificate = load(der) or _malformed(title)
            found = [at for at, knows in enumerate(known) if knows(der, certificate)]
            if not found:
                raise Rejected("bad_signature", "another certificate")
            if not certificate.begins <= now <= certificate.ends:
                raise Rejected("unknown_key", "the certificate is out of date")
            return Match(found[0])

        def precheck(request: Request, now: float | None) -> None:
            if read(request) is None:
                raise Rejected("missing_signature", title)

        return Bound(check, precheck)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        der = _from_pem(secret.reveal())
        if der is None:
            raise ConfigurationError("passing a certificate on needs the certificate itself, in PEM")
        if self.verified is not None:
            request = self.verified.write(request, b"SUCCESS")
        return self.place.write(request, der)

    def check_strength(self, secret: Secret) -> None:
        """A certificate is no secret, and cannot be guessed: its private key proves it."""

    def _knows(self, pin: bytes) -> Callable[[bytes, _Certificate], bool]:
        """Whether a certificate is the one meant. Raises ConfigurationError."""
        digest, name, der = _PIN.fullmatch(pin), _NAME.fullmatch(pin), _from_pem(pin)
        if name is not None:
            if self.verified is None:
                raise ConfigurationError(
                    "anybody can make a certificate with any name in it: to know it by a name, say in which header "
                    "the proxy tells that it has verified it (verified=), or give its SHA-256"
                )
            wanted = pin.decode("latin-1")
            return lambda _, certificate: wanted in certificate.names
        if digest is not None:
            pinned = binascii.unhexlify(digest[1].replace(b":", b""))
        elif der is not None:
            pinned = hashlib.sha256(der).digest()
        else:
            raise ConfigurationError(
                "which certificate is meant is said by `sha256:` and 64 hex digits, by `dns:` or `uri:` and a name, "
                "or by the certificate itself in PEM"
            )
        return lambda der, _: hmac.compare_digest(hashlib.sha256(der).digest(), pinned)


def _loader() -> Callable[[bytes], _Certificate | None]:
    """What reads a certificate; None for what is none."""
    try:
        from cryptography import x509
    except ImportError:
        raise MissingExtra("cryptography", "crypto") from None

    def load(der: bytes) -> _Certificate | None:
        try:
            found = x509.load_der_x509_certificate(der)
            others = [one.value for one in found.extensions]
            listed = [one for one in others if isinstance(one, x509.SubjectAlternativeName)]
            kinds = (("dns", x509.DNSName), ("uri", x509.UniformResourceIdentifier))
            names = [
                f"{kind}:{name}"
                for one in listed
                for kind, of in kinds
                for name in one.get_values_for_type(of)
            ]
            begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
        except Exception:  # of many kinds, all of them about the certificate
            return None
        return _Certificate(begins.timestamp(), ends.timestamp(), frozenset(names))

    return load


def _from_pem(text: bytes) -> bytes | None:
    found = _PEM.fullmatch(text)
    return BASE64.decode(b"".join(found[1].split())) if found else None


def _to_pem(der: bytes) -> str:
    text = b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----\n"])


def _malformed(where: str) -> NoReturn:
    raise Rejected("malformed_signature", f"{where} is no certificate")
