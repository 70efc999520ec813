"""How a signature's bytes are written. Strict: no two texts stand for the same bytes."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True, slots=True)
class Encoding:
    """A way to write bytes as ASCII.

    Attributes:
        name: what it is called.
        encode: the one text for some bytes.
        loosely: the bytes of a text; may raise ValueError, or take texts that `encode` would not write.
        any_case: whether the sender may write either case; only for hexadecimal.
    """

    name: str
    encode: Callable[[bytes], bytes]
    loosely: Callable[[bytes], bytes]
    any_case: bool = False

    def decode(self, text: bytes) -> bytes | None:
        """The bytes, or None for anything `encode` would not have written."""
        spelt = text.lower() if self.any_case else text
        try:
            raw = self.loosely(spelt)
        except ValueError:
            return None
        return raw if self.encode(raw) == spelt else None

    def __repr__(self) -> str:
        return self.name


def _base64url(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _from_base64url(text: bytes) -> bytes:
    padded = text + b"=" * (-len(text) % 4)
    return binascii.a2b_base64(padded.replace(b"-", b"+").replace(b"_", b"/"), strict_mode=True)


HEX = Encoding("HEX", binascii.hexlify, binascii.unhexlify)
HEX_ANY_CASE = Encoding("HEX_ANY_CASE", binascii.hexlify, binascii.unhexlify, any_case=True)
BASE64 = Encoding(
    "BASE64", partial(binascii.b2a_base64, newline=False), partial(binascii.a2b_base64, strict_mode=True)
)
BASE64URL = Encoding("BASE64URL", _base64url, _from_base64url)
"""Without padding (RFC 4648 section 5)."""
