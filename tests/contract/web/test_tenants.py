"""Tenants through every web edge: each by its path, its signed URL, or the secret that its sender brought."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from hookcatch import Hookcatch, Request
from hookcatch.core.ports import Query
from support.edges import Edge, post
from support.senders import text, whsec
from support.world import Clock

KEY = "the key that signs the paths, long enough"
SECRETS = {"acme": whsec(0), "globex ü": whsec(1)}


@pytest.fixture
def hooks() -> Hookcatch:
    made = Hookcatch(
        "memory:?keep=10", worker=False, public_url="https://hooks.example.com/hooks", clock=Clock()
    )
    made.source("shop", "standard_webhooks", SECRETS.get, path="/shop/{tenant}")
    made.source("square", secret={"acme": text(0)}, path="/{tenant}/square")
    made.source("plain", "unsigned", url_key=KEY)
    made.source("asana", url_key=KEY)
    return made


def kept(hooks: Hookcatch) -> list[tuple[str, str]]:
    return [(event.source, event.tenant) for event in reversed(hooks.inbox().find(Query()))]


def called(edge: Edge, hooks: Hookcatch, source: str, tenant: str) -> str:
    return edge.prefix + hooks.sources[source].path(tenant).replace("%20", " ").replace("%C3%BC", "ü")


def test_each_tenant_has_its_own_path_and_secret(edge: Edge, hooks: Hookcatch):
    shop = hooks.sources["shop"]
    for tenant in SECRETS:
        request = shop.sign("order.created", {}, id="1", tenant=tenant)
        assert post(edge, request, path=called(edge, hooks, "shop", tenant)).status == 200
    assert kept(hooks) == [("shop", "acme"), ("shop", "globex ü")]
    stolen = shop.sign("order.created", {}, id="2", tenant="acme")
    assert post(edge, stolen, path=called(edge, hooks, "shop", "globex ü")).status == 401
    assert post(edge, stolen, path=f"{edge.prefix}/shop/nobody").status == 401
    assert len(kept(hooks)) == 2


def test_a_large_body_is_read_before_its_tenant_is_known(edge: Edge, hooks: Hookcatch):
    request = hooks.sources["shop"].sign("a", {"x": "y" * 100_000}, id="1", tenant="acme")
    assert post(edge, request, path=called(edge, hooks, "shop", "acme")).status == 200


def test_a_signed_url_has_the_segment_in_it(edge: Edge, hooks: Hookcatch):
    square = hooks.sources["square"]
    assert square.url("acme") == "https://hooks.example.com/hooks/acme/square"
    request = square.sign("a", {}, id="1", tenant="acme")
    assert post(edge, request, path=f"{edge.prefix}/acme/square").status == 200


def test_a_sender_that_signs_nothing_is_proven_by_the_url_that_it_was_given(edge: Edge, hooks: Hookcatch):
    request = Request("POST", "", [("content-type", "application/json")], b'{"a": 1}')
    path = called(edge, hooks, "plain", "acme")
    assert post(edge, request, path=path).status == 200
    for forged in (path[:-1], path.replace("acme", "globex"), f"{edge.prefix}/plain/acme"):
        assert post(edge, request, path=forged).status == 401
    assert kept(hooks) == [("plain", "acme")]


def test_a_sender_that_brings_its_secret_signs_with_it_from_then_on(edge: Edge, hooks: Hookcatch):
    path = called(edge, hooks, "asana", "acme")
    brought = "b537207f20cbfa02357cf448134da559"
    events = Request("POST", "", [("content-type", "application/json")], b'{"events": []}')
    row = hooks.sources["asana"].provider
    signed = row.sign(events, secret=brought, now=0)
    assert post(edge, signed, path=path).status == 401  # not yet
    hello = Request("POST", "", [("x-hook-secret", brought)])
    answer = post(edge, hello, path=path)
    assert (answer.status, answer.headers["x-hook-secret"]) == (200, brought)
    assert post(edge, signed, path=path).status == 200
    assert hooks.sources["asana"].secrets("acme")[0].reveal() == brought.encode()


def test_nobody_else_can_bring_a_secret(edge: Edge, hooks: Hookcatch):
    path = called(edge, hooks, "asana", "acme")
    hello = Request("POST", "", [("x-hook-secret", "b537207f20cbfa02357cf448134da559")])
    other = Request("POST", "", [("x-hook-secret", "another7f20cbfa02357cf448134da5")])
    assert post(edge, hello, path=f"{edge.prefix}/asana/acme").status == 401
    assert post(edge, hello, path=path.replace("acme", "globex")).status == 401
    assert hooks.inbox().learners() == []
    assert post(edge, hello, path=path).status == 200
    assert post(edge, other, path=path).status == 401
    assert post(edge, hello, path=path).status == 200
    assert list(hooks.inbox().learners()) == [("asana", "acme")]


@pytest.mark.parametrize("path", ["/shop", "/shop/", "/shop/a/b", "/square/acme"])
def test_a_path_that_names_no_tenant_is_no_path_of_ours(
    make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch, path: str
):
    edge = make_edge(hooks)
    answer = edge.call("POST", edge.prefix + path, [], [b""])
    assert answer is not None
    assert answer.status == 404


def test_the_urls_that_are_given_away_can_be_called(hooks: Hookcatch):
    assert hooks.sources["shop"].url("globex ü").endswith(f"/shop/{quote('globex ü')}")
