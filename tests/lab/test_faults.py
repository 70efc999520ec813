"""Stopped, starved, poisoned, raced: each experiment of the lab at a size for every run, and its broken build."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab.options import Options
from lab.processes import SERVERS
from lab.verdict import Verdict

from lab import clocks, crowd, disk_full, drain, malformed, poison, race, spool, strace_ack, zombie
from support.databases import POSTGRES

Experiment = Callable[[Options, Path], Coroutine[Any, Any, Verdict]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Verdict]:
    def run(experiment: Experiment, **wishes: object) -> Verdict:
        options = Options(str(tmp_path / "inbox.db"), str(tmp_path / "effects.log"))
        return asyncio.run(experiment(replace(options, **wishes), tmp_path))

    return run


def holds(verdict: Verdict) -> None:
    assert verdict.broken_lines == [], verdict.figures


needs_strace = pytest.mark.skipif(bool(strace_ack.missing()), reason=strace_ack.missing() or "-")


@needs_strace
def test_every_2xx_leaves_after_the_fsync_of_its_event(run):
    holds(run(lambda options, place: strace_ack.strace_ack(60, options, place)))


@needs_strace
def test_a_build_that_does_not_wait_for_the_disk_is_caught(run):
    verdict = run(lambda options, place: strace_ack.strace_ack(60, options, place), broken="normal-sync")
    assert verdict.broken_lines == ["each left after the fsync of its event's write"], verdict.figures


@pytest.mark.slow
@pytest.mark.parametrize("floor", [1 << 20, 0], ids=["above the floor", "into the wall"])
def test_a_full_disk_refuses_events_and_loses_none(run, floor):
    why = disk_full.missing()
    if why:
        pytest.skip(why)
    try:
        verdict = run(lambda options, place: disk_full.disk_full(2000, floor, options, place))
    except OSError as error:
        pytest.skip(str(error))
    holds(verdict)


@pytest.mark.slow
def test_a_worker_that_slept_past_its_leases_can_commit_nothing(run):
    holds(run(lambda options, place: zombie.zombie(50, options, place)))


@pytest.mark.slow
def test_a_build_without_a_fence_is_caught(run):
    verdict = run(lambda options, place: zombie.zombie(20, options, place), broken="no-fence")
    assert "nothing was done twice" in verdict.broken_lines, verdict.figures


@pytest.mark.slow
def test_an_event_that_kills_its_workers_is_parked_and_takes_no_other_with_it(run):
    holds(run(lambda options, place: poison.poison(200, options, place)))


@pytest.mark.slow
@pytest.mark.parametrize("server", ["uvicorn", "gunicorn", "run"])
def test_rolling_restarts_under_load_refuse_nothing_and_waste_no_attempt(run, server):
    holds(run(lambda options, place: drain.drain(4, 100.0, server, options, place)))


@pytest.mark.parametrize("ack", ["stored", "handled"])
@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_of_64_simultaneous_copies_one_is_kept_and_all_are_acknowledged(run, ack, server):
    holds(run(lambda options, place: race.race(15, 64, server, options, place), ack=ack))


def test_a_build_that_looks_before_it_inserts_is_caught(run):
    verdict = run(lambda options, place: race.race(3, 64, "uvicorn", options, place), broken="exists-first")
    assert "one row each" in verdict.broken_lines, verdict.figures


@pytest.mark.parametrize("server", [name for name in SERVERS if name != "run"])
def test_no_malformed_request_is_a_5xx_or_hangs_or_costs_memory(run, server):
    n = {"uvicorn": 1500, "gunicorn": 800, "gunicorn-sync": 150}.get(server, 300)
    holds(run(lambda options, place: malformed.malformed(n, server, 7, options, place)))


@pytest.mark.slow
def test_what_a_worker_held_whose_clock_jumped_ten_years_ahead_is_taken_over_and_done_once(run):
    holds(run(lambda options, place: clocks.clocks([clocks.DECADE], options, place)))


def test_processes_that_write_to_one_file_at_once_are_refused_nothing_and_lose_nothing(run):
    holds(run(lambda options, place: crowd.crowd(4, 0.5, options, place)))


def test_a_build_whose_writers_do_not_wait_for_their_turn_is_caught(run):
    verdict = run(lambda options, place: crowd.crowd(3, 0.5, options, place), broken="no-turns")
    assert "nothing was refused" in verdict.broken_lines, verdict.figures


async def told(answer: bytes, *, closes: bool) -> malformed.Seen:
    """What the experiment sees of a server that answers everybody with this."""
    ends = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        if not closes:
            await ends.wait()
        writer.close()

    server, seen = await asyncio.start_server(serve, "127.0.0.1", 0), malformed.Seen()
    await malformed._one(server.sockets[0].getsockname()[1], b"noise", "noise 1", seen)
    ends.set()
    server.close()
    return seen


def test_a_server_that_says_500_or_never_answers_is_caught(monkeypatch):
    monkeypatch.setattr(malformed, "PATIENCE", 0.5)
    assert asyncio.run(told(b"HTTP/1.1 500 Oh\r\n\r\n", closes=True)).failures == ["500 noise 1"]
    assert asyncio.run(told(b"", closes=False)).hung == ["noise 1"]
    well = asyncio.run(told(b"HTTP/1.1 400 Bad\r\n\r\n", closes=True))
    assert (well.failures, well.hung, dict(well.statuses)) == ([], [], {400: 1})


SHORT = spool.Outage(events=200, silent=0.3, away=1.5, kills=1)


@pytest.mark.slow
def test_a_store_that_is_cut_off_costs_no_delivery_and_neither_do_kills_meanwhile(run):
    POSTGRES.need()
    holds(run(lambda options, place: spool.spool(SHORT, True, options, place)))


@pytest.mark.slow
def test_without_a_spool_deliveries_are_refused_meanwhile(run):
    POSTGRES.need()
    verdict = run(lambda options, place: spool.spool(SHORT, False, options, place))
    assert verdict.broken_lines == ["every answer was a 2xx or a broken connection"], verdict.figures
