"""Signatures with a shared secret: HMAC, and the plain hashes that some senders take for one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest
from typing import Protocol

from hookcatch.core.errors import MissingExtra, Rejected

from . import keys
from .encoding import Encoding

Matcher = Callable[[bytes, Sequence[bytes]], int]
"""Given the message and the signatures found, the position of the key that made one. Raises Rejected."""

Expected = Callable[[bytes], bytes]
"""Given the message, the text of the signature that one key makes."""


class Algorithm(Protocol):
    """What makes a signature from a key and a message."""

    def matcher(self, keys: Sequence[bytes], encoding: Encoding) -> Matcher:
        """Prepare the keys. Raises ConfigurationError for one that does not fit."""
        ...

    def sign(self, key: bytes, message: bytes) -> bytes:
        """The signature's bytes."""
        ...

    def check_strength(self, key: bytes) -> None:
        """Raises ConfigurationError for a key that can be guessed."""
        ...


@dataclass(frozen=True, slots=True)
class Hmac:
    """HMAC (RFC 2104) with a digest that hashlib knows."""

    digest: str = "sha256"

    def matcher(self, keys: Sequence[bytes], encoding: Encoding) -> Matcher:
        return _matcher([self._expected(key, encoding.encode) for key in keys], encoding)

    def _expected(self, key: bytes, encode: Callable[[bytes], bytes]) -> Expected:
        # Keyed once: a copy costs less than hashing the key's block again.
        keyed = hmac.new(key, digestmod=self.digest).copy

        def expected(message: bytes) -> bytes:
            mac = keyed()
            mac.update(message)
            return encode(mac.digest())

        return expected

    def sign(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self.digest)

    def check_strength(self, key: bytes) -> None:
        keys.check_strength(key)


class Side(Enum):
    """Where the secret stands in what is hashed."""

    BEFORE = 0
    AFTER = 1
    WITHIN = 2
    """Somewhere in the message, which is made for each secret."""


@dataclass(frozen=True, slots=True)
class Hash:
    """A plain digest over the secret and the message. With the secret first, and a digest of the SHA-2 family,
    whoever sees one signature can extend the message: only for senders that give no other choice."""

    digest: str
    secret: Side = Side.AFTER

    def matcher(self, keys: Sequence[bytes], encoding: Encoding) -> Matcher:
        return _matcher([self._expected(key, encoding.encode) for key in keys], encoding)

    def _expected(self, key: bytes, encode: Callable[[bytes], bytes]) -> Expected:
        return lambda message: encode(self.sign(key, message))

    def sign(self, key: bytes, message: bytes) -> bytes:
        before = key if self.secret is Side.BEFORE else b""
        after = key if self.secret is Side.AFTER else b""
        return hashlib.new(self.digest, before + message + after).digest()

    def check_strength(self, key: bytes) -> None:
        keys.check_strength(key)


@dataclass(frozen=True, slots=True)
class Keccak256:
    """Keccak-256, as Ethereum has it and not as SHA-3 became (FIPS 202), over the message and the secret. Needs the
    extra `keccak`."""

    def matcher(self, keys: Sequence[bytes], encoding: Encoding) -> Matcher:
        return _matcher([self._expected(key, encoding.encode) for key in keys], encoding)

    def _expected(self, key: bytes, encode: Callable[[bytes], bytes]) -> Expected:
        digest = _keccak()
        return lambda message: encode(digest(message + key))

    def sign(self, key: bytes, message: bytes) -> bytes:
        return _keccak()(message + key)

    def check_strength(self, key: bytes) -> None:
        keys.check_strength(key)


def _keccak() -> Callable[[bytes], bytes]:
    try:
        from Crypto.Hash import keccak
    except ImportError:
        raise MissingExtra("pycryptodome", "keccak") from None

    def digest(message: bytes) -> bytes:
        return keccak.new(data=message, digest_bits=256).digest()

    return digest


def _matcher(expected: Sequence[Expected], encoding: Encoding) -> Matcher:
    size = len(expected[0](b""))
    match = _of_one_key(expected[0], size) if len(expected) == 1 else _of_many_keys(expected, size)
    if encoding.any_case:
        return lambda message, candidates: match(message, [text.lower() for text in candidates])
    return match


def _of_one_key(expect: Expected, size: int) -> Matcher:
    def match(message: bytes, candidates: Sequence[bytes]) -> int:
        text = expect(message)
        verdicts = [compare_digest(text, candidate) for candidate in candidates if len(candidate) == size]
        if True in verdicts:
            return 0
        raise Rejected("bad_signature" if verdicts else "malformed_signature")

    return match


def _of_many_keys(expected: Sequence[Expected], size: int) -> Matcher:
    def match(message: bytes, candidates: Sequence[bytes]) -> int:
        # Every key against every candidate, whatever matched before: time tells nobody which one did.
        made = [expect(message) for expect in expected]
        fitting = [candidate for candidate in candidates if len(candidate) == size]
        verdicts = [compare_digest(text, candidate) for text in made for candidate in fitting]
        if True in verdicts:
            return verdicts.index(True) // len(fitting)
        raise Rejected("bad_signature" if verdicts else "malformed_signature")

    return match
