"""Order per key and stale events, with failures and kills; the builds that have neither are caught."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from lab.options import Options
from lab.order import Crowd, order, stale

pytestmark = pytest.mark.slow

CROWD = Crowd(keys=30, events=8, workers=2, kill=(0.3, 0.6))


def options(place: Path, broken: str = "") -> Options:
    return Options(str(place / "inbox.db"), str(place / "effects.log"), broken=broken)


def test_events_of_a_key_are_in_order_whatever_fails_and_dies_and_without_lanes_they_are_not(tmp_path):
    verdict = asyncio.run(order(CROWD, options(tmp_path), tmp_path))
    assert verdict.broken_lines == [], verdict.figures


def test_of_versions_that_come_in_any_order_the_newest_has_the_last_word(tmp_path):
    verdict = asyncio.run(stale(CROWD, options(tmp_path), tmp_path))
    assert verdict.broken_lines == [], verdict.figures


def test_a_build_that_forgets_versions_is_caught(tmp_path):
    verdict = asyncio.run(stale(CROWD, options(tmp_path, "forgets-versions"), tmp_path))
    assert "for every key the newest event had the last word" in verdict.broken_lines, verdict.figures
