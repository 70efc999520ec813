"""Why a signature fails, and what to do: the plausible mistakes are tried, one after the other, and none is accepted.

What is found is for the one who runs the receiver; the sender never hears of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.wire import Request
from hookcatch.providers import Provider
from hookcatch.signing.keys import SecretInput, secrets_of

from .bench import Bench
from .case import Case, Diagnosis, Finding, Limits, Trial
from .catalogue import finding
from .facts import FACTS
from .mistakes import MISTAKES

UNEXPLAINED = finding("unexplained", "no mistake that we know explains this signature")


def diagnose(
    request: Request,
    provider: Provider,
    secret: SecretInput | Sequence[SecretInput],
    *,
    now: float,
    others: Mapping[str, tuple[Provider, Sequence[SecretInput]]] | None = None,
    tolerance: float | None = None,
    published: Keys = OFFLINE,
    limits: Limits = Limits(),
) -> Diagnosis:
    """Why a request is refused.

    Args:
        request: as it came, with the URL that the sender called.
        provider: who sent it.
        secret: what is configured for it.
        now: seconds since the epoch.
        others: by name, other sources that it may have been meant for.
        tolerance: the configured one, in seconds; default the provider's.
        published: the public keys of senders that are known; none is fetched.
        limits: how much is tried.

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
        published=published,
    )
    try:
        provider.bind(list(case.secrets), tolerance, published).verify(request, now)
    except Rejected as why:
        found = _distinct([*_told(case, why), *_tried(case, why, limits)])
        return Diagnosis(str(why), tuple(found) or (UNEXPLAINED,))
    return Diagnosis("", ())


def _told(case: Case, why: Rejected) -> Iterator[Finding]:
    """What can be seen without trying anything."""
    for look in FACTS:
        yield from look(case, why)


def _tried(case: Case, why: Rejected, limits: Limits) -> Iterator[Finding]:
    """What would make the signature right."""
    bench = Bench(case.published)
    if bench.passes(case.as_it_is):  # whatever is tried would be right too
        if why.reason not in {"stale_timestamp", "future_timestamp"}:
            yield finding("signature_right", "the signature is right: it is refused for something else")
        return
    size = len(case.request.body)
    left = min(limits.trials, limits.hashed // (size + 1))
    for mistake in MISTAKES:
        if mistake.respells_body and size > limits.body:
            continue
        for trial in mistake.trials(case):
            if not left:
                return
            left -= 1
            if bench.passes(trial):
                yield trial.finding
                break


def _distinct(findings: Iterable[Finding]) -> list[Finding]:
    return list({finding.name: finding for finding in reversed(list(findings))}.values())[::-1]


__all__ = ["Case", "ConfigurationError", "Diagnosis", "Finding", "Limits", "Trial", "diagnose"]
