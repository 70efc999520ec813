"""Signatures with a shared secret: HMAC, and the plain hashes that some senders take for one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from hookcatch.core.errors import Rejected

from . import keys
from .encoding import Encoding

Matcher = Callable[[bytes, Sequence[bytes]], int]
"""Given the message and the signatures found, the position of the key that made one. Raises Rejected."""


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
        # Keyed once: a copy costs less than hashing the key's block again.
        keyed = [hmac.new(key, digestmod=self.digest) for key in keys]

        def expected(message: bytes) -> list[bytes]:
            made = []
            for mac in keyed:
                fresh = mac.copy()
                fresh.update(message)
                made.append(encoding.encode(fresh.digest()))
            return made

        return _matcher(expected, encoding)

    def sign(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self.digest)

    def check_strength(self, key: bytes) -> None:
        keys.check_strength(key)


class Side(Enum):
    """Where the secret stands in what is hashed."""

    BEFORE = 0
    AFTER = 1


@dataclass(frozen=True, slots=True)
class Hash:
    """A plain digest over the secret and the message. With the secret first, and a digest of the SHA-2 family,
    whoever sees one signature can extend the message: only for senders that give no other choice."""

    digest: str
    secret: Side = Side.AFTER

    def matcher(self, keys: Sequence[bytes], encoding: Encoding) -> Matcher:
        def expected(message: bytes) -> list[bytes]:
            return [encoding.encode(self.sign(key, message)) for key in keys]

        return _matcher(expected, encoding)

    def sign(self, key: bytes, message: bytes) -> bytes:
        data = key + message if self.secret is Side.BEFORE else message + key
        return hashlib.new(self.digest, data).digest()

    def check_strength(self, key: bytes) -> None:
        keys.check_strength(key)


def _matcher(expected: Callable[[bytes], list[bytes]], encoding: Encoding) -> Matcher:
    size = len(expected(b"")[0])
    compare = hmac.compare_digest

    def match(message: bytes, candidates: Sequence[bytes]) -> int:
        fitting = encoding.fitting(candidates, size)
        if not fitting:
            raise Rejected("malformed_signature", "no signature of the right length")
        # Every key against every candidate, whatever matched before: time tells nobody which one did.
        found = [
            position
            for position, text in enumerate(expected(message))
            for candidate in fitting
            if compare(text, candidate)
        ]
        if not found:
            raise Rejected("bad_signature")
        return found[0]

    return match
