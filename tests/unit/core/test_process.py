"""From a lease to its settlement: what one attempt, and all of them together, make of an event."""

from __future__ import annotations

import asyncio
import threading
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import pytest
from pydantic import BaseModel

from hookcatch.core.attempt import MAX_ERROR, idempotency_key
from hookcatch.core.errors import Discard, LeaseLost, Park, Retry
from hookcatch.core.model import Event
from hookcatch.core.payload import At
from hookcatch.core.retry import Backoff
from support.world import NOW, World


class Order(BaseModel):
    id: str
    total: Decimal


# one attempt


def test_a_handler_gets_the_data_as_its_model_and_the_envelope_by_its_type(world: World):
    got = []

    @world.on("order.*")
    def fulfil(order: Order, event: Event, total: Annotated[str, At("data.total")]) -> None:
        got.append((order, event, total))

    world.deliver("evt_1", at=NOW - 5)
    (close,) = world.work()

    ((order, event, total),) = got
    assert order == Order(id="o1", total=Decimal("9.90"))
    assert total == "9.90"
    assert (event.id, event.type, event.source, event.provider, event.tenant) == (
        "evt_1", "order.created", "shop", "believed", "",
    )  # fmt: skip
    assert event.data == order
    assert event.payload["id"] == "evt_1"
    assert b'"evt_1"' in event.raw
    assert event.headers == {"content-type": "application/json"}
    assert event.received_at == datetime.fromtimestamp(NOW, UTC)
    assert event.occurred_at == datetime.fromtimestamp(NOW - 5, UTC)
    assert (event.attempt, event.is_replay) == (1, False)
    assert uuid.UUID(event.idempotency_key)
    assert close.state == world.state("evt_1") == "succeeded"


def test_a_bare_event_has_the_data_as_it_came_and_none_where_there_is_none(world: World):
    got = []

    @world.on()
    def look(event: Event) -> None:
        got.append((event.data, event.occurred_at))

    world.deliver("1", data=[1])
    world.deliver("2", data=None)
    world.work()
    assert got == [([1], None), (None, None)]


def test_a_time_that_no_calendar_has_is_no_time(world: World):
    got = []

    @world.on()
    def look(event: Event) -> None:
        got.append(event.occurred_at)

    for n, at in enumerate((1e14, -1e14, 1e300)):
        world.deliver(str(n), at=at)
    world.work()
    assert got == [None, None, None]


def test_success_is_recorded_with_its_times(world: World):
    @world.on()
    def handler() -> None:
        world.clock.now += 3

    world.deliver()
    world.work()
    (run,) = world.runs().values()
    assert (run.state, run.attempts, run.run_at, run.error) == ("succeeded", 1, None, "")
    assert (run.started_at, run.finished_at) == (NOW, NOW + 3)
    assert world.book.attempts == [(run.handler, "succeeded", 1)]


def test_an_error_is_tried_again_after_a_wait_drawn_evenly_from_zero_to_the_longest(world: World):
    @world.on(backoff=Backoff(base=100, factor=2, cap=1000))
    def handler() -> None:
        raise KeyError("x")

    world.deliver()
    for drawn, wait in ((1.0, 100), (0.5, 100), (0.25, 100), (1.0, 800), (1.0, 1000)):
        world.drawn = drawn
        (close,) = world.work()
        assert (close.state, close.run_at) == ("pending", world.clock.now + wait)
        assert world.work() == []
        world.clock.now += wait


def test_an_error_is_described_by_its_type_its_words_and_its_place_without_any_values(world: World):
    @world.on(name="fulfil")
    def handler(order: Order) -> None:
        canary = order.id  # noqa: F841
        raise KeyError("x")

    world.deliver()
    world.work()
    error = world.runs()["fulfil"].error
    assert error.startswith("KeyError: 'x' (")
    assert error.endswith("in handler)")
    assert "test_process.py" in error
    assert world.event().error == f"fulfil: {error}"


def test_an_error_that_fails_to_say_what_it_is_is_an_error_like_any_other(world: World):
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @world.on()
    def handler() -> None:
        raise Mute

    world.deliver()
    (close,) = world.work()
    assert close.state == "pending"
    assert "Mute" in close.error


def test_of_endless_words_only_the_first_are_kept(world: World):
    @world.on(name="loud")
    def handler() -> None:
        raise ValueError("x" * 10**6)

    @world.on(name="strict")
    def strict(data: dict[str, int]) -> None: ...

    world.deliver(data={"x" * 10**5: "no number"})
    world.work()
    assert len(world.runs()["loud"].error) < MAX_ERROR + 300
    assert len(world.runs()["strict"].error) == MAX_ERROR


