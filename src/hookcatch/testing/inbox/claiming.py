"""Events that are leased as they are kept, and dead ones that come again."""

from __future__ import annotations

import pytest

from hookcatch.core.errors import LeaseLost
from hookcatch.core.model import (
    Accepted,
    Claim,
    Close,
    Duplicate,
    Duplicates,
    EventState,
    Run,
)
from hookcatch.core.ports import Inbox

from .base import Base, FakeClock, Maker, accept, end, lease, stored


class Claiming(Base):
    """See `InboxContract`."""

    # claims (ack="handled", ack="deadline")

    @pytest.mark.parametrize(("rescue", "state"), [(True, "running"), (False, "handling")])
    def test_a_claimed_event_starts_leased_with_attempt_one(
        self, inbox: Inbox, event: Maker, rescue: bool, state: EventState
    ) -> None:
        (answer,) = accept(inbox, event(), claim=Claim("me", 1060.0, rescue))
        held = answer.lease
        assert (held.token, held.until, dict(held.runs)) == ("me", 1060.0, {})
        assert (held.event.state, held.event.attempt, held.event.body, held.event.seq) == (state, 1, b"{}", 1)
        assert held.event == stored(inbox)
        assert stored(inbox).run_at is None
        assert accept(inbox, event()) == (Duplicate(1, state, lease_until=1060.0),)
        inbox.settle(held, [], Close("succeeded")).result()
        assert stored(inbox).state == "succeeded"

    def test_workers_take_over_a_lost_claim_only_if_it_is_to_be_rescued(
        self, inbox: Inbox, event: Maker
    ) -> None:
        accept(inbox, event("a"), claim=Claim("x", 1060.0, rescue=True))
        accept(inbox, event("b"), claim=Claim("y", 1060.0, rescue=False))
        assert [held.event.id for held in lease(inbox, 2000.0)] == ["a"]

    @pytest.mark.parametrize(
        "claim", [Claim("second", 2060.0, rescue=False), Claim("second", 2060.0, rescue=True)]
    )
    def test_a_failed_event_that_comes_again_is_claimed_again_with_what_was_done(
        self, inbox: Inbox, event: Maker, clock: FakeClock, claim: Claim | None
    ) -> None:
        (first,) = accept(inbox, event(body=b"first"), claim=Claim("first", 1060.0, rescue=False))
        done = Run("a", "succeeded", 1)
        inbox.settle(
            first.lease, [done, Run("b", "retry", 1, run_at=5000.0)], Close("failed", error="no")
        ).result()
        assert stored(inbox).finished_at == 1000.0
        clock.now = 2000.0
        (again,) = accept(inbox, event(body=b"second"), claim=claim)
        assert isinstance(again, Accepted)
        assert again.lease.event.body == b"first"
        assert again.lease.event.attempt == 2
        assert again.lease.runs["a"] == done
        back = stored(inbox)
        assert back.state == ("running" if claim.rescue else "handling")
        assert (back.duplicates, back.conflicts, back.finished_at, back.error) == (1, 1, None, "")

    def test_a_handling_event_past_its_lease_is_claimed_again_and_the_first_claim_is_fenced_off(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        (first,) = accept(inbox, event(), claim=Claim("first", 1060.0, rescue=False))
        clock.now = 1059.0
        assert isinstance(accept(inbox, event(), claim=Claim("second", 1120.0, rescue=False))[0], Duplicate)
        clock.now = 1060.0
        (second,) = accept(inbox, event(), claim=Claim("second", 1120.0, rescue=False))
        assert second.lease.event.attempt == 2
        with pytest.raises(LeaseLost):
            inbox.settle(first.lease, [], Close("succeeded")).result()
        inbox.settle(second.lease, [], Close("succeeded")).result()

    def test_a_failed_event_that_comes_again_without_a_claim_is_left_to_the_workers(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        """Else a source that changed from ack="handled" to "stored" would ack what nobody ever handles."""
        (first,) = accept(inbox, event(), claim=Claim("first", 1060.0, rescue=False))
        inbox.settle(first.lease, [], Close("failed")).result()
        clock.now = 2000.0
        assert accept(inbox, event()) == (Accepted(1),)
        assert [held.event.id for held in lease(inbox, 2000.0)] == ["evt_1"]

    # revival of the dead

    def test_a_dead_event_that_comes_again_starts_a_fresh_series_of_attempts(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        end(inbox, "dead", clock.now, runs=(Run("h", "dead", 12),), error="spent")
        clock.now = 5000.0
        (answer,) = accept(inbox, event(), duplicates=Duplicates(revive_before=4000.0))
        assert answer == Accepted(1, revived=True)
        back, runs = inbox.get(1)
        assert (back.state, back.attempt, back.lost, back.error, back.finished_at) == (
            "pending",
            0,
            0,
            "",
            None,
        )
        assert (back.run_at, back.duplicates, list(runs)) == (5000.0, 1, [])
        assert [held.event.attempt for held in lease(inbox, 5000.0)] == [1]

    def test_a_dead_event_is_revived_straight_into_a_claim(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        end(inbox, "dead", clock.now)
        claim = Claim("me", 5060.0, rescue=False)
        (answer,) = accept(inbox, event(), claim=claim, duplicates=Duplicates(revive_before=4000.0))
        assert answer.revived
        assert answer.lease.event.attempt == 1

    @pytest.mark.parametrize("revive_before", [None, 1000.0])
    def test_a_dead_event_stays_dead_without_leave_or_too_soon(
        self, inbox: Inbox, event: Maker, clock: FakeClock, revive_before: float | None
    ) -> None:
        accept(inbox, event())
        end(inbox, "dead", clock.now)
        policy = Duplicates(revive_before=revive_before)
        assert accept(inbox, event(), duplicates=policy) == (Duplicate(1, "dead"),)

    @pytest.mark.parametrize("state", ["succeeded", "ignored", "invalid", "discarded"])
    def test_only_the_dead_are_revived(
        self, inbox: Inbox, event: Maker, clock: FakeClock, state: EventState
    ) -> None:
        accept(inbox, event())
        end(inbox, state, clock.now)
        assert accept(inbox, event(), duplicates=Duplicates(revive_before=9e9)) == (Duplicate(1, state),)
