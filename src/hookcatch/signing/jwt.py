"""A JSON Web Token (RFC 7519) that vouches for the body by a claim with its hash. Needs the extra `crypto`.

Times are judged by our clock, so claims are read here and PyJWT does the signatures.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hookcatch.core.errors import Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .encoding import BASE64URL, HEX, Encoding
from .freshness import TOLERANCE, judge, limit
from .jose import KeySet, algorithm_of, keys_of, object_of, signing_key
from .json_path import compact
from .keys import check_strength
from .places import Header, Place
from .scheme import Bound, Match

LEEWAY = 60.0
"""Seconds that `exp` and `nbf` may be off, for clocks that differ."""


class Claim(Protocol):
    """A claim that binds the token to something of the request."""

    @property
    def name(self) -> str: ...

    def value(self, request: Request) -> bytes | None:
        """What the claim has to say; None if it must not be there."""
        ...


@dataclass(frozen=True, slots=True)
class BodyClaim:
    """The claim that holds the SHA-256 of the body, and how it is written; `empty` is False where an empty body has
    none."""

    name: str
    encoding: Encoding = HEX
    empty: bool = True

    def value(self, request: Request) -> bytes | None:
        if not request.body and not self.empty:
            return None
        return self.encoding.encode(hashlib.sha256(request.body).digest())


@dataclass(frozen=True, slots=True)
class UrlClaim:
    """The claim that holds the SHA-256 of the full URL, in hex."""

    name: str

    def value(self, request: Request) -> bytes:
        if not request.url:
            raise Rejected("bad_signature", "the sender signs the URL, and it is not known: set public_url")
        return HEX.encode(hashlib.sha256(request.url.encode("utf-8", "surrogatepass")).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Jwt:
    """Attributes:
    algorithm: HS256, ES256, RS256, EdDSA ...: the only one accepted.
    token: where the token stands.
    body: the claim that binds the body, or what else of the request; None for senders that bind nothing.
    url: the claim that binds the URL.
    issuer, audience: what `iss` and `aud` must say; None does not look.
    claims: what others must say.
    key_set: where the sender publishes its keys, for a source without one of its own.
    tolerance: seconds that `iat` may be off, either way; None does not ask for an `iat`.
    lifetime: seconds from `iat` to the `exp` of tokens made here; None makes them without. A given `exp` is
        obeyed in any case.
    begins: whether tokens made here say from when they are valid, with `nbf`. A given one is obeyed in any case.
    """

    algorithm: str
    token: Place = Header("authorization", prefix="Bearer ")
    body: Claim | None = BodyClaim("request_body_sha256")
    url: Claim | None = None
    issuer: str | None = None
    audience: str | None = None
    claims: tuple[tuple[str, Any], ...] = ()
    key_set: KeySet | None = None
    tolerance: float | None = TOLERANCE
    lifetime: float | None = None
    begins: bool = False

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        algorithm = algorithm_of(self.algorithm)
        keys = keys_of(algorithm, secrets, self.key_set, published)
        read, title = self.token.reader(), self.token.title
        timely = self._timely(tolerance)

        def token(request: Request) -> tuple[bytes, bytes, Mapping[str, Any], Mapping[str, Any]]:
            text = read(request)
            if not text:
                raise Rejected("missing_signature", title)
            return self._taken_apart(text)

        def check(request: Request, now: float) -> Match:
            signed, signature, head, claims = token(request)
            found = [at for at, key in enumerate(keys(head)) if algorithm.verify(signed, key, signature)]
            if not found:
                raise Rejected("bad_signature")
            self._agree(claims, request)
            return Match(found[0], timely(claims, now))

        def precheck(request: Request, now: float | None) -> None:
            if self.token.in_head:
                token(request)

        return Bound(check, precheck)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        algorithm, key = signing_key(self.algorithm, secret)
        given: dict[str, Any] = {
            "iat": int(now),
            "iss": self.issuer,
            "aud": self.audience,
            "nbf": int(now) if self.begins else None,
            **dict(self.claims),
        }
        if self.lifetime is not None:
            given["exp"] = int(now + self.lifetime)
        for claim in (self.body, self.url):
            value = claim.value(request) if claim else None
            if claim and value is not None:
                given[claim.name] = value.decode()
        claims = {name: value for name, value in given.items() if value is not None}
        head = compact({"alg": self.algorithm, "typ": "JWT"})
        signed = BASE64URL.encode(head) + b"." + BASE64URL.encode(compact(claims))
        signature = BASE64URL.encode(algorithm.sign(signed, key))
        return self.token.write(request, signed + b"." + signature)

    def check_strength(self, secret: Secret) -> None:
        if self.algorithm.startswith("HS"):
            check_strength(secret.reveal())

    def _taken_apart(self, text: bytes) -> tuple[bytes, bytes, Mapping[str, Any], Mapping[str, Any]]:
        parts = [BASE64URL.decode(part) for part in text.split(b".", 3)]
        if len(parts) != 3:
            raise Rejected("malformed_signature", "not a token of three parts")
        head, claims = object_of(parts[0]), object_of(parts[1])
        if head.get("alg") != self.algorithm or "crit" in head or not parts[2]:
            raise Rejected("malformed_signature", f"not a plain {self.algorithm} token")
        return text.rpartition(b".")[0], parts[2], head, claims

    def _agree(self, claims: Mapping[str, Any], request: Request) -> None:
        if self.issuer is not None and claims.get("iss") != self.issuer:
            raise Rejected("bad_signature", "another issuer")
        audiences = claims.get("aud")
        if self.audience is not None and self.audience not in (
            audiences if isinstance(audiences, list) else [audiences]
        ):
            raise Rejected("bad_signature", "for another audience")
        for name, value in self.claims:
            if claims.get(name) != value:
                raise Rejected("bad_signature", f"the claim {name} says something else")
        for claim in (self.body, self.url):
            if claim is not None and not _vouches(claims.get(claim.name), claim.value(request)):
                raise Rejected("bad_signature", f"the claim {claim.name} says something else")

    def _timely(self, tolerance: float | None) -> Callable[[Mapping[str, Any], float], float | None]:
        allowed = limit(self.tolerance, tolerance)
        needed = self.tolerance is not None or tolerance is not None

        def timely(claims: Mapping[str, Any], now: float) -> float | None:
            issued, expires, begins = (_time(claims, name) for name in ("iat", "exp", "nbf"))
            if issued is None and needed:
                raise Rejected("missing_timestamp", "the token has no iat")
            if issued is not None:
                judge(issued, now, allowed)
            if expires is not None and now > expires + LEEWAY:
                raise Rejected("stale_timestamp", "the token has expired")
            if begins is not None and now < begins - LEEWAY:
                raise Rejected("future_timestamp", "the token is not valid yet")
            return issued

        return timely


def _vouches(said: Any, wanted: bytes | None) -> bool:
    if wanted is None:
        return said is None
    return isinstance(said, str) and hmac.compare_digest(said.encode("utf-8", "surrogatepass"), wanted)


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise Rejected("malformed_timestamp", f"{name} is not a time")
    return float(value)
