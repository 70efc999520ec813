"""Order and limits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from hookcatch.core.model import (
    Claim,
    EventState,
    Lane,
    Standing,
)
from hookcatch.core.ports import Inbox, Query, Retention

from .base import DAY, Base, FakeClock, Maker, accept, close, end, ids_of, lease, stored

LANE = Lane("order 7")

BLOCKS = Lane("order 7", blocks=True)

TWO = Lane("order 7", 2, ordered=False)


class Lanes(Base):
    """See `InboxContract`."""

    # lanes

    @pytest.mark.parametrize("lane", [None, LANE, Lane("\ud800\x00", 7, ordered=False), BLOCKS])
    def test_lane_and_version_come_back_as_they_were_accepted(
        self, inbox: Inbox, event: Maker, clock: FakeClock, lane: Lane | None
    ) -> None:
        accept(inbox, event(lane=lane, version=1.5, due_at=1300.0))
        back = stored(inbox)
        assert (back.lane, back.version, back.received_at, back.run_at) == (lane, 1.5, 1000.0, 1300.0)
        assert lease(inbox, 1299.0) == ()
        (held,) = lease(inbox, 1300.0)
        assert held.event == stored(inbox)

    def test_a_claimed_event_knows_its_lane_and_is_not_kept_waiting(self, inbox: Inbox, event: Maker) -> None:
        (answer,) = accept(
            inbox, event(lane=LANE, version=2.0, due_at=9e9), claim=Claim("me", 1060.0, rescue=True)
        )
        assert answer.lease.event == stored(inbox)
        assert (answer.lease.event.lane, answer.lease.event.version) == (LANE, 2.0)

    def test_events_of_an_ordered_lane_are_leased_one_after_the_other_in_the_order_of_their_commits(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        for name, received_at in (("a", 30.0), ("b", 20.0), ("c", 10.0)):
            accept(inbox, event(name, lane=LANE, received_at=received_at))
        for name, state in (("a", "succeeded"), ("b", "ignored"), ("c", "discarded")):
            (held,) = lease(inbox, clock.now)
            assert held.event.id == name
            assert lease(inbox, clock.now) == ()
            assert all(found.attempt == 0 for found in inbox.find(Query(states=frozenset({"pending"}))))
            close(inbox, held, state)
        assert lease(inbox, clock.now) == ()

    def test_in_an_ordered_lane_a_retry_holds_up_those_after_it(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event("a", lane=LANE), event("b", lane=LANE))
        (held,) = lease(inbox, clock.now)
        close(inbox, held, "pending", run_at=1500.0)
        assert lease(inbox, 1499.0) == ()
        assert ids_of(lease(inbox, 1500.0)) == ["a"]

    @pytest.mark.parametrize("state", ["dead", "invalid"])
    def test_a_parked_event_is_skipped_by_its_lane_or_blocks_it_until_it_is_seen_to(
        self, inbox: Inbox, event: Maker, clock: FakeClock, state: EventState
    ) -> None:
        accept(inbox, event("a", lane=LANE), event("b", lane=LANE))
        end(inbox, state, clock.now)
        assert ids_of(lease(inbox, clock.now)) == ["b"]
        blocking = Lane("other", blocks=True)
        accept(inbox, event("c", lane=blocking), event("d", lane=blocking), event("e", lane=blocking))
        end(inbox, state, clock.now)
        assert lease(inbox, clock.now) == ()
        inbox.replay([3], now=clock.now).result()
        end(inbox, state, clock.now)
        assert lease(inbox, clock.now) == ()
        inbox.discard([3], now=clock.now, why="no").result()
        (held,) = lease(inbox, clock.now)
        assert held.event.id == "d"
        inbox.release([held]).result()
        assert ids_of(lease(inbox, clock.now)) == ["d"]

    def test_a_parked_event_that_retention_takes_blocks_its_lane_no_more(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event("a", lane=BLOCKS), event("b", lane=BLOCKS))
        end(inbox, "dead", clock.now)
        assert lease(inbox, clock.now) == ()
        clock.now += 91 * DAY
        inbox.prune(now=clock.now, retention=Retention()).result()
        (held,) = lease(inbox, clock.now)
        assert held.event.id == "b"
        close(inbox, held, "succeeded")
        clock.now += 91 * DAY
        assert inbox.prune(now=clock.now, retention=Retention()).result() == 1
        accept(inbox, event("c", lane=BLOCKS))
        assert ids_of(lease(inbox, clock.now)) == ["c"]

    def test_a_worker_that_is_lost_for_good_leaves_its_lane_to_those_after_it(
        self, inbox: Inbox, event: Maker
    ) -> None:
        accept(inbox, event("a", lane=LANE), event("b", lane=LANE))
        for now in (1000.0, 2000.0, 3000.0):
            assert ids_of(lease(inbox, now)) == ["a"]
        assert ids_of([*lease(inbox, 4000.0), *lease(inbox, 4000.0)]) == ["b"]

    def test_lanes_do_not_stand_in_each_others_way(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(
            inbox,
            event("a", lane=LANE),
            event("b", lane=Lane("order 8")),
            event("c", lane=LANE, tenant="t2"),
            event("d", lane=LANE, source="other"),
            event("e"),
            event("f"),
            event("g", lane=LANE),
        )
        assert ids_of(lease(inbox, clock.now)) == ["a", "b", "c", "d", "e", "f"]

    def test_of_a_lane_without_order_as_many_are_in_work_as_its_limit_says(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, *[event(name, lane=TWO) for name in "abcde"])
        first, second = lease(inbox, clock.now)
        assert ids_of([first, second]) == ["a", "b"]
        assert lease(inbox, clock.now) == ()
        close(inbox, second, "dead")
        (third,) = lease(inbox, clock.now)
        assert third.event.id == "c"
        close(inbox, first, "pending", run_at=9e9)
        close(inbox, third, "succeeded")
        assert ids_of(lease(inbox, clock.now)) == ["d", "e"]

    def test_an_event_whose_worker_is_lost_keeps_its_place_in_the_lane(
        self, inbox: Inbox, event: Maker
    ) -> None:
        accept(inbox, event("a", lane=LANE), event("b", lane=LANE))
        lease(inbox, 1000.0)
        (held,) = lease(inbox, 2000.0)
        assert (held.event.id, held.event.lost) == ("a", 1)
        assert lease(inbox, 2000.0) == ()

    def test_a_relayed_event_keeps_its_place_in_the_lane_even_when_it_is_handed_over_again(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event("a", lane=LANE), event("b", lane=LANE))
        (held,) = lease(inbox, clock.now)
        close(inbox, held, "relayed", run_at=1500.0)
        assert lease(inbox, 1499.0) == ()
        (again,) = lease(inbox, 1500.0)
        close(inbox, again, "relayed", run_at=1600.0)
        taken = inbox.take("shop", "", "a", of="", token="engine", now=1501.0, until=1561.0).result()
        assert lease(inbox, 1502.0) == ()
        close(inbox, taken, "succeeded")
        assert ids_of(lease(inbox, 1503.0)) == ["b"]

    def test_a_replayed_event_goes_before_those_of_its_lane_that_came_later(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event("a", lane=LANE), event("b", lane=LANE), event("c", lane=LANE))
        end(inbox, "succeeded", clock.now)
        (held,) = lease(inbox, clock.now)
        inbox.replay([1], now=clock.now).result()
        assert lease(inbox, clock.now) == ()
        close(inbox, held, "succeeded")
        (again,) = lease(inbox, clock.now)
        assert again.event.id == "a"
        close(inbox, again, "succeeded")
        assert ids_of(lease(inbox, clock.now)) == ["c"]

    def test_a_waiting_event_that_is_discarded_lets_those_after_it_go(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event("a", lane=LANE, due_at=9e9), event("b", lane=LANE))
        assert lease(inbox, clock.now) == ()
        inbox.discard([1], now=clock.now, why="no").result()
        assert ids_of(lease(inbox, clock.now)) == ["b"]

    def test_a_crowded_lane_keeps_nobody_else_waiting(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, *[event(f"crowd {number}", lane=LANE) for number in range(1200)])
        accept(inbox, event("alone"), event("other", lane=Lane("order 8")))
        found = [held.event.id for _ in range(4) for held in lease(inbox, clock.now, limit=4)]
        assert found == ["crowd 0", "alone", "other"]

    def test_who_stands_behind_a_lane_is_taken_as_far_as_there_are_hands(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, *[event(f"lane {number}", lane=LANE) for number in range(3)])
        accept(inbox, *[event(name) for name in "abcd"])
        assert ids_of(lease(inbox, clock.now, limit=3)) == ["lane 0", "a", "b"]
        assert ids_of(lease(inbox, clock.now, limit=3)) == ["c", "d"]

    def test_two_who_claim_at_one_instant_do_not_break_a_limit(
        self, inbox: Inbox, event: Maker, clock: FakeClock, fresh: Callable[[], Inbox]
    ) -> None:
        other = fresh()
        other.open()
        keys = range(12)
        try:
            accept(inbox, *[event(f"{n} {key}", lane=Lane(f"{key}")) for n in range(4) for key in keys])
            accept(inbox, *[event(f"capped {n}", source="capped") for n in range(9)])
            start = threading.Barrier(2)

            def work(mine: Inbox, name: str) -> list[list[str]]:
                rounds = []
                for number in range(4):
                    start.wait()
                    held = lease(mine, clock.now, limit=60, token=f"{name}{number}", caps={"capped": 3})
                    rounds.append(ids_of(held))
                    start.wait()
                    for one in held:
                        close(mine, one, "succeeded")
                return rounds

            if not inbox.shared:
                other.close()
                other = inbox
            with ThreadPoolExecutor(2) as threads:
                one, two = threads.map(work, (inbox, other), ("one", "two"))
        finally:
            other.close()
        for number, both in enumerate(map(list.__add__, one, two)):
            assert sorted(name for name in both if name[0].isdigit()) == sorted(
                f"{number} {key}" for key in keys
            )
            assert sum(name.startswith("capped") for name in both) == (3 if number < 3 else 0)

    # caps and turns

    def test_no_more_events_of_a_source_are_in_work_than_its_cap(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, *[event(name) for name in "abcd"], event("other", source="other"))
        first = lease(inbox, clock.now, caps={"shop": 2})
        assert ids_of(first) == ["a", "b", "other"]
        close(inbox, first[0], "relayed", run_at=9e9)
        assert lease(inbox, clock.now, caps={"shop": 2}) == ()
        close(inbox, first[1], "succeeded")
        assert ids_of(lease(inbox, clock.now, caps={"shop": 2})) == ["c"]
        assert ids_of(lease(inbox, clock.now, caps={"shop": 4, "other": 1})) == ["d"]

    def test_an_event_whose_worker_is_lost_keeps_its_place_under_the_cap(
        self, inbox: Inbox, event: Maker
    ) -> None:
        accept(inbox, event("a"), event("b"))
        assert ids_of(lease(inbox, 1000.0, caps={"shop": 1})) == ["a"]
        assert ids_of(lease(inbox, 2000.0, caps={"shop": 1})) == ["a"]

    def test_what_the_receiver_has_in_hand_does_not_count_for_the_cap(
        self, inbox: Inbox, event: Maker
    ) -> None:
        accept(inbox, event("a"), claim=Claim("me", 1060.0, rescue=False))
        accept(inbox, event("b"))
        assert ids_of(lease(inbox, 1000.0, caps={"shop": 1})) == ["b"]

    def test_a_call_may_be_for_the_events_of_one_source_only(self, inbox: Inbox, event: Maker) -> None:
        accept(inbox, event("lost", source="other"), event("gone"))
        lease(inbox, 1000.0)
        accept(inbox, *[event(f"{n}") for n in range(5)], event("mine", source="other"))
        assert ids_of(lease(inbox, 2000.0, only="other", limit=3)) == ["mine", "lost"]
        assert ids_of(lease(inbox, 2000.0, only="other", limit=3)) == []
        assert ids_of(lease(inbox, 2000.0, only="nobody")) == []
        assert len(lease(inbox, 2000.0, only="shop", caps={"shop": 3})) == 3

    # standing

    def test_an_event_in_no_lane_has_no_standing(self, inbox: Inbox, event: Maker, clock: FakeClock) -> None:
        accept(inbox, event("a", version=3.0), event("b"))
        first, _ = lease(inbox, clock.now)
        assert inbox.standing(first).result() == Standing(None, newer=False)

    def test_an_event_stands_behind_the_highest_version_that_succeeded_and_before_those_that_wait(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        def take(state: EventState) -> Standing:
            (held,) = lease(inbox, clock.now)
            found = inbox.standing(held).result()
            close(inbox, held, state)
            return found

        versions = {"a": 5.0, "b": 9.0, "c": 2.0**53, "d": 2.0, "e": None}
        accept(inbox, *[event(name, lane=LANE, version=version) for name, version in versions.items()])
        accept(inbox, event("stranger", lane=LANE, version=1e9, tenant="t2", received_at=9e9))
        assert take("succeeded") == Standing(None, newer=True)
        assert take("dead") == Standing(5.0, newer=True)
        assert take("succeeded") == Standing(5.0, newer=True)
        assert take("succeeded") == Standing(2.0**53, newer=True)
        assert take("ignored") == Standing(2.0**53, newer=False)
        inbox.replay([3, 5], now=clock.now).result()
        assert take("ignored") == Standing(5.0, newer=True)
