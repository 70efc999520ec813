"""When a request was signed, and whether that is now. The text of the timestamp is what is signed; it is
read as strictly as it can be (ATTACKS A28, A29)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.wire import Request

from .places import Place

Moment = Callable[[bytes | None, float | None], float]
"""What the text of a timestamp means; judged too, given the time of now. Raises Rejected."""

TOLERANCE = 300.0
"""Seconds either way; what Standard Webhooks, Stripe and Slack use."""


class Unit(Protocol):
    """How a time is written."""

    def parse(self, text: bytes) -> float | None:
        """Seconds since the epoch, or None."""
        ...

    def format(self, moment: float) -> bytes:
        """The text for a time in seconds since the epoch."""
        ...


@dataclass(frozen=True, slots=True)
class Digits:
    """A whole number, at most `width` ASCII digits, `per_second` of which make a second."""

    per_second: int = 1
    width: int = 12

    def parse(self, text: bytes) -> float | None:
        if not text.isdigit() or len(text) > self.width:
            return None
        return int(text) / self.per_second

    def format(self, moment: float) -> bytes:
        return str(int(moment * self.per_second)).encode()


# RFC 3339 with up to nine digits of a second, as Twitch writes them.
_RFC3339 = re.compile(
    rb"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class Rfc3339:
    """`2026-11-21T12:00:00.123Z`."""

    def parse(self, text: bytes) -> float | None:
        found = _RFC3339.fullmatch(text)
        if found is None:
            return None
        date, time, fraction, zone = (group or b"" for group in found.groups())
        offset = b"+00:00" if zone in b"Zz" else zone
        try:
            whole = datetime.fromisoformat((date + b"T" + time + offset).decode())
        except ValueError:
            return None
        return whole.timestamp() + float(b"0" + fraction)

    def format(self, moment: float) -> bytes:
        return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


SECONDS = Digits()
MILLISECONDS = Digits(per_second=1000, width=15)
RFC3339 = Rfc3339()


@dataclass(frozen=True, slots=True)
class Timestamp:
    """Where the signed time stands, how it is written, and how far from now it may be, in seconds either
    way; `tolerance=None` where the sender documents none: then only a configured tolerance is enforced."""

    place: Place
    unit: Unit = SECONDS
    tolerance: float | None = TOLERANCE

    def moment(self, tolerance: float | None) -> Moment:
        """The judge, with the row's tolerance or another."""
        parse, title = self.unit.parse, self.place.title
        allowed = limit(self.tolerance, tolerance)

        def moment(text: bytes | None, now: float | None) -> float:
            if not text:
                raise Rejected("missing_timestamp", title)
            signed_at = parse(text)
            if signed_at is None:
                raise Rejected("malformed_timestamp", title)
            if now is not None and not -allowed <= signed_at - now <= allowed:
                judge(signed_at, now, allowed)
            return signed_at

        return moment

    def write(self, request: Request, now: float) -> Request:
        """The request with its time set."""
        return self.place.write(request, self.unit.format(now))


def judge(signed_at: float, now: float, allowed: float) -> None:
    """Raises Rejected for a time too far from now, in either direction."""
    if signed_at < now - allowed:
        raise Rejected("stale_timestamp", f"{now - signed_at:.0f} s old")
    if signed_at > now + allowed:
        raise Rejected("future_timestamp", f"{signed_at - now:.0f} s ahead")


def limit(usual: float | None, configured: float | None) -> float:
    """The tolerance in force, in seconds; infinite for a sender without one."""
    if configured is None:
        return math.inf if usual is None else usual
    if not configured > 0:
        raise ConfigurationError(
            f"tolerance={configured} s would refuse everything: leave it out for the usual one, "
            "or give the seconds a timestamp may be off, either way"
        )
    return configured
