"""Whose request it is, in the path of a request: secrets looked up, secrets learned, and what is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hookcatch.core.endpoint import Identity
from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.flow import receive, turn_away
from hookcatch.core.greeting import Greeting
from hookcatch.core.model import Delivery
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request, Response
from support.world import Believer, World, letter

TAUGHT = Response(200, b"taught", ())


class Teacher:
    """Brings a secret in every GET."""

    methods = frozenset({"GET"})

    def before(self, request: Request, now: float) -> Greeting | None:
        if request.method == "GET":
            return Greeting("hello", TAUGHT, learned=Secret(request.header(b"x-secret") or b""))
        return None

    def after(self, request: Request, delivery: Delivery) -> Greeting | None:
        return None


@dataclass
class Town:
    """Tenants that are there, by name; looked up in `asked`, known from then on."""

    there: dict[str, Any]
    learns: bool = False
    asked: list[str] = field(default_factory=list)
    known: dict[str, Identity] = field(default_factory=dict)

    def resolve(self, *, tenant: str) -> Any:
        self.asked.append(tenant)
        found = self.there.get(tenant)
        if isinstance(found, Exception):
            raise found
        return found

    def named(self, segment: str) -> str:
        if segment.startswith("!"):
            raise Rejected("bad_signature")
        return segment

    def segment(self, tenant: str) -> str:
        return tenant

    def get(self, tenant: str, now: float) -> Identity | None:
        return self.known.get(tenant)

    def put(self, tenant: str, secrets: Any, now: float) -> Identity:
        if secrets is None and not self.learns:
            raise Rejected("unknown_tenant")
        if secrets == "broken":
            raise ConfigurationError("it cannot be a secret")
        self.known[tenant] = Identity(Believer(), Teacher())
        return self.known[tenant]

    def forget(self, tenant: str) -> None:
        self.known.pop(tenant, None)


def call(world: World, segment: str, request: Request) -> Response:
    endpoint = world.app.endpoints["shop"].at(segment)
    return world.run(world.receiving(request, endpoint=endpoint))


def test_the_tenant_whom_the_path_names_is_looked_up_once_and_kept_with_the_event(world: World):
    town = Town({"acme": "secret", "globex": "secret"})
    world.source(tenants=town)
    for tenant in ("acme", "acme", "globex"):
        assert call(world, tenant, letter("evt_1")).status == 200
    assert town.asked == ["acme", "globex"]
    assert {event.tenant for event in world.events()} == {"acme", "globex"}
    # one id of two tenants is two events; the second copy of the first is none
    assert [(event.tenant, event.id) for event in world.events()] == [("globex", "evt_1"), ("acme", "evt_1")]


def test_what_looks_up_may_be_async_where_there_is_a_loop(world: World):
    town = Town({})

    async def resolve(*, tenant: str) -> str:
        await asyncio.sleep(0)
        return "secret"

    town.resolve = resolve  # type: ignore[method-assign]
    world.source(tenants=town)
    response = call(world, "acme", letter())
    if world.mode == "blocking":  # an app with one is refused when it is built
        assert response.status == 503
    else:
        assert response.status == 200


def test_a_tenant_that_there_is_not_is_refused_like_a_forgery(world: World):
    world.source(tenants=Town({}), bad_signature=406)
    response = call(world, "acme", letter())
    assert (response.status, response.body) == (406, b"Not Acceptable\n")
    assert world.inbox.counts() == {}
    assert world.book.answers == [(406, "unknown_tenant")]


def test_a_url_that_was_not_handed_out_is_refused_before_anything_is_looked_up(world: World):
    town = Town({"acme": "secret"})
    world.source(tenants=town)
    assert call(world, "!acme", letter()).status == 401
    assert town.asked == []


@pytest.mark.parametrize(
    ("found", "said"),
    [(OSError("the database is away"), "OSError: the database is away"), ("broken", "it cannot be a secret")],
)
def test_when_secrets_cannot_be_had_the_event_stays_with_its_sender(world: World, found: Any, said: str):
    world.source(tenants=Town({"acme": found}))
    response = call(world, "acme", letter())
    assert response.status == 503
    assert dict(response.headers)[b"retry-after"] == b"30"
    assert world.inbox.counts() == {}
    [(_, verdict)] = world.book.answers
    assert verdict.startswith("key unavailable: the secrets of tenant 'acme': ")
    assert said in verdict


# secrets that the sender brings


def taught(secret: str) -> Request:
    return Request("GET", "", [("x-secret", secret)])


def test_the_first_secret_that_a_sender_brings_is_kept_before_it_is_answered(world: World):
    town = Town({}, learns=True)
    world.source(tenants=town)
    assert call(world, "acme", taught("one")) == TAUGHT
    learned = world.inbox.learned("shop", "acme")
    assert learned is not None
    assert learned.reveal() == b"one"
    assert world.book.answers == [(200, "handshake hello")]
    assert town.known == {}  # and looked up for the next request


def test_another_secret_than_the_first_is_refused_and_changes_nothing(world: World):
    world.source(tenants=Town({}, learns=True))
    call(world, "acme", taught("one"))
    assert call(world, "acme", taught("two")).status == 401
    assert call(world, "acme", taught("one")) == TAUGHT
    assert call(world, "globex", taught("two")) == TAUGHT
    learned = world.inbox.learned("shop", "acme")
    assert learned is not None
    assert learned.reveal() == b"one"


def test_where_nothing_is_to_be_learned_nothing_is_kept(world: World):
    world.source(greeter=Teacher())
    assert world.run(world.receiving(taught("one"))) == TAUGHT
    assert world.inbox.learners() == []


# refusals that may be looked into


def test_a_refusal_is_suspected_with_its_tenant_and_only_where_that_is_known(world: World):
    suspected: list[tuple[str, str, str]] = []
    world.source(tenants=Town({"acme": "secret"}))
    endpoint = world.app.endpoints["shop"]
    ports = replace(world.ports, suspect=lambda request, *said: suspected.append(said))
    forged = letter().with_header("x-forged", "1")
    for segment in ("acme", "globex", "!acme"):
        world.run(receive(forged, endpoint.at(segment), world.app, ports))
    turn_away(Rejected("truncated_body"), forged, endpoint.at("acme"), ports)
    assert suspected == [("shop", "acme", "bad_signature")]
