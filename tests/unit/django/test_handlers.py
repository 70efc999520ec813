"""Handlers that use the ORM: on which connection, in which thread, and what becomes of it afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hookcatch.core.model import Event
from hookcatch.core.ports import Transaction
from support import django_project
from support.edges import DjangoAsyncCaller, DjangoCaller, Edge, post, wait_until
from support.senders import whsec

django_project.set_up()

from django.contrib.auth.models import Group  # noqa: E402
from django.db import connections  # noqa: E402

from hookcatch.django import conf  # noqa: E402
from hookcatch.django.handlers import DjangoRouter  # noqa: E402

SHOP = {"SOURCES": {"shop": {"provider": "standard_webhooks", "secret": whsec(0)}}}


class Project:
    """A Hookcatch as the settings make it, with handlers, behind one of the two views."""

    def __init__(self, alias: str, view: str) -> None:
        self.alias = alias
        self.view = view
        self.router = DjangoRouter()
        self.edge: Edge | None = None
        self.hooks = conf.build(conf.read({**SHOP, "DATABASE": alias}))
        self.groups = Group.objects.using(alias)

    def deliver(self, **data: Any) -> int:
        if self.edge is None:
            self.hooks.include(self.router)
            make = DjangoCaller if self.view == "sync" else DjangoAsyncCaller
            self.edge = make(self.hooks)
        request = self.hooks.sources["shop"].sign("order.created", data, id=f"evt_{data['name']}")
        return post(self.edge, request).status

    def wait_for(self, number: int) -> None:
        """Until so many events have succeeded; an async server's loop has to run for that."""
        assert self.edge is not None
        inbox = self.hooks.inbox()

        def done() -> bool:
            if isinstance(self.edge, DjangoAsyncCaller):
                self.edge.run(asyncio.sleep(0.01))
            return inbox.counts().get(("shop", "succeeded"), 0) == number

        wait_until(done)

    def close(self) -> None:
        if self.edge is not None:
            self.edge.close()
        self.groups.delete()
        connections[self.alias].close()


@pytest.fixture(params=["sync", "async"])
def project(request: pytest.FixtureRequest, alias: str) -> Iterator[Project]:
    django_project.empty(alias)
    Group.objects.using(alias).delete()
    made = Project(alias, request.param)
    yield made
    made.close()


def test_a_handler_writes_with_the_orm_in_the_transaction_that_marks_it(project: Project):
    @project.router.on("order.created", atomic=True)
    def handler(event: Event) -> None:
        assert connections[project.alias].in_atomic_block
        project.groups.create(name=event.data["name"])

    assert project.deliver(name="a") == 200
    project.wait_for(1)
    assert [one.name for one in project.groups.all()] == ["a"]


def test_a_plain_handler_may_ask_for_the_transaction_for_a_part_of_its_work(project: Project):
    @project.router.on("order.created")
    def handler(event: Event, tx: Transaction) -> None:
        assert not connections[project.alias].in_atomic_block
        with tx:
            project.groups.create(name=event.data["name"])

    project.deliver(name="a")
    project.wait_for(1)
    assert project.groups.count() == 1


def test_an_async_handler_uses_the_async_orm(project: Project):
    @project.router.on("order.created")
    async def handler(event: Event) -> None:
        await project.groups.acreate(name=event.data["name"])

    project.deliver(name="a")
    project.wait_for(1)
    assert project.groups.count() == 1


def test_a_handler_leaves_no_connection_open_behind_it(project: Project):
    """CONN_MAX_AGE is 0 here, as it is by default: what a request does at its end, a handler does."""
    left: list[Any] = []

    @project.router.on("order.created")
    def handler(event: Event) -> None:
        project.groups.create(name=event.data["name"])
        left.append(connections[project.alias])
        assert left[-1].connection is not None

    project.deliver(name="a")
    project.wait_for(1)
    assert [one.connection for one in left] == [None]


def test_a_connection_that_broke_meanwhile_is_not_used_again(project: Project):
    """A handler's thread lives longer than the server's patience with an idle connection."""
    seen: list[tuple[int, Any]] = []

    @project.router.on("order.created")
    def handler(event: Event) -> None:
        connection = connections[project.alias]
        project.groups.create(name=event.data["name"])
        seen.append((threading.get_ident(), connection))
        connection.errors_occurred = True  # as after any error of the database

    for number, name in enumerate("abc"):
        project.deliver(name=name)
        project.wait_for(number + 1)
    assert project.groups.count() == 3
    assert all(connection.connection is None for _, connection in seen)
