"""Signatures that anyone can check and only the sender can make. Needs the extra `crypto`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from hookcatch.core.errors import ConfigurationError, MissingExtra, Rejected

from .encoding import Encoding
from .mac import Matcher

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

_Private = TypeVar("_Private")

Verify = Callable[[bytes, bytes], object]
"""Signature and message; raises InvalidSignature."""


class Padding(Enum):
    """How an RSA signature is padded."""

    PKCS1V15 = 0
    PSS = 1


class _PublicKeyed(ABC):
    """What the three have in common: a private key may stand for its public one, and is needed to sign."""

    __slots__ = ()

    @abstractmethod
    def _verify(self, key: bytes) -> Verify:
        """What checks a signature by this key. Raises ConfigurationError for a key of another kind."""

    def matcher(self, keys: Sequence[bytes], encoding: Encoding) -> Matcher:
        try:
            from cryptography.exceptions import InvalidSignature
        except ImportError:
            raise MissingExtra("cryptography", "crypto") from None
        verifies = [self._verify(key) for key in keys]

        def verified(verify: Verify, signature: bytes, message: bytes) -> bool:
            try:
                verify(signature, message)
            except (InvalidSignature, ValueError):
                return False
            return True

        def match(message: bytes, candidates: Sequence[bytes]) -> int:
            signatures = [raw for text in candidates if (raw := encoding.decode(text)) is not None]
            if not signatures:
                raise Rejected("malformed_signature", "no signature that can be decoded")
            found = [
                position
                for position, verify in enumerate(verifies)
                for signature in signatures
                if verified(verify, signature, message)
            ]
            if not found:
                raise Rejected("bad_signature")
            return found[0]

        return match

    def check_strength(self, key: bytes) -> None:
        self._verify(key)


@dataclass(frozen=True, slots=True)
class Ed25519(_PublicKeyed):
    """Ed25519 (RFC 8032). The key is 32 bytes of a public key, or 64 of a seed and its public key; or PEM."""

    def _verify(self, key: bytes) -> Verify:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        if len(key) == 32:
            return Ed25519PublicKey.from_public_bytes(key).verify
        private = self._private(key)
        public: Ed25519PublicKey = (
            private.public_key() if private else load_public(key, Ed25519PublicKey, "Ed25519")
        )
        return public.verify

    def _private(self, key: bytes) -> Ed25519PrivateKey | None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(key) != 64:
            found: Ed25519PrivateKey | None = load_private(key, Ed25519PrivateKey)
            return found
        private = Ed25519PrivateKey.from_private_bytes(key[:32])
        if private.public_key().public_bytes_raw() != key[32:]:
            raise ConfigurationError(
                "the two halves of the Ed25519 key do not belong together: copy it whole"
            )
        return private

    def sign(self, key: bytes, message: bytes) -> bytes:
        private = None if len(key) == 32 else self._private(key)
        return _needed(private).sign(message)


@dataclass(frozen=True, slots=True)
class Ecdsa(_PublicKeyed):
    """ECDSA on P-256 with a digest, written as DER."""

    digest: str = "sha256"

    def _verify(self, key: bytes) -> Verify:
        from cryptography.hazmat.primitives.asymmetric import ec

        private: EllipticCurvePrivateKey | None = load_private(key, ec.EllipticCurvePrivateKey)
        public: EllipticCurvePublicKey = (
            private.public_key() if private else load_public(key, ec.EllipticCurvePublicKey, "elliptic curve")
        )
        if not isinstance(public.curve, ec.SECP256R1):
            raise ConfigurationError(
                f"the key is on the curve {public.curve.name}, the sender signs with P-256"
            )
        algorithm = ec.ECDSA(_digest(self.digest))
        return lambda signature, message: public.verify(signature, message, algorithm)

    def sign(self, key: bytes, message: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import ec

        private: EllipticCurvePrivateKey | None = load_private(key, ec.EllipticCurvePrivateKey)
        return _needed(private).sign(message, ec.ECDSA(_digest(self.digest)))


@dataclass(frozen=True, slots=True)
class Rsa(_PublicKeyed):
    """RSA with a digest; keys of 2048 bits and more."""

    digest: str = "sha256"
    padding: Padding = Padding.PKCS1V15

    def _verify(self, key: bytes) -> Verify:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

        private: RSAPrivateKey | None = load_private(key, RSAPrivateKey)
        public: RSAPublicKey = private.public_key() if private else load_public(key, RSAPublicKey, "RSA")
        if public.key_size < 2048:
            raise ConfigurationError(f"the RSA key has {public.key_size} bits, at least 2048 are needed")
        padding, digest = self._padding(), _digest(self.digest)
        return lambda signature, message: public.verify(signature, message, padding, digest)

    def _padding(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric import padding

        if self.padding is Padding.PKCS1V15:
            return padding.PKCS1v15()
        return padding.PSS(mgf=padding.MGF1(_digest(self.digest)), salt_length=padding.PSS.DIGEST_LENGTH)

    def sign(self, key: bytes, message: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

        private: RSAPrivateKey | None = load_private(key, RSAPrivateKey)
        return _needed(private).sign(message, self._padding(), _digest(self.digest))


def _digest(name: str) -> Any:
    from cryptography.hazmat.primitives import hashes

    return getattr(hashes, name.upper())()


def load_public(key: bytes, kind: Any, title: str) -> Any:
    """The public key in PEM, in DER or of a certificate. Raises ConfigurationError for another kind."""
    from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        if key.startswith(b"-----BEGIN CERTIFICATE-----"):
            found: Any = load_pem_x509_certificate(key).public_key()
        else:
            found = load_pem_public_key(key) if _is_pem(key) else load_der_public_key(key)
    except ValueError:
        raise ConfigurationError(
            f"the secret is not a public key: the sender's {title} key is needed, as PEM, base64 of its DER, "
            "a certificate or in the form the sender's documentation shows"
        ) from None
    if not isinstance(found, kind):
        raise ConfigurationError(f"the public key is of another kind: the sender signs with {title}")
    return found


def load_private(key: bytes, kind: Any) -> Any:
    """The private key in PEM or DER; None if it is none of this kind."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    load = load_pem_private_key if _is_pem(key) else load_der_private_key
    try:
        found = load(key, password=None)
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, kind) else None


def _needed(private: _Private | None) -> _Private:
    if private is None:
        raise ConfigurationError("signing needs the private key; this one can only verify")
    return private


def _is_pem(key: bytes) -> bool:
    return key.startswith(b"-----BEGIN")
