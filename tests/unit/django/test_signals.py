"""Signals of what becomes of deliveries and handlers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hookcatch import Hookcatch
from support import django_project
from support.edges import DjangoCaller, post, wait_until
from support.senders import whsec

django_project.set_up()

from django.contrib.auth.models import Group  # noqa: E402

import hookcatch.django.signals  # noqa: E402
from hookcatch.django.signals import Signals, attempted, delivered  # noqa: E402


@pytest.fixture
def edge() -> Iterator[DjangoCaller]:
    hooks = Hookcatch("memory:", observer=Signals(at_once=lambda: False))
    hooks.source("shop", "standard_webhooks", whsec(0))
    hooks.on("order.created")(lambda: None)
    made = DjangoCaller(hooks)
    yield made
    made.close()


@pytest.fixture
def heard() -> Iterator[list[tuple[Any, str]]]:
    """What receivers are told, and in which thread."""
    told: list[tuple[Any, str]] = []

    def hear(signal: Any, **facts: Any) -> None:
        told.append((facts, threading.current_thread().name))

    for signal in (delivered, attempted):
        signal.connect(hear)
    yield told
    for signal in (delivered, attempted):
        signal.disconnect(hear)


def send(edge: DjangoCaller, name: str = "evt") -> int:
    return post(edge, edge.hooks.sources["shop"].sign("order.created", {}, id=name)).status


def test_receivers_are_told_of_deliveries_and_attempts_in_a_thread_of_their_own(edge, heard):
    assert send(edge) == 200
    wait_until(lambda: len(heard) == 2)
    by_kind = {"handler" in facts: facts for facts, _ in heard}
    assert (by_kind[False]["source"], by_kind[False]["status"], by_kind[False]["verdict"]) == (
        "shop",
        200,
        "stored",
    )
    assert (by_kind[True]["lease"].event.id, by_kind[True]["outcome"].state) == ("evt", "succeeded")
    assert {name.rpartition("_")[0] for _, name in heard} == {"hookcatch-signals"}


def test_a_receiver_may_use_the_orm_and_what_it_raises_keeps_nobody_else_from_hearing(edge, heard, caplog):
    django_project.database("default")
    counted = []

    def count(**facts: Any) -> None:
        counted.append(Group.objects.count())

    def fail(**facts: Any) -> None:
        raise OSError("the pager is away")

    delivered.connect(fail)
    delivered.connect(count)
    try:
        assert send(edge) == 200
        wait_until(lambda: counted and "the pager is away" in caplog.text)
    finally:
        delivered.disconnect(fail)
        delivered.disconnect(count)


def test_receivers_that_are_too_slow_keep_nothing_waiting(heard, monkeypatch, caplog):
    monkeypatch.setattr(hookcatch.django.signals, "WAITING", 1)
    going = threading.Event()

    def wait(**facts: Any) -> None:
        going.wait(10)

    observer = Signals(at_once=lambda: False)
    facts: Any = {"source": "shop", "delivery": None, "status": 401, "verdict": "", "seconds": 0.0}
    delivered.connect(wait)
    try:
        observer.delivered(**facts)
        observer.delivered(**facts)
    finally:
        delivered.disconnect(wait)
        going.set()
    assert "too slow: 1 wait, one is left out" in caplog.text


def test_in_a_test_they_are_told_at_once(heard):
    observer = Signals(at_once=lambda: True)
    observer.delivered(source="shop", delivery=None, status=401, verdict="", seconds=0.0)
    assert [name for _, name in heard] == [threading.current_thread().name]
