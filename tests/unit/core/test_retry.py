"""When to try again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.core.retry import Backoff


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 10), (2, 40), (3, 160), (4, 640), (6, 10_240), (7, 21_600), (50, 21_600)]
)
def test_the_longest_wait_grows_four_times_a_try_up_to_six_hours(attempt: int, longest: float):
    assert Backoff().delay(attempt, lambda: 1.0) == longest


def test_the_wait_is_drawn_from_zero_to_the_longest_full_jitter():
    assert Backoff().delay(3, lambda: 0.0) == 0
    assert Backoff().delay(3, lambda: 0.25) == 40


def test_twelve_attempts_span_at_most_a_day_and_a_half():
    spent = sum(Backoff().delay(attempt, lambda: 1.0) for attempt in range(1, 12))
    assert 24 * 3600 < spent < 36 * 3600


@given(attempt=st.integers(1, 10**9), base=st.floats(0, 1e6), factor=st.floats(1, 100), drawn=st.floats(0, 1))
def test_no_number_of_attempts_breaks_it(attempt: int, base: float, factor: float, drawn: float):
    backoff = Backoff(base=base, factor=factor, cap=60.0)
    assert 0 <= backoff.delay(attempt, lambda: drawn) <= 60
