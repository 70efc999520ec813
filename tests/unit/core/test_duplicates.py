"""The table of SEMANTICS, section 5, row by row: what a second copy gets, by what the first one came to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from hookcatch.core.errors import Park, Retry
from hookcatch.core.model import Claim, Event
from hookcatch.core.ports import Retention
from hookcatch.core.rows import REVIVE_AFTER, new_events
from hookcatch.core.wire import Response
from support.world import NOW, Clock, World, letter


@pytest.fixture
def ran(world: World) -> list[str]:
    """Who ran; the handler does what the payload says."""
    noted: list[str] = []

    @world.on(name="a", max_attempts=2)
    def handler(event: Event) -> None:
        noted.append(event.id)
        if event.payload.get("do") == "retry":
            raise Retry(after=10)
        if event.payload.get("do") == "park":
            raise Park

    return noted


# ack="stored"


def test_stored_while_the_first_is_pending_is_200(world: World, ran: list[str]):
    world.deliver()
    assert world.deliver().status == 200
    assert world.state() == "pending"
    assert world.event().duplicates == 1
    world.work()
    assert ran == ["1"]


def test_stored_while_the_first_runs_is_200(world: World):
    world.on()(lambda: None)
    world.deliver()
    world.work(lose=True)
    assert world.state() == "running"
    assert world.deliver().status == 200
    assert world.state() == "running"


def test_stored_while_the_first_waits_for_a_retry_is_200_and_does_not_hurry_it(world: World, ran: list[str]):
    world.deliver(do="retry")
    world.work()
    assert world.deliver(do="retry").status == 200
    assert world.work() == []
    assert world.event().run_at == NOW + 10


@pytest.mark.parametrize("wanted", [True, False])
def test_stored_after_the_first_succeeded_or_was_ignored_is_200(world: World, ran: list[str], wanted: bool):
    if not wanted:
        world.forget_handlers()
    world.deliver()
    world.work()
    assert world.deliver().status == 200
    assert world.work() == []
    assert world.state() == ("succeeded" if wanted else "ignored")


def test_stored_of_a_dead_one_is_a_fresh_series_because_a_person_pressed_resend(world: World, ran: list[str]):
    world.deliver(do="park")
    world.work()
    assert world.state() == "dead"
    world.clock.now += REVIVE_AFTER + 1
    assert world.deliver(do="park").status == 200
    assert world.state() == "pending"
    world.work()
    assert ran == ["1", "1"]
    assert world.runs()["a"].attempts == 1


def test_stored_of_one_that_died_just_now_leaves_it_dead_so_that_retries_make_no_endless_loop(
    world: World, ran: list[str]
):
    world.deliver(do="park")
    world.work()
    world.clock.now += REVIVE_AFTER - 1
    assert world.deliver(do="park").status == 200
    assert world.state() == "dead"


def test_stored_of_a_dead_one_leaves_it_dead_if_the_policy_says_so(world: World, ran: list[str]):
    world.source(revive=False)
    world.deliver(do="park")
    world.work()
    world.clock.now += 10 * REVIVE_AFTER
    assert world.deliver(do="park").status == 200
    assert world.state() == "dead"


def test_stored_after_the_payload_went_is_200_for_the_key_outlives_it(world: World, ran: list[str]):
    world.deliver()
    world.work()
    world.clock.now += 15 * 86400
    assert world.inbox.prune(now=world.clock.now, retention=Retention()).result() == 1
    assert world.deliver().status == 200
    assert world.work() == []
    world.clock.now += 90 * 86400
    world.inbox.prune(now=world.clock.now, retention=Retention()).result()
    assert world.deliver().status == 200
    world.work()
    assert ran == ["1", "1"]  # after the key expired it is a new event


# ack="handled"


def test_handled_after_the_first_succeeded_is_200(world: World, ran: list[str]):
    world.source(ack="handled")
    world.deliver()
    assert world.deliver().status == 200
    assert ran == ["1"]
    assert world.book.answers[-1] == (200, "duplicate")


def test_handled_after_the_first_failed_runs_again_for_the_failure_released_the_claim(
    world: World, ran: list[str]
):
    world.source(ack="handled")
    assert world.deliver(do="retry").status == 503
    world.deliver(do="retry")
    assert ran == ["1", "1"]
    assert world.event().duplicates == 1


def undecided(world: World) -> None:
    """A receiver that died between its claim and its answer."""
    endpoint, request = world.app.endpoints["shop"], letter()
    rows = new_events(endpoint.verifier.verify(request, NOW), request, endpoint, NOW)
    world.inbox.accept(rows, claim=Claim("dead", NOW + 60, rescue=False)).result()


def test_handled_is_never_2xx_while_the_first_is_undecided(world: World, ran: list[str]):
    world.source(ack="handled", ack_deadline=0.1)
    undecided(world)
    world.clock.tick = 0.02
    response = world.deliver()
    assert response.status == 503
    assert (b"retry-after", b"5") in response.headers
    assert ran == []
    assert world.book.answers == [(503, "undecided")]


def test_handled_runs_again_when_the_lease_of_the_first_is_over(world: World, ran: list[str]):
    world.source(ack="handled")
    undecided(world)
    world.clock.now += 61
    assert world.deliver().status == 200
    assert ran == ["1"]


class Meeting:
    """Two copies at once: the first one's handler waits until it is told how to end."""

    def __init__(self, mode: Any) -> None:
        self.world = World(mode, clock=Clock(tick=0.001))
        self.started, self.go_on = threading.Event(), threading.Event()
        self.fails = False
        self.world.source(ack="handled", ack_deadline=4.0)

        @self.world.on(reply=True)
        def handler() -> str:
            self.started.set()
            self.go_on.wait(5)
            if self.fails:
                raise ValueError
            return "done"

    def both(self, end: Any) -> tuple[Response, Response]:
        if self.world.mode == "blocking":
            return self._threads(end)
        return self.world.run(self._tasks(end))

    def _threads(self, end: Any) -> tuple[Response, Response]:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(self.world.deliver)
            self.started.wait(5)
            second: Future[Response] = pool.submit(self.world.deliver)
            while self.world.event().duplicates == 0:
                pass
            end()
            return first.result(), second.result()

    async def _tasks(self, end: Any) -> tuple[Response, Response]:
        first = asyncio.ensure_future(self.world.receiving(letter()))
        while not self.started.is_set():
            await asyncio.sleep(0.001)
        second = asyncio.ensure_future(self.world.receiving(letter()))
        while self.world.event().duplicates == 0:
            await asyncio.sleep(0.001)
        end()
        return await first, await second


