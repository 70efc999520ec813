"""How the events of a source stand to each other: who waits for whom, and who comes too late (SEMANTICS 8)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from .model import Close, Lane, Lease
from .payload import look_up
from .ports import Ports

STALE, SUPERSEDED = "stale", "superseded"
"""Errors of events that were ignored, and why."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a source wants of the order of its events. See docs/order.md.

    Attributes:
        order_by: where in the payload stands what has to be in order: of the events that have the same there, one is
            worked on at a time, in the order of their arrival. An event that has no text and no whole number there is
            in no order.
        on_parked: whether a dead or invalid event is skipped (`skip`) or holds up those after it (`block`) until a
            person has replayed or discarded it.
        concurrency: at most so many events of the source are in work at once, on all machines; None for any number.
        concurrency_key: where in the payload stands what `concurrency` is counted by, instead of the source.
        version: where in the payload stands which of two events is newer: a number (exact up to 2**53) or a time in
            ISO 8601 (without a zone it is UTC).
        stale: what becomes of an event that is older than one that has succeeded: it is handled, with
            `event.is_stale` (`run`), or ignored (`skip`). With `refetch` an event is also ignored while a later
            one waits, because the handler fetches the present state.
        debounce: seconds that an event waits from its arrival; it is ignored if another one has come by then.
    """

    order_by: str = ""
    on_parked: Literal["skip", "block"] = "skip"
    concurrency: int | None = None
    concurrency_key: str = ""
    version: str = ""
    stale: Literal["run", "skip", "refetch"] = "run"
    debounce: float = 0.0

    @property
    def cap(self) -> int | None:
        """How many events of the source may be in work."""
        return None if self.concurrency_key else self.concurrency

    @property
    def has_lanes(self) -> bool:
        """Whether events wait for others of their key."""
        return bool(self.order_by or self.concurrency_key)

    def lane(self, payload: Any) -> Lane | None:
        """The lane of an event."""
        if not self.has_lanes:
            return None
        key = _key(look_up(payload, self.order_by or self.concurrency_key))
        if key is None:
            return None
        if self.order_by:
            return Lane(key, blocks=self.on_parked == "block")
        return Lane(key, self.concurrency or 1, ordered=False)

    def version_of(self, payload: Any) -> float | None:
        """How new an event is, by the sender's word."""
        return _number(look_up(payload, self.version)) if self.version else None

    def due_at(self, lane: Lane | None, received_at: float) -> float | None:
        """When an event is due, if not at once."""
        return received_at + self.debounce if self.debounce and lane is not None else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What its standing means for an event: how it ends without a handler, if it does; whether it is older than one
    that has succeeded."""

    close: Close | None = None
    is_stale: bool = False


async def judge(lease: Lease, order: Order, ports: Ports) -> Verdict:
    """Whether an event comes too late, or too early."""
    event = lease.event
    if event.lane is None or not (order.version or order.debounce or order.stale != "run"):
        return Verdict()
    standing = await ports.colour.wait(ports.inbox.standing(lease))
    is_stale = event.version is not None and standing.version is not None and event.version < standing.version
    if standing.newer and (order.debounce or order.stale == "refetch"):
        return Verdict(Close("ignored", error=SUPERSEDED), is_stale)
    if is_stale and order.stale != "run":
        return Verdict(Close("ignored", error=STALE), is_stale)
    return Verdict(None, is_stale)


def _key(found: Any) -> str | None:
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) and found else None


def _number(found: Any) -> float | None:
    """A number, or a time as seconds since the epoch; None for anything else."""
    try:
        if isinstance(found, str):
            moment = datetime.fromisoformat(found)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if isinstance(found, int | float) and not isinstance(found, bool):
            return float(found) if math.isfinite(found) else None
    except (ValueError, OverflowError):
        pass
    return None
