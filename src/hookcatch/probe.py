"""Probes: requests of the doctor that ask a receiver what arrives of them. They are answered, and never kept.

A probe carries a token, signed with a key that is derived from the secret of the source; to a request without it the
header means nothing. What is told is about the probe alone: how long it was when it arrived and what its hash is,
which of the headers that it asks for came and under what names, the URL over which its signature would be verified.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from pydantic_core import to_json

from .core.endpoint import Endpoint, Verifier
from .core.errors import Rejected
from .core.greeting import Greeter, Greeting
from .core.model import Delivery
from .core.secret import Secret
from .core.wire import Request, Response

HEADER = "x-hookcatch-probe"
_HEADER = HEADER.encode()

MAX_TOKEN = 4 << 10
"""Bytes of a token that is looked at."""

LASTS = 86400.0
"""Seconds, either way: a clock that is wrong is one of the things that a probe is for."""

_ANSWER = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(frozen=True, slots=True)
class Asking:
    """What a token says.

    Attributes:
        nonce: comes back in the report, so that it is known to be one.
        made: when, in seconds since the epoch.
        headers: the names of the headers that the prober wants to know of, in lower case.
    """

    nonce: str
    made: float
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What arrived of a probe.

    Attributes:
        nonce: the probe's own.
        length, sha256: of the body.
        headers: of those asked for, the names under which they came.
        url: over which a signature would be verified.
        verified: whether the sender's signature was right; False for a probe without one.
        now: the receiver's clock, in seconds since the epoch.
    """

    nonce: str
    length: int
    sha256: str
    headers: tuple[str, ...]
    url: str
    verified: bool
    now: float


def token(secrets: Sequence[Secret], asking: Asking) -> str:
    """The value of the header. The first of the secrets signs."""
    said = {"n": asking.nonce, "t": asking.made, "h": asking.headers}
    return str(_serializer(secrets).dumps(said))


def asked(secrets: Sequence[Secret], value: bytes) -> Asking | None:
    """What a token says; None unless it is signed with one of the secrets."""
    if len(value) > MAX_TOKEN:
        return None
    try:
        said = _serializer(secrets).loads(value)
        return Asking(said["n"], float(said["t"]), tuple(said["h"]))
    except BadData:
        return None


def report(asking: Asking, request: Request, now: float, *, verified: bool) -> Report:
    """What arrived."""
    return Report(
        nonce=asking.nonce,
        length=len(request.body),
        sha256=hashlib.sha256(request.body).hexdigest(),
        headers=tuple(_named(request, asking.headers)),
        url=request.url,
        verified=verified,
        now=now,
    )


def read_report(body: Mapping[str, Any], nonce: str) -> Report | None:
    """The report in an answer; None if there is none to this probe."""
    try:
        made = Report(**{**body, "headers": tuple(body["headers"])})
    except (TypeError, KeyError):
        return None
    return made if made.nonce == nonce else None


def welcome(endpoint: Endpoint, secrets: Sequence[Secret]) -> Endpoint:
    """The endpoint, that answers probes too. One without secrets cannot know them."""
    if not secrets:
        return endpoint
    return replace(
        endpoint,
        verifier=Patient(endpoint.verifier, tuple(secrets)),
        greeter=Prober(endpoint.verifier, tuple(secrets), endpoint.greeter),
    )


@dataclass(frozen=True, slots=True)
class Prober:
    """Answers probes, and leaves other handshakes to the row's own greeter."""

    verifier: Verifier = field(repr=False)
    secrets: tuple[Secret, ...] = field(repr=False)
    inner: Greeter | None

    @property
    def methods(self) -> frozenset[str]:
        return self.inner.methods if self.inner else frozenset()

    def before(self, request: Request, now: float) -> Greeting | None:
        value = request.index.get(_HEADER)
        asking = None if value is None else asked(self.secrets, value)
        if asking is not None and abs(asking.made - now) <= LASTS:
            return self._answer(asking, request, now)
        return self.inner.before(request, now) if self.inner else None

    def after(self, request: Request, delivery: Delivery) -> Greeting | None:
        return self.inner.after(request, delivery) if self.inner else None

    def _answer(self, asking: Asking, request: Request, now: float) -> Greeting:
        try:
            self.verifier.verify(request, now)
            verified = True
        except Rejected:
            verified = False
        return Greeting(
            "probe", Response(200, to_json(report(asking, request, now, verified=verified)), _ANSWER)
        )


@dataclass(frozen=True, slots=True)
class Patient:
    """Reads the body of a probe even if no signature is there yet."""

    inner: Verifier = field(repr=False)
    secrets: tuple[Secret, ...] = field(repr=False)

    def verify(self, request: Request, now: float) -> Delivery:
        return self.inner.verify(request, now)

    def precheck(self, request: Request) -> None:
        value = request.index.get(_HEADER)
        if value is None or asked(self.secrets, value) is None:
            self.inner.precheck(request)


def _named(request: Request, wanted: Iterable[str]) -> Iterator[str]:
    """The names under which the wanted headers came."""
    asked_for = frozenset(map(plain, wanted))
    for name in request.index:
        text = name.decode("latin-1")
        if plain(text) in asked_for:
            yield text


def plain(name: str) -> str:
    """A header's name as it was before something respelt it as a CGI variable."""
    return name.removeprefix("http_").replace("_", "-")


def _serializer(secrets: Sequence[Secret]) -> URLSafeSerializer:
    return URLSafeSerializer(
        [secret.reveal() for secret in reversed(secrets)],  # itsdangerous signs with the last
        salt=b"hookcatch.probe",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