@pytest.fixture(params=["blocking", "threads"])
def meeting(request: pytest.FixtureRequest) -> Iterator[Meeting]:
    made = Meeting(request.param)
    yield made
    made.world.close()


def test_handled_at_the_same_instant_waits_for_the_first_and_mirrors_its_result(meeting: Meeting):
    first, second = meeting.both(meeting.go_on.set)
    assert first == second
    assert (first.status, first.body) == (200, b"done")


def test_handled_at_the_same_instant_is_503_if_the_first_fails(meeting: Meeting):
    meeting.fails = True
    first, second = meeting.both(meeting.go_on.set)
    assert (first.status, second.status) == (503, 503)
    assert meeting.world.state() == "failed"


def test_handled_at_the_same_instant_is_503_if_the_first_one_vanishes(meeting: Meeting):
    def vanish() -> None:
        inbox: Any = meeting.world.inbox
        with inbox._lock:
            (row,) = inbox._rows.values()
            inbox._drop(row)
        meeting.go_on.set()

    _, second = meeting.both(vanish)
    assert second.status == 503


# the same key with another body


def test_another_body_under_a_known_key_is_acknowledged_and_counted_and_the_first_wins(world: World):
    got = []

    @world.on()
    def handler(event: Event) -> None:
        got.append(event.payload["note"])

    world.deliver(note="first")
    assert world.deliver(note="second").status == 200
    assert (world.event().conflicts, world.event().duplicates) == (1, 1)
    world.work()
    assert got == ["first"]


def test_with_on_conflict_reject_it_is_409_but_a_true_copy_is_200(world: World):
    world.source(on_conflict="reject")
    world.deliver(note="first")
    assert world.deliver(note="second").status == 409
    assert world.deliver(note="first").status == 200
    assert "conflicting_body" in world.book.answers[1][1]


# the same content under another id, which is not signed


def renamed(id: str) -> Any:
    return letter().with_header("x-id", id)


def test_known_content_under_a_new_unsigned_id_is_kept_and_flagged(world: World):
    world.source(id_is_signed=False)
    for one in ("a", "b"):
        assert world.run(world.receiving(renamed(one))).status == 200
    assert [world.event(one).replayed_content for one in ("a", "b")] == [False, True]


def test_a_retry_of_what_was_flagged_is_a_duplicate_like_any_other(world: World):
    world.source(id_is_signed=False)
    assert [world.run(world.receiving(renamed(one))).status for one in ("a", "b", "b")] == [200, 200, 200]
    assert world.event("b").duplicates == 1


def test_with_on_replayed_content_reject_it_is_409_and_not_kept(world: World):
    world.source(id_is_signed=False, on_replayed_content="reject")
    statuses = [world.run(world.receiving(renamed(one))).status for one in ("a", "b", "a")]
    assert statuses == [200, 409, 200]
    assert sum(world.inbox.counts().values()) == 1


def test_with_on_replayed_content_accept_it_is_like_any_other(world: World):
    world.source(id_is_signed=False, on_replayed_content="accept")
    for one in ("a", "b"):
        world.run(world.receiving(renamed(one)))
    assert not world.event("b").replayed_content


def test_where_the_id_is_signed_equal_content_is_two_events(world: World):
    world.source(on_replayed_content="reject")
    assert [world.run(world.receiving(renamed(one))).status for one in ("a", "b")] == [200, 200]
    assert not world.event("b").replayed_content


def test_the_same_id_from_two_sources_is_two_events(world: World):
    world.source("other")
    world.deliver(source="shop")
    world.deliver(source="other")
    assert world.event(source="shop").duplicates == world.event(source="other").duplicates == 0
