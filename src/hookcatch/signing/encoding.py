"""How a signature's bytes are written. Strict: no two texts stand for the same bytes."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Encoding(Protocol):
    """A way to write bytes as ASCII."""

    def encode(self, raw: bytes) -> bytes:
        """The one text for `raw`."""
        ...

    def decode(self, text: bytes) -> bytes | None:
        """The bytes, or None for anything `encode` would not have written."""
        ...

    def fitting(self, candidates: Sequence[bytes], size: int) -> list[bytes]:
        """Those of `size`, in the spelling of `encode`."""
        ...


class _Strict:
    __slots__ = ()

    def fitting(self, candidates: Sequence[bytes], size: int) -> list[bytes]:
        return [text for text in candidates if len(text) == size]


@dataclass(frozen=True, slots=True)
class Hex(_Strict):
    """Lower-case hexadecimal; `any_case` only for senders that write upper case too."""

    any_case: bool = False

    def encode(self, raw: bytes) -> bytes:
        return binascii.hexlify(raw)

    def decode(self, text: bytes) -> bytes | None:
        spelt = text.lower() if self.any_case else text
        try:
            raw = binascii.unhexlify(spelt)
        except ValueError:
            return None
        return raw if binascii.hexlify(raw) == spelt else None

    def fitting(self, candidates: Sequence[bytes], size: int) -> list[bytes]:
        fitting = _Strict.fitting(self, candidates, size)
        return [text.lower() for text in fitting] if self.any_case else fitting


@dataclass(frozen=True, slots=True)
class Base64(_Strict):
    """Base64 with its padding (RFC 4648 section 4)."""

    def encode(self, raw: bytes) -> bytes:
        return binascii.b2a_base64(raw, newline=False)

    def decode(self, text: bytes) -> bytes | None:
        try:
            raw = binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            return None
        return raw if self.encode(raw) == text else None


@dataclass(frozen=True, slots=True)
class Base64Url(_Strict):
    """Base64 for URLs, without padding (RFC 4648 section 5)."""

    def encode(self, raw: bytes) -> bytes:
        return urlsafe_b64encode(raw).rstrip(b"=")

    def decode(self, text: bytes) -> bytes | None:
        padded = text + b"=" * (-len(text) % 4)
        try:
            raw = binascii.a2b_base64(padded.replace(b"-", b"+").replace(b"_", b"/"), strict_mode=True)
        except ValueError:
            return None
        return raw if self.encode(raw) == text else None


HEX = Hex()
BASE64 = Base64()
BASE64URL = Base64Url()
