"""What a diagnosis is about, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.providers import Provider

ANY_TIME = 1e11
"""Seconds of tolerance that let every time pass."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake that explains why a request is refused.

    Attributes:
        name: one word for it, that never changes.
        what: what happened.
        remedy: what to do about it.
    """

    name: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Attributes:
    refusal: why the request is refused; empty if it is not.
    findings: what explains it, the likeliest first.
    """

    refusal: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the request verifies as it is."""
        return not self.refusal


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is tried for one diagnosis.

    Attributes:
        trials: how many signatures are made; 2000 take about a tenth of a second.
        body: bytes; a larger body is not written in other ways.
        hashed: bytes that all trials together may hash.
    """

    trials: int = 2000
    body: int = 1 << 20
    hashed: int = 128 << 20


@dataclass(frozen=True, slots=True)
class Case:
    """One refused request, and what was configured for it."""

    request: Request
    provider: Provider
    secrets: tuple[Secret, ...] = field(repr=False)
    now: float
    others: Mapping[str, tuple[Provider, tuple[Secret, ...]]] = field(repr=False)
    tolerance: float | None = None
    published: Keys = field(default=OFFLINE, repr=False)

    @property
    def as_it_is(self) -> Trial:
        """Nothing changed."""
        return Trial(Finding("", "", ""), self.request, self.provider, self.secrets, self.now)

    def trial(self, finding: Finding, request: Request) -> Trial:
        """The same with another request."""
        return Trial(finding, request, self.provider, self.secrets, self.now)

    def with_secrets(self, finding: Finding, *secrets: bytes) -> Trial:
        """The same with other secrets."""
        return replace(self.trial(finding, self.request), secrets=tuple(map(Secret, secrets)))


@dataclass(frozen=True, slots=True)
class Trial:
    """What would be right if a certain mistake had been made."""

    finding: Finding
    request: Request
    provider: Provider
    secrets: tuple[Secret, ...] = field(repr=False)
    now: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """A kind of mistake: the trials that would show it, the likeliest first."""

    trials: Callable[[Case], Iterator[Trial]]
    respells_body: bool = False
