"""How a lease ends."""

from __future__ import annotations

import pytest

from hookcatch.core.errors import LeaseLost
from hookcatch.core.model import (
    Claim,
    Close,
    EventState,
    Run,
)
from hookcatch.core.ports import Inbox, Query
from hookcatch.core.wire import Response

from .base import Base, FakeClock, Maker, accept, end, lease, stored


class Settling(Base):
    """See `InboxContract`."""

    # settle

    @pytest.mark.parametrize("state", ["succeeded", "ignored", "invalid", "dead", "discarded", "failed"])
    def test_an_ended_event_has_its_state_its_error_and_its_time_and_is_not_leased_again(
        self, inbox: Inbox, event: Maker, clock: FakeClock, state: EventState
    ) -> None:
        accept(inbox, event())
        (held,) = lease(inbox, clock.now)
        clock.now = 1010.0
        inbox.settle(held, [], Close(state, error="why \ud800")).result()
        back = stored(inbox)
        assert (back.state, back.error, back.finished_at, back.run_at) == (state, "why \ud800", 1010.0, None)
        assert lease(inbox, 9e9) == ()
        assert inbox.next_due() is None
        with pytest.raises(LeaseLost):
            inbox.settle(held, [], None).result()

    def test_a_retry_waits_for_its_time(self, inbox: Inbox, event: Maker, clock: FakeClock) -> None:
        accept(inbox, event())
        end(inbox, "pending", clock.now, run_at=1500.0, error="not yet")
        back = stored(inbox)
        assert (back.state, back.run_at, back.error, back.finished_at) == ("pending", 1500.0, "not yet", None)
        assert inbox.next_due() == 1500.0
        assert lease(inbox, 1499.0) == ()
        assert [held.event.attempt for held in lease(inbox, 1500.0)] == [2]

    def test_a_retry_without_a_time_is_due_at_once(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        end(inbox, "pending", clock.now)
        assert stored(inbox).run_at == clock.now

    def test_runs_are_recorded_and_handed_to_the_next_lease(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        runs = (
            Run("b", "retry", 1, run_at=1001.5, error="\u20ac\ud800", started_at=1.0, finished_at=2.5),
            Run("a", "succeeded", 1, started_at=1.0, finished_at=2.0),
        )
        end(inbox, "pending", clock.now, runs=runs)
        (held,) = lease(inbox, clock.now)
        assert dict(held.runs) == {run.handler: run for run in runs}
        later = Run("b", "dead", 2, error="no")
        inbox.settle(held, [later], Close("dead")).result()
        assert list(inbox.get(1)[1]) == [runs[1], later]

    def test_leases_that_end_together_end_each_in_its_own_way(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event("late"))
        (late,) = lease(inbox, clock.now)
        accept(inbox, *map(event, ("done", "again", "failed", "plain")))
        clock.now = late.until + 1
        leases = {held.event.id: held for held in lease(inbox, clock.now)}
        reply = Response(200, b"said")
        done = Run("a", "succeeded", 1, started_at=1.0, finished_at=2.0)
        tried = Run("a", "retry", 1, run_at=2000.0, error="\u20ac\ud800")
        ends = [
            inbox.settle(leases["done"], [done, Run("b", "succeeded", 1)], Close("succeeded", reply=reply)),
            inbox.settle(late, [Run("late", "succeeded", 1)], Close("succeeded")),
            inbox.settle(leases["again"], [tried], Close("pending", run_at=2000.0)),
            inbox.settle(leases["failed"], [], Close("dead", error="no")),
            inbox.settle(leases["plain"], [done], Close("succeeded")),
        ]
        assert [type(one.exception()) for one in ends] == [type(None), LeaseLost, *[type(None)] * 3]
        kept = {one.id: one for one in inbox.find(Query())}
        assert {name: (one.state, one.error) for name, one in kept.items()} == {
            "late": ("running", ""),
            "done": ("succeeded", ""),
            "again": ("pending", ""),
            "failed": ("dead", "no"),
            "plain": ("succeeded", ""),
        }
        assert (kept["again"].run_at, kept["plain"].finished_at) == (2000.0, clock.now)
        assert inbox.state_of(kept["done"].seq) == ("succeeded", reply)
        runs = {name: [run.handler for run in inbox.get(one.seq)[1]] for name, one in kept.items()}
        assert runs == {"late": [], "done": ["a", "b"], "again": ["a"], "failed": [], "plain": ["a"]}
        assert inbox.get(kept["again"].seq)[1] == [tried]

    def test_runs_can_be_recorded_while_the_lease_is_kept(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        (held,) = lease(inbox, clock.now)
        inbox.settle(held, [Run("a", "succeeded", 1)], None).result()
        assert stored(inbox).state == "running"
        assert list(inbox.get(1)[1]) == [Run("a", "succeeded", 1)]
        inbox.settle(held, [Run("b", "succeeded", 1)], Close("succeeded")).result()
        assert [run.handler for run in inbox.get(1)[1]] == ["a", "b"]

    def test_a_run_that_succeeded_stays_succeeded(self, inbox: Inbox, event: Maker, clock: FakeClock) -> None:
        accept(inbox, event())
        (held,) = lease(inbox, clock.now)
        done = Run("a", "succeeded", 1)
        inbox.settle(held, [done], None).result()
        inbox.settle(held, [Run("a", "retry", 1, run_at=5.0)], Close("pending")).result()
        assert list(inbox.get(1)[1]) == [done]

    # release

    def test_a_released_event_is_due_at_once_and_its_attempt_did_not_count(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        leases = lease(inbox, clock.now)
        clock.now = 1005.0
        inbox.release(leases).result()
        back = stored(inbox)
        assert (back.state, back.attempt, back.run_at, back.lost) == ("pending", 0, 1005.0, 0)
        assert [held.event.attempt for held in lease(inbox, 1005.0)] == [1]

    def test_a_release_does_not_forget_the_workers_that_were_lost(self, inbox: Inbox, event: Maker) -> None:
        accept(inbox, event())
        lease(inbox, 1000.0)
        inbox.release(lease(inbox, 2000.0)).result()
        back = stored(inbox)
        assert (back.lost, back.attempt) == (1, 1)

    def test_what_was_done_before_a_release_is_not_done_again(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        (held,) = lease(inbox, clock.now)
        done = Run("h", "succeeded", 1)
        inbox.settle(held, [done], None).result()
        inbox.release([held]).result()
        (again,) = lease(inbox, clock.now)
        assert dict(again.runs) == {"h": done}

    def test_a_released_claim_that_was_never_acked_stays_the_senders(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        (answer,) = accept(inbox, event(), claim=Claim("me", 1060.0, rescue=False))
        inbox.release([answer.lease]).result()
        assert stored(inbox).state == "failed"
        assert lease(inbox, 9e9) == ()
