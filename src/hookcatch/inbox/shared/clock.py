"""One clock for all machines at an inbox: the server's (SEMANTICS 7).

Times are compared that different machines wrote: when an event is due, when a lease runs out. So what is written is
the server's time, and what is read comes back in the machine's own, as far as the two are apart. How far is asked
every minute; a clock that is set meanwhile is noticed by a timer that cannot be set, and asked about at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from hookcatch.core.model import (
    Accepted,
    Claim,
    Close,
    Duplicate,
    Duplicates,
    Lease,
    NewEvent,
    Run,
    StoredEvent,
)
from hookcatch.core.ports import Clock, Query

T = TypeVar("T")

EVERY = 60.0
"""Seconds between measurements."""

TOLERANCE = 2.0
"""Seconds that clocks may be apart without harm: leases last 30 times that, and NTP keeps well below it."""

_SINCE_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)

log: logging.Logger = logging.getLogger("hookcatch.inbox")


def ticking() -> float:
    """Seconds from anywhere that nobody can set. They go on while the machine sleeps, which those of `time.monotonic`
    do not on Linux (clock_gettime(2): CLOCK_BOOTTIME)."""
    return time.monotonic() if _SINCE_BOOT is None else time.clock_gettime(_SINCE_BOOT)


class ServerClock:
    """How far the server's clock is ahead of this machine's.

    Args:
        clock: this machine's clock.
        timer: seconds from anywhere, growing, which nobody sets.
        wanted: False to leave the machine's clock as it is, whatever the server's says.
    """

    def __init__(self, clock: Clock, *, timer: Callable[[], float], wanted: bool = True) -> None:
        self._clock = clock
        self._timer = timer
        self._wanted = wanted
        self._next = float("-inf")
        self._measured = 0.0
        self._apart: float | None = None  # this machine's clock and the timer, when it was measured

    def is_due(self) -> bool:
        """Whether it is time to measure."""
        return self._wanted and (self._timer() >= self._next or bool(self._set_by()))

    def _set_by(self) -> float:
        """How many seconds on this machine's clock was set since it was measured; 0 below the tolerance."""
        if self._apart is None:
            return 0.0
        by = self._clock() - self._timer() - self._apart
        return by if abs(by) >= TOLERANCE else 0.0

    @property
    def ahead(self) -> float:
        """Seconds to add to this machine's time."""
        return self._measured - self._set_by()

    def measure(self, ask: Callable[[], float]) -> None:
        """Ask the server for its time."""
        before = self._clock()
        server = ask()
        after, ticks = self._clock(), self._timer()
        ahead = server - (before + after) / 2
        self._next, self._apart = ticks + EVERY, after - ticks
        if abs(ahead) < TOLERANCE:
            ahead = 0.0
        else:
            log.warning(
                "this machine's clock is %.1f s %s the database's: the inbox goes by the database's; set the clock, "
                "for signatures are checked by it",
                abs(ahead),
                "behind" if ahead > 0 else "ahead of",
            )
        self._measured = ahead

    def __call__(self) -> float:
        """The server's time, in seconds since the epoch."""
        return self._clock() + self.ahead

    def there(self, value: T) -> T:
        """A value with its times as the server would write them."""
        return moved(value, self.ahead)

    def here(self, value: T) -> T:
        """A value with its times as this machine would write them."""
        return moved(value, -self.ahead)


_TIMES: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {
        NewEvent: ("received_at", "due_at"),
        Claim: ("until",),
        Duplicates: ("revive_before",),
        Close: ("run_at",),
        Run: ("run_at", "started_at", "finished_at"),
        Query: ("since", "until"),
        StoredEvent: ("received_at", "run_at", "finished_at"),
        Lease: ("until", "event", "runs"),
        Accepted: ("lease",),
        Duplicate: ("lease_until",),
    }
)
"""The fields that hold times, or values that hold some."""


def moved(value: T, by: float) -> T:
    """A value with all its times moved."""
    return _moved(value, by) if by else value


def _moved(value: Any, by: float) -> Any:
    if isinstance(value, float):
        return value + by
    if isinstance(value, list | tuple):
        return tuple([_moved(one, by) for one in value])
    if isinstance(value, Mapping):
        return MappingProxyType({key: _moved(one, by) for key, one in value.items()})
    names = _TIMES.get(type(value))
    if names is None:
        return value
    return replace(value, **{name: _moved(getattr(value, name), by) for name in names})
