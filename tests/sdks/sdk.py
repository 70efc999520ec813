"""What a sender's library can do for the proof of a row: verify what we sign, sign what we verify."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from hookcatch.core.wire import Request
from hookcatch.providers import provider
from support.senders import event, secret

Verifies = Callable[[Request, str], object]
"""Hands a signed request and the secret to the library; it raises, or gives something false, for a bad one."""

Signs = Callable[[Request, str, float], Request]
"""Has the library sign a request with the secret at a time, in seconds since the epoch."""


class Author(Enum):
    """Whose word on the signature it is."""

    SENDER = "the sender"
    STANDARD = "an implementation of the published standard that the sender follows"
    THIRD_PARTY = "somebody who receives from the sender, and has read its documentation as we have"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """One library, held against one row.

    Attributes:
        row: the name of the provider.
        package: what the library is called on PyPI.
        author: who wrote it.
        verifies: it verifies; None if it cannot.
        signs: it signs; None if it cannot.
        unlike: why it refuses what we sign, where it does; then `verifies` is tried on what it signs alone.
        note: what tells it from another of the same row and package.
        event: an unsigned request that it can read, where the plainest is not enough.
        tamper: the text of the body that is changed to see both refuse; empty where the body is not signed, or not
            checked by the library.
    """

    row: str
    package: str
    author: Author = Author.SENDER
    verifies: Verifies | None = None
    signs: Signs | None = None
    unlike: str = ""
    note: str = ""
    event: Callable[[], Request] | None = None
    tamper: bytes = b"12"

    def unsigned(self) -> Request:
        return self.event() if self.event else event(provider(self.row))

    def signed_by_us(self, now: float, number: int = 0) -> Request:
        return provider(self.row).sign(self.unsigned(), secret=secret(self.row, number), now=now)


def head(request: Request) -> dict[str, str]:
    """The headers as most libraries want them; the names in lower case."""
    return {name.decode().lower(): value.decode() for name, value in request.headers}


def text(request: Request, name: str) -> str:
    """A header that is there."""
    return head(request)[name]
