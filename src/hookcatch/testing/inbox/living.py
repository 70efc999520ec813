"""Opening, closing, and what the next process finds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait

import pytest

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.model import (
    Accepted,
    Duplicate,
    NewEvent,
    Run,
)
from hookcatch.core.ports import Inbox
from hookcatch.core.secret import Secret

from .base import Base, FakeClock, Maker, accept, lease


async def _awaited(inbox: Inbox, new: NewEvent) -> tuple[Accepted | Duplicate, ...]:
    import asyncio

    return await asyncio.wrap_future(inbox.accept([new]))


class Living(Base):
    """See `InboxContract`."""

    # futures, opening, closing

    def test_every_future_works_with_wait(self, inbox: Inbox, event: Maker) -> None:
        futures = [inbox.accept([event(f"evt_{number}")]) for number in range(3)]
        done, left = wait(futures, timeout=30)
        assert (len(done), len(left)) == (3, 0)

    def test_every_future_works_in_an_event_loop(self, inbox: Inbox, event: Maker) -> None:
        import asyncio

        assert asyncio.run(_awaited(inbox, event())) == (Accepted(1),)

    def test_a_caller_that_stops_waiting_does_not_stop_the_commit(self, inbox: Inbox, event: Maker) -> None:
        future = inbox.accept([event()])
        assert not future.cancel()
        future.result()
        assert inbox.counts() == {("shop", "pending"): 1}

    def test_opening_twice_and_closing_twice_is_no_error_and_it_opens_again(
        self, inbox: Inbox, event: Maker
    ) -> None:
        inbox.open()
        accept(inbox, event())
        inbox.close()
        inbox.close()
        inbox.open()
        assert accept(inbox, event()) == (Duplicate(1, "pending"),)

    def test_what_was_accepted_is_there_for_the_next_process(
        self, inbox: Inbox, event: Maker, fresh: Callable[[], Inbox]
    ) -> None:
        if not inbox.shared:
            pytest.skip("lives in one process")
        accept(inbox, event())
        other = fresh()
        other.open()
        assert accept(other, event()) == (Duplicate(1, "pending"),)
        assert [held.event.id for held in lease(other, 1000.0)] == ["evt_1"]
        assert lease(inbox, 1000.0) == ()
        other.close()

    def test_a_transaction_is_refused_by_a_store_that_has_none(
        self, inbox: Inbox, event: Maker, clock: FakeClock
    ) -> None:
        if inbox.transactional:
            pytest.skip("has transactions")
        accept(inbox, event())
        (held,) = lease(inbox, clock.now)
        with pytest.raises(ConfigurationError, match="sqlite"):
            inbox.transaction(held, Run("h", "succeeded", 1))

    # the secrets that senders bring

    def test_the_first_secret_that_is_brought_is_the_one_that_is_known(self, inbox: Inbox) -> None:
        assert inbox.learned("asana", "acme") is None
        assert inbox.learn("asana", "acme", Secret(b"one")).result() is True
        assert inbox.learn("asana", "acme", Secret(b"two")).result() is False
        assert inbox.learn("asana", "acme", Secret(b"one")).result() is True
        assert inbox.learned("asana", "acme").reveal() == b"one"

    def test_secrets_are_known_by_source_and_tenant(self, inbox: Inbox) -> None:
        places = [("asana", ""), ("asana", "acme"), ("asana", "\ud800"), ("notion", "acme")]
        for number, place in enumerate(places):
            assert inbox.learn(*place, Secret(b"%d" % number)).result() is True
        assert [inbox.learned(*place).reveal() for place in places] == [b"0", b"1", b"2", b"3"]
        assert list(inbox.learners()) == places

    def test_a_forgotten_secret_makes_room_for_another(self, inbox: Inbox) -> None:
        inbox.learn("asana", "acme", Secret(b"one")).result()
        assert inbox.forget("asana", "acme").result() is True
        assert inbox.forget("asana", "acme").result() is False
        assert inbox.learned("asana", "acme") is None
        assert inbox.learn("asana", "acme", Secret(b"two")).result() is True

    def test_a_secret_that_was_brought_is_there_for_the_next_process(
        self, inbox: Inbox, fresh: Callable[[], Inbox]
    ) -> None:
        inbox.learn("asana", "acme", Secret(b"one")).result()
        if not inbox.shared:
            assert fresh().learned("asana", "acme") is None
            return
        other = fresh()
        other.open()
        assert other.learned("asana", "acme").reveal() == b"one"
        assert other.learn("asana", "acme", Secret(b"two")).result() is False
        other.close()
