"""One log line a delivery and one an attempt, through the standard library: no payloads, no secrets.

The facts stand in the record's `extra` under names that begin with `hookcatch_`, for structured formatters;
what a sender can choose is escaped, so that it cannot forge a line (ATTACKS A56).
"""

from __future__ import annotations

import logging
from time import monotonic

from hookcatch.core.model import Delivery, Lease, Outcome

logger: logging.Logger = logging.getLogger("hookcatch")

_LEVELS = {
    "succeeded": logging.INFO,
    "filtered": logging.INFO,
    "discarded": logging.INFO,
    "retry": logging.WARNING,
    "invalid": logging.ERROR,
    "dead": logging.ERROR,
}


def escape(text: str, limit: int = 200) -> str:
    """Text for a line of a log or a terminal: no control characters, not too long."""
    shown = text[:limit] + ("…" if len(text) > limit else "")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown)


REFUSALS = 20
"""Refusals told a second: whoever floods the receiver with forgeries must not fill its disk with lines."""


class Logs:
    """The observer that logs. Of many refusals in one second it tells the first, and then how many more."""

    def __init__(self) -> None:
        self._second = 0
        self._told = 0

    def delivered(
        self, *, source: str, delivery: Delivery | None, status: int, verdict: str, seconds: float
    ) -> None:
        """`shop 200 stored order.created id=msg_1 2.1 ms`; a refusal is a warning."""
        refused = status >= 400
        level = logging.WARNING if refused else logging.INFO
        if not logger.isEnabledFor(level) or (refused and not self._is_to_be_told()):
            return
        events = delivery.events if delivery else ()
        first = f" {escape(events[0].type)} id={escape(events[0].id)}" if events else ""
        more = f" (+{len(events) - 1} more)" if len(events) > 1 else ""
        logger.log(
            level,
            "%s %d %s%s%s %.1f ms",
            source,
            status,
            escape(verdict),
            first,
            more,
            seconds * 1000,
            extra={
                "hookcatch_source": source,
                "hookcatch_status": status,
                "hookcatch_verdict": escape(verdict),
                "hookcatch_events": [escape(event.id) for event in events[:100]],
                "hookcatch_key": delivery.key if delivery else None,
                "hookcatch_seconds": seconds,
            },
        )

    def attempted(
        self, *, lease: Lease, handler: str, outcome: Outcome, attempt: int, seconds: float
    ) -> None:
        """`shop fulfil succeeded attempt=1 order.created id=msg_1 13.0 ms`."""
        level = _LEVELS[outcome.state]
        if not logger.isEnabledFor(level):
            return
        event = lease.event
        logger.log(
            level,
            "%s %s %s attempt=%d %s id=%s %.1f ms%s",
            event.source,
            handler,
            outcome.state,
            attempt,
            escape(event.type),
            escape(event.id),
            seconds * 1000,
            f": {escape(outcome.error, 1000)}" if outcome.error else "",
            extra={
                "hookcatch_source": event.source,
                "hookcatch_handler": handler,
                "hookcatch_outcome": outcome.state,
                "hookcatch_attempt": attempt,
                "hookcatch_event": escape(event.id),
                "hookcatch_type": escape(event.type),
                "hookcatch_seconds": seconds,
            },
        )

    def _is_to_be_told(self) -> bool:
        second = int(monotonic())
        if second != self._second:
            if self._told > REFUSALS:
                logger.warning("%d more requests were refused", self._told - REFUSALS)
            self._second, self._told = second, 0
        self._told += 1
        return self._told <= REFUSALS
