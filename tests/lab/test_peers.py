"""How the storm over other engines is counted. The storm itself blows by hand: `python -m lab peers`."""

from __future__ import annotations

from collections import Counter

from lab.crash import Storm
from lab.peers import judge
from lab.sender import Tally


def test_what_is_gone_what_is_held_by_the_dead_and_what_was_done_twice_are_told_apart() -> None:
    ids = {f"evt_{number:05d}" for number in range(5)}
    done = Counter({"evt_00000": 1, "evt_00001": 2, "evt_00004": 1})
    verdict = judge("celery", Storm(5), Tally(ids, acks=6), done, {"evt_00002", "evt_00004"}, 3, 10.0)
    assert verdict.figures["acknowledged and lost"] == 1
    assert verdict.figures["acknowledged and stranded"] == 1
    assert verdict.figures["done twice"] == 1
    assert verdict.passed


def test_a_storm_that_killed_nothing_or_was_not_acknowledged_is_none() -> None:
    calm = judge("celery", Storm(1), Tally({"evt_00000"}), Counter({"evt_00000": 1}), set(), 0, 1.0)
    unheard = judge("celery", Storm(2), Tally({"evt_00000"}), Counter({"evt_00000": 1}), set(), 1, 1.0)
    assert not calm.passed
    assert not unheard.passed