@pytest.mark.parametrize("error", [StopIteration(1), AssertionError(), ExceptionGroup("", [ValueError()])])
def test_even_odd_errors_end_only_the_attempt(world: World, error: Exception):
    @world.on()
    def handler() -> None:
        raise error

    world.deliver()
    (close,) = world.work()
    assert close.state == "pending"


def test_retry_says_itself_when(world: World):
    @world.on(name="bank")
    def handler() -> None:
        raise Retry("the bank is closed", after=3600)

    world.deliver()
    (close,) = world.work()
    assert (close.state, close.run_at, close.error) == ("pending", NOW + 3600, "bank: the bank is closed")


def test_retry_without_a_time_waits_as_usual_and_one_in_the_past_is_now(world: World):
    @world.on(name="a")
    def usual() -> None:
        raise Retry

    @world.on(name="b")
    def past() -> None:
        raise Retry(after=-5)

    world.deliver()
    world.work()
    assert world.runs()["a"].run_at == NOW + 10
    assert world.runs()["a"].error == "Retry"
    assert world.runs()["b"].run_at == NOW


def test_a_retry_with_nonsense_for_a_time_is_an_error_of_the_handler(world: World):
    @world.on(name="a")
    def handler() -> None:
        raise Retry(after="soon")

    world.deliver()
    (close,) = world.work()
    assert close.state == "pending"
    assert world.runs()["a"].error.startswith("ValueError")


def test_park_ends_it_at_once_and_keeps_it_in_sight(world: World):
    @world.on(name="a")
    def handler() -> None:
        raise Park("no such customer")

    world.deliver()
    (close,) = world.work()
    assert (close.state, close.error) == ("dead", "a: no such customer")
    assert world.runs()["a"].attempts == 1


def test_discard_ends_it_at_once_and_nobody_needs_to_look(world: World):
    @world.on(name="a")
    def handler() -> None:
        raise Discard("a test order")

    world.deliver()
    (close,) = world.work()
    assert (close.state, close.error) == ("discarded", "")
    assert world.runs()["a"].error == "a test order"


def test_attempts_are_spent_one_by_one_and_then_it_is_dead(world: World):
    @world.on(name="a", max_attempts=3)
    def handler() -> None:
        raise ValueError("no")

    world.deliver()
    for _ in range(2):
        assert world.work()[0].state == "pending"
        world.clock.now += 24 * 3600
    (close,) = world.work()
    assert close.state == "dead"
    assert close.error.startswith("a: gave up after 3 attempts: ValueError: no (")
    assert [attempt for _, _, attempt in world.book.attempts] == [1, 2, 3]


def test_with_one_attempt_there_is_no_second(world: World):
    @world.on(max_attempts=1)
    def handler() -> None:
        raise Retry(after=1)

    world.deliver()
    assert world.work()[0].state == "dead"


def test_a_payload_that_breaks_its_schema_is_parked_after_one_attempt_and_never_reaches_the_handler(
    world: World,
):
    @world.on(name="a")
    def handler(order: Order) -> None:
        raise AssertionError

    world.deliver(data={"id": "o1", "total": "canary"})
    (close,) = world.work()
    assert close.state == "invalid"
    assert close.error == "a: 1 validation error for Order\ntotal: Input should be a valid decimal"
    assert world.runs()["a"].attempts == 1


def test_a_part_that_is_missing_from_the_payload_is_invalid_too(world: World):
    @world.on(name="a")
    def handler(line: Annotated[str, At("data.lines.0")]) -> None: ...

    world.deliver()
    assert world.work()[0].error == "a: the payload has nothing at 'data.lines.0'"


def test_an_event_whose_payload_is_gone_is_invalid(world: World):
    @world.on(name="a")
    def handler() -> None: ...

    world.deliver()
    row = next(iter(world.inbox._rows.values()))
    row.body = None
    assert world.work()[0].error == "a: its payload is past retention and gone"


def test_a_stored_body_that_cannot_be_read_any_more_is_invalid(world: World):
    @world.on(name="a")
    def handler() -> None: ...

    world.deliver()
    row = next(iter(world.inbox._rows.values()))
    row.body = b'{"total": 1e999}'
    assert world.work()[0].state == "invalid"
    assert "out of range" in world.event().error


