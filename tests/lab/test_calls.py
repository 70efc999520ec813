"""An end at every call of the store, and handlers that outlast their leases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from lab.crash_points import crash_points
from lab.options import Options
from lab.slow import slow

pytestmark = pytest.mark.slow


def options(place: Path, *, tx: bool, ack: str = "stored") -> Options:
    return Options(str(place / "inbox.db"), str(place / "effects.log"), tx=tx, ack=ack)


@pytest.mark.parametrize(
    ("tx", "ack"), [(True, "stored"), (False, "stored"), (False, "handled")], ids=["tx", "stored", "handled"]
)
def test_a_process_may_end_before_and_after_each_call_of_the_store(tmp_path, tx, ack):
    verdict = asyncio.run(crash_points(options(tmp_path, tx=tx, ack=ack), tmp_path))
    assert verdict.broken_lines == [], verdict.figures


def test_twenty_handlers_that_take_three_leases_each_keep_them_all(tmp_path):
    verdict = asyncio.run(slow(20, options(tmp_path, tx=True), tmp_path))
    assert verdict.broken_lines == [], verdict.figures
