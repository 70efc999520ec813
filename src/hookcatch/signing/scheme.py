"""What a scheme is: bound to secrets once, it checks requests; with one secret, it signs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request


class Match(NamedTuple):
    """A request is authentic. `key` is the position of the secret that says so, None where there is none;
    `signed_at` the signed time in seconds since the epoch, None where none is signed."""

    key: int | None = None
    signed_at: float | None = None


class Opened(NamedTuple):
    """An authentic request as its events are read: decrypted, where the sender encrypts. `ack` is the text of the
    answer, where the sender wants one that is made for this request."""

    request: Request
    ack: bytes | None = None


Check = Callable[[Request, float], Match]
Precheck = Callable[[Request, float | None], None]
Open = Callable[[Request, Match], Opened]


def nothing(request: Request, now: float | None) -> None:
    """The precheck of a scheme that needs the body for everything."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A scheme with its secrets. `check` raises Rejected unless the request is authentic and fresh;
    `precheck` raises Rejected for what is wrong already in the head, the time left out if it is None; `open`, where
    there is one, makes an authentic request readable, or raises Rejected."""

    check: Check = field(repr=False)
    precheck: Precheck = field(repr=False, default=nothing)
    open: Open | None = field(repr=False, default=None)


class Scheme(Protocol):
    """How requests are signed: frozen data. Secrets were through `keys.secrets_of`."""

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        """Decode the secrets and compile the check; `published` has the keys that senders publish. Raises
        ConfigurationError."""
        ...

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        """The request, signed. Raises ConfigurationError for what cannot be signed."""
        ...

    def check_strength(self, secret: Secret) -> None:
        """Raises ConfigurationError for a secret that is too easy to guess."""
        ...


@dataclass(frozen=True, slots=True)
class Unsigned:
    """No proof at all: every request passes."""

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        return Bound(lambda request, now: Match())

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        return request

    def check_strength(self, secret: Secret) -> None:
        """There is no secret."""
