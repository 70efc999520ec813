"""Senders that sign in one of several ways, and show in the request which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hookcatch.core.errors import Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .scheme import Bound, Match, Scheme
from .schemes import any_of


class _Several:
    """What both have in common: the first one signs, and knows how strong a secret has to be."""

    __slots__ = ()

    schemes: tuple[Scheme, ...]

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        return self.schemes[0].sign(request, secret, now)

    def check_strength(self, secret: Secret) -> None:
        self.schemes[0].check_strength(secret)


@dataclass(frozen=True, slots=True)
class EitherOf(_Several):
    """Schemes of about the same strength, any of which is enough: none protects less than another."""

    schemes: tuple[Scheme, ...]

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        owners = list(range(len(secrets)))
        return any_of([(scheme.bind(secrets, tolerance, published), owners) for scheme in self.schemes])


@dataclass(frozen=True, slots=True)
class Strongest(_Several):
    """Schemes from the strongest to the weakest: the first whose signature is there decides, alone. What is
    wrong in it is not mended by a weaker one."""

    schemes: tuple[Scheme, ...]

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        bound = [scheme.bind(secrets, tolerance, published) for scheme in self.schemes]

        def check(request: Request, now: float) -> Match:
            for one in bound[:-1]:
                try:
                    return one.check(request, now)
                except Rejected as refusal:
                    if refusal.reason != "missing_signature":
                        raise
            return bound[-1].check(request, now)

        def precheck(request: Request, now: float | None) -> None:
            for one in bound[:-1]:
                try:
                    return one.precheck(request, now)
                except Rejected as refusal:
                    if refusal.reason != "missing_signature":
                        raise
            return bound[-1].precheck(request, now)

        return Bound(check, precheck)
