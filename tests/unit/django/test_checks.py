"""Every system check: what trips it, and what does not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from support import django_project
from support.senders import whsec

django_project.set_up()

from django.conf import settings  # noqa: E402
from django.conf.urls.i18n import i18n_patterns  # noqa: E402
from django.test import override_settings  # noqa: E402
from django.urls import include, path  # noqa: E402

from hookcatch.django import router, views  # noqa: E402
from hookcatch.django.checks import CSRF, LOGIN, READERS, check_all  # noqa: E402

Urls = Callable[..., str]
SHOP = {"SOURCES": {"shop": {"provider": "standard_webhooks", "secret": whsec(0)}}}


def ids(**changed: Any) -> list[str]:
    with override_settings(**{"HOOKCATCH": SHOP, **changed}):
        return sorted({message.id for message in check_all()})


@pytest.fixture
def urls() -> Iterator[Urls]:
    """A URLconf of these patterns."""
    made: list[str] = []

    def make(*patterns: Any) -> str:
        module = ModuleType(f"urls_of_a_check_{len(made)}")
        module.urlpatterns = list(patterns)
        sys.modules[module.__name__] = module
        made.append(module.__name__)
        return module.__name__

    yield make
    for name in made:
        del sys.modules[name]


def test_a_project_as_it_should_be_has_nothing_to_say():
    assert ids() == []


def test_what_is_wrong_with_the_settings_is_an_error_with_what_to_change():
    with override_settings(HOOKCATCH={"SUORCES": {}}):
        (message,) = check_all()
    assert message.id == "hookcatch.E001"
    assert "did you mean 'SOURCES'" in message.msg


@pytest.mark.parametrize(("secret", "expected"), [(None, ["hookcatch.E002"]), ("", ["hookcatch.E002"])])
def test_a_missing_secret(secret, expected):
    assert (
        ids(HOOKCATCH={"SOURCES": {"shop": {"provider": "standard_webhooks", "secret": secret}}}) == expected
    )


def test_webhooks_without_a_url(urls):
    assert ids(ROOT_URLCONF=urls()) == ["hookcatch.W001"]
    assert ids(ROOT_URLCONF=urls(), HOOKCATCH={"SOURCES": {}}) == []


@pytest.mark.parametrize(("where", "expected"), [("hooks", ["hookcatch.W002"]), ("hooks/", []), ("", [])])
def test_an_include_without_a_slash_at_its_end(urls, where, expected):
    assert ids(ROOT_URLCONF=urls(path(where, include("hookcatch.django.urls")))) == expected


def test_webhooks_behind_a_language(urls):
    hooks = path("hooks/", include("hookcatch.django.urls"))
    assert ids(ROOT_URLCONF=urls(*i18n_patterns(hooks))) == ["hookcatch.W003"]
    assert ids(ROOT_URLCONF=urls(hooks, *i18n_patterns(path("other/", views.receive)))) == []


def test_atomic_requests_round_a_view_that_a_project_wraps(urls, monkeypatch):
    def wrapped(request: Any, path: str) -> Any:
        return views.receive(request, path)

    wrapped.__wrapped__ = views.receive
    wrapped.csrf_exempt = True
    own = urls(path("hooks/<path:path>", wrapped))
    assert ids(ROOT_URLCONF=own) == []
    monkeypatch.setitem(settings.DATABASES["default"], "ATOMIC_REQUESTS", True)
    assert ids(ROOT_URLCONF=own) == ["hookcatch.W004"]
    assert ids() == []


@pytest.mark.parametrize(
    ("exempt", "middleware", "expected"),
    [
        ((), CSRF, ["hookcatch.W009"]),
        ((), LOGIN, ["hookcatch.W009"]),
        (("csrf_exempt",), CSRF, []),
        (("csrf_exempt",), LOGIN, ["hookcatch.W009"]),
        ((), None, []),
    ],
)
def test_a_view_that_a_project_wraps_without_what_it_is_exempt_from(urls, exempt, middleware, expected):
    def wrapped(request: Any, path: str) -> Any:
        return views.receive(request, path)

    wrapped.__wrapped__ = views.receive
    for name in exempt:
        setattr(wrapped, name, True)
    own = urls(path("hooks/<path:path>", wrapped))
    assert ids(ROOT_URLCONF=own, MIDDLEWARE=[middleware] if middleware else []) == expected
    assert ids(MIDDLEWARE=[middleware] if middleware else []) == []


@pytest.mark.parametrize(
    ("hosts", "debug", "expected"),
    [
        (["shop.example.com"], False, []),
        ([".example.com"], False, []),
        (["example.com"], False, ["hookcatch.W010"]),
        ([], False, ["hookcatch.W010"]),
        ([], True, []),
    ],
)
def test_a_host_that_is_not_allowed(hosts, debug, expected):
    known = {**SHOP, "PUBLIC_URL": "https://shop.example.com/hooks"}
    assert ids(HOOKCATCH=known, ALLOWED_HOSTS=hosts, DEBUG=debug) == expected
    assert ids(ALLOWED_HOSTS=hosts, DEBUG=debug) == []


def test_a_host_that_is_redirected():
    for host, expected in (("shop.example.com", ["hookcatch.W011"]), ("www.example.com", [])):
        assert ids(HOOKCATCH={**SHOP, "PUBLIC_URL": f"https://{host}/hooks"}, PREPEND_WWW=True) == expected


@pytest.mark.parametrize("name", READERS)
def test_a_middleware_that_reads_bodies(name):
    assert ids(MIDDLEWARE=[*settings.MIDDLEWARE, name]) == ["hookcatch.W005"]
    assert ids(MIDDLEWARE=settings.MIDDLEWARE) == []


@pytest.mark.parametrize(("limit", "expected"), [(1000, ["hookcatch.W006"]), (1 << 20, []), (None, [])])
def test_an_upload_limit_below_what_a_source_takes(limit, expected):
    assert ids(DATA_UPLOAD_MAX_MEMORY_SIZE=limit) == expected


@pytest.mark.parametrize(
    ("url", "header", "expected"),
    [
        ("http://shop.example.com/hooks", ("HTTP_X_FORWARDED_PROTO", "https"), ["hookcatch.W007"]),
        ("https://shop.example.com/hooks", ("HTTP_X_FORWARDED_PROTO", "https"), []),
        ("http://shop.example.com/hooks", None, []),
    ],
)
def test_a_signed_url_that_is_not_the_one_from_outside(url, header, expected):
    square = {"SOURCES": {"square": {"secret": "0123456789abcdef"}}, "PUBLIC_URL": url}
    assert ids(HOOKCATCH=square, SECURE_PROXY_SSL_HEADER=header) == expected
    assert ids(HOOKCATCH={**SHOP, "PUBLIC_URL": url}, SECURE_PROXY_SSL_HEADER=header) == []


class ToAnother:
    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "django-sqlite" if model._meta.app_label == "auth" else None


def test_atomic_handlers_whose_models_are_elsewhere():
    def handler() -> None: ...

    handler.__module__ = "django.contrib.auth.webhooks"
    router.atomic.append(handler)
    try:
        assert ids() == []
        assert ids(DATABASE_ROUTERS=[ToAnother()]) == ["hookcatch.W008"]
        same = {**SHOP, "DATABASE": "django-sqlite"}
        assert ids(HOOKCATCH=same, DATABASE_ROUTERS=[ToAnother()]) == []
    finally:
        router.atomic.remove(handler)
