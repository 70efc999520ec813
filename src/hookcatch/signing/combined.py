"""Several proofs, all of which have to be given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .scheme import Bound, Match, Scheme


@dataclass(frozen=True, slots=True)
class AllOf:
    """Proofs that are worth nothing alone, each with a secret of its own: made for one configured secret, which
    holds them all."""

    parts: tuple[tuple[Scheme, Secret], ...]

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        bound = [scheme.bind([secret], tolerance, published) for scheme, secret in self.parts]

        def check(request: Request, now: float) -> Match:
            times = [one.check(request, now).signed_at for one in bound]
            return Match(0, next((time for time in times if time is not None), None))

        def precheck(request: Request, now: float | None) -> None:
            for one in bound:
                one.precheck(request, now)

        return Bound(check, precheck)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        for scheme, own in self.parts:
            request = scheme.sign(request, own, now)
        return request

    def check_strength(self, secret: Secret) -> None:
        for scheme, own in self.parts:
            scheme.check_strength(own)
