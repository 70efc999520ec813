"""A project as its settings make it, on each kind of database, behind both views: tenants, secrets, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hookcatch import Hookcatch, Request
from hookcatch.core.ports import Query
from support import django_project
from support.edges import DjangoAsyncCaller, DjangoCaller, Edge, post, wait_until
from support.senders import whsec

django_project.set_up()

from django.db import connections  # noqa: E402
from django.test import Client, override_settings  # noqa: E402

from hookcatch.django import conf, hooks  # noqa: E402
from hookcatch.django.testing import deliver, work  # noqa: E402

SECRETS = {"acme": whsec(0), "glo bex": whsec(1)}
BROUGHT = "b537207f20cbfa02357cf448134da559"
SETTINGS = {
    "SOURCES": {
        "shop": {"provider": "standard_webhooks", "secret": SECRETS.get, "path": "/shop/{tenant}"},
        "asana": {"url_key": "the key that signs the paths, long enough"},
        "github": {"secret": "a secret of this very test, long enough"},
    },
    "WORKER": False,
}
VIEWS = {"sync": DjangoCaller, "async": DjangoAsyncCaller}


@pytest.fixture
def project(alias: str) -> Iterator[Hookcatch]:
    django_project.empty(alias)
    yield started(alias)
    connections[alias].close()


def started(alias: str) -> Hookcatch:
    """As another process would start it."""
    return conf.build(conf.read({**SETTINGS, "DATABASE": alias}))


@pytest.fixture(params=VIEWS)
def edge(request: pytest.FixtureRequest, project: Hookcatch) -> Iterator[Edge]:
    made = VIEWS[request.param](project)
    yield made
    made.close()


def path(edge: Edge, project: Hookcatch, source: str, tenant: str) -> str:
    return edge.prefix + project.sources[source].path(tenant).replace("%20", " ")


def test_a_segment_of_the_path_says_whose_event_it_is(edge, project):
    shop = project.sources["shop"]
    for tenant in SECRETS:
        request = shop.sign("order.created", {}, id="evt_1", tenant=tenant)
        assert post(edge, request, path=path(edge, project, "shop", tenant)).status == 200
    stolen = shop.sign("order.created", {}, id="evt_2", tenant="acme")
    assert post(edge, stolen, path=path(edge, project, "shop", "glo bex")).status == 401
    assert post(edge, stolen, path=f"{edge.prefix}/shop/nobody").status == 401
    assert [event.tenant for event in project.inbox().find(Query())] == ["glo bex", "acme"]


def test_a_secret_that_was_brought_is_known_to_the_next_process(edge, project, alias):
    there = path(edge, project, "asana", "acme")
    events = Request("POST", "", [("content-type", "application/json")], b'{"events": []}')
    signed = project.sources["asana"].provider.sign(events, secret=BROUGHT, now=0)
    assert post(edge, signed, path=there).status == 401  # not yet
    assert post(edge, Request("POST", "", [("x-hook-secret", BROUGHT)]), path=there).status == 200
    assert post(edge, signed, path=there).status == 200
    edge.close()
    other = started(alias)
    edge = type(edge)(other)
    try:
        assert post(edge, signed, path=there).status == 200
        assert [secret.reveal() for secret in other.sources["asana"].secrets("acme")] == [BROUGHT.encode()]
    finally:
        edge.close()


def test_why_a_delivery_was_refused_is_looked_into_and_logged(edge, project, caplog):
    request = project.sources["github"].sign("push", {"a": 1}, id="evt_1")
    reencoded = request.replace(body=request.body.replace(b":", b": "))
    assert post(edge, reencoded, path=f"{edge.prefix}/github").status == 401
    wait_until(lambda: "github" in " ".join(one.message for one in caplog.records if "body" in one.message))
    assert project.inbox().counts() == {}


def test_a_test_of_a_project_sends_as_a_tenant_too():
    from django.core import mail

    alias = django_project.database("django-sqlite")
    django_project.empty(alias)
    mail.outbox = []
    try:
        with override_settings(HOOKCATCH={**SETTINGS, "DATABASE": alias}):
            for tenant in SECRETS:
                assert (
                    deliver(Client(), "shop", "order.created", {}, id="evt_1", tenant=tenant).status_code
                    == 200
                )
            forged: Any = deliver(Client(), "shop", "order.created", {}, tenant="acme", body=b"{}")
            assert forged.status_code == 401
            assert [close.state for close in work()] == ["ignored", "ignored"]
            assert {event.tenant for event in hooks().inbox().find(Query())} == set(SECRETS)
    finally:
        del mail.outbox
        connections[alias].close()
