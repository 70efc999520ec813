"""Why a signature fails, and what to do: the plausible mistakes are tried, one after the other, and none is accepted.

What is found is for the one who runs the receiver; the sender never hears of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.wire import Request
from hookcatch.providers import Provider
from hookcatch.signing.keys import SecretInput, secrets_of

from .case import Case, Diagnosis, Finding, Trial
from .case import passes as passes
from .facts import FACTS
from .mistakes import MISTAKES

MAX_BODY = 1 << 20
"""Bytes; of a larger body only what does not need to be respelt is tried."""

MAX_TRIALS = 2000
"""How many signatures are made for one diagnosis; about a tenth of a second."""

UNEXPLAINED = Finding(
    "unexplained",
    "no mistake that we know explains this signature",
    "if the sender is who you think, copy the secret again from where it shows it; else it is a forgery",
)


def diagnose(
    request: Request,
    provider: Provider,
    secret: SecretInput | Sequence[SecretInput],
    *,
    now: float,
    others: Mapping[str, tuple[Provider, Sequence[SecretInput]]] | None = None,
    tolerance: float | None = None,
) -> Diagnosis:
    """Why a request is refused.

    Args:
        request: as it came, with the URL that the sender called.
        provider: who sent it.
        secret: what is configured for it.
        now: seconds since the epoch.
        others: by name, other sources that it may have been meant for.
        tolerance: the configured one, in seconds; default the provider's.

    Raises:
        ConfigurationError: for a secret that cannot be used.
    """
    case = Case(
        request=request,
        provider=provider,
        secrets=secrets_of(secret),
        now=now,
        others={name: (row, secrets_of(list(known))) for name, (row, known) in (others or {}).items()},
        tolerance=tolerance,
    )
    try:
        provider.bind(list(case.secrets), tolerance).verify(request, now)
    except Rejected as why:
        found = _distinct([*_told(case, why), *_tried(case)])
        return Diagnosis(str(why), tuple(found) or (UNEXPLAINED,))
    return Diagnosis("", ())


def _told(case: Case, why: Rejected) -> Iterator[Finding]:
    """What can be seen without trying anything."""
    for look in FACTS:
        yield from look(case, why)


def _tried(case: Case) -> Iterator[Finding]:
    """What would make the signature right."""
    trials = 0
    small = len(case.request.body) <= MAX_BODY
    for mistake in MISTAKES:
        if mistake.respells_body and not small:
            continue
        for trial in mistake.trials(case):
            trials += 1
            if trials > MAX_TRIALS:
                return
            if passes(trial):
                yield trial.finding
                break


def _distinct(findings: Iterable[Finding]) -> list[Finding]:
    return list({finding.name: finding for finding in reversed(list(findings))}.values())[::-1]


__all__ = ["Case", "ConfigurationError", "Diagnosis", "Finding", "Trial", "diagnose"]
