"""What JSON Web Tokens (RFC 7519) and detached signatures (RFC 7515) have in common: algorithm, key, header.

Needs the extra `crypto`.

The row fixes the algorithm; the `alg` of a message is only compared with it (ATTACKS A12), and its `kid` chooses
among the keys of the one set that the row names, never a place (A13).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

from hookcatch.core.errors import ConfigurationError, MissingExtra, Rejected
from hookcatch.core.keyring import KeyRef, Keys, needed
from hookcatch.core.parse import parse_json
from hookcatch.core.secret import Secret

MAX_KEYS = 16
"""How many keys of a set are kept ready."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """Where a sender publishes its keys: an https URL, of a JSON Web Key Set or of certificates by kid."""

    url: str
    form: Literal["jwks", "certificates"] = "jwks"

    def ref(self, kid: str) -> KeyRef:
        """One key of them."""
        return KeyRef(self.url, re.compile(re.escape(urlsplit(self.url).hostname or "")), kid, self.form)


def keys_of(
    algorithm: Any, secrets: Sequence[Secret], key_set: KeySet | None, published: Keys
) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """The keys that may have made a message with this header: those of the secrets, or where these are empty the one
    of the sender's set that the header names. Raises Rejected."""
    if key_set is None or all(secret.reveal() for secret in secrets):
        known = [public_of(key_of(algorithm, secret)) for secret in secrets]
        return lambda head: known

    @lru_cache(MAX_KEYS)
    def loaded(key: bytes) -> Any:
        return public_of(key_of(algorithm, Secret(_bare(key))))

    def published_key(head: Mapping[str, Any]) -> Sequence[Any]:
        kid = head.get("kid")
        if not isinstance(kid, str) or not 0 < len(kid) <= 255:
            raise Rejected("malformed_signature", "it does not say by which key")
        key = needed(published, key_set.ref(kid))
        try:
            return [loaded(key)]
        except ConfigurationError as why:
            raise Rejected(
                "unknown_key", f"the key {kid!r} that its sender publishes is of no use: {why}"
            ) from None

    return published_key


def algorithm_of(name: str) -> Any:
    try:
        from jwt.algorithms import get_default_algorithms, requires_cryptography
    except ImportError:
        raise MissingExtra("PyJWT", "crypto") from None
    known = get_default_algorithms()
    if name == "none" or name not in known:
        if name in requires_cryptography:
            raise MissingExtra("cryptography", "crypto")
        raise ConfigurationError(f"{name!r} is not a JWT algorithm: HS256, ES256, RS256, PS256 or EdDSA")
    return known[name]


def key_of(algorithm: Any, secret: Secret) -> Any:
    text = secret.reveal()
    try:
        if text.lstrip().startswith(b"{"):
            return algorithm.from_jwk(text.decode())
        return algorithm.prepare_key(text)
    except Exception as error:  # PyJWT and cryptography raise many kinds, all of them about the key
        raise ConfigurationError(
            f"the secret is no key for this algorithm: {error}; give PEM or a JWK for a public key, "
            "the shared text for HS256"
        ) from None


def signing_key(name: str, secret: Secret) -> tuple[Any, Any]:
    """The algorithm and the key that signs. Raises ConfigurationError."""
    algorithm = algorithm_of(name)
    key = key_of(algorithm, secret) if secret.reveal() else None
    if not isinstance(key, bytes) and not hasattr(key, "sign"):
        raise ConfigurationError("signing needs the private key; this one can only verify")
    return algorithm, key


def public_of(key: Any) -> Any:
    return key.public_key() if hasattr(key, "public_key") else key


def object_of(raw: bytes | None) -> Mapping[str, Any]:
    try:
        value = parse_json(raw or b"")
    except Rejected:
        value = None
    if not isinstance(value, dict):
        raise Rejected("malformed_signature", "a part of the token is not a JSON object")
    return value


def _bare(key: bytes) -> bytes:
    """The public key of a certificate; any other key as it is."""
    if not key.startswith(b"-----BEGIN CERTIFICATE-----"):
        return key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_pem_x509_certificate

    try:
        found = load_pem_x509_certificate(key).public_key()
    except ValueError:
        raise ConfigurationError("it is a broken certificate") from None
    return found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
