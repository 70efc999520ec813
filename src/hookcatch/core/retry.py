"""When to try again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential with full jitter: before try n+1 comes a wait drawn evenly from 0 to
    `min(cap, base * factor ** (n - 1))` seconds.

    Full jitter spreads a herd of failed events evenly over the wait, where a fixed wait would bring it
    back as one (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
    The defaults with 12 attempts keep trying for up to a day and a half.
    """

    base: float = 10.0
    factor: float = 4.0
    cap: float = 6 * 3600.0

    def delay(self, attempt: int, random: Callable[[], float]) -> float:
        """Seconds to wait after the `attempt`-th attempt, from 1; `random` draws from [0, 1)."""
        # past 60 doublings any base has met any cap, and a float would overflow
        return random() * min(self.cap, self.base * self.factor ** min(attempt - 1, 60))
