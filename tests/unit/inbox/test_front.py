"""Claims begin where the last one got to, and nothing is overlooked for long."""

from __future__ import annotations

import pytest

from hookcatch.inbox.shared.front import FIRST, GRACE, LOOK, Front


class Timer:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def front(timer: Timer) -> Front:
    return Front(timer)


def claim(front: Front, at: float, now: float, of: str = "") -> None:
    front.reached(of, front.start(of), at, now)


def test_the_first_claim_looks_at_everything(front: Front):
    assert front.start() == FIRST


def test_the_next_begins_where_that_found_its_first(front: Front):
    claim(front, 1000.0, now=5000.0)
    assert front.start() == 1000.0


def test_what_is_new_is_always_looked_at_for_others_clocks_and_commits_are_late(front: Front):
    claim(front, 5000.0, now=5000.0)
    assert front.start() == 5000.0 - GRACE


def test_now_and_then_everything_is_looked_at_however_many_claims_there_are(front: Front, timer: Timer):
    claim(front, 1000.0, now=5000.0)
    for timer.now in (1.0, LOOK - 0.5):
        claim(front, 1000.0 + timer.now, now=5000.0)
        assert front.start() == 1000.0 + timer.now
    timer.now = LOOK
    assert front.start() == FIRST
    claim(front, 2000.0, now=5000.0)
    assert front.start() == 2000.0
    timer.now = 2 * LOOK
    assert front.start() == FIRST


def test_each_source_that_is_claimed_by_itself_has_its_own(front: Front):
    claim(front, 1000.0, now=5000.0, of="shop")
    assert (front.start("shop"), front.start("bank"), front.start()) == (1000.0, FIRST, FIRST)


def test_what_this_process_puts_before_it_is_seen_at_once(front: Front):
    claim(front, 1000.0, now=5000.0)
    claim(front, 900.0, now=5000.0, of="shop")
    front.lower(950.0)
    assert (front.start(), front.start("shop")) == (950.0, 900.0)
