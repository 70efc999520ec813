"""Text that every database takes, and comes back as it was.

PostgreSQL refuses NUL, no database takes a lone surrogate, and JSON may hold both. They are escaped by DLE, one by
one and at a fixed length, so that a text that begins with another still does.
"""

from __future__ import annotations

import re
from hashlib import sha256

_ODD = re.compile("[\x00\x10\ud800-\udfff]")
_ESCAPED = re.compile("\x10([0-9a-f]{4})")


def text(value: str) -> str:
    """As it is stored."""
    return _ODD.sub(lambda odd: f"\x10{ord(odd[0]):04x}", value)


def untext(value: str) -> str:
    """As it was."""
    return _ESCAPED.sub(lambda escaped: chr(int(escaped[1], 16)), value)


def digest(*parts: str) -> str:
    """A key of one length for what may be of any; lengths keep `a`+`bc` and `ab`+`c` apart (ATTACKS A25)."""
    whole = "".join(f"{len(part)}:{part}" for part in parts)
    return sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
