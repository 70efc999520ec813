"""A receiver that is killed all the time loses nothing, and builds that would are found out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from lab.crash import Storm, crash
from lab.options import Options
from lab.verdict import Verdict

pytestmark = pytest.mark.slow

STORM = Storm(events=500, rate=250.0, kill=(0.2, 0.5))


def run(place: Path, storm: Storm = STORM, **wishes: object) -> Verdict:
    options = Options(str(place / "inbox.db"), str(place / "effects.log"))
    return asyncio.run(crash(storm, replace(options, **wishes), place))


def test_in_a_storm_of_kills_what_is_done_in_the_transaction_is_done_once(tmp_path):
    verdict = run(tmp_path, tx=True)
    assert verdict.broken_lines == [], verdict.figures


def test_in_a_storm_of_kills_what_is_done_elsewhere_is_done_at_least_once(tmp_path):
    verdict = run(tmp_path, tx=False)
    assert verdict.broken_lines == [], verdict.figures


@pytest.mark.parametrize(
    ("broken", "caught"),
    [
        ("ack-first", "no acknowledged event is lost"),
        ("no-dedupe", "nothing was done twice"),
    ],
)
def test_a_build_that_breaks_the_promise_is_caught(tmp_path, broken, caught):
    verdict = run(tmp_path, replace(STORM, duplicates=0.2), broken=broken)
    assert caught in verdict.broken_lines, verdict.figures


def test_marking_an_event_done_before_the_work_is_caught(tmp_path):
    verdict = run(tmp_path, tx=False, broken="mark-first", before=0.05)
    assert "no acknowledged event is lost" in verdict.broken_lines, verdict.figures
