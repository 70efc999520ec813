"""What a worker gets."""

from __future__ import annotations

import pytest

from hookcatch.core.errors import LeaseLost
from hookcatch.core.model import (
    Close,
    Run,
)
from hookcatch.core.ports import Inbox

from .base import Base, FakeClock, Maker, accept, end, lease, stored


class Leasing(Base):
    """See `InboxContract`."""

    def test_due_events_are_leased_earliest_first_and_not_more_than_wanted(
        self, inbox: Inbox, event: Maker
    ) -> None:
        for name, at in (("c", 30.0), ("a", 10.0), ("d", 40.0), ("b", 20.0)):
            accept(inbox, event(name, received_at=at))
        assert [held.event.id for held in lease(inbox, 35.0, limit=2)] == ["a", "b"]
        assert [held.event.id for held in lease(inbox, 35.0, limit=2)] == ["c"]
        assert [held.event.id for held in lease(inbox, 40.0, limit=2)] == ["d"]
        assert lease(inbox, 50.0) == ()

    def test_events_of_the_same_time_are_leased_in_the_order_of_their_commits(
        self, inbox: Inbox, event: Maker
    ) -> None:
        ids = [f"evt_{9 - number}" for number in range(9)]
        for name in ids:
            accept(inbox, event(name))
        assert [held.event.id for held in lease(inbox, 1000.0)] == ids

    def test_a_lease_shows_the_event_as_it_is_now_with_its_body(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event(body=b"abc", headers={"a": "b"}))
        (held,) = lease(inbox, clock.now, token="w")
        assert held.event == stored(inbox)
        assert held.until == 1060.0
        assert (held.event.state, held.event.attempt, held.event.run_at, held.event.body) == (
            "running",
            1,
            None,
            b"abc",
        )

    def test_lost_and_due_events_are_taken_together_earliest_first(self, inbox: Inbox, event: Maker) -> None:
        accept(inbox, event("lost"))
        lease(inbox, 1000.0, length=500.0)
        accept(inbox, event("before", received_at=1400.0), event("after", received_at=1600.0))
        assert [held.event.id for held in lease(inbox, 2000.0, limit=2)] == ["before", "lost"]
        assert [held.event.id for held in lease(inbox, 2000.0, limit=2)] == ["after"]

    def test_an_expired_lease_goes_to_another_worker_and_fences_the_first_one_off(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        (zombie,) = lease(inbox, 1000.0, token="zombie")
        assert lease(inbox, 1059.0, token="heir") == ()
        (heir,) = lease(inbox, 1060.0, token="heir")
        assert (heir.event.attempt, heir.event.lost) == (2, 1)
        clock.now = 1061.0
        before = inbox.get(1)
        with pytest.raises(LeaseLost):
            inbox.settle(zombie, [Run("h", "succeeded", 1)], Close("succeeded")).result()
        with pytest.raises(LeaseLost):
            inbox.settle(zombie, [Run("h", "succeeded", 1)], None).result()
        inbox.release([zombie]).result()
        assert inbox.heartbeat([zombie, heir], until=1200.0).result() == (False, True)
        assert inbox.get(1) == before
        inbox.settle(heir, [], Close("succeeded")).result()

    def test_a_worker_that_leases_twice_under_one_token_is_fenced_from_its_own_past(
        self, inbox: Inbox, event: Maker
    ) -> None:
        accept(inbox, event())
        (first,) = lease(inbox, 1000.0, token="same")
        (second,) = lease(inbox, 1060.0, token="same")
        with pytest.raises(LeaseLost):
            inbox.settle(first, [], Close("succeeded")).result()
        inbox.settle(second, [], Close("succeeded")).result()

    def test_an_event_whose_worker_is_lost_a_third_time_is_dead(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        for attempt, now in ((1, 1000.0), (2, 2000.0), (3, 3000.0)):
            (held,) = lease(inbox, now)
            assert held.event.attempt == attempt
            assert held.event.lost == attempt - 1
        assert lease(inbox, 4000.0) == ()
        back = stored(inbox)
        assert (back.state, back.error, back.lost, back.attempt) == ("dead", "worker_lost", 3, 3)
        assert back.finished_at == 4000.0
        assert back.body == b"{}"
        with pytest.raises(LeaseLost):
            inbox.settle(held, [], Close("succeeded")).result()
        assert inbox.next_due() is None

    def test_of_events_lost_together_one_at_a_time_gets_its_last_chance(
        self, inbox: Inbox, event: Maker
    ) -> None:
        for n in range(3):
            accept(inbox, event(f"evt_{n}"))
        accept(inbox, event("later", received_at=2500.0))
        assert len(lease(inbox, 1000.0)) == 3
        assert [held.is_last_chance for held in lease(inbox, 2000.0)] == [False] * 3
        assert [(held.event.id, held.is_last_chance) for held in lease(inbox, 3000.0)] == [
            ("evt_0", True),
            ("later", False),
        ]
        assert [held.event.id for held in lease(inbox, 3000.0)] == ["evt_1"]

    def test_a_last_chance_that_was_given_back_is_given_alone_again(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        for n in range(2):
            accept(inbox, event(f"evt_{n}"))
        lease(inbox, 1000.0)
        lease(inbox, 2000.0)
        clock.now = 3000.0
        given_back = [*lease(inbox, 3000.0), *lease(inbox, 3000.0)]
        assert len(given_back) == 2
        inbox.release(given_back).result()
        assert [held.event.id for held in lease(inbox, 3001.0)] == ["evt_0"]
        assert [held.event.id for held in lease(inbox, 3001.0)] == ["evt_1"]

    def test_a_worker_that_survives_clears_the_count_of_the_lost(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        for now in (1000.0, 2000.0):
            lease(inbox, now)
        clock.now = 3000.0
        end(inbox, "pending", 3000.0)
        assert stored(inbox).lost == 0

    def test_a_lease_absurdly_far_ahead_counts_as_lost_because_the_clock_was_set_back(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        clock.now = 1_000_000.0
        accept(inbox, event("before", received_at=0.0))
        lease(inbox, 1_000_000.0, length=60.0)
        clock.now = 500.0
        assert [held.event.id for held in lease(inbox, 500.0)] == ["before"]

    def test_a_long_lease_that_was_given_just_now_is_not_absurd(self, inbox: Inbox, event: Maker) -> None:
        accept(inbox, event())
        lease(inbox, 1000.0, length=3600.0)
        assert lease(inbox, 1000.0, length=10.0) == ()
        assert lease(inbox, 1000.0 - 3600.0, length=10.0) == ()
        assert len(lease(inbox, 1000.0 - 3601.0, length=10.0)) == 1

    def test_a_heartbeat_prolongs_a_lease(self, inbox: Inbox, event: Maker, clock: FakeClock) -> None:
        accept(inbox, event("a"), event("b"))
        first, second = lease(inbox, 1000.0)
        clock.now = 1050.0
        assert inbox.heartbeat([first, second], until=1110.0).result() == (True, True)
        assert lease(inbox, 1100.0) == ()
        assert inbox.next_due() == 1110.0
        assert len(lease(inbox, 1110.0)) == 2
        assert inbox.heartbeat([], until=1.0).result() == ()
