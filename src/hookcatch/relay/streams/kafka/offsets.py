"""What may be said to be done in a log that knows one number only: all before it is done."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Offsets:
    """Of one partition that is read from front to back, and whose messages are done in any order. A log has gaps:
    the offset after one that was taken need not exist.

    Args:
        next: the offset after the one that was taken last; None before the first.
        open: those taken and not yet done.
    """

    next: int | None = None
    open: frozenset[int] = frozenset()

    @property
    def commit(self) -> int | None:
        """All before it that was taken is done, and it is the last of which that holds; None before the first."""
        return min(self.open, default=self.next)

    def taken(self, offset: int) -> Offsets:
        """With one more in work. A log that was cut goes on at a lower offset than before."""
        return Offsets(offset + 1, self.open | {offset})

    def done(self, offset: int) -> Offsets:
        """With one less in work."""
        return replace(self, open=self.open - {offset})
