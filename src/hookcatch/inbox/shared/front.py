"""Where claims begin to look.

The index entry of an event that is pending no more stays until the database cleans up: in PostgreSQL until a VACUUM,
one a minute at best. Whoever looks for the earliest event walks over all of these entries first, and at 2,000 events
a second there are soon 100,000. So a claim begins where the last one of its process found its first.

What comes to lie before that is seen all the same: what this process puts there at once, and what others do within
LOOK seconds. Others do so rarely, for GRACE covers clocks that differ and commits that cross: it takes a transaction
that lasts longer than that, one of a claim that dies before its commit, or a spool that is drained. While anybody is
behind in a lane, whom any process may call up, claims look at everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

GRACE = 10.0
"""Seconds before now that every claim looks at."""

LOOK = 10.0
"""Seconds from one look at everything to the next."""

FIRST = -1e300
"""Before all times; databases know no infinity in common."""


@dataclass(frozen=True, slots=True)
class Reached:
    """From when on something can be pending, in seconds since the epoch, and when all was looked at, by the timer."""

    at: float
    looked: float


@dataclass(slots=True)
class Front:
    """How far claims have come: those of one source each, and (`""`) those of all.

    Args:
        timer: seconds from anywhere, growing.
    """

    timer: Callable[[], float] = time.monotonic
    _reached: Mapping[str, Reached] = field(default_factory=lambda: MappingProxyType({}))

    def start(self, of: str = "") -> float:
        """From when on to look; FIRST when it is time to look at everything."""
        known = self._reached.get(of)
        return FIRST if known is None or self.timer() - known.looked >= LOOK else known.at

    def reached(self, of: str, start: float, at: float, now: float) -> None:
        """A claim that looked from `start` on has seen that nothing is pending before `at`."""
        known = self._reached.get(of)
        looked = self.timer() if start == FIRST or known is None else known.looked
        self._reached = {**self._reached, of: Reached(min(at, now - GRACE), looked)}

    def forget(self) -> None:
        """Something may come to be pending anywhere: look at everything next."""
        self._reached = {}

    def lower(self, at: float) -> None:
        """Something is pending from `at` on."""
        if any(at < known.at for known in self._reached.values()):
            self._reached = {of: replace(known, at=min(known.at, at)) for of, known in self._reached.items()}
