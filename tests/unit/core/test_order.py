"""Order per key, limits and stale events: what a source's wishes make of its events."""

from __future__ import annotations

from typing import Any

import pytest

from hookcatch.core.errors import Park, Retry
from hookcatch.core.model import Event, Lane
from hookcatch.core.order import Order
from support.world import NOW, World


def handled(world: World, **wishes: Any) -> list[tuple[str, bool]]:
    """The ids that a handler will have got, and whether they were stale; it parks what says so."""
    got: list[tuple[str, bool]] = []
    world.source(order=Order(**wishes))

    @world.on()
    def handler(event: Event) -> None:
        got.append((event.id, event.is_stale))
        if event.payload.get("fails") == "once" and event.attempt == 1:
            raise Retry(after=30)
        if event.payload.get("fails") == "for good":
            raise Park("no")

    return got


def work_off(world: World) -> None:
    while world.work():
        pass


def ends(world: World) -> dict[str, str]:
    return {event.id: event.error or event.state for event in world.events()}


# what the payload says


@pytest.mark.parametrize(
    ("found", "key"),
    [
        ("a", "a"),
        ("1", "1"),
        (1, "1"),
        (0, "0"),
        (-(10**30), str(-(10**30))),
        ("\ud800", "\ud800"),
        ("", None),
        (1.0, None),
        (True, None),
        (None, None),
        ([1], None),
        ({"id": 1}, None),
    ],
)
def test_a_lane_is_named_by_a_text_or_a_whole_number(found: Any, key: str | None):
    lane = Order(order_by="data.id").lane({"data": {"id": found}})
    assert lane == (None if key is None else Lane(key))


@pytest.mark.parametrize("payload", [{}, {"data": {}}, {"data": [{"id": 1}]}, [], b"data", None])
def test_where_the_payload_has_no_such_place_an_event_is_in_no_lane(payload: Any):
    assert Order(order_by="data.id").lane(payload) is None


def test_lanes_are_as_the_source_wants_them():
    payload = {"a": "x", "b": "y"}
    assert Order().lane(payload) is None
    assert Order(order_by="a", on_parked="block").lane(payload) == Lane("x", blocks=True)
    assert Order(concurrency_key="b", concurrency=7).lane(payload) == Lane("y", 7, ordered=False)
    assert Order(concurrency=7).lane(payload) is None
    assert [Order(concurrency=7).cap, Order(concurrency_key="b", concurrency=7).cap] == [7, None]


@pytest.mark.parametrize(
    ("found", "version"),
    [
        (7, 7.0),
        (1.5, 1.5),
        (2**53, 2.0**53),
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.25", 1.25),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-02", 86400.0),
        ("yesterday", None),
        ("7", None),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
        (10**400, None),
        (float("inf"), None),
        (float("nan"), None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_a_version_is_a_number_or_a_time(found: Any, version: float | None):
    assert Order(version="v").version_of({"v": found}) == version
    assert Order().version_of({"v": found}) is None


# one after the other


def test_events_of_one_key_are_handled_one_after_the_other_also_across_retries(world: World):
    got = handled(world, order_by="of")
    world.deliver("a1", of="a", fails="once")
    world.deliver("a2", of="a")
    world.deliver("b1", of="b")
    world.deliver("free")
    work_off(world)
    assert [id for id, _ in got] == ["a1", "b1", "free"]  # noqa: A001
    world.clock.now += 30
    work_off(world)
    assert [id for id, _ in got] == ["a1", "b1", "free", "a1", "a2"]  # noqa: A001


@pytest.mark.parametrize(("on_parked", "then"), [("skip", "succeeded"), ("block", "pending")])
def test_a_parked_event_is_skipped_or_blocks_as_the_source_wants(world: World, on_parked: Any, then: str):
    handled(world, order_by="of", on_parked=on_parked)
    world.deliver("a1", of="a", fails="for good")
    world.deliver("a2", of="a")
    work_off(world)
    assert world.state("a2") == then


# stale events


def deliver_late(world: World) -> None:
    """The second one is older than the first, the third as old, the fourth does not say, the fifth is newer."""
    for id, version in (("b", 5), ("a", 3), ("b2", 5), ("odd", None), ("c", 9)):  # noqa: A001
        world.deliver(id, of="x", v=version)
        work_off(world)


def test_a_stale_event_is_handled_and_knows_it(world: World):
    got = handled(world, order_by="of", version="v")
    deliver_late(world)
    assert got == [("b", False), ("a", True), ("b2", False), ("odd", False), ("c", False)]


@pytest.mark.parametrize("stale", ["skip", "refetch"])
def test_a_stale_event_is_ignored_where_the_source_wants_that(world: World, stale: Any):
    got = handled(world, order_by="of", version="v", stale=stale)
    deliver_late(world)
    assert [id for id, _ in got] == ["b", "b2", "odd", "c"]  # noqa: A001
    assert ends(world)["a"] == "stale"
    assert world.state("a") == "ignored"


def test_what_did_not_succeed_makes_nothing_stale(world: World):
    got = handled(world, order_by="of", version="v", stale="skip")
    world.deliver("b", of="x", v=5, fails="for good")
    world.deliver("a", of="x", v=3)
    world.deliver("elsewhere", of="y", v=1)
    work_off(world)
    assert got == [("b", False), ("elsewhere", False), ("a", False)]


def test_a_handler_that_fetches_the_present_state_is_called_for_the_last_event_that_waits(world: World):
    got = handled(world, order_by="of", stale="refetch")
    for id in ("a", "b", "c"):  # noqa: A001
        world.deliver(id, of="x")
    world.deliver("other", of="y")
    work_off(world)
    assert sorted(id for id, _ in got) == ["c", "other"]  # noqa: A001
    assert ends(world) == {"a": "superseded", "b": "superseded", "c": "succeeded", "other": "succeeded"}


def test_a_debounced_event_waits_and_gives_way_to_one_that_came_meanwhile(world: World):
    got = handled(world, order_by="of", debounce=5.0)
    world.deliver("a", of="x")
    world.deliver("free")
    work_off(world)
    assert [id for id, _ in got] == ["free"]  # noqa: A001
    world.clock.now = NOW + 4
    world.deliver("b", of="x")
    world.clock.now = NOW + 5
    work_off(world)
    assert ends(world)["a"] == "superseded"
    world.clock.now = NOW + 9
    work_off(world)
    assert [id for id, _ in got] == ["free", "b"]  # noqa: A001
    world.deliver("c", of="x")
    world.clock.now += 5
    work_off(world)
    assert [id for id, _ in got] == ["free", "b", "c"]  # noqa: A001


def test_an_event_whose_source_is_gone_is_in_nobodys_way(world: World):
    handled(world, order_by="of", version="v", stale="skip")
    world.deliver("a", of="x", v=5)
    world.deliver("b", of="x", v=3)
    world._endpoints.clear()
    world._app = None
    work_off(world)
    assert ends(world) == {"a": "succeeded", "b": "succeeded"}
