"""The contract of `core.ports.Inbox`, sentence by sentence, for every store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

from hookcatch.core.errors import ConfigurationError, LeaseLost
from hookcatch.core.model import (
    Accepted,
    Claim,
    Close,
    Duplicate,
    Duplicates,
    EventState,
    Lane,
    Lease,
    NewEvent,
    Run,
    Standing,
    StoredEvent,
)
from hookcatch.core.ports import Inbox, Query, Retention
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Response

DAY = 86400.0


def accept(inbox: Inbox, *events: NewEvent, **options: object) -> tuple[Accepted | Duplicate, ...]:
    return inbox.accept(events, **options).result()  # type: ignore[arg-type]


def lease(
    inbox: Inbox, now: float, *, limit: int = 10, length: float = 60.0, token: str = "w", **which: Any
) -> tuple[Lease, ...]:
    return inbox.lease(token=token, limit=limit, now=now, until=now + length, **which).result()


def ids(leases: Iterable[Lease]) -> list[str]:
    return [held.event.id for held in leases]


def close(inbox: Inbox, held: Lease, state: EventState, **how: Any) -> None:
    inbox.settle(held, [], Close(state, **how)).result()


def stored(inbox: Inbox, seq: int = 1) -> StoredEvent:
    found = inbox.get(seq)
    assert found is not None
    return found[0]


def end(inbox: Inbox, state: EventState, now: float, *, runs: tuple[Run, ...] = (), **close: object) -> None:
    """Take the one event that is due and leave it in a state."""
    (held,) = lease(inbox, now, token=f"end{now}")
    inbox.settle(held, runs, Close(state, **close)).result()  # type: ignore[arg-type]


# accept


def test_an_event_comes_back_as_it_was_accepted(inbox, event, clock):
    new = event(
        "evt_1",
        b"\x00\xff{}",
        tenant="t1",
        type="order.paid",
        format="form-json",
        headers={"content-type": "application/json", "x-odd": "\u20ac \ud800 \x00"},
        occurred_at=900.5,
    )
    (answer,) = accept(inbox, new)
    assert answer == Accepted(seq=1)
    back = stored(inbox)
    assert (back.source, back.tenant, back.id, back.type) == ("shop", "t1", "evt_1", "order.paid")
    assert (back.body, back.format, dict(back.headers)) == (new.body, "form-json", dict(new.headers))
    assert (back.state, back.received_at, back.run_at, back.occurred_at) == ("pending", 1000.0, 1000.0, 900.5)
    assert (back.attempt, back.lost, back.replays, back.duplicates, back.conflicts) == (0, 0, 0, 0, 0)
    assert (back.replayed_content, back.finished_at, back.error) == (False, None, "")


def test_of_simultaneous_copies_exactly_one_is_accepted(inbox, event):
    start = threading.Barrier(16)

    def deliver(_: int) -> list[Accepted | Duplicate]:
        start.wait()
        return [accept(inbox, event(f"evt_{number}"))[0] for number in range(20)]

    with ThreadPoolExecutor(16) as threads:
        answers = [answer for answers in threads.map(deliver, range(16)) for answer in answers]
    assert sum(isinstance(answer, Accepted) for answer in answers) == 20
    assert inbox.counts() == {("shop", "pending"): 20}
    assert {found.duplicates for found in inbox.find(Query())} == {15}


def test_a_batch_is_kept_as_one_with_an_answer_for_each_in_order(inbox, event):
    accept(inbox, event("b"))
    first, known, last = accept(inbox, event("a"), event("b"), event("c"))
    assert isinstance(first, Accepted)
    assert isinstance(known, Duplicate)
    assert isinstance(last, Accepted)
    assert first.seq < last.seq
    assert stored(inbox, first.seq).id == "a"
    assert stored(inbox, last.seq).id == "c"


def test_an_empty_batch_is_answered_with_nothing(inbox):
    assert accept(inbox) == ()


def test_a_copy_within_one_batch_is_a_duplicate_of_the_first(inbox, event):
    first, second = accept(inbox, event("a"), event("a"))
    assert second == Duplicate(first.seq, "pending")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"source": "a", "tenant": "bc"}, {"source": "ab", "tenant": "c"}),
        ({"tenant": "a", "id": "b"}, {"tenant": "", "id": "ab"}),
        ({"tenant": "t1"}, {"tenant": "t2"}),
        ({"source": "stripe"}, {"source": "stripe2"}),
        ({"id": "a\x00b"}, {"id": "a"}),
        ({"id": "a\x00b"}, {"id": "a\x00c"}),
        ({"id": "a:b"}, {"id": "a/b"}),
        ({"id": "\u00e9"}, {"id": "e\u0301"}),
        ({"id": "Evt"}, {"id": "evt"}),
        ({"id": "\ud800"}, {"id": "\udfff"}),
        ({"id": "\ud800x"}, {"id": "\ufffdx"}),
        ({"id": "1"}, {"id": "1.0"}),
        ({"id": "1"}, {"id": "01"}),
        ({"id": " a"}, {"id": "a"}),
        ({"id": ""}, {"id": "\x00"}),
        ({"id": "x" * 255}, {"id": "x" * 254 + "y"}),
        ({"id": "x" * 100_000}, {"id": "x" * 99_999}),
    ],
)
def test_event_keys_that_differ_in_anything_are_different_events(inbox, event, one, other):
    assert [type(answer) for answer in accept(inbox, event(**one), event(**other))] == [Accepted, Accepted]
    assert [type(answer) for answer in accept(inbox, event(**one), event(**other))] == [Duplicate, Duplicate]
    assert stored(inbox, 1).id == event(**one).id


# duplicates


def test_a_duplicate_is_counted_and_changes_nothing_else(inbox, event, clock):
    accept(inbox, event())
    before = stored(inbox)
    clock.now = 2000.0
    assert accept(inbox, event(type="order.other")) == (Duplicate(1, "pending"),)
    after = stored(inbox)
    assert after.duplicates == 1
    assert after.conflicts == 0
    assert (after.type, after.received_at, after.run_at, after.state) == (
        before.type,
        before.received_at,
        before.run_at,
        before.state,
    )


def test_another_body_under_the_same_key_is_a_conflict_and_the_first_one_stays(inbox, event):
    accept(inbox, event(body=b"first"))
    assert accept(inbox, event(body=b"second")) == (Duplicate(1, "pending", conflict=True),)
    back = stored(inbox)
    assert (back.body, back.duplicates, back.conflicts) == (b"first", 1, 1)


@pytest.mark.parametrize("state", ["succeeded", "ignored", "invalid", "dead", "discarded"])
def test_a_duplicate_of_an_ended_event_says_how_it_ended(inbox, event, clock, state):
    accept(inbox, event())
    end(inbox, state, clock.now)
    assert accept(inbox, event()) == (Duplicate(1, state),)
    assert stored(inbox).state == state


def test_a_duplicate_of_an_event_in_work_says_until_when_it_is_leased(inbox, event, clock):
    accept(inbox, event())
    lease(inbox, clock.now)
    assert accept(inbox, event()) == (Duplicate(1, "running", lease_until=1060.0),)


def test_a_duplicate_gets_the_stored_reply(inbox, event, clock):
    accept(inbox, event())
    reply = Response(418, b"\x00\xffteapot", ((b"x-a", b"1"), (b"x-a", b"\xff")))
    end(inbox, "succeeded", clock.now, reply=reply)
    (answer,) = accept(inbox, event())
    assert answer.reply == reply
    assert inbox.state_of(1) == ("succeeded", reply)


def test_a_reply_outlives_a_later_attempt_that_has_none(inbox, event, clock):
    accept(inbox, event())
    end(inbox, "pending", clock.now, reply=Response(200, b"hello"))
    end(inbox, "succeeded", clock.now)
    assert accept(inbox, event())[0].reply == Response(200, b"hello")


def test_the_state_of_an_event_that_is_gone_is_none(inbox):
    assert inbox.state_of(12345) == (None, None)


# content replayed under another id


def test_the_same_content_under_another_unsigned_id_is_kept_and_flagged(inbox, event):
    accept(inbox, event("a", b"same", content_key=b"k" * 32))
    assert accept(inbox, event("b", b"same", content_key=b"k" * 32)) == (Accepted(2, replayed_content=True),)
    assert [found.replayed_content for found in inbox.find(Query())] == [True, False]


def test_the_same_content_under_another_id_is_refused_where_the_policy_wants_that(inbox, event, clock):
    accept(inbox, event("a", b"same", content_key=b"k" * 32))
    refuse = Duplicates(refuse_replayed_content=True)
    again = event("b", b"same", content_key=b"k" * 32)
    assert accept(inbox, again, duplicates=refuse) == (Duplicate(1, "pending", replayed_content=True),)
    assert inbox.counts() == {("shop", "pending"): 1}
    assert stored(inbox).duplicates == 1


def test_a_true_copy_is_a_plain_duplicate_even_if_its_content_came_before(inbox, event):
    for name in ("a", "b"):
        accept(inbox, event(name, b"same", content_key=b"k" * 32))
    for policy in (Duplicates(), Duplicates(refuse_replayed_content=True)):
        copies = accept(
            inbox,
            event("b", b"same", content_key=b"k" * 32),
            event("a", b"same", content_key=b"k" * 32),
            duplicates=policy,
        )
        assert [(copy.seq, copy.replayed_content) for copy in copies] == [(2, False), (1, False)]


def test_the_same_content_elsewhere_is_nothing_strange(inbox, event):
    accept(inbox, event("a", content_key=b"k" * 32))
    other_source = event("b", source="other", content_key=b"k" * 32)
    other_tenant = event("b", tenant="t2", content_key=b"k" * 32)
    assert accept(inbox, other_source, other_tenant) == (Accepted(2), Accepted(3))


# claims (ack="handled", ack="deadline")


@pytest.mark.parametrize(("rescue", "state"), [(True, "running"), (False, "handling")])
def test_a_claimed_event_starts_leased_with_attempt_one(inbox, event, rescue, state):
    (answer,) = accept(inbox, event(), claim=Claim("me", 1060.0, rescue))
    held = answer.lease
    assert (held.token, held.until, dict(held.runs)) == ("me", 1060.0, {})
    assert (held.event.state, held.event.attempt, held.event.body, held.event.seq) == (state, 1, b"{}", 1)
    assert held.event == stored(inbox)
    assert stored(inbox).run_at is None
    assert accept(inbox, event()) == (Duplicate(1, state, lease_until=1060.0),)
    inbox.settle(held, [], Close("succeeded")).result()
    assert stored(inbox).state == "succeeded"


def test_workers_take_over_a_lost_claim_only_if_it_is_to_be_rescued(inbox, event):
    accept(inbox, event("a"), claim=Claim("x", 1060.0, rescue=True))
    accept(inbox, event("b"), claim=Claim("y", 1060.0, rescue=False))
    assert [held.event.id for held in lease(inbox, 2000.0)] == ["a"]


@pytest.mark.parametrize(
    "claim", [Claim("second", 2060.0, rescue=False), Claim("second", 2060.0, rescue=True)]
)
def test_a_failed_event_that_comes_again_is_claimed_again_with_what_was_done(inbox, event, clock, claim):
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
    inbox, event, clock
):
    (first,) = accept(inbox, event(), claim=Claim("first", 1060.0, rescue=False))
    clock.now = 1059.0
    assert isinstance(accept(inbox, event(), claim=Claim("second", 1120.0, rescue=False))[0], Duplicate)
    clock.now = 1060.0
    (second,) = accept(inbox, event(), claim=Claim("second", 1120.0, rescue=False))
    assert second.lease.event.attempt == 2
    with pytest.raises(LeaseLost):
        inbox.settle(first.lease, [], Close("succeeded")).result()
    inbox.settle(second.lease, [], Close("succeeded")).result()


def test_a_failed_event_that_comes_again_without_a_claim_is_left_to_the_workers(inbox, event, clock):
    """Else a source that changed from ack="handled" to "stored" would ack what nobody ever handles."""
    (first,) = accept(inbox, event(), claim=Claim("first", 1060.0, rescue=False))
    inbox.settle(first.lease, [], Close("failed")).result()
    clock.now = 2000.0
    assert accept(inbox, event()) == (Accepted(1),)
    assert [held.event.id for held in lease(inbox, 2000.0)] == ["evt_1"]


# revival of the dead


def test_a_dead_event_that_comes_again_starts_a_fresh_series_of_attempts(inbox, event, clock):
    accept(inbox, event())
    end(inbox, "dead", clock.now, runs=(Run("h", "dead", 12),), error="spent")
    clock.now = 5000.0
    (answer,) = accept(inbox, event(), duplicates=Duplicates(revive_before=4000.0))
    assert answer == Accepted(1, revived=True)
    back, runs = inbox.get(1)
    assert (back.state, back.attempt, back.lost, back.error, back.finished_at) == ("pending", 0, 0, "", None)
    assert (back.run_at, back.duplicates, list(runs)) == (5000.0, 1, [])
    assert [held.event.attempt for held in lease(inbox, 5000.0)] == [1]


def test_a_dead_event_is_revived_straight_into_a_claim(inbox, event, clock):
    accept(inbox, event())
    end(inbox, "dead", clock.now)
    claim = Claim("me", 5060.0, rescue=False)
    (answer,) = accept(inbox, event(), claim=claim, duplicates=Duplicates(revive_before=4000.0))
    assert answer.revived
    assert answer.lease.event.attempt == 1


@pytest.mark.parametrize("revive_before", [None, 1000.0])
def test_a_dead_event_stays_dead_without_leave_or_too_soon(inbox, event, clock, revive_before):
    accept(inbox, event())
    end(inbox, "dead", clock.now)
    policy = Duplicates(revive_before=revive_before)
    assert accept(inbox, event(), duplicates=policy) == (Duplicate(1, "dead"),)


@pytest.mark.parametrize("state", ["succeeded", "ignored", "invalid", "discarded"])
def test_only_the_dead_are_revived(inbox, event, clock, state):
    accept(inbox, event())
    end(inbox, state, clock.now)
    assert accept(inbox, event(), duplicates=Duplicates(revive_before=9e9)) == (Duplicate(1, state),)


# lease


def test_due_events_are_leased_earliest_first_and_not_more_than_wanted(inbox, event):
    for name, at in (("c", 30.0), ("a", 10.0), ("d", 40.0), ("b", 20.0)):
        accept(inbox, event(name, received_at=at))
    assert [held.event.id for held in lease(inbox, 35.0, limit=2)] == ["a", "b"]
    assert [held.event.id for held in lease(inbox, 35.0, limit=2)] == ["c"]
    assert [held.event.id for held in lease(inbox, 40.0, limit=2)] == ["d"]
    assert lease(inbox, 50.0) == ()


def test_events_of_the_same_time_are_leased_in_the_order_of_their_commits(inbox, event):
    ids = [f"evt_{9 - number}" for number in range(9)]
    for name in ids:
        accept(inbox, event(name))
    assert [held.event.id for held in lease(inbox, 1000.0)] == ids


def test_a_lease_shows_the_event_as_it_is_now_with_its_body(inbox, event, clock):
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


def test_lost_and_due_events_are_taken_together_earliest_first(inbox, event):
    accept(inbox, event("lost"))
    lease(inbox, 1000.0, length=500.0)
    accept(inbox, event("before", received_at=1400.0), event("after", received_at=1600.0))
    assert [held.event.id for held in lease(inbox, 2000.0, limit=2)] == ["before", "lost"]
    assert [held.event.id for held in lease(inbox, 2000.0, limit=2)] == ["after"]


def test_an_expired_lease_goes_to_another_worker_and_fences_the_first_one_off(inbox, event, clock):
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


def test_a_worker_that_leases_twice_under_one_token_is_fenced_from_its_own_past(inbox, event):
    accept(inbox, event())
    (first,) = lease(inbox, 1000.0, token="same")
    (second,) = lease(inbox, 1060.0, token="same")
    with pytest.raises(LeaseLost):
        inbox.settle(first, [], Close("succeeded")).result()
    inbox.settle(second, [], Close("succeeded")).result()


def test_an_event_whose_worker_is_lost_a_third_time_is_dead(inbox, event, clock):
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


def test_of_events_lost_together_one_at_a_time_gets_its_last_chance(inbox, event):
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


def test_a_last_chance_that_was_given_back_is_given_alone_again(inbox, event, clock):
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


def test_a_worker_that_survives_clears_the_count_of_the_lost(inbox, event, clock):
    accept(inbox, event())
    for now in (1000.0, 2000.0):
        lease(inbox, now)
    clock.now = 3000.0
    end(inbox, "pending", 3000.0)
    assert stored(inbox).lost == 0


def test_a_lease_absurdly_far_ahead_counts_as_lost_because_the_clock_was_set_back(inbox, event, clock):
    clock.now = 1_000_000.0
    accept(inbox, event("before", received_at=0.0))
    lease(inbox, 1_000_000.0, length=60.0)
    clock.now = 500.0
    assert [held.event.id for held in lease(inbox, 500.0)] == ["before"]


def test_a_long_lease_that_was_given_just_now_is_not_absurd(inbox, event):
    accept(inbox, event())
    lease(inbox, 1000.0, length=3600.0)
    assert lease(inbox, 1000.0, length=10.0) == ()
    assert lease(inbox, 1000.0 - 3600.0, length=10.0) == ()
    assert len(lease(inbox, 1000.0 - 3601.0, length=10.0)) == 1


def test_a_heartbeat_prolongs_a_lease(inbox, event, clock):
    accept(inbox, event("a"), event("b"))
    first, second = lease(inbox, 1000.0)
    clock.now = 1050.0
    assert inbox.heartbeat([first, second], until=1110.0).result() == (True, True)
    assert lease(inbox, 1100.0) == ()
    assert inbox.next_due() == 1110.0
    assert len(lease(inbox, 1110.0)) == 2
    assert inbox.heartbeat([], until=1.0).result() == ()


# lanes


LANE = Lane("order 7")
BLOCKS = Lane("order 7", blocks=True)
TWO = Lane("order 7", 2, ordered=False)


@pytest.mark.parametrize("lane", [None, LANE, Lane("\ud800\x00", 7, ordered=False), BLOCKS])
def test_lane_and_version_come_back_as_they_were_accepted(inbox, event, clock, lane):
    accept(inbox, event(lane=lane, version=1.5, due_at=1300.0))
    back = stored(inbox)
    assert (back.lane, back.version, back.received_at, back.run_at) == (lane, 1.5, 1000.0, 1300.0)
    assert lease(inbox, 1299.0) == ()
    (held,) = lease(inbox, 1300.0)
    assert held.event == stored(inbox)


def test_a_claimed_event_knows_its_lane_and_is_not_kept_waiting(inbox, event):
    (answer,) = accept(
        inbox, event(lane=LANE, version=2.0, due_at=9e9), claim=Claim("me", 1060.0, rescue=True)
    )
    assert answer.lease.event == stored(inbox)
    assert (answer.lease.event.lane, answer.lease.event.version) == (LANE, 2.0)


def test_events_of_an_ordered_lane_are_leased_one_after_the_other_in_the_order_of_their_commits(
    inbox, event, clock
):
    for name, received_at in (("a", 30.0), ("b", 20.0), ("c", 10.0)):
        accept(inbox, event(name, lane=LANE, received_at=received_at))
    for name, state in (("a", "succeeded"), ("b", "ignored"), ("c", "discarded")):
        (held,) = lease(inbox, clock.now)
        assert held.event.id == name
        assert lease(inbox, clock.now) == ()
        assert all(found.attempt == 0 for found in inbox.find(Query(states=frozenset({"pending"}))))
        close(inbox, held, state)
    assert lease(inbox, clock.now) == ()


def test_in_an_ordered_lane_a_retry_holds_up_those_after_it(inbox, event, clock):
    accept(inbox, event("a", lane=LANE), event("b", lane=LANE))
    (held,) = lease(inbox, clock.now)
    close(inbox, held, "pending", run_at=1500.0)
    assert lease(inbox, 1499.0) == ()
    assert ids(lease(inbox, 1500.0)) == ["a"]


@pytest.mark.parametrize("state", ["dead", "invalid"])
def test_a_parked_event_is_skipped_by_its_lane_or_blocks_it_until_it_is_seen_to(inbox, event, clock, state):
    accept(inbox, event("a", lane=LANE), event("b", lane=LANE))
    end(inbox, state, clock.now)
    assert ids(lease(inbox, clock.now)) == ["b"]
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
    assert ids(lease(inbox, clock.now)) == ["d"]


def test_a_parked_event_that_retention_takes_blocks_its_lane_no_more(inbox, event, clock):
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
    assert ids(lease(inbox, clock.now)) == ["c"]


def test_a_worker_that_is_lost_for_good_leaves_its_lane_to_those_after_it(inbox, event):
    accept(inbox, event("a", lane=LANE), event("b", lane=LANE))
    for now in (1000.0, 2000.0, 3000.0):
        assert ids(lease(inbox, now)) == ["a"]
    assert ids([*lease(inbox, 4000.0), *lease(inbox, 4000.0)]) == ["b"]


def test_lanes_do_not_stand_in_each_others_way(inbox, event, clock):
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
    assert ids(lease(inbox, clock.now)) == ["a", "b", "c", "d", "e", "f"]


def test_of_a_lane_without_order_as_many_are_in_work_as_its_limit_says(inbox, event, clock):
    accept(inbox, *[event(name, lane=TWO) for name in "abcde"])
    first, second = lease(inbox, clock.now)
    assert ids([first, second]) == ["a", "b"]
    assert lease(inbox, clock.now) == ()
    close(inbox, second, "dead")
    (third,) = lease(inbox, clock.now)
    assert third.event.id == "c"
    close(inbox, first, "pending", run_at=9e9)
    close(inbox, third, "succeeded")
    assert ids(lease(inbox, clock.now)) == ["d", "e"]


def test_an_event_whose_worker_is_lost_keeps_its_place_in_the_lane(inbox, event):
    accept(inbox, event("a", lane=LANE), event("b", lane=LANE))
    lease(inbox, 1000.0)
    (held,) = lease(inbox, 2000.0)
    assert (held.event.id, held.event.lost) == ("a", 1)
    assert lease(inbox, 2000.0) == ()


def test_a_relayed_event_keeps_its_place_in_the_lane_even_when_it_is_handed_over_again(inbox, event, clock):
    accept(inbox, event("a", lane=LANE), event("b", lane=LANE))
    (held,) = lease(inbox, clock.now)
    close(inbox, held, "relayed", run_at=1500.0)
    assert lease(inbox, 1499.0) == ()
    (again,) = lease(inbox, 1500.0)
    close(inbox, again, "relayed", run_at=1600.0)
    taken = inbox.take("shop", "", "a", of="", token="engine", now=1501.0, until=1561.0).result()
    assert lease(inbox, 1502.0) == ()
    close(inbox, taken, "succeeded")
    assert ids(lease(inbox, 1503.0)) == ["b"]


def test_a_replayed_event_goes_before_those_of_its_lane_that_came_later(inbox, event, clock):
    accept(inbox, event("a", lane=LANE), event("b", lane=LANE), event("c", lane=LANE))
    end(inbox, "succeeded", clock.now)
    (held,) = lease(inbox, clock.now)
    inbox.replay([1], now=clock.now).result()
    assert lease(inbox, clock.now) == ()
    close(inbox, held, "succeeded")
    (again,) = lease(inbox, clock.now)
    assert again.event.id == "a"
    close(inbox, again, "succeeded")
    assert ids(lease(inbox, clock.now)) == ["c"]


def test_a_waiting_event_that_is_discarded_lets_those_after_it_go(inbox, event, clock):
    accept(inbox, event("a", lane=LANE, due_at=9e9), event("b", lane=LANE))
    assert lease(inbox, clock.now) == ()
    inbox.discard([1], now=clock.now, why="no").result()
    assert ids(lease(inbox, clock.now)) == ["b"]


def test_a_crowded_lane_keeps_nobody_else_waiting(inbox, event, clock):
    accept(inbox, *[event(f"crowd {number}", lane=LANE) for number in range(1200)])
    accept(inbox, event("alone"), event("other", lane=Lane("order 8")))
    found = [held.event.id for _ in range(4) for held in lease(inbox, clock.now, limit=4)]
    assert found == ["crowd 0", "alone", "other"]


def test_who_stands_behind_a_lane_is_taken_as_far_as_there_are_hands(inbox, event, clock):
    accept(inbox, *[event(f"lane {number}", lane=LANE) for number in range(3)])
    accept(inbox, *[event(name) for name in "abcd"])
    assert ids(lease(inbox, clock.now, limit=3)) == ["lane 0", "a", "b"]
    assert ids(lease(inbox, clock.now, limit=3)) == ["c", "d"]


def test_two_who_claim_at_one_instant_do_not_break_a_limit(inbox, event, clock, fresh):
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
                rounds.append(ids(held))
                start.wait()
                for one in held:
                    close(mine, one, "succeeded")
            return rounds

        if not inbox.durable:
            other.close()
            other = inbox
        with ThreadPoolExecutor(2) as threads:
            one, two = threads.map(work, (inbox, other), ("one", "two"))
    finally:
        other.close()
    for number, both in enumerate(map(list.__add__, one, two)):
        assert sorted(name for name in both if name[0].isdigit()) == sorted(f"{number} {key}" for key in keys)
        assert sum(name.startswith("capped") for name in both) == (3 if number < 3 else 0)


# caps and turns


def test_no_more_events_of_a_source_are_in_work_than_its_cap(inbox, event, clock):
    accept(inbox, *[event(name) for name in "abcd"], event("other", source="other"))
    first = lease(inbox, clock.now, caps={"shop": 2})
    assert ids(first) == ["a", "b", "other"]
    close(inbox, first[0], "relayed", run_at=9e9)
    assert lease(inbox, clock.now, caps={"shop": 2}) == ()
    close(inbox, first[1], "succeeded")
    assert ids(lease(inbox, clock.now, caps={"shop": 2})) == ["c"]
    assert ids(lease(inbox, clock.now, caps={"shop": 4, "other": 1})) == ["d"]


def test_an_event_whose_worker_is_lost_keeps_its_place_under_the_cap(inbox, event):
    accept(inbox, event("a"), event("b"))
    assert ids(lease(inbox, 1000.0, caps={"shop": 1})) == ["a"]
    assert ids(lease(inbox, 2000.0, caps={"shop": 1})) == ["a"]


def test_what_the_receiver_has_in_hand_does_not_count_for_the_cap(inbox, event):
    accept(inbox, event("a"), claim=Claim("me", 1060.0, rescue=False))
    accept(inbox, event("b"))
    assert ids(lease(inbox, 1000.0, caps={"shop": 1})) == ["b"]


def test_a_call_may_be_for_the_events_of_one_source_only(inbox, event):
    accept(inbox, event("lost", source="other"), event("gone"))
    lease(inbox, 1000.0)
    accept(inbox, *[event(f"{n}") for n in range(5)], event("mine", source="other"))
    assert ids(lease(inbox, 2000.0, only="other", limit=3)) == ["mine", "lost"]
    assert ids(lease(inbox, 2000.0, only="other", limit=3)) == []
    assert ids(lease(inbox, 2000.0, only="nobody")) == []
    assert len(lease(inbox, 2000.0, only="shop", caps={"shop": 3})) == 3


# standing


def test_an_event_in_no_lane_has_no_standing(inbox, event, clock):
    accept(inbox, event("a", version=3.0), event("b"))
    first, _ = lease(inbox, clock.now)
    assert inbox.standing(first).result() == Standing(None, newer=False)


def test_an_event_stands_behind_the_highest_version_that_succeeded_and_before_those_that_wait(
    inbox, event, clock
):
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


# settle


@pytest.mark.parametrize("state", ["succeeded", "ignored", "invalid", "dead", "discarded", "failed"])
def test_an_ended_event_has_its_state_its_error_and_its_time_and_is_not_leased_again(
    inbox, event, clock, state
):
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


def test_a_retry_waits_for_its_time(inbox, event, clock):
    accept(inbox, event())
    end(inbox, "pending", clock.now, run_at=1500.0, error="not yet")
    back = stored(inbox)
    assert (back.state, back.run_at, back.error, back.finished_at) == ("pending", 1500.0, "not yet", None)
    assert inbox.next_due() == 1500.0
    assert lease(inbox, 1499.0) == ()
    assert [held.event.attempt for held in lease(inbox, 1500.0)] == [2]


def test_a_retry_without_a_time_is_due_at_once(inbox, event, clock):
    accept(inbox, event())
    end(inbox, "pending", clock.now)
    assert stored(inbox).run_at == clock.now


def test_runs_are_recorded_and_handed_to_the_next_lease(inbox, event, clock):
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


def test_runs_can_be_recorded_while_the_lease_is_kept(inbox, event, clock):
    accept(inbox, event())
    (held,) = lease(inbox, clock.now)
    inbox.settle(held, [Run("a", "succeeded", 1)], None).result()
    assert stored(inbox).state == "running"
    assert list(inbox.get(1)[1]) == [Run("a", "succeeded", 1)]
    inbox.settle(held, [Run("b", "succeeded", 1)], Close("succeeded")).result()
    assert [run.handler for run in inbox.get(1)[1]] == ["a", "b"]


def test_a_run_that_succeeded_stays_succeeded(inbox, event, clock):
    accept(inbox, event())
    (held,) = lease(inbox, clock.now)
    done = Run("a", "succeeded", 1)
    inbox.settle(held, [done], None).result()
    inbox.settle(held, [Run("a", "retry", 1, run_at=5.0)], Close("pending")).result()
    assert list(inbox.get(1)[1]) == [done]


# release


def test_a_released_event_is_due_at_once_and_its_attempt_did_not_count(inbox, event, clock):
    accept(inbox, event())
    leases = lease(inbox, clock.now)
    clock.now = 1005.0
    inbox.release(leases).result()
    back = stored(inbox)
    assert (back.state, back.attempt, back.run_at, back.lost) == ("pending", 0, 1005.0, 0)
    assert [held.event.attempt for held in lease(inbox, 1005.0)] == [1]


def test_a_release_does_not_forget_the_workers_that_were_lost(inbox, event):
    accept(inbox, event())
    lease(inbox, 1000.0)
    inbox.release(lease(inbox, 2000.0)).result()
    back = stored(inbox)
    assert (back.lost, back.attempt) == (1, 1)


def test_what_was_done_before_a_release_is_not_done_again(inbox, event, clock):
    accept(inbox, event())
    (held,) = lease(inbox, clock.now)
    done = Run("h", "succeeded", 1)
    inbox.settle(held, [done], None).result()
    inbox.release([held]).result()
    (again,) = lease(inbox, clock.now)
    assert dict(again.runs) == {"h": done}


def test_a_released_claim_that_was_never_acked_stays_the_senders(inbox, event, clock):
    (answer,) = accept(inbox, event(), claim=Claim("me", 1060.0, rescue=False))
    inbox.release([answer.lease]).result()
    assert stored(inbox).state == "failed"
    assert lease(inbox, 9e9) == ()


# relay: an engine has it


def take(inbox, now, *, of="", token="engine", id="evt_1", source="shop", tenant=""):
    return inbox.take(source, tenant, id, of=of, token=token, now=now, until=now + 60).result()


def relay(inbox, clock, until):
    """Hand over the one event that is due."""
    (held,) = lease(inbox, clock.now)
    inbox.settle(held, [], Close("relayed", run_at=until)).result()
    return held


def test_a_relayed_event_is_the_engines_to_take_and_its_attempt_is_the_same(inbox, event, clock):
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


def test_a_message_that_comes_twice_is_taken_once(inbox, event, clock):
    accept(inbox, event())
    held = relay(inbox, clock, 4600.0)
    assert take(inbox, 1000.0, of=held.token) is not None
    assert take(inbox, 1000.0, of=held.token, token="twin") is None
    inbox.settle(take_of(inbox), [], Close("succeeded")).result()
    assert take(inbox, 1000.0, of=held.token) is None


def take_of(inbox):
    """The lease that the engine holds, as it would name it."""
    event, _ = inbox.get(1)
    return Lease("engine", 1060.0, event)


def test_an_engine_that_is_faster_than_the_relay_takes_the_lease_over(inbox, event, clock):
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
def test_a_message_that_comes_late_finds_nothing_to_take(inbox, event, clock, state):
    accept(inbox, event())
    end(inbox, state, clock.now)
    before = inbox.get(1)
    assert take(inbox, 1000.0) is None
    assert take(inbox, 1000.0, id="other") is None
    assert inbox.get(1) == before


def test_what_waits_for_its_sender_is_not_the_engines(inbox, event):
    accept(inbox, event(), claim=Claim("me", 1060.0, rescue=False))
    assert take(inbox, 1000.0, of="me") is None


def test_a_relayed_event_is_due_again_once_the_engine_is_not_trusted_with_it_any_more(inbox, event, clock):
    accept(inbox, event())
    relay(inbox, clock, 4600.0)
    assert inbox.next_due() == 4600.0
    (again,) = lease(inbox, 4600.0)
    assert (again.event.attempt, again.event.lost) == (2, 0)


def test_handing_over_does_not_forget_the_workers_that_were_lost(inbox, event, clock):
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


def test_what_was_discarded_and_replayed_at_once_is_leased_once(inbox, event, clock):
    accept(inbox, event())
    assert inbox.discard([1], now=1000.0, why="by mistake").result() == 1
    assert inbox.replay([1], now=1000.0).result() == 1
    assert len(lease(inbox, 1000.0)) == 1
    assert lease(inbox, 1000.0) == ()


def test_a_relayed_event_can_be_discarded_and_its_copy_is_a_duplicate(inbox, event, clock):
    accept(inbox, event())
    relay(inbox, clock, 4600.0)
    (known,) = accept(inbox, event())
    assert (known.state, known.lease_until) == ("relayed", None)
    assert [found.state for found in inbox.find(Query(states=frozenset({"relayed"})))] == ["relayed"]
    assert inbox.replay([1], now=1000.0).result() == 0
    assert inbox.discard([1], now=1000.0, why="no").result() == 1
    assert take(inbox, 1000.0) is None


# replay and discard


@pytest.mark.parametrize("state", ["succeeded", "ignored", "invalid", "dead", "discarded", "failed"])
def test_a_replayed_event_runs_again_from_the_beginning(inbox, event, clock, state):
    accept(inbox, event())
    end(inbox, state, clock.now, runs=(Run("h", "succeeded", 1),), error="x")
    assert inbox.replay([1, 1, 77], now=3000.0).result() == 1
    back, runs = inbox.get(1)
    assert (back.state, back.run_at, back.attempt, back.replays) == ("pending", 3000.0, 0, 1)
    assert (back.error, back.finished_at, list(runs)) == ("", None, [])
    assert len(lease(inbox, 3000.0)) == 1


def test_events_that_have_not_ended_are_not_replayed(inbox, event, clock):
    accept(inbox, event("pending", received_at=5000.0), event("running"))
    lease(inbox, clock.now)
    accept(inbox, event("handling"), claim=Claim("x", 1060.0, rescue=False))
    assert inbox.replay([1, 2, 3], now=3000.0).result() == 0
    assert {found.replays for found in inbox.find(Query())} == {0}


@pytest.mark.parametrize("state", ["invalid", "dead", "failed"])
def test_parked_and_failed_events_can_be_discarded(inbox, event, clock, state):
    accept(inbox, event())
    end(inbox, state, clock.now)
    assert inbox.discard([1, 1, 77], now=3000.0, why="bot\ud800").result() == 1
    back = stored(inbox)
    assert (back.state, back.error, back.finished_at) == ("discarded", "bot\ud800", 3000.0)


def test_a_waiting_event_can_be_discarded(inbox, event):
    accept(inbox, event())
    assert inbox.discard([1], now=3000.0, why="no").result() == 1
    assert lease(inbox, 9e9) == ()
    assert inbox.next_due() is None


def test_to_replay_or_discard_nothing_is_no_error(inbox):
    assert inbox.replay([], now=1000.0).result() == 0
    assert inbox.discard([], now=1000.0, why="nothing").result() == 0


def test_events_in_work_or_ended_well_are_not_discarded(inbox, event, clock):
    accept(inbox, event("done"))
    end(inbox, "succeeded", clock.now)
    accept(inbox, event("running"))
    lease(inbox, clock.now)
    assert inbox.discard([1, 2], now=3000.0, why="no").result() == 0


# prune


def prune_all(inbox: Inbox, now: float, retention: Retention = Retention()) -> int:
    total = 0
    while gone := inbox.prune(now=now, retention=retention).result():
        total += gone
    return total


def test_the_body_of_an_ended_event_goes_first_and_its_key_still_dedupes(inbox, event, clock):
    accept(inbox, event(headers={"a": "b"}))
    end(inbox, "succeeded", clock.now, reply=Response(200, b"hi"))
    assert prune_all(inbox, 1000.0 + 14 * DAY) == 0
    assert prune_all(inbox, 1001.0 + 14 * DAY) == 1
    back = stored(inbox)
    assert (back.body, dict(back.headers), back.state) == (None, {}, "succeeded")
    assert accept(inbox, event()) == (Duplicate(1, "succeeded", reply=Response(200, b"hi")),)
    assert accept(inbox, event(body=b"other"))[0].conflict
    assert inbox.replay([1], now=clock.now).result() == 0


def test_the_key_goes_in_the_end_and_the_event_is_new_again(inbox, event, clock):
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
def test_the_bodies_of_parked_and_failed_events_stay_as_long_as_their_keys(inbox, event, clock, state):
    accept(inbox, event())
    end(inbox, state, clock.now)
    assert prune_all(inbox, 1000.0 + 90 * DAY) == 0
    assert stored(inbox).body == b"{}"
    assert prune_all(inbox, 1001.0 + 90 * DAY) == 1


def test_a_discarded_event_keeps_its_body_from_then_on_like_any_ended_one(inbox, event, clock):
    accept(inbox, event())
    end(inbox, "dead", clock.now)
    inbox.discard([1], now=2000.0, why="no").result()
    assert prune_all(inbox, 2000.0 + 14 * DAY) == 0
    assert prune_all(inbox, 2001.0 + 14 * DAY) == 1


def test_what_still_waits_or_runs_is_never_pruned(inbox, event, clock):
    accept(inbox, event("running"))
    lease(inbox, clock.now)
    accept(inbox, event("pending"))
    assert prune_all(inbox, 9e9) == 0
    assert len(inbox.find(Query())) == 2


def test_a_claim_that_neither_the_receiver_nor_the_sender_came_back_to_goes_with_its_key(inbox, event):
    accept(inbox, event(), claim=Claim("x", 1060.0, rescue=False))
    assert prune_all(inbox, 1060.0 + 90 * DAY) == 0
    assert prune_all(inbox, 1061.0 + 90 * DAY) == 1


def test_a_call_of_prune_is_bounded(inbox, event, clock):
    for start in range(0, 1100, 100):
        accept(inbox, *[event(f"evt_{number}") for number in range(start, start + 100)])
    for held in lease(inbox, clock.now, limit=1100):
        inbox.settle(held, [], Close("ignored")).result()
    assert inbox.prune(now=9e9, retention=Retention()).result() == 500
    assert prune_all(inbox, 9e9) == 600
    assert inbox.counts() == {}


# find, get, counts, next_due


@pytest.fixture
def filled(inbox, event, clock):
    accept(
        inbox,
        event("a", type="order.created", received_at=10.0),
        event("b", type="order.paid", received_at=20.0, tenant="t"),
        event("c", type="orders", received_at=30.0, source="other"),
        event("d", type="order\x00*", received_at=40.0),
        event("e", type="\ud800x", received_at=50.0),
    )
    end_first = lease(inbox, 10.0, limit=1)[0]
    inbox.settle(end_first, [], Close("dead")).result()
    return inbox


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (Query(), "edcba"),
        (Query(source="shop"), "edba"),
        (Query(source="nobody"), ""),
        (Query(type="order.created"), "a"),
        (Query(type="order.*"), "ba"),
        (Query(type="order*"), "dcba"),
        (Query(type="*"), "edcba"),
        (Query(type="o_der.*"), ""),
        (Query(type="order\x00*"), "d"),
        (Query(type="\ud800*"), "e"),
        (Query(type="\ud800x"), "e"),
        (Query(id="b"), "b"),
        (Query(tenant="t"), "b"),
        (Query(tenant=""), "edca"),
        (Query(states=frozenset({"dead"})), "a"),
        (Query(states=frozenset({"dead", "pending"})), "edcba"),
        (Query(states=frozenset({"running"})), ""),
        (Query(since=20.0), "edcb"),
        (Query(until=20.0), "a"),
        (Query(since=20.0, until=40.0), "cb"),
        (Query(before=3), "ba"),
        (Query(limit=2), "ed"),
        (Query(limit=2, before=4), "cb"),
        (Query(source="shop", type="order.*", states=frozenset({"pending"}), since=1.0, limit=5), "b"),
    ],
)
def test_find_answers_what_matches_every_condition_newest_first(filled, query, ids):
    assert "".join(found.id for found in filled.find(query)) == ids


def test_find_leaves_the_bodies_where_they_are(filled):
    assert {found.body for found in filled.find(Query())} == {None}


def test_pages_are_neither_lost_nor_repeated_while_events_come_in(inbox, event):
    accept(inbox, *[event(f"evt_{number}") for number in range(25)])
    seen: list[int] = []
    before = None
    while page := inbox.find(Query(limit=10, before=before)):
        seen += [found.seq for found in page]
        before = page[-1].seq
        accept(inbox, event(f"new_{before}"))
    assert seen == list(range(25, 0, -1))


def test_get_answers_none_for_an_event_that_is_not_there(inbox):
    assert inbox.get(1) is None


def test_counts_are_by_source_and_state(filled):
    assert filled.counts() == {("shop", "pending"): 3, ("shop", "dead"): 1, ("other", "pending"): 1}


def test_the_next_time_is_the_earliest_of_what_is_due_and_what_may_be_lost(inbox, event):
    assert inbox.next_due() is None
    accept(inbox, event("b", received_at=2000.0), event("a", received_at=1000.0))
    assert inbox.next_due() == 1000.0
    lease(inbox, 1000.0)
    assert inbox.next_due() == 1060.0
    accept(inbox, event("c", received_at=500.0), claim=Claim("x", 600.0, rescue=False))
    assert inbox.next_due() == 1060.0


# listening


def test_a_listener_is_told_when_events_come_due_until_it_stops(inbox, event, clock):
    told = threading.Semaphore(0)
    stop = inbox.listen(lambda: (told.release(), None)[1])
    accept(inbox, event())
    assert told.acquire(timeout=5)
    (held,) = lease(inbox, clock.now)
    inbox.settle(held, [], Close("pending")).result()
    assert told.acquire(timeout=5)
    inbox.release(lease(inbox, clock.now)).result()
    assert told.acquire(timeout=5)
    end(inbox, "dead", clock.now)
    inbox.replay([1], now=clock.now).result()
    assert told.acquire(timeout=5)
    inbox.get(1)
    stop()
    accept(inbox, event("other"))
    accept(inbox, event("another"))
    assert not told.acquire(blocking=False)


# futures, opening, closing


def test_every_future_works_with_wait(inbox, event):
    futures = [inbox.accept([event(f"evt_{number}")]) for number in range(3)]
    done, left = wait(futures, timeout=30)
    assert (len(done), len(left)) == (3, 0)


async def _awaited(inbox: Inbox, new: NewEvent) -> tuple[Accepted | Duplicate, ...]:
    import asyncio

    return await asyncio.wrap_future(inbox.accept([new]))


def test_every_future_works_in_an_event_loop(inbox, event):
    import asyncio

    assert asyncio.run(_awaited(inbox, event())) == (Accepted(1),)


def test_a_caller_that_stops_waiting_does_not_stop_the_commit(inbox, event):
    future = inbox.accept([event()])
    assert not future.cancel()
    future.result()
    assert inbox.counts() == {("shop", "pending"): 1}


def test_opening_twice_and_closing_twice_is_no_error_and_it_opens_again(inbox, event):
    inbox.open()
    accept(inbox, event())
    inbox.close()
    inbox.close()
    inbox.open()
    assert accept(inbox, event()) == (Duplicate(1, "pending"),)


def test_what_was_accepted_is_there_for_the_next_process(inbox, event, fresh: Callable[[], Inbox]):
    if not inbox.durable:
        pytest.skip("says that it is not durable")
    accept(inbox, event())
    other = fresh()
    other.open()
    assert accept(other, event()) == (Duplicate(1, "pending"),)
    assert [held.event.id for held in lease(other, 1000.0)] == ["evt_1"]
    assert lease(inbox, 1000.0) == ()
    other.close()


def test_a_transaction_is_refused_by_a_store_that_has_none(inbox, event, clock):
    if inbox.transactional:
        pytest.skip("has transactions")
    accept(inbox, event())
    (held,) = lease(inbox, clock.now)
    with pytest.raises(ConfigurationError, match="sqlite"):
        inbox.transaction(held, Run("h", "succeeded", 1))


# the secrets that senders bring


def test_the_first_secret_that_is_brought_is_the_one_that_is_known(inbox):
    assert inbox.learned("asana", "acme") is None
    assert inbox.learn("asana", "acme", Secret(b"one")).result() is True
    assert inbox.learn("asana", "acme", Secret(b"two")).result() is False
    assert inbox.learn("asana", "acme", Secret(b"one")).result() is True
    assert inbox.learned("asana", "acme").reveal() == b"one"


def test_secrets_are_known_by_source_and_tenant(inbox):
    places = [("asana", ""), ("asana", "acme"), ("asana", "\ud800"), ("notion", "acme")]
    for number, place in enumerate(places):
        assert inbox.learn(*place, Secret(b"%d" % number)).result() is True
    assert [inbox.learned(*place).reveal() for place in places] == [b"0", b"1", b"2", b"3"]
    assert list(inbox.learners()) == places


def test_a_forgotten_secret_makes_room_for_another(inbox):
    inbox.learn("asana", "acme", Secret(b"one")).result()
    assert inbox.forget("asana", "acme").result() is True
    assert inbox.forget("asana", "acme").result() is False
    assert inbox.learned("asana", "acme") is None
    assert inbox.learn("asana", "acme", Secret(b"two")).result() is True


def test_a_secret_that_was_brought_is_there_for_the_next_process(inbox, fresh: Callable[[], Inbox]):
    inbox.learn("asana", "acme", Secret(b"one")).result()
    if not inbox.durable:
        assert fresh().learned("asana", "acme") is None
        return
    other = fresh()
    other.open()
    assert other.learned("asana", "acme").reveal() == b"one"
    assert other.learn("asana", "acme", Secret(b"two")).result() is False
    other.close()
