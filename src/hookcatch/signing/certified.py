"""Keys that the sender publishes and a request names: certificates by URL. Needs the extra `crypto`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hookcatch.core.errors import ConfigurationError, MissingExtra, Rejected
from hookcatch.core.keyring import OFFLINE, KeyRef, Keys, needed
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .places import Place
from .scheme import Bound, Match, Scheme

MAX_CERTIFICATES = 8
"""How many are kept ready; a sender has one, and two while it changes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """A signature by the key of a certificate whose URL stands in the request.

    The URL is good only at the sender's own hosts, over TLS, and the certificate only for one of the sender's
    names and in its time. A secret that is not empty is a key given beforehand: then nothing is fetched, and what
    the request names is not looked at.

    Attributes:
        scheme: what is signed, and how.
        url: where the URL stands.
        hosts: the pattern of the hosts that keep certificates.
        names: the pattern of the names that a certificate may be made out to.
    """

    scheme: Scheme
    url: Place
    hosts: re.Pattern[str]
    names: re.Pattern[str]

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        if all(secret.reveal() for secret in secrets):
            return self.scheme.bind(secrets, tolerance, published)
        read, title, lifetime = self.url.reader(), self.url.title, _lifetimes(self.names)

        @lru_cache(MAX_CERTIFICATES)
        def bound_by(pem: bytes) -> tuple[Bound, float, float]:
            begins, ends = lifetime(pem)
            return self.scheme.bind([Secret(pem)], tolerance, published), begins, ends

        def check(request: Request, now: float) -> Match:
            url = read(request)
            if not url:
                raise Rejected("missing_signature", title)
            pem = needed(published, KeyRef(url.decode("latin-1"), self.hosts, form="pem"))
            try:
                bound, begins, ends = bound_by(pem)
            except ConfigurationError as why:
                raise Rejected("unknown_key", f"the certificate is not one of this sender: {why}") from None
            if not begins <= now <= ends:
                raise Rejected("unknown_key", "the certificate is out of date")
            return bound.check(request, now)

        return Bound(check)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        if not secret.reveal():
            raise ConfigurationError("signing needs the private key; this source fetches the public one")
        return self.scheme.sign(request, secret, now)

    def check_strength(self, secret: Secret) -> None:
        if secret.reveal():
            self.scheme.check_strength(secret)


def _lifetimes(names: re.Pattern[str]) -> Callable[[bytes], tuple[float, float]]:
    """What says from when to when a certificate is good, in seconds since the epoch; it raises ConfigurationError for
    one that is none, or made out to somebody else."""
    try:
        from cryptography.x509 import load_pem_x509_certificate
        from cryptography.x509.oid import NameOID
    except ImportError:
        raise MissingExtra("cryptography", "crypto") from None

    def lifetime(pem: bytes) -> tuple[float, float]:
        try:
            certificate = load_pem_x509_certificate(pem)
        except ValueError:
            raise ConfigurationError("it is no certificate in PEM") from None
        found = [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if not any(names.fullmatch(name) for name in found):
            raise ConfigurationError(f"it is made out to {found}")
        return certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()

    return lifetime
