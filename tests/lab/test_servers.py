"""The same storms on PostgreSQL, MariaDB, Redis and NATS, as a server of processes, and servers that go down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab.crash import Storm, crash
from lab.options import Options
from lab.verdict import Verdict

from lab import clocks, cluster, drain, handoff, outage, own_redis, race, stores, zombie
from support.databases import SERVERS

pytestmark = pytest.mark.slow

STORM = Storm(events=250, rate=250.0, kill=(0.2, 0.5))
WEATHER = outage.Weather(events=300, rate=100.0, up=(0.6, 1.0), down=(0.3, 0.5))


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Callable[..., Options]]:
    """Options for an inbox in a database of its own."""
    made: list[Any] = []

    def on(name: str = "postgres", **wishes: Any) -> Options:
        server = SERVERS[name]
        server.need()
        made.append(stores.made(server.url(server.home)))
        options = Options("", str(tmp_path / "effects.log"), server=made[-1].__enter__())
        return replace(options, **wishes)

    yield on
    for one in made:
        one.__exit__(None, None, None)


def holds(verdict: Verdict) -> None:
    assert verdict.broken_lines == [], verdict.figures


@pytest.mark.parametrize("name", SERVERS)
def test_in_a_storm_of_kills_what_is_done_in_the_transaction_is_done_once(on, name, tmp_path):
    holds(asyncio.run(crash(STORM, on(name), tmp_path)))


@pytest.mark.parametrize("name", stores.OWN)
def test_in_a_storm_of_kills_a_store_without_transactions_loses_nothing(name, tmp_path):
    if why := stores.OWN[name]():
        pytest.skip(why)
    with stores.made(name) as url:
        options = Options("", str(tmp_path / "effects.log"), server=url, tx=False)
        holds(asyncio.run(crash(STORM, options, tmp_path)))


def test_a_worker_that_slept_past_its_leases_can_commit_nothing(on, tmp_path):
    holds(asyncio.run(zombie.zombie(20, on(), tmp_path)))


@pytest.mark.parametrize("broken", ["", clocks.OWN_CLOCK])
def test_what_a_worker_held_whose_clock_jumped_ten_years_back_is_taken_over_and_done_once(
    on, broken, tmp_path
):
    verdict = asyncio.run(clocks.clocks([-clocks.DECADE], on(broken=broken), tmp_path))
    caught = ["no wrong clock left leases behind"] if broken else []
    assert verdict.broken_lines == caught, verdict.figures


@pytest.mark.parametrize("broken", ["", clocks.OWN_CLOCK])
def test_of_two_live_workers_whose_clocks_disagree_none_takes_what_the_other_holds(on, broken, tmp_path):
    verdict = asyncio.run(clocks.beside([clocks.HOUR], on(broken=broken), tmp_path))
    if broken:
        assert "nothing was taken from a worker that lived" in verdict.broken_lines, verdict.figures
    else:
        holds(verdict)


def test_a_build_without_a_fence_is_caught(on, tmp_path):
    verdict = asyncio.run(zombie.zombie(10, on("mariadb", broken="no-fence"), tmp_path))
    assert "nothing was done twice" in verdict.broken_lines, verdict.figures


@pytest.mark.parametrize("name", SERVERS)
def test_of_64_simultaneous_copies_one_is_kept_and_all_are_acknowledged(on, name, tmp_path):
    holds(asyncio.run(race.race(3, 64, "uvicorn", on(name), tmp_path)))


def test_receivers_and_workers_are_restarted_in_turn_and_waste_no_attempt(on, tmp_path):
    holds(asyncio.run(drain.drain(2, 60.0, "uvicorn", on(), tmp_path, apart=True)))


needs_cluster = pytest.mark.skipif(bool(cluster.missing()), reason=cluster.missing() or "-")


@needs_cluster
@pytest.mark.parametrize("broken", ["", "ack-first"])
def test_a_server_that_crashes_again_and_again_loses_nothing_and_who_does_not_ask_it_is_caught(
    broken, tmp_path
):
    options = Options("", str(tmp_path / "effects.log"), broken=broken)
    verdict = asyncio.run(outage.outage(WEATHER, options, tmp_path))
    lost = {"no acknowledged event is lost", "no 2xx was said while the server was down"}
    assert set(verdict.broken_lines) == (lost if broken else set()), (verdict.broken_lines, verdict.figures)


@pytest.mark.skipif(bool(own_redis.missing()), reason=own_redis.missing() or "-")
@pytest.mark.parametrize("broken", ["", own_redis.FORGETFUL])
def test_a_redis_that_is_killed_again_and_again_loses_nothing_and_one_without_a_file_is_caught(
    broken, tmp_path
):
    options = Options("", str(tmp_path / "effects.log"), tx=False, broken=broken)
    verdict = asyncio.run(outage.outage(WEATHER, options, tmp_path, "redis"))
    if broken:
        assert "no acknowledged event is lost" in verdict.broken_lines, verdict.figures
    else:
        holds(verdict)


@pytest.mark.skipif(bool(handoff.missing()), reason=handoff.missing() or "-")
def test_what_a_relay_handed_over_before_it_died_and_again_afterwards_is_done_once(tmp_path):
    options = Options(str(tmp_path / "inbox.db"), str(tmp_path / "effects.log"))
    holds(asyncio.run(handoff.handoff(30, 1.0, options, tmp_path, most=1)))