def test_the_idempotency_key_is_the_same_for_every_attempt_and_another_for_every_handler_and_event(
    world: World,
):
    keys: dict[str, list[str]] = {"a": [], "b": []}

    @world.on(name="a")
    def a(event: Event) -> None:
        keys["a"].append(event.idempotency_key)
        raise Retry(after=1)

    @world.on(name="b")
    def b(event: Event) -> None:
        keys["b"].append(event.idempotency_key)

    world.deliver("1")
    world.work()
    world.clock.now += 1
    world.work()
    world.deliver("2")
    world.work()
    assert keys["a"][0] == keys["a"][1] == idempotency_key("shop", "", "1", "a")
    assert len({*keys["a"], *keys["b"]}) == 4


def test_no_two_keys_run_together(world: World):
    assert idempotency_key("a", "", "bc", "h") != idempotency_key("ab", "", "c", "h")
    assert idempotency_key("a", "b", "", "h") != idempotency_key("a", "", "b", "h")
    assert idempotency_key("1:a", "", "", "h") != idempotency_key("", "1:a", "", "h")


# conditions


def test_a_condition_on_the_payload_filters_before_anything_is_validated(world: World):
    ran = []

    @world.on(name="a", when={"data.total": "9.90", "livemode": True})
    def handler(order: Order) -> None:
        ran.append(order)

    world.deliver("1", livemode=True)
    world.deliver("2", livemode=False, data={"total": "broken"})
    world.work()
    assert len(ran) == 1
    assert world.runs("2")["a"].state == "filtered"
    assert world.state("2") == "ignored"


def test_a_predicate_sees_the_validated_event(world: World):
    ran = []

    @world.on(name="a", when=lambda event: event.data.total > 5)
    def handler(event: Event[Order]) -> None:
        ran.append(event.id)

    world.deliver("1")
    world.deliver("2", data={"id": "o", "total": "4"})
    world.work()
    assert ran == ["1"]
    assert (world.state("1"), world.state("2")) == ("succeeded", "ignored")


def test_a_predicate_that_fails_fails_the_attempt(world: World):
    @world.on(when=lambda event: event.nothing)
    def handler() -> None: ...

    world.deliver()
    (close,) = world.work()
    assert close.state == "pending"
    assert "AttributeError" in close.error


# several handlers


def test_an_event_that_nobody_wants_is_ignored(world: World):
    world.deliver()
    (close,) = world.work()
    assert close.state == "ignored"
    assert world.runs() == {}


def test_a_retry_of_one_handler_never_runs_another_again(world: World):
    ran = []

    @world.on(name="a")
    def a() -> None:
        ran.append("a")

    @world.on(name="b")
    def b() -> None:
        ran.append("b")
        if ran.count("b") < 3:
            raise Retry(after=1)

    @world.on(name="c")
    def c() -> None:
        ran.append("c")

    world.deliver()
    for _ in range(3):
        world.work()
        world.clock.now += 1
    assert ran == ["a", "b", "c", "b", "b"]
    assert world.state() == "succeeded"
    assert {name: run.attempts for name, run in world.runs().items()} == {"a": 1, "b": 3, "c": 1}


def test_the_event_waits_for_the_earliest_retry_and_only_that_one_runs_then(world: World):
    ran = []

    def register(name: str, wait: float) -> None:
        @world.on(name=name)
        def handler(event: Event) -> None:
            ran.append(name)
            if event.attempt == 1:
                raise Retry(after=wait)

    register("late", 100)
    register("soon", 10)

    world.deliver()
    (close,) = world.work()
    assert close.run_at == NOW + 10
    world.clock.now += 10
    (close,) = world.work()
    assert (close.state, close.run_at) == ("pending", NOW + 100)
    assert ran == ["late", "soon", "soon"]
    world.clock.now += 90
    assert world.work()[0].state == "succeeded"
    assert ran == ["late", "soon", "soon", "late"]


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ("succeeded", "succeeded"),
        ("filtered", "ignored"),
        ("discarded", "discarded"),
        ("succeeded discarded filtered", "succeeded"),
        ("discarded filtered", "discarded"),
        ("succeeded invalid", "invalid"),
        ("invalid dead succeeded", "dead"),
        ("dead retry succeeded", "pending"),
        ("retry invalid", "pending"),
    ],
)
def test_the_heaviest_of_all_outcomes_is_that_of_the_event(world: World, outcomes: str, state: str):
    errors = {"discarded": Discard(), "dead": Park(), "retry": Retry(after=1)}

    def register(name: str) -> None:
        def run() -> None:
            if name in errors:
                raise errors[name]

        def broken(data: int) -> None: ...

        condition = {"when": lambda event: False} if name == "filtered" else {}
        world.on(name=name, **condition)(broken if name == "invalid" else run)

    for name in outcomes.split():
        register(name)
    world.deliver()
    assert world.work()[0].state == state == world.state()
    assert {run.state for run in world.runs().values()} == set(outcomes.split())


