"""What becomes of deliveries and handlers, as Django's signals: for alarms and figures. What must not be missed is a
handler's work, for signals are not kept: what is not told yet when a process ends is not told.

    from hookcatch.django.signals import attempted

    @receiver(attempted)
    def alarm(outcome, handler, lease, **facts): ...

Receivers are called in one thread of their own, one after the other, and may use the ORM. Django logs their errors.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import close_old_connections
from django.dispatch import Signal

from hookcatch.observe.logs import Logs

delivered: Signal = Signal()
"""A request was answered: source (str), delivery (`Delivery`, None if it was not verified), status (int), verdict
(str), seconds (float)."""

attempted: Signal = Signal()
"""An attempt of a handler ended: lease (`Lease`, of its `event`), handler (str), outcome (`Outcome`, whose `state` is
succeeded, retry, filtered, invalid, dead or discarded), attempt (int, from 1), seconds (float)."""

WAITING = 10_000
"""How many may wait for slow receivers; beyond it they are left out, and the log says so."""

logger: logging.Logger = logging.getLogger("hookcatch")


class Signals(Logs):
    """The observer that logs, and tells the receivers of these signals.

    Args:
        at_once: whether to call receivers at once and in the same thread, as a test wants it.
    """

    def __init__(self, at_once: Callable[[], bool]) -> None:
        super().__init__()
        self._at_once = at_once
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hookcatch-signals")
        self._room = threading.BoundedSemaphore(WAITING)

    def delivered(self, **facts: Any) -> None:
        """See `delivered`."""
        super().delivered(**facts)
        self._tell(delivered, facts)

    def attempted(self, **facts: Any) -> None:
        """See `attempted`."""
        super().attempted(**facts)
        self._tell(attempted, facts)

    def _tell(self, signal: Signal, facts: dict[str, Any]) -> None:
        if not signal.has_listeners(Signals):
            return
        if self._at_once():
            signal.send_robust(Signals, **facts)
        elif self._room.acquire(blocking=False):
            self._thread.submit(_in_thread, signal, facts).add_done_callback(lambda _: self._room.release())
        else:
            logger.error("receivers of hookcatch's signals are too slow: %d wait, one is left out", WAITING)


def _in_thread(signal: Signal, facts: dict[str, Any]) -> None:
    close_old_connections()
    try:
        signal.send_robust(Signals, **facts)  # which logs what they raise
    finally:
        close_old_connections()
