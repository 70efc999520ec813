"""Where trials are made."""

from __future__ import annotations

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.keyring import Keys
from hookcatch.core.secret import Secret
from hookcatch.providers import Provider
from hookcatch.signing.scheme import Check

from .case import ANY_TIME, Trial


class Bench:
    """Tries what would be right, at whatever time it was signed. A row is bound to the same secrets once: to read an
    RSA key can cost more than a thousand signatures."""

    def __init__(self, published: Keys) -> None:
        self._published = published
        self._checks: dict[tuple[int, tuple[bytes, ...]], Check | None] = {}

    def passes(self, trial: Trial) -> bool:
        """Whether the signature is right then."""
        check = self._check(trial.provider, trial.secrets)
        if check is None:
            return False
        try:
            check(trial.request, trial.now)
        except Rejected:
            return False
        return True

    def _check(self, provider: Provider, secrets: tuple[Secret, ...]) -> Check | None:
        """None for a secret that cannot be one of this sender's."""
        # as bytes white space may stand around them
        revealed = tuple(secret.reveal() for secret in secrets)
        key = (id(provider), revealed)
        if key not in self._checks:
            try:
                self._checks[key] = provider.bind(list(revealed), ANY_TIME, self._published).check
            except ConfigurationError:
                self._checks[key] = None
        return self._checks[key]
