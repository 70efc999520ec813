"""What is kept, and what is a copy of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hookcatch.core.model import (
    Accepted,
    Duplicate,
    Duplicates,
    EventState,
)
from hookcatch.core.ports import Inbox, Query
from hookcatch.core.wire import Response

from .base import Base, FakeClock, Maker, accept, end, lease, stored


class Accepting(Base):
    """See `InboxContract`."""

    # accept

    def test_an_event_comes_back_as_it_was_accepted(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
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
        assert (back.state, back.received_at, back.run_at, back.occurred_at) == (
            "pending",
            1000.0,
            1000.0,
            900.5,
        )
        assert (back.attempt, back.lost, back.replays, back.duplicates, back.conflicts) == (0, 0, 0, 0, 0)
        assert (back.replayed_content, back.finished_at, back.error) == (False, None, "")

    def test_of_simultaneous_copies_exactly_one_is_accepted(self, inbox: Inbox, event: Maker) -> None:
        start = threading.Barrier(16)

        def deliver(_: int) -> list[Accepted | Duplicate]:
            start.wait()
            return [accept(inbox, event(f"evt_{number}"))[0] for number in range(20)]

        with ThreadPoolExecutor(16) as threads:
            answers = [answer for answers in threads.map(deliver, range(16)) for answer in answers]
        assert sum(isinstance(answer, Accepted) for answer in answers) == 20
        assert inbox.counts() == {("shop", "pending"): 20}
        assert {found.duplicates for found in inbox.find(Query())} == {15}

    def test_a_batch_is_kept_as_one_with_an_answer_for_each_in_order(
        self, inbox: Inbox, event: Maker
    ) -> None:
        accept(inbox, event("b"))
        first, known, last = accept(inbox, event("a"), event("b"), event("c"))
        assert isinstance(first, Accepted)
        assert isinstance(known, Duplicate)
        assert isinstance(last, Accepted)
        assert first.seq < last.seq
        assert stored(inbox, first.seq).id == "a"
        assert stored(inbox, last.seq).id == "c"

    def test_an_empty_batch_is_answered_with_nothing(self, inbox: Inbox) -> None:
        assert accept(inbox) == ()

    def test_a_copy_within_one_batch_is_a_duplicate_of_the_first(self, inbox: Inbox, event: Maker) -> None:
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
    def test_event_keys_that_differ_in_anything_are_different_events(
        self, inbox: Inbox, event: Maker, one: dict[str, Any], other: dict[str, Any]
    ) -> None:
        assert [type(answer) for answer in accept(inbox, event(**one), event(**other))] == [
            Accepted,
            Accepted,
        ]
        assert [type(answer) for answer in accept(inbox, event(**one), event(**other))] == [
            Duplicate,
            Duplicate,
        ]
        assert stored(inbox, 1).id == event(**one).id

    # duplicates

    def test_a_duplicate_is_counted_and_changes_nothing_else(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
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

    def test_another_body_under_the_same_key_is_a_conflict_and_the_first_one_stays(
        self, inbox: Inbox, event: Maker
    ) -> None:
        accept(inbox, event(body=b"first"))
        assert accept(inbox, event(body=b"second")) == (Duplicate(1, "pending", conflict=True),)
        back = stored(inbox)
        assert (back.body, back.duplicates, back.conflicts) == (b"first", 1, 1)

    @pytest.mark.parametrize("state", ["succeeded", "ignored", "invalid", "dead", "discarded"])
    def test_a_duplicate_of_an_ended_event_says_how_it_ended(
        self, inbox: Inbox, event: Maker, clock: FakeClock, state: EventState
    ) -> None:
        accept(inbox, event())
        end(inbox, state, clock.now)
        assert accept(inbox, event()) == (Duplicate(1, state),)
        assert stored(inbox).state == state

    def test_a_duplicate_of_an_event_in_work_says_until_when_it_is_leased(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        lease(inbox, clock.now)
        assert accept(inbox, event()) == (Duplicate(1, "running", lease_until=1060.0),)

    def test_a_duplicate_gets_the_stored_reply(self, inbox: Inbox, event: Maker, clock: FakeClock) -> None:
        accept(inbox, event())
        reply = Response(418, b"\x00\xffteapot", ((b"x-a", b"1"), (b"x-a", b"\xff")))
        end(inbox, "succeeded", clock.now, reply=reply)
        (answer,) = accept(inbox, event())
        assert answer.reply == reply
        assert inbox.state_of(1) == ("succeeded", reply)

    def test_a_reply_outlives_a_later_attempt_that_has_none(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event())
        end(inbox, "pending", clock.now, reply=Response(200, b"hello"))
        end(inbox, "succeeded", clock.now)
        assert accept(inbox, event())[0].reply == Response(200, b"hello")

    def test_the_state_of_an_event_that_is_gone_is_none(self, inbox: Inbox) -> None:
        assert inbox.state_of(12345) == (None, None)

    # content replayed under another id

    def test_the_same_content_under_another_unsigned_id_is_kept_and_flagged(
        self, inbox: Inbox, event: Maker
    ) -> None:
        accept(inbox, event("a", b"same", content_key=b"k" * 32))
        assert accept(inbox, event("b", b"same", content_key=b"k" * 32)) == (
            Accepted(2, replayed_content=True),
        )
        assert [found.replayed_content for found in inbox.find(Query())] == [True, False]

    def test_the_same_content_under_another_id_is_refused_where_the_policy_wants_that(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        accept(inbox, event("a", b"same", content_key=b"k" * 32))
        refuse = Duplicates(refuse_replayed_content=True)
        again = event("b", b"same", content_key=b"k" * 32)
        assert accept(inbox, again, duplicates=refuse) == (Duplicate(1, "pending", replayed_content=True),)
        assert inbox.counts() == {("shop", "pending"): 1}
        assert stored(inbox).duplicates == 1

    def test_a_true_copy_is_a_plain_duplicate_even_if_its_content_came_before(
        self, inbox: Inbox, event: Maker
    ) -> None:
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

    def test_the_same_content_elsewhere_is_nothing_strange(self, inbox: Inbox, event: Maker) -> None:
        accept(inbox, event("a", content_key=b"k" * 32))
        other_source = event("b", source="other", content_key=b"k" * 32)
        other_tenant = event("b", tenant="t2", content_key=b"k" * 32)
        assert accept(inbox, other_source, other_tenant) == (Accepted(2), Accepted(3))
