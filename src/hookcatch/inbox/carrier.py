"""From the spool to the store: the oldest first, as many in one commit as go, and then out of the spool."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from hookcatch.core.model import Accepted, Duplicates
from hookcatch.core.ports import Inbox

from .locks import Turn

if TYPE_CHECKING:
    from .spool_file import SpoolFile, Waiting

MOST = 256
"""Deliveries that are taken to the store at once. After a failure a quarter of it, down to one; after a success four
times as many."""

STRIKES = 5
"""So often in a row the oldest delivery is refused, alone, before it is looked whether the next one is taken."""

log: logging.Logger = logging.getLogger("hookcatch.inbox")


class Carrier:
    """Takes deliveries to the store in the order of the spool, in one process of the machine at a time.

    What is between the store's commit and the drop when the process dies is brought again, and is a duplicate there.

    Attributes:
        taken: how many deliveries it has brought.
        known: how many of their events the store knew already.
    """

    def __init__(self, store: Inbox, file: SpoolFile) -> None:
        self._store = store
        self._file = file
        self._turn = Turn(f"{file.path}-drain")
        self._limit = MOST
        self._strikes = 0
        self.taken: int = 0
        self.known: int = 0

    def close(self) -> None:
        """Let go of the lock's file; a fork's child does that too."""
        self._turn.close()

    def carry(self, timeout: float) -> int | None:
        """Bring the oldest deliveries to the store; how many, None if another process is doing that now.

        Raises:
            InboxUnavailable: or whatever else the store said. TimeoutError if it said nothing in `timeout` seconds.
        """
        with self._turn.tried() as is_ours:
            return self._carry(timeout) if is_ours else None

    def _carry(self, timeout: float) -> int:
        waiting = self._file.oldest(self._limit).result()
        if not waiting:
            return 0
        try:
            self._bring(waiting, timeout)
        except Exception:
            self._limit = max(1, self._limit // 4)
            self._strikes += len(waiting) == 1
            if self._strikes >= STRIKES:
                self._look_past(waiting[0], timeout)
            raise
        self._limit = min(MOST, self._limit * 4)
        self._strikes = 0
        return len(waiting)

    def _bring(self, waiting: list[Waiting], timeout: float) -> None:
        events = [event for one in waiting for event in one.events]
        answers = self._store.accept(events, duplicates=_of_all(waiting)).result(timeout)
        self._file.drop(waiting).result()
        self.taken += len(waiting)
        self.known += sum(not isinstance(answer, Accepted) for answer in answers)

    def _look_past(self, oldest: Waiting, timeout: float) -> None:
        """Find out whether it is the delivery or the store. If the next one is taken and this one, right after it, is
        not, then it waits no more: all that come after it would wait with it."""
        for following in self._file.oldest(1, after=oldest.last).result():
            self._bring([following], timeout)
            try:
                self._bring([oldest], timeout)
            except Exception as why:
                self._file.set_aside(oldest, str(why)).result()
                log.exception(
                    "the store takes others and not this delivery: it stays in %s, to be tried at the next start",
                    self._file.place,
                )
            self._strikes = 0


def _of_all(waiting: list[Waiting]) -> Duplicates:
    """What all of them want done with duplicates. A dead event is revived if it was dead before the first of them."""
    times = [one.duplicates.revive_before for one in waiting]
    known = [time for time in times if time is not None]
    return replace(waiting[0].duplicates, revive_before=min(known, default=None))
