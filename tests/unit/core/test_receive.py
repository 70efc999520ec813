"""From a request to the ack: what is said to the sender, and what is kept by then."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel

from hookcatch.core.errors import InboxUnavailable, Park, Rejected, Retry
from hookcatch.core.flow import receive, turn_away
from hookcatch.core.model import Claim, Event
from hookcatch.core.payload import At
from hookcatch.core.rows import new_events
from hookcatch.core.wire import Request, Response
from support.world import NOW, World, letter


class Order(BaseModel):
    id: str


def retry_after(response: Response) -> int:
    return int(dict(response.headers)[b"retry-after"])


# ack="stored"


def test_an_event_is_kept_and_then_acknowledged_without_any_handler_having_run(world: World):
    ran = []
    world.on()(lambda: ran.append(1))
    response = world.deliver("evt_1")
    assert (response.status, response.body) == (200, b"ok\n")
    assert world.state("evt_1") == "pending"
    assert ran == []
    assert world.book.answers == [(200, "stored")]


def test_all_events_of_a_batch_are_kept_each_by_itself(world: World):
    batch = [{"id": str(n), "type": "t", "data": n} for n in range(3)]
    response = world.run(world.receiving(Request("POST", "", [], json.dumps(batch))))
    assert response.status == 200
    got = []

    @world.on()
    def handler(event: Event) -> None:
        got.append((event.id, event.data))

    world.work()
    assert got == [("0", 0), ("1", 1), ("2", 2)]


def test_an_empty_batch_is_acknowledged(world: World):
    assert world.run(world.receiving(Request("POST", "", [], "[]"))).status == 200


def test_the_ack_has_the_status_that_the_sender_likes(world: World):
    world.source(success=204)
    response = world.deliver()
    assert (response.status, response.body) == (204, b"")


def test_a_forged_request_is_refused_and_nothing_is_kept(world: World):
    world.source(bad_signature=406)
    request = letter().with_header("x-forged", "1")
    response = world.run(world.receiving(request))
    assert (response.status, response.body) == (406, b"Not Acceptable\n")
    assert world.inbox.counts() == {}
    assert world.book.answers == [(406, "bad_signature")]
    assert world.book.deliveries == [None]


def test_a_sender_that_wants_no_body_gets_none_with_a_refusal_either(world: World):
    world.source(success_body=b"")
    assert world.deliver("evt_1").body == b""
    refusal = world.run(world.receiving(letter().with_header("x-forged", "1")))
    assert (refusal.status, refusal.body) == (401, b"")


def test_a_refusal_is_suspected_after_it_was_told_and_nothing_else_is(world: World):
    suspected: list[tuple[str, str, int]] = []

    def suspect(request: Request, source: str, tenant: str, reason: str) -> None:
        suspected.append((source, reason, len(world.book.answers)))

    ports = replace(world.ports, suspect=suspect)
    for request in (letter(), letter().with_header("x-forged", "1")):
        world.run(receive(request, world.app.endpoints["shop"], world.app, ports))
    assert suspected == [("shop", "bad_signature", 2)]


def test_what_the_edge_turned_away_is_told_like_any_other_refusal(world: World):
    suspected: list[str] = []

    def suspect(request: Request, source: str, tenant: str, reason: str) -> None:
        suspected.append(f"{source} {reason} {len(request.body)} {len(world.book.answers)}")

    why, cut_off = Rejected("truncated_body", "9 bytes of 10"), letter().with_body(b"{}")
    ports = replace(world.ports, suspect=suspect)
    assert turn_away(why, cut_off, world.app.endpoints["shop"], ports).status == 400
    assert world.book.answers == [(400, "truncated_body: 9 bytes of 10")]
    assert suspected == ["shop truncated_body 2 1"]


# the inbox cannot


class Broken:
    """An inbox of which `accept` does something else."""

    def __init__(self, world: World, accept: Any) -> None:
        self._inbox, self.accept = world.inbox, accept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inbox, name)


def failing(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def test_an_inbox_that_cannot_keep_anything_sends_the_sender_away_for_as_long_as_it_says(world: World):
    broken = Broken(world, lambda *_, **__: failing(InboxUnavailable("the disk is full", retry_after=30)))
    world.inbox = broken
    response = world.deliver()
    assert response.status == 503
    assert retry_after(response) == 30
    assert b"disk" not in response.body
    assert world.book.answers == [(503, "inbox unavailable: the disk is full")]


def test_an_inbox_slower_than_the_ack_deadline_is_no_2xx_and_a_late_commit_makes_the_retry_a_duplicate(
    world: World,
):
    inbox, commit = world.inbox, threading.Event()

    def slowly(*args: Any, **kwargs: Any) -> Future[Any]:
        answer: Future[Any] = Future()

        def write() -> None:
            commit.wait(5)
            answer.set_result(inbox.accept(*args, **kwargs).result())

        thread = threading.Thread(target=write)
        thread.start()
        threads.append(thread)
        return answer

    threads: list[threading.Thread] = []
    world.source(ack_deadline=0.02)
    world.inbox = Broken(world, slowly)
    response = world.deliver()
    assert response.status == 503
    assert retry_after(response) == 5
    assert world.book.answers == [(503, "the inbox did not answer in time")]

    commit.set()
    for thread in threads:
        thread.join()
    world.inbox.accept = inbox.accept
    assert world.deliver().status == 200
    assert world.book.answers[-1] == (200, "duplicate")
    assert world.event().duplicates == 1


# on_invalid="reject"


def test_a_broken_payload_is_parked_unless_the_policy_rejects_it(world: World):
    world.on()(order_handler)
    assert world.deliver(data={"id": 1}).status == 200
    world.work()
    assert world.state() == "invalid"


def order_handler(order: Order) -> None: ...


def test_with_on_invalid_reject_it_is_refused_with_422_and_not_kept(world: World):
    world.source(on_invalid="reject")
    world.on()(order_handler)
    response = world.deliver(data={"id": 1})
    assert (response.status, response.body) == (422, b"Unprocessable Entity\n")
    assert world.inbox.counts() == {}
    assert world.book.answers[0][1].startswith("invalid_payload: 1 validation error for Order")
    assert world.deliver(data={"id": "o1"}).status == 200
    assert world.state() == "pending"


def test_what_a_handler_does_not_want_is_not_refused_for_its_sake(world: World):
    world.source(on_invalid="reject")
    world.on(when={"livemode": True})(order_handler)
    assert world.deliver("1", livemode=False, data={"id": 1}).status == 200
    assert world.deliver("2", livemode=True, data={"id": 1}).status == 422
    assert world.deliver("3", livemode=True).status == 200


def test_with_on_invalid_reject_every_part_is_looked_at(world: World):
    world.source(on_invalid="reject")

    @world.on()
    def handler(event: Event, who: Annotated[str, At("customer.name")]) -> None: ...

    assert world.deliver("1").status == 422
    assert world.deliver("2", customer={"name": "x"}).status == 200


# ack="handled"


def test_handled_says_2xx_when_the_handlers_are_done(world: World):
    world.source(ack="handled")
    states = []
    world.on(name="a")(lambda: states.append(world.state()))
    assert world.deliver().status == 200
    assert states == ["handling"]
    assert world.state() == "succeeded"
    assert world.book.answers == [(200, "handled")]


def test_handled_says_503_when_a_handler_fails_and_the_senders_retry_runs_it_again(world: World):
    world.source(ack="handled")
    ran = []

    @world.on(name="a")
    def a() -> None:
        ran.append("a")

    @world.on(name="b")
    def b(event: Event) -> None:
        ran.append("b")
        if event.attempt == 1:
            raise Retry(after=3600)

    response = world.deliver()
    assert response.status == 503
    assert retry_after(response) == 5
    assert world.state() == "failed"
    assert world.work() == []  # it is the sender's, not the worker's
    assert world.deliver().status == 200
    assert ran == ["a", "b", "b"]
    assert world.state() == "succeeded"
    assert [verdict for _, verdict in world.book.answers] == ["a handler failed", "handled"]


def test_handled_parks_what_will_not_heal_and_says_2xx(world: World):
    world.source(ack="handled")

    @world.on(name="a", when={"dead": True})
    def dead() -> None:
        raise Park

    world.on(name="b", when={"dead": False})(order_handler)
    assert world.deliver("1", dead=True).status == 200
    assert world.deliver("2", dead=False, data={}).status == 200
    assert (world.state("1"), world.state("2")) == ("dead", "invalid")


def test_handled_gives_up_after_the_last_attempt_and_says_2xx_of_what_is_now_parked(world: World):
    world.source(ack="handled")

    @world.on(max_attempts=2)
    def handler() -> None:
        raise ValueError

    assert world.deliver().status == 503
    assert world.deliver().status == 200
    assert world.state() == "dead"


def test_handled_with_nobody_to_handle_it_is_ignored(world: World):
    world.source(ack="handled")
    assert world.deliver().status == 200
    assert world.state() == "ignored"


def test_handled_of_a_batch_is_503_if_one_of_it_fails_and_only_that_one_runs_again(world: World):
    world.source(ack="handled")
    ran = []

    @world.on()
    def handler(event: Event) -> None:
        ran.append(event.id)
        if event.id == "2" and event.attempt == 1:
            raise ValueError

    batch = [{"id": str(n), "type": "t"} for n in (1, 2, 3)]
    request = Request("POST", "", [], json.dumps(batch))
    assert world.run(world.receiving(request)).status == 503
    assert world.run(world.receiving(request)).status == 200
    assert ran == ["1", "2", "3", "2"]


def test_handled_that_lost_its_lease_is_undecided(world: World):
    world.source(ack="handled")

    @world.on()
    def handler(event: Event) -> None:
        if event.attempt == 1:
            seq = world.event().seq
            world.clock.now += 61
            world.inbox.accept([row_of_the_second], claim=Claim("another", NOW + 121, rescue=False)).result()
            assert world.event().seq == seq

    endpoint, request = world.app.endpoints["shop"], letter()
    (row_of_the_second,) = new_events(endpoint.verifier.verify(request, NOW), request, endpoint, NOW + 61)
    assert world.deliver().status == 503
    assert world.book.answers == [(503, "undecided")]


def test_handled_is_undecided_at_the_deadline_and_the_handler_goes_on():
    world = World("threads")
    world.source(ack="handled", ack_deadline=0.05)
    go_on, done = threading.Event(), threading.Event()

    @world.on()
    def handler() -> None:
        go_on.wait(5)
        done.set()

    assert world.deliver().status == 503
    assert world.state() == "handling"

    async def finish() -> None:
        go_on.set()
        while world.state() == "handling":
            await asyncio.sleep(0.001)

    world.run(finish())
    assert done.is_set()
    assert world.state() == "succeeded"
    assert world.deliver().status == 200
    world.close()


# ack="deadline"


def test_deadline_says_2xx_when_the_handlers_are_done(world: World):
    world.source(ack="deadline")
    ran = []
    world.on()(lambda: ran.append(1))
    assert world.deliver().status == 200
    assert ran == [1]
    assert world.book.answers == [(200, "handled")]


def test_deadline_says_2xx_too_when_a_handler_fails_for_the_worker_tries_again(world: World):
    world.source(ack="deadline")

    @world.on()
    def handler(event: Event) -> None:
        if event.attempt == 1:
            raise Retry(after=1)

    assert world.deliver().status == 200
    assert world.state() == "pending"
    world.clock.now += 1
    assert world.work()[0].state == "succeeded"


def test_deadline_says_2xx_at_the_deadline_and_the_handlers_go_on():
    world = World("threads")
    world.source(ack="deadline", ack_deadline=0.05)
    go_on = threading.Event()
    world.on()(lambda: go_on.wait(5))
    assert world.deliver().status == 200
    assert world.book.answers == [(200, "stored, the handlers go on")]
    assert world.state() == "running"

    async def finish() -> None:
        go_on.set()
        while world.state() == "running":
            await asyncio.sleep(0.001)

    world.run(finish())
    assert world.state() == "succeeded"
    world.close()


def test_deadline_leaves_an_event_whose_receiver_died_to_the_workers(world: World):
    world.source(ack="deadline")
    ran = []
    world.on()(lambda: ran.append(1))
    endpoint, request = world.app.endpoints["shop"], letter()
    rows = new_events(endpoint.verifier.verify(request, NOW), request, endpoint, NOW)
    world.inbox.accept(rows, claim=Claim("dead", NOW + 60, rescue=True)).result()
    assert world.work() == []
    world.clock.now += 61
    assert world.work()[0].state == "succeeded"
    assert ran == [1]


def test_handled_whose_result_cannot_be_kept_is_503(world: World):
    world.source(ack="handled")
    world.on()(lambda: None)
    inbox = world.inbox

    class Full(Broken):
        def settle(self, *_: Any) -> Future[None]:
            return failing(InboxUnavailable("full"))

    world.inbox = Full(world, inbox.accept)
    assert world.deliver().status == 503
    assert world.book.answers == [(503, "inbox unavailable: full")]
    assert world.state() == "handling"


# replies


def test_a_reply_handler_answers_before_the_ack_and_the_others_run_after_it(world: World):
    ran = []

    @world.on(name="reply", reply=True)
    def reply() -> dict[str, str]:
        ran.append("reply")
        return {"text": "hi"}

    @world.on(name="later")
    def later() -> None:
        ran.append("later")

    response = world.deliver()
    assert (response.status, response.body) == (200, b'{"text":"hi"}')
    assert dict(response.headers)[b"content-type"] == b"application/json"
    assert ran == ["reply"]
    assert world.state() == "pending"
    world.work()
    assert ran == ["reply", "later"]
    assert world.state() == "succeeded"


def test_the_stored_reply_is_repeated_to_a_duplicate(world: World):
    ran = []

    @world.on(reply=True)
    def reply() -> Response:
        ran.append(1)
        return Response(201, b"made", ((b"x-mine", b"1"),))

    first, second = world.deliver(), world.deliver()
    assert first == second == Response(201, b"made", ((b"x-mine", b"1"),))
    assert ran == [1]
    world.work()
    assert world.deliver() == first


def test_a_reply_of_nothing_is_the_usual_ack(world: World):
    world.source(success=202)
    world.on(reply=True)(lambda: None)
    assert world.deliver().status == 202
    assert world.deliver().status == 202


def test_of_several_replies_the_first_counts(world: World):
    world.on(name="none", reply=True)(lambda: None)
    world.on(name="one", reply=True)(lambda: "one")
    world.on(name="two", reply=True)(lambda: "two")
    assert world.deliver().body == b"one"


def test_what_another_handler_returns_is_no_reply(world: World):
    world.source(ack="handled")
    world.on(name="a")(lambda: "secret")
    world.on(name="b", reply=True)(lambda: "said")
    assert world.deliver().body == b"said"


def test_a_reply_that_cannot_be_written_is_a_failed_attempt_and_not_a_500(world: World):
    world.on(name="a", reply=True)(lambda: object())
    assert world.deliver().status == 503
    assert world.state() == "failed"
    assert "neither a Response, text nor JSON" in world.runs()["a"].error


def test_a_reply_handler_that_fails_is_503_and_the_senders_retry_asks_it_again(world: World):
    ran = []

    @world.on(reply=True)
    def reply(event: Event) -> str:
        ran.append(event.attempt)
        if event.attempt == 1:
            raise Retry
        return "at last"

    assert world.deliver().status == 503
    assert world.deliver().body == b"at last"
    assert ran == [1, 2]


def test_events_without_a_reply_handler_are_stored_as_ever(world: World):
    ran = []
    world.on("command", name="a", reply=True)(lambda: "said")
    world.on("order.*", name="b")(lambda: ran.append(1))
    assert world.deliver().body == b"ok\n"
    assert ran == []
    assert world.state() == "pending"


# what is kept


def test_the_row_holds_what_was_verified_and_the_headers_the_policy_names(world: World):
    world.source(keep_headers=(b"x-kept", b"x-absent"))
    request = letter("evt_1", at=NOW - 1).with_header("x-kept", "caf\xe9").with_header("x-other", "no")
    world.run(world.receiving(request))
    found = world.inbox.get(world.event("evt_1").seq)
    assert found is not None
    event = found[0]
    assert event.body == request.body
    assert event.headers == {"x-kept": "café"}
    assert (event.received_at, event.occurred_at) == (NOW, NOW - 1)


def test_a_kept_header_that_came_twice_refuses_the_request(world: World):
    request = letter()
    doubled = request.replace(headers=[*request.headers, *request.headers])
    assert world.run(world.receiving(doubled)).status == 400
    assert world.inbox.counts() == {}
