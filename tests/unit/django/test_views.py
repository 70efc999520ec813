"""What middleware does to a body before the view can see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hookcatch import Hookcatch
from hookcatch.core.ports import Query
from support import django_project
from support.edges import DjangoAsyncCaller, DjangoCaller, Edge, post
from support.senders import whsec

django_project.set_up()

from django.http import HttpRequest  # noqa: E402
from django.test import override_settings  # noqa: E402
from django.urls import reverse  # noqa: E402

HERE = "unit.django.test_views"


def looks_at_body(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def middleware(request: HttpRequest) -> Any:
        assert request.body
        return get_response(request)

    return middleware


def looks_at_form(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def middleware(request: HttpRequest) -> Any:
        assert request.POST is not None
        return get_response(request)

    return middleware


def reads_away(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def middleware(request: HttpRequest) -> Any:
        request.read()
        return get_response(request)

    return middleware


@pytest.fixture(params=["looks_at_body", "looks_at_form", "reads_away", None])
def middleware(request: pytest.FixtureRequest) -> Iterator[str | None]:
    from django.conf import settings

    added = [f"{__name__}.{request.param}"] if request.param else []
    with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, *added]):
        yield request.param


@pytest.mark.parametrize("make", [DjangoCaller, DjangoAsyncCaller])
def test_a_body_that_is_still_there_is_taken_byte_for_byte_and_one_that_is_not_comes_again(
    middleware, make, caplog
):
    hooks = Hookcatch("memory:", worker=False)
    shop = hooks.source("shop", "standard_webhooks", whsec(0))
    edge: Edge = make(hooks)
    try:
        request = shop.sign("order.created", {"name": "Zoë"}, id="evt_1")
        answer = post(edge, request)
        if middleware == "reads_away":
            assert answer.status == 503
            assert "retry-after" in answer.headers
            assert "the body of" in caplog.text
            return
        assert answer.status == 200
        inbox = hooks.inbox()
        (event,) = inbox.find(Query())
        assert inbox.get(event.seq)[0].body == request.body
    finally:
        edge.close()


def test_the_url_of_a_source_can_be_asked_for():
    assert reverse("hookcatch:source", args=["stripe"]) == "/hooks/stripe"


def test_the_views_are_atomic_in_no_database(monkeypatch):
    from django.conf import settings
    from django.urls import resolve

    assert resolve("/hooks/shop").func._non_atomic_requests >= set(settings.DATABASES)


@pytest.mark.parametrize("make", [DjangoCaller, DjangoAsyncCaller])
def test_nobody_who_sends_has_to_log_in(make):
    from django.conf import settings

    needs_login = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    hooks = Hookcatch("memory:", worker=False)
    shop = hooks.source("shop", "standard_webhooks", whsec(0))
    with override_settings(MIDDLEWARE=needs_login):
        edge: Edge = make(hooks)
        try:
            assert post(edge, shop.sign("order.created", {}, id="evt_1")).status == 200
        finally:
            edge.close()
