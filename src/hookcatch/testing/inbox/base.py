"""What the sentences of the contract share: a store, a clock that stands, events, and short words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hookcatch.core.model import Accepted, Close, Duplicate, EventState, Lease, NewEvent, Run, StoredEvent
from hookcatch.core.ports import Clock, Inbox

DAY = 86400.0


@dataclass
class FakeClock:
    """A clock that stands until somebody sets `now`, in seconds."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Maker:
    """Makes events; what a test does not say is the same for all."""

    clock: FakeClock
    defaults: dict[str, Any] = field(default_factory=dict)

    def __call__(self, id: str = "evt_1", body: bytes = b"{}", **facts: Any) -> NewEvent:
        given = {"source": "shop", "tenant": "", "type": "order.created", "received_at": self.clock.now}
        return NewEvent(id=id, body=body, body_hash=sha256(body).digest(), **{**given, **facts})


class Base:
    """The store under test. See `InboxContract`."""

    def make(self, directory: Path, clock: Clock) -> Inbox:
        """An inbox that is not open yet. One directory stands for one store: the second inbox that is made for it is
        what another process would open, and the first one of another directory is empty."""
        raise NotImplementedError("say how your inbox is made: def make(self, directory, clock)")

    @pytest.fixture
    def clock(self) -> FakeClock:
        """Set `clock.now`."""
        return FakeClock()

    @pytest.fixture
    def event(self, clock: FakeClock) -> Maker:
        """Makes events."""
        return Maker(clock)

    @pytest.fixture
    def inbox(self, tmp_path: Path, clock: FakeClock) -> Iterator[Inbox]:
        """An empty inbox, open."""
        inbox = self.make(tmp_path, clock)
        inbox.open()
        yield inbox
        inbox.close()

    @pytest.fixture
    def fresh(self, tmp_path: Path, clock: FakeClock) -> Callable[[], Inbox]:
        """Makes the same inbox as another process would."""
        return lambda: self.make(tmp_path, clock)


def accept(inbox: Inbox, *events: NewEvent, **options: Any) -> tuple[Accepted | Duplicate, ...]:
    """One delivery, committed."""
    return inbox.accept(events, **options).result()


def lease(
    inbox: Inbox, now: float, *, limit: int = 10, length: float = 60.0, token: str = "w", **which: Any
) -> tuple[Lease, ...]:
    """What a worker gets."""
    return inbox.lease(token=token, limit=limit, now=now, until=now + length, **which).result()


def ids_of(leases: Iterable[Lease]) -> list[str]:
    """Their events."""
    return [held.event.id for held in leases]


def close(inbox: Inbox, held: Lease, state: EventState, **how: Any) -> None:
    """End a lease."""
    inbox.settle(held, [], Close(state, **how)).result()


def stored(inbox: Inbox, seq: int = 1) -> StoredEvent:
    """An event that has to be there."""
    found = inbox.get(seq)
    assert found is not None
    return found[0]


def end(inbox: Inbox, state: EventState, now: float, *, runs: tuple[Run, ...] = (), **how: Any) -> None:
    """Take the one event that is due and leave it in a state."""
    (held,) = lease(inbox, now, token=f"end{now}")
    inbox.settle(held, runs, Close(state, **how)).result()
