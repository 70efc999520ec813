"""The decisions that every inbox makes alike; no store in sight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Condition
from typing import Any, Literal, TypeVar

from hookcatch.core.model import MAX_LOST as MAX_LOST
from hookcatch.core.model import (
    PARKED,
    TERMINAL,
    WAITING,
    Claim,
    Duplicates,
    EventState,
    Lease,
    NewEvent,
    StoredEvent,
)

T = TypeVar("T")

WORKER_LOST = "worker_lost"
PRUNE_LIMIT = 500
"""Rows a call of `prune`: a few milliseconds of the write lock."""

PASSES = 500
"""Events that a call of `lease` passes over for good, because others of their lane stand in their way: a few dozen
milliseconds. After that it leaves their lanes alone, and sees what else is due."""

LEASED: frozenset[EventState] = frozenset({"running", "handling"})
AT_WORK: frozenset[EventState] = frozenset({"running", "relayed"})
"""States that count for a source's cap."""
REPLAYABLE: frozenset[EventState] = TERMINAL.union({"failed"})
DISCARDABLE: frozenset[EventState] = PARKED.union({"failed"}, WAITING)
KEPT_LONG: frozenset[EventState] = PARKED.union({"failed"})
"""States whose bodies stay as long as their keys."""
ENDED: frozenset[EventState] = TERMINAL.union({"failed"})
"""States with a `finished_at`."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of an event whose key comes again."""

    state: EventState
    has_body: bool
    lease_until: float | None
    leased_at: float | None
    finished_at: float | None


Meeting = Literal["duplicate", "again", "revive"]


def meet(known: Known, event: NewEvent, duplicates: Duplicates) -> Meeting:
    """What a known event's next arrival comes to (SEMANTICS 5)."""
    if known.state == "failed" and known.has_body:
        return "again"
    if known.state == "handling" and lease_is_over(known.lease_until, known.leased_at, event.received_at):
        return "again"
    if known.state != "dead" or not known.has_body or duplicates.revive_before is None:
        return "duplicate"
    return "revive" if (known.finished_at or 0.0) < duplicates.revive_before else "duplicate"


def lease_is_over(until: float | None, since: float | None, now: float) -> bool:
    """Whether a lease ran out, or lies more than two of its own lengths ahead: then the clock was set back
    after it was given, and to wait for it could take years (SEMANTICS 7)."""
    until, since = until or 0.0, since or 0.0
    return until <= now or until - now > 2 * (until - since)


def due_at(event: NewEvent) -> float:
    """When an event that nobody claims at once is due."""
    return event.received_at if event.due_at is None else event.due_at


def one_last_chance(chosen: Iterable[T], lost: Callable[[T], int]) -> Iterator[T]:
    """Leave out all but the first that will be on its last chance; `lost` says how often it will have been lost."""
    taken = False
    for one in chosen:
        is_last = lost(one) == MAX_LOST - 1
        if not (is_last and taken):
            yield one
        taken = taken or is_last


def claimed_state(claim: Claim) -> EventState:
    """The state in which a claimed event starts."""
    return "running" if claim.rescue else "handling"


def fresh_lease(seq: int, event: NewEvent, claim: Claim, *, replayed_content: bool) -> Lease:
    """The lease of an event that was claimed by the statement that keeps it."""
    stored = StoredEvent(
        seq=seq,
        source=event.source,
        tenant=event.tenant,
        id=event.id,
        type=event.type,
        state=claimed_state(claim),
        received_at=event.received_at,
        body=event.body,
        format=event.format,
        headers=event.headers,
        occurred_at=event.occurred_at,
        attempt=1,
        replayed_content=replayed_content,
        lane=event.lane,
        version=event.version,
    )
    return Lease(claim.token, claim.until, stored)


class Resolved(Future[T]):
    """A future that was born with its result: a third of the cost of making one and resolving it.

    The class attributes are what `concurrent.futures.wait` and `asyncio.wrap_future` look at.
    """

    _condition = Condition()
    _state = "FINISHED"
    _exception = None

    def __init__(self, result: T) -> None:
        self._born_with = self._result = result

    def done(self) -> bool:
        return True

    def result(self, timeout: float | None = None) -> T:
        return self._born_with


def failed(error: Exception) -> Future[Any]:
    """A future that was born with its failure."""
    future: Future[Any] = Future()
    future.set_exception(error)
    return future