def test_each_result_is_on_disk_before_the_next_handler_starts(world: World):
    seen = []

    @world.on(name="a")
    def a() -> None:
        seen.append(sorted(world.runs()))

    @world.on(name="b")
    def b() -> None:
        seen.append(sorted(world.runs()))

    @world.on(name="c")
    def c() -> None:
        seen.append(sorted(world.runs()))

    world.deliver()
    world.work()
    assert seen == [[], ["a"], ["a", "b"]]


def test_a_handler_that_came_with_a_deploy_runs_beside_those_that_wait(world: World):
    ran = []

    def old() -> None:
        ran.append("old")
        raise Retry(after=1)

    world.on(name="old")(old)
    world.deliver()
    world.work()

    @world.on(name="new")
    def new() -> None:
        ran.append("new")

    world.clock.now += 1
    world.work()
    assert ran == ["old", "old", "new"]


def test_a_handler_that_went_with_a_deploy_holds_nothing_up(world: World):
    @world.on(name="old")
    def old() -> None:
        raise Retry(after=1)

    world.deliver()
    world.work()
    world.forget_handlers()
    world.clock.now += 1
    assert world.work()[0].state == "ignored"


def test_an_event_of_a_source_that_is_gone_is_still_handled(world: World):
    got = []

    @world.on()
    def handler(event: Event) -> None:
        got.append((event.provider, event.data["id"]))

    world.source("old")
    world.deliver(source="old")
    del world._endpoints["old"]
    world._app = None
    world.work()
    assert got == [("", "1")]


# leases


def test_the_lease_is_kept_alive_while_the_handlers_run(world: World):
    kept = []

    @world.on()
    def handler() -> None:
        kept.append(len(world.kept))

    world.deliver()
    world.work()
    assert kept == [1]


def test_a_worker_that_was_lost_counts_as_an_attempt(world: World):
    attempts = []

    @world.on(name="a", max_attempts=3)
    def handler(event: Event) -> None:
        attempts.append(event.attempt)
        raise Retry(after=1)

    world.deliver()
    world.work(lose=True)
    world.clock.now += 61
    assert world.work()[0].state == "pending"
    world.clock.now += 61
    assert world.work()[0].state == "dead"
    assert attempts == [2, 3]


def test_an_event_that_kills_three_workers_is_parked(world: World):
    @world.on()
    def handler() -> None:
        raise AssertionError

    world.deliver()
    for _ in range(4):
        world.work(lose=True)
        world.clock.now += 61
    assert (world.event().state, world.event().error) == ("dead", "worker_lost")


def test_whoever_lost_the_lease_writes_nothing(world: World):
    ran = []

    @world.on(name="a")
    def a() -> None:
        ran.append("a")
        if len(ran) == 1:
            world.lose_the_lease_of()

    @world.on(name="b")
    def b() -> None:
        ran.append("b")

    world.deliver()
    with pytest.raises(LeaseLost):
        world.work()
    assert ran == ["a"]
    assert world.runs() == {}
    assert world.state() == "running"
    world.clock.now += 61
    world.work()
    assert ran == ["a", "a", "b"]
    assert world.state() == "succeeded"


def test_a_replay_is_a_fresh_series_and_says_so(world: World):
    got = []

    @world.on(name="a", max_attempts=1)
    def handler(event: Event) -> None:
        got.append((event.attempt, event.is_replay, event.idempotency_key))
        raise Park

    world.deliver()
    world.work()
    assert world.inbox.replay([world.event().seq], now=world.clock.now).result() == 1
    world.work()
    assert got == [(1, False, got[0][2]), (1, True, got[0][2])]


# time


def test_a_plain_handler_that_takes_too_long_is_tried_again():
    world, go_on = World("threads"), threading.Event()
    world.on(timeout=0.02)(lambda: go_on.wait(5))
    world.deliver()
    (close,) = world.work()
    go_on.set()
    world.close()
    assert close.state == "pending"
    assert "TimeoutError: not done after 0.02 s" in close.error


def test_an_async_handler_that_takes_too_long_is_ended_and_tried_again():
    world, ended = World("awaited"), []

    @world.on(timeout=0.02)
    async def handler() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            ended.append(True)

    world.deliver()
    (close,) = world.work()
    world.close()
    assert ended == [True]
    assert close.state == "pending"
    assert "TimeoutError: not done after 0.02 s" in close.error


def test_a_handlers_own_timeout_is_told_in_its_own_words(world: World):
    @world.on(timeout=60)
    def handler() -> None:
        raise TimeoutError("the bank did not answer")

    world.deliver()
    assert "TimeoutError: the bank did not answer (" in world.work()[0].error
