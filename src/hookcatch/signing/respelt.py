"""Senders that sign another spelling of what they send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hookcatch.core.errors import Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .scheme import Bound, Match, Scheme

MAX_SPELLINGS = 4


@dataclass(frozen=True, slots=True)
class Respelt:
    """A scheme over any of the spellings of a request, as it stands or otherwise. A
    spelling must not stand for two requests that mean different things."""

    scheme: Scheme
    spellings: Callable[[Request], Sequence[Request]] = field(repr=False)

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        bound = self.scheme.bind(secrets, tolerance, published)
        spellings = self.spellings

        def check(request: Request, now: float) -> Match:
            matches: list[Match] = []
            refusals: list[Rejected] = []
            for spelt in spellings(request)[:MAX_SPELLINGS]:
                try:
                    matches.append(bound.check(spelt, now))
                except Rejected as refusal:
                    refusals.append(refusal)
            if not matches:
                raise refusals[0]
            return matches[0]

        def precheck(request: Request, now: float | None) -> None:
            refusals: list[Rejected] = []
            spelt = spellings(request)[:MAX_SPELLINGS]
            for one in spelt:
                try:
                    bound.precheck(one, now)
                except Rejected as refusal:
                    refusals.append(refusal)
            if len(refusals) == len(spelt):
                raise refusals[0]

        return Bound(check, precheck)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        return self.scheme.sign(request, secret, now)

    def check_strength(self, secret: Secret) -> None:
        self.scheme.check_strength(secret)
