"""Who wants to hear of events that come due; see `Inbox.listen`."""

from __future__ import annotations

import logging
from collections.abc import Callable

log: logging.Logger = logging.getLogger("hookcatch.inbox")


class Listeners:
    """Called, it calls all of them back."""

    def __init__(self) -> None:
        self._callbacks: tuple[Callable[[], None], ...] = ()

    def add(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Answers how to stop it."""
        self._callbacks = (*self._callbacks, callback)

        def stop() -> None:
            self._callbacks = tuple(other for other in self._callbacks if other is not callback)

        return stop

    def __call__(self) -> None:
        for callback in self._callbacks:
            try:
                callback()
            except Exception:  # a listener's loop may be closed; the committing thread must live
                log.exception("a listener of the inbox failed")

    def __bool__(self) -> bool:
        return bool(self._callbacks)
