"""Events that an engine has."""

from __future__ import annotations

import pytest

from hookcatch.core.errors import LeaseLost
from hookcatch.core.model import (
    Claim,
    Close,
    EventState,
    Lease,
    Run,
)
from hookcatch.core.ports import Inbox, Query

from .base import Base, FakeClock, Maker, accept, end, lease, stored


def take(
    inbox: Inbox,
    now: float,
    *,
    of: str = "",
    token: str = "engine",
    id: str = "evt_1",
    source: str = "shop",
    tenant: str = "",
) -> Lease | None:
    return inbox.take(source, tenant, id, of=of, token=token, now=now, until=now + 60).result()


def relay(inbox: Inbox, clock: FakeClock, until: float) -> Lease:
    """Hand over the one event that is due."""
    (held,) = lease(inbox, clock.now)
    inbox.settle(held, [], Close("relayed", run_at=until)).result()
    return held


def take_of(inbox: Inbox) -> Lease:
    """The lease that the engine holds, as it would name it."""
    event, _ = inbox.get(1)
    return Lease("engine", 1060.0, event)


class Relaying(Base):
    """See `InboxContract`."""

    def test_a_relayed_event_is_the_engines_to_take_and_its_attempt_is_the_same(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        held = relay(inbox, clock, 4600.0)
        back = stored(inbox)
        assert (back.state, back.run_at, back.attempt) == ("relayed", 4600.0, 1)
        assert lease(inbox, 4599.0) == ()
        clock.now = 1010.0
        taken = take(inbox, 1010.0, of=held.token)
        assert (taken.token, taken.until, taken.event.state, taken.event.attempt) == (
            "engine",
            1070.0,
            "running",
            1,
        )
        assert (taken.event.body, taken.event.run_at, dict(taken.runs)) == (b"{}", None, {})
        assert inbox.heartbeat([taken], until=1100.0).result() == (True,)
        inbox.settle(taken, [Run("h", "succeeded", 1)], Close("succeeded")).result()
        assert stored(inbox).state == "succeeded"

    def test_a_message_that_comes_twice_is_taken_once(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        held = relay(inbox, clock, 4600.0)
        assert take(inbox, 1000.0, of=held.token) is not None
        assert take(inbox, 1000.0, of=held.token, token="twin") is None
        inbox.settle(take_of(inbox), [], Close("succeeded")).result()
        assert take(inbox, 1000.0, of=held.token) is None

    def test_an_engine_that_is_faster_than_the_relay_takes_the_lease_over(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        (held,) = lease(inbox, 1000.0)
        assert take(inbox, 1000.0, of="another") is None
        assert take(inbox, 1000.0, of=held.token).event.attempt == 1
        with pytest.raises(LeaseLost):
            inbox.settle(held, [], Close("relayed", run_at=4600.0)).result()
        assert stored(inbox).state == "running"

    @pytest.mark.parametrize(
        "state", ["pending", "succeeded", "ignored", "invalid", "dead", "discarded", "failed"]
    )
    def test_a_message_that_comes_late_finds_nothing_to_take(
        self, inbox: Inbox, event: Maker, clock: FakeClock, state: EventState
    ) -> None:
        accept(inbox, event())
        end(inbox, state, clock.now)
        before = inbox.get(1)
        assert take(inbox, 1000.0) is None
        assert take(inbox, 1000.0, id="other") is None
        assert inbox.get(1) == before

    def test_what_waits_for_its_sender_is_not_the_engines(self, inbox: Inbox, event: Maker) -> None:
        accept(inbox, event(), claim=Claim("me", 1060.0, rescue=False))
        assert take(inbox, 1000.0, of="me") is None

    def test_a_relayed_event_is_due_again_once_the_engine_is_not_trusted_with_it_any_more(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        relay(inbox, clock, 4600.0)
        assert inbox.next_due() == 4600.0
        (again,) = lease(inbox, 4600.0)
        assert (again.event.attempt, again.event.lost) == (2, 0)

    def test_handing_over_does_not_forget_the_workers_that_were_lost(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        lease(inbox, 1000.0)
        clock.now = 2000.0
        held = relay(inbox, clock, 9000.0)
        assert stored(inbox).lost == 1
        take(inbox, 2000.0, of=held.token)
        clock.now = 3000.0
        relay(inbox, clock, 9000.0)
        assert stored(inbox).lost == 2
        take(inbox, 3000.0)
        assert lease(inbox, 4000.0) == ()
        assert stored(inbox).error == "worker_lost"

    def test_what_was_discarded_and_replayed_at_once_is_leased_once(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        assert inbox.discard([1], now=1000.0, why="by mistake").result() == 1
        assert inbox.replay([1], now=1000.0).result() == 1
        assert len(lease(inbox, 1000.0)) == 1
        assert lease(inbox, 1000.0) == ()

    def test_a_relayed_event_can_be_discarded_and_its_copy_is_a_duplicate(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        relay(inbox, clock, 4600.0)
        (known,) = accept(inbox, event())
        assert (known.state, known.lease_until) == ("relayed", None)
        assert [found.state for found in inbox.find(Query(states=frozenset({"relayed"})))] == ["relayed"]
        assert inbox.replay([1], now=1000.0).result() == 0
        assert inbox.discard([1], now=1000.0, why="no").result() == 1
        assert take(inbox, 1000.0) is None
