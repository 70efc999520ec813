"""What operators and retention do."""

from __future__ import annotations

import pytest

from hookcatch.core.model import (
    Accepted,
    Claim,
    Close,
    Duplicate,
    EventState,
    Run,
)
from hookcatch.core.ports import Inbox, Query, Retention
from hookcatch.core.wire import Response

from .base import DAY, Base, FakeClock, Maker, accept, end, lease, stored


def prune_all(inbox: Inbox, now: float, retention: Retention = Retention()) -> int:
    total = 0
    while gone := inbox.prune(now=now, retention=retention).result():
        total += gone
    return total


class Keeping(Base):
    """See `InboxContract`."""

    # replay and discard

    @pytest.mark.parametrize("state", ["succeeded", "ignored", "invalid", "dead", "discarded", "failed"])
    def test_a_replayed_event_runs_again_from_the_beginning(
        self, inbox: Inbox, event: Maker, clock: FakeClock, state: EventState
    ) -> None:
        accept(inbox, event())
        end(inbox, state, clock.now, runs=(Run("h", "succeeded", 1),), error="x")
        assert inbox.replay([1, 1, 77], now=3000.0).result() == 1
        back, runs = inbox.get(1)
        assert (back.state, back.run_at, back.attempt, back.replays) == ("pending", 3000.0, 0, 1)
        assert (back.error, back.finished_at, list(runs)) == ("", None, [])
        assert len(lease(inbox, 3000.0)) == 1

    def test_events_that_have_not_ended_are_not_replayed(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event("pending", received_at=5000.0), event("running"))
        lease(inbox, clock.now)
        accept(inbox, event("handling"), claim=Claim("x", 1060.0, rescue=False))
        assert inbox.replay([1, 2, 3], now=3000.0).result() == 0
        assert {found.replays for found in inbox.find(Query())} == {0}

    @pytest.mark.parametrize("state", ["invalid", "dead", "failed"])
    def test_parked_and_failed_events_can_be_discarded(
        self, inbox: Inbox, event: Maker, clock: FakeClock, state: EventState
    ) -> None:
        accept(inbox, event())
        end(inbox, state, clock.now)
        assert inbox.discard([1, 1, 77], now=3000.0, why="bot\ud800").result() == 1
        back = stored(inbox)
        assert (back.state, back.error, back.finished_at) == ("discarded", "bot\ud800", 3000.0)

    def test_a_waiting_event_can_be_discarded(self, inbox: Inbox, event: Maker) -> None:
        accept(inbox, event())
        assert inbox.discard([1], now=3000.0, why="no").result() == 1
        assert lease(inbox, 9e9) == ()
        assert inbox.next_due() is None

    def test_to_replay_or_discard_nothing_is_no_error(self, inbox: Inbox) -> None:
        assert inbox.replay([], now=1000.0).result() == 0
        assert inbox.discard([], now=1000.0, why="nothing").result() == 0

    def test_events_in_work_or_ended_well_are_not_discarded(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event("done"))
        end(inbox, "succeeded", clock.now)
        accept(inbox, event("running"))
        lease(inbox, clock.now)
        assert inbox.discard([1, 2], now=3000.0, why="no").result() == 0

    # prune

    def test_the_body_of_an_ended_event_goes_first_and_its_key_still_dedupes(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event(headers={"a": "b"}))
        end(inbox, "succeeded", clock.now, reply=Response(200, b"hi"))
        assert prune_all(inbox, 1000.0 + 14 * DAY) == 0
        assert prune_all(inbox, 1001.0 + 14 * DAY) == 1
        back = stored(inbox)
        assert (back.body, dict(back.headers), back.state) == (None, {}, "succeeded")
        assert accept(inbox, event()) == (Duplicate(1, "succeeded", reply=Response(200, b"hi")),)
        assert accept(inbox, event(body=b"other"))[0].conflict
        assert inbox.replay([1], now=clock.now).result() == 0

    def test_the_key_goes_in_the_end_and_the_event_is_new_again(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event(content_key=b"k" * 32))
        end(inbox, "succeeded", clock.now, runs=(Run("h", "succeeded", 1),))
        assert prune_all(inbox, 1001.0 + 90 * DAY) >= 1
        assert inbox.get(1) is None
        assert inbox.counts() == {}
        (answer,) = accept(inbox, event(content_key=b"k" * 32))
        assert isinstance(answer, Accepted)
        assert not answer.replayed_content
        assert answer.seq > 1
        assert list(inbox.get(answer.seq)[1]) == []

    @pytest.mark.parametrize("state", ["dead", "invalid", "failed"])
    def test_the_bodies_of_parked_and_failed_events_stay_as_long_as_their_keys(
        self, inbox: Inbox, event: Maker, clock: FakeClock, state: EventState
    ) -> None:
        accept(inbox, event())
        end(inbox, state, clock.now)
        assert prune_all(inbox, 1000.0 + 90 * DAY) == 0
        assert stored(inbox).body == b"{}"
        assert prune_all(inbox, 1001.0 + 90 * DAY) == 1

    def test_a_discarded_event_keeps_its_body_from_then_on_like_any_ended_one(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        end(inbox, "dead", clock.now)
        inbox.discard([1], now=2000.0, why="no").result()
        assert prune_all(inbox, 2000.0 + 14 * DAY) == 0
        assert prune_all(inbox, 2001.0 + 14 * DAY) == 1

    def test_what_still_waits_or_runs_is_never_pruned(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event("running"))
        lease(inbox, clock.now)
        accept(inbox, event("pending"))
        assert prune_all(inbox, 9e9) == 0
        assert len(inbox.find(Query())) == 2

    def test_a_claim_that_neither_the_receiver_nor_the_sender_came_back_to_goes_with_its_key(
        self, inbox: Inbox, event: Maker
    ) -> None:
        accept(inbox, event(), claim=Claim("x", 1060.0, rescue=False))
        assert prune_all(inbox, 1060.0 + 90 * DAY) == 0
        assert prune_all(inbox, 1061.0 + 90 * DAY) == 1

    def test_a_call_of_prune_is_bounded(self, inbox: Inbox, event: Maker, clock: FakeClock) -> None:
        for start in range(0, 1100, 100):
            accept(inbox, *[event(f"evt_{number}") for number in range(start, start + 100)])
        for held in lease(inbox, clock.now, limit=1100):
            inbox.settle(held, [], Close("ignored")).result()
        assert inbox.prune(now=9e9, retention=Retention()).result() == 500
        assert prune_all(inbox, 9e9) == 600
        assert inbox.counts() == {}
