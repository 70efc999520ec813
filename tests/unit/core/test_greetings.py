"""Handshakes and published keys in the path of a request: what is answered, what is kept, what is fetched."""

from __future__ import annotations

from hookcatch.core.errors import Rejected
from hookcatch.core.greeting import Greeting
from hookcatch.core.keyring import Pinned
from hookcatch.core.model import Delivery
from hookcatch.core.wire import Request, Response
from support.world import KEY, World, letter

BEFORE = Greeting("hello", Response(200, b"before", ()))
AFTER = Greeting("ping", Response(200, b"after", ()), visit="https://sender.example.com/confirm")


class Porter:
    """Greets every GET that says hello, before any check, and every verified `ping`."""

    methods = frozenset({"GET", "PUT", "POST"})

    def before(self, request: Request, now: float) -> Greeting | None:
        if request.header(b"x-forged"):
            raise Rejected("bad_signature", "the token of the handshake")
        return BEFORE if request.header(b"x-hello") else None

    def after(self, request: Request, delivery: Delivery) -> Greeting | None:
        return AFTER if delivery.events[0].type == "ping" else None


def hello(*more: tuple[str, str]) -> Request:
    return Request("GET", "", [("x-hello", "1"), *more])


def test_a_handshake_is_answered_and_nothing_is_kept(world: World):
    world.source(greeter=Porter())
    assert world.run(world.receiving(hello())) == BEFORE.response
    assert world.inbox.counts() == {}
    assert world.book.answers == [(200, "handshake hello")]
    assert world.book.deliveries == [None]


def test_a_handshake_with_a_wrong_token_is_refused_like_a_forged_delivery(world: World):
    world.source(greeter=Porter(), bad_signature=406)
    response = world.run(world.receiving(hello(("x-forged", "1"))))
    assert (response.status, response.body) == (406, b"Not Acceptable\n")


def test_a_signed_handshake_is_answered_after_its_signature_and_the_sender_is_called_back(world: World):
    world.source(greeter=Porter())
    assert world.deliver(type="ping") == AFTER.response
    assert world.visits == [AFTER.visit]
    assert world.inbox.counts() == {}
    forged = letter(type="ping").with_header("x-forged", "1")
    # this porter looks at the forged mark itself; one that does not leaves it to the signature
    assert world.run(world.receiving(forged)).status == 401
    assert world.visits == [AFTER.visit]


def test_an_unsigned_handshake_calls_nobody(world: World):
    world.source(greeter=Porter())
    world.run(world.receiving(hello()))
    assert world.visits == []


def test_a_delivery_beside_handshakes_is_kept_as_ever(world: World):
    world.source(greeter=Porter())
    assert world.deliver("evt_1").status == 200
    assert world.state("evt_1") == "pending"


def test_a_delivery_in_the_method_of_a_handshake_is_refused_even_if_its_signature_is_right(world: World):
    world.source(greeter=Porter())
    delivery = letter()
    response = world.run(world.receiving(Request("PUT", "", delivery.headers, delivery.body)))
    assert response.status == 405
    assert dict(response.headers)[b"allow"] == b"GET, POST, PUT"
    assert world.inbox.counts() == {}


# published keys


def test_a_key_that_is_not_known_is_fetched_and_the_signature_checked_again(world: World):
    world.source(published=world.keys)
    world.keys.there[KEY.url] = b"key"
    assert world.deliver("evt_1").status == 200
    assert world.deliver("evt_2").status == 200
    assert world.keys.fetched == [KEY.url]  # once: then it is known


def test_a_key_that_cannot_be_fetched_leaves_the_event_with_its_sender(world: World):
    world.source(published=world.keys)
    response = world.deliver()
    assert response.status == 503
    assert dict(response.headers)[b"retry-after"] == b"30"
    assert world.inbox.counts() == {}
    assert world.book.answers == [(503, f"key unavailable: {KEY.url} does not answer")]


def test_with_pinned_keys_nothing_is_fetched(world: World):
    world.source(published=Pinned({KEY.url: b"key"}))
    assert world.deliver().status == 200
    world.source(published=Pinned())
    assert world.deliver("evt_2").status == 401
    assert world.keys.fetched == []
    assert world.book.answers[-1][1].startswith("unknown_key: no key is pinned for")
