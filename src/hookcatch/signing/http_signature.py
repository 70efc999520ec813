"""HTTP Message Signatures (RFC 9421), the body bound by a Content-Digest (RFC 9530). Needs the extra `rfc9421`.

The library puts the signature base together and checks the signature; what has to be signed, by which algorithm and
when, is said here: nothing of that is taken from the request, and its clock is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from hookcatch.core.errors import ConfigurationError, MissingExtra, Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .freshness import TOLERANCE, judge, limit
from .keys import KeyFormat, PublicKey, Utf8, check_strength
from .places import Header
from .public_key import load_private, load_public
from .scheme import Bound, Match

Algorithm = Literal["hmac-sha256", "ed25519", "ecdsa-p256-sha256", "rsa-pss-sha512", "rsa-v1_5-sha256"]
"""As RFC 9421 registers them."""

_OF_BODY = "content-digest"
COMPONENTS = ("@method", "@target-uri", _OF_BODY)
MIN_RSA_BITS = 2048
USUAL_LABEL = "sig1"
USUAL_KEYID = "hookcatch"

_INPUT, _SIGNATURE, _DIGEST = Header("signature-input"), Header("signature"), Header(_OF_BODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSignature:
    """Attributes:
    algorithm: the only one accepted.
    components: what has to be covered. `content-digest` always has to, wherever there is a body.
    label: which signature counts; without one there has to be exactly one.
    keyid, tag: what the signature has to say; None does not look.
    key: how a shared secret is written.
    tolerance: seconds that `created` may be off, either way; None does not ask for it. A given `expires` is obeyed in
        any case.
    """

    algorithm: Algorithm
    components: tuple[str, ...] = COMPONENTS
    label: str | None = None
    keyid: str | None = None
    tag: str | None = None
    key: KeyFormat = field(default_factory=Utf8)
    tolerance: float | None = TOLERANCE

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        verifiers = [_verifier(self._known(), _Key(self._public(secret), None)) for secret in secrets]
        allowed = limit(self.tolerance, tolerance)
        needed = self.tolerance is not None or tolerance is not None
        reads = [place.reader() for place in (_INPUT, _SIGNATURE, _DIGEST)]
        required = self._beside_the_body()

        def chosen(request: Request) -> Request:
            """The request with the one signature that counts."""
            said, signature, _ = [read(request) for read in reads]
            if not said or not signature:
                raise Rejected("missing_signature", "signature and signature-input")
            request = request.with_header("signature-input", self._member(said))
            return request.with_header("signature", self._member(signature))

        def check(request: Request, now: float) -> Match:
            message = _Message(chosen(request))
            found = [
                (at, result[0])
                for at, verifier in enumerate(verifiers)
                if (result := self._verified(verifier, message, required))
            ]
            if not found:
                raise Rejected("bad_signature")
            at, said = found[0]
            if self.keyid is not None and said.parameters.get("keyid") != self.keyid:
                raise Rejected("unknown_key", "signed with another keyid")
            return Match(at, _timely(said.parameters, now, allowed, needed))

        def precheck(request: Request, now: float | None) -> None:
            chosen(request)

        return Bound(check, precheck)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        from http_message_signatures.signatures import HTTPMessageSigner

        key = self._private(secret)
        if key is None:
            raise ConfigurationError("signing needs the private key; this one can only verify")
        message = _Message(request)
        resolver: Any = _Key(None, key)
        signer = HTTPMessageSigner(signature_algorithm=self._known(), key_resolver=resolver)
        try:
            signer.sign(
                message,
                key_id=self.keyid or USUAL_KEYID,
                created=datetime.fromtimestamp(int(now), UTC),
                label=self.label or USUAL_LABEL,
                tag=self.tag,
                covered_component_ids=self._beside_the_body(),
                body=request.body,
                use_existing_digest=_OF_BODY in message.headers,
            )
        except Exception as why:  # of many kinds, all of them about the request
            raise ConfigurationError(f"this request cannot be signed: {why}") from None
        return request.replace(headers=message.headers.items())

    def check_strength(self, secret: Secret) -> None:
        public = self._public(secret)
        if isinstance(public, bytes):
            check_strength(public)

    def _beside_the_body(self) -> tuple[str, ...]:
        """What has to be covered but the body, which the library takes care of."""
        return tuple(one for one in self.components if one != _OF_BODY)

    def _member(self, value: bytes) -> bytes:
        """The one item of a structured dictionary (RFC 9651) that counts, written as it was."""
        import http_sf

        try:
            listed: Any = http_sf.parse(value, tltype="dictionary", on_duplicate_key=_refuse)
        except (ValueError, TypeError):
            raise Rejected("malformed_signature", "not a list of labelled signatures") from None
        if self.label is None and len(listed) != 1:
            raise Rejected(
                "malformed_signature", f"{len(listed)} signatures, and no label says which one counts"
            )
        label = next(iter(listed)) if self.label is None else self.label
        if label not in listed:
            raise Rejected("missing_signature", f"no signature is called {label}")
        return str(http_sf.ser({label: listed[label]})).encode()

    def _verified(self, verifier: Any, message: _Message, required: tuple[str, ...]) -> Any:
        """What the signature covers; None if it is not right."""
        try:
            return verifier.verify(
                message, max_age=None, expect_tag=self.tag, require_components=required, body=message.body
            )
        except Exception:  # of many kinds, all of them about the request
            return None

    def _known(self) -> Any:
        algorithm = _algorithms().get(self.algorithm)
        if algorithm is None:
            raise ConfigurationError(
                f"{self.algorithm!r} is no algorithm of RFC 9421 that is checked here: {', '.join(_algorithms())}"
            )
        return algorithm

    def _public(self, secret: Secret) -> Any:
        """The key that verifies. Raises ConfigurationError."""
        algorithm, kind = self._known(), _kinds().get(self.algorithm)
        if kind is None:
            return self.key.decode(secret)[0]
        private, public, title = kind
        (key,) = PublicKey().decode(secret)
        found = load_private(key, private)
        found = found.public_key() if found else load_public(key, public, title)
        try:
            algorithm(public_key=found)
        except Exception as why:  # of many kinds, all of them about the key
            raise ConfigurationError(f"the key does not fit {self.algorithm}: {why}") from None
        if title == "RSA" and found.key_size < MIN_RSA_BITS:
            raise ConfigurationError(
                f"the RSA key has {found.key_size} bits, at least {MIN_RSA_BITS} are needed"
            )
        return found

    def _private(self, secret: Secret) -> Any:
        """The key that signs; None if there is none."""
        kind = _kinds().get(self.algorithm)
        if kind is None:
            return self._public(secret)
        (key,) = PublicKey().decode(secret)
        return load_private(key, kind[0])


class _Fields:
    """Headers as the library wants them: every line of them, in order, as text."""

    def __init__(self, request: Request) -> None:
        self._lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]

    def items(self) -> list[tuple[str, str]]:
        return self._lines

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._lines])

    def __contains__(self, name: str) -> bool:
        return name.lower() in {known.lower() for known, _ in self._lines}

    def __setitem__(self, name: str, value: str) -> None:
        self._lines = [*self._others(name), (name, value)]

    def __delitem__(self, name: str) -> None:
        self._lines = self._others(name)

    def _others(self, name: str) -> list[tuple[str, str]]:
        return [line for line in self._lines if line[0].lower() != name.lower()]


class _Message:
    """A request as the library wants it."""

    def __init__(self, request: Request) -> None:
        self.method = request.method
        self.url = request.url
        self.headers = _Fields(request)
        self.body = request.body


@dataclass(frozen=True, slots=True)
class _Key:
    """The configured key, whatever the request calls it."""

    public: Any
    private: Any

    def resolve_public_key(self, key_id: str) -> Any:
        return self.public

    def resolve_private_key(self, key_id: str) -> Any:
        return self.private


@cache
def _algorithms() -> Mapping[str, Any]:
    try:
        from http_message_signatures import algorithms
    except ImportError:
        raise MissingExtra("http-message-signatures", "rfc9421") from None
    names = ("HMAC_SHA256", "ED25519", "ECDSA_P256_SHA256", "RSA_PSS_SHA512", "RSA_V1_5_SHA256")
    known = [getattr(algorithms, name) for name in names]
    return {one.algorithm_id: one for one in known}


@cache
def _kinds() -> Mapping[str, tuple[Any, Any, str]]:
    """The private and the public key that an algorithm takes; none for a shared secret."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    of_rsa = (rsa.RSAPrivateKey, rsa.RSAPublicKey, "RSA")
    return {
        "ed25519": (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey, "Ed25519"),
        "ecdsa-p256-sha256": (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey, "elliptic curve"),
        "rsa-pss-sha512": of_rsa,
        "rsa-v1_5-sha256": of_rsa,
    }


@cache
def _verifier_class() -> Callable[..., Any]:
    from http_message_signatures.signatures import HTTPMessageVerifier

    class Timeless(HTTPMessageVerifier):
        """Leaves the times to us."""

        def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
            """Judged below, by our clock."""

    return Timeless


def _verifier(algorithm: Any, key: _Key) -> Any:
    return _verifier_class()(signature_algorithm=algorithm, key_resolver=key)


def _timely(said: Mapping[str, Any], now: float, allowed: float, needed: bool) -> float | None:
    """When it was signed. Raises Rejected unless that is now."""
    created, expires = said.get("created"), said.get("expires")
    if created is None and needed:
        raise Rejected("missing_timestamp", "the signature does not say when it was created")
    if created is not None:
        judge(created, now, allowed)
    if expires is not None and now > expires:
        raise Rejected("stale_timestamp", "the signature has expired")
    return None if created is None else float(created)


def _refuse(key: str, context: str) -> None:
    raise ValueError(f"{key} is there twice")
