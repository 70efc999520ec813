"""Times: how they are written, and how far from now they may be."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.signing.freshness import MILLISECONDS, RFC3339, SECONDS, Timestamp, judge, limit
from hookcatch.signing.places import Header


@pytest.mark.parametrize(
    ("unit", "text", "moment"),
    [
        (SECONDS, b"1700000000", 1.7e9),
        (SECONDS, b"0", 0),
        (SECONDS, b"1" * 12, 111_111_111_111),
        (SECONDS, b"1" * 13, None),
        (SECONDS, b"", None),
        (SECONDS, b"1.5", None),
        (SECONDS, "٣".encode(), None),
        (MILLISECONDS, b"1700000000123", 1700000000.123),
        (MILLISECONDS, b"1" * 16, None),
        (RFC3339, b"2023-11-14T22:13:20Z", 1.7e9),
        (RFC3339, b"2023-11-14t22:13:20.5z", 1.7e9 + 0.5),
        (RFC3339, b"2023-11-14T22:13:20.123456789Z", 1.7e9 + 0.123456789),
        (RFC3339, b"2023-11-14T23:13:20+01:00", 1.7e9),
        (RFC3339, b"2023-11-14T22:13:20", None),
        (RFC3339, b"2023-11-14 22:13:20Z", None),
        (RFC3339, b"2023-13-14T22:13:20Z", None),
        (RFC3339, b"2023-11-14T25:13:20Z", None),
        (RFC3339, b"2023-11-14T22:13:20.1234567890Z", None),
        (RFC3339, b"0000-01-01T00:00:00Z", None),
        (RFC3339, b"2023-11-14T22:13:20+99:99", None),
        (RFC3339, b"", None),
    ],
)
def test_a_time_is_read_in_one_way_only(unit: object, text: bytes, moment: float | None) -> None:
    assert unit.parse(text) == moment  # type: ignore[attr-defined]


@given(st.integers(0, 2**40 // 100))
def test_what_is_written_is_read(moment: int) -> None:
    for unit in (SECONDS, MILLISECONDS, RFC3339):
        assert unit.parse(unit.format(moment)) == moment


@given(
    st.sampled_from([SECONDS, MILLISECONDS, RFC3339]),
    st.binary(max_size=40) | st.text(max_size=20).map(str.encode),
)
def test_no_text_raises(unit: object, text: bytes) -> None:
    moment = unit.parse(text)  # type: ignore[attr-defined]
    assert moment is None or math.isfinite(moment)


def test_the_tolerance_holds_in_both_directions_and_its_border_is_inside() -> None:
    for off in (-300, 0, 300):
        judge(1000 + off, 1000, 300)
    with pytest.raises(Rejected, match="stale_timestamp: 301 s old"):
        judge(699, 1000, 300)
    with pytest.raises(Rejected, match="future_timestamp: 301 s ahead"):
        judge(1301, 1000, 300)


def test_a_configured_tolerance_wins_over_the_usual_one_and_none_is_no_limit() -> None:
    assert limit(300, None) == 300
    assert limit(300, 5) == 5
    assert limit(None, None) == math.inf
    assert limit(None, 7) == 7
    for wrong in (0, -1, math.nan):
        with pytest.raises(ConfigurationError, match="would refuse everything"):
            limit(300, wrong)


def test_without_the_time_of_now_only_the_syntax_is_judged() -> None:
    moment = Timestamp(Header("t")).moment(None)
    assert moment(b"5", None) == 5
    with pytest.raises(Rejected, match="stale"):
        moment(b"5", 1000.0)
    for nothing in (None, b""):
        with pytest.raises(Rejected, match="missing_timestamp"):
            moment(nothing, None)
    with pytest.raises(Rejected, match="malformed_timestamp"):
        moment(b"x", None)
