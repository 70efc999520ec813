"""One line that says how far a measurement is, on stderr: what is printed is the result alone."""

from __future__ import annotations

import sys
import time


class Progress:
    """`filling: 250,000 of 1,000,000, 12,345 a second`, at most twice a second; nothing but ends in a log file."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._started = self._told = time.monotonic()
        self._live = sys.stderr.isatty()

    def at(self, done: int) -> None:
        """So many are done."""
        now = time.monotonic()
        if done >= self._total or (self._live and now - self._told > 0.5):
            self._told = now
            rate = done / max(now - self._started, 1e-9)
            text = f"{self._what}: {done:,} of {self._total:,}, {rate:,.0f} a second"
            end = "\n" if done >= self._total or not self._live else "\r"
            print(f"{text:<78}", end=end, file=sys.stderr, flush=True)
