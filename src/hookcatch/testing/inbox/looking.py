"""What is told of events."""

from __future__ import annotations

import threading

import pytest

from hookcatch.core.model import (
    Claim,
    Close,
)
from hookcatch.core.ports import Inbox, Query

from .base import Base, FakeClock, Maker, accept, end, lease


class Looking(Base):
    """See `InboxContract`."""

    # find, get, counts, next_due

    @pytest.fixture
    def filled(self, inbox: Inbox, event: Maker, clock: FakeClock) -> Inbox:
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
    def test_find_answers_what_matches_every_condition_newest_first(
        self, filled: Inbox, query: Query, ids: str
    ) -> None:
        assert "".join(found.id for found in filled.find(query)) == ids

    def test_find_leaves_the_bodies_where_they_are(self, filled: Inbox) -> None:
        assert {found.body for found in filled.find(Query())} == {None}

    def test_pages_are_neither_lost_nor_repeated_while_events_come_in(
        self, inbox: Inbox, event: Maker
    ) -> None:
        accept(inbox, *[event(f"evt_{number}") for number in range(25)])
        seen: list[int] = []
        before = None
        while page := inbox.find(Query(limit=10, before=before)):
            seen += [found.seq for found in page]
            before = page[-1].seq
            accept(inbox, event(f"new_{before}"))
        assert seen == list(range(25, 0, -1))

    def test_get_answers_none_for_an_event_that_is_not_there(self, inbox: Inbox) -> None:
        assert inbox.get(1) is None

    def test_counts_are_by_source_and_state(self, filled: Inbox) -> None:
        assert filled.counts() == {("shop", "pending"): 3, ("shop", "dead"): 1, ("other", "pending"): 1}

    def test_the_next_time_is_the_earliest_of_what_is_due_and_what_may_be_lost(
        self, inbox: Inbox, event: Maker
    ) -> None:
        assert inbox.next_due() is None
        accept(inbox, event("b", received_at=2000.0), event("a", received_at=1000.0))
        assert inbox.next_due() == 1000.0
        lease(inbox, 1000.0)
        assert inbox.next_due() == 1060.0
        accept(inbox, event("c", received_at=500.0), claim=Claim("x", 600.0, rescue=False))
        assert inbox.next_due() == 1060.0

    # listening

    def test_a_listener_is_told_when_events_come_due_until_it_stops(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        told = threading.Semaphore(0)
        stop = inbox.listen(told.release)
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
