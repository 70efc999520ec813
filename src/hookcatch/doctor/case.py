"""What a diagnosis is about, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from hookcatch.core.errors import HookcatchError, Rejected
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
class Case:
    """One refused request, and what was configured for it."""

    request: Request
    provider: Provider
    secrets: tuple[Secret, ...] = field(repr=False)
    now: float
    others: Mapping[str, tuple[Provider, tuple[Secret, ...]]] = field(repr=False)
    tolerance: float | None = None

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


def passes(trial: Trial) -> bool:
    """Whether the signature is right then, at whatever time it was made."""
    for tolerance in (None, ANY_TIME):
        try:
            secrets = [
                secret.reveal() for secret in trial.secrets
            ]  # as bytes white space may stand around them
            trial.provider.bind(secrets, tolerance).check(trial.request, trial.now)
        except Rejected as why:
            if why.reason not in {"stale_timestamp", "future_timestamp"}:
                return False
        except HookcatchError:  # a secret that cannot be one of this sender's
            return False
        else:
            return True
    return False
