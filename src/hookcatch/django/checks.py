"""System checks: what would keep webhooks from being received, said before the first one comes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import router as databases
from django.http.request import validate_host
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import LocalePrefixPattern

from hookcatch.app import Hookcatch
from hookcatch.core.errors import ConfigurationError

from . import router

READERS: Mapping[str, str] = {
    # https://github.com/jazzband/django-silk/blob/master/silk/model_factory.py (content_body)
    "silk.middleware.SilkyMiddleware": "it records the bodies of requests",
    # https://github.com/Rhumbix/django-request-logging/blob/master/request_logging/middleware.py
    "request_logging.middleware.LoggingMiddleware": "it logs the bodies of requests",
    # https://github.com/vishalanandl177/DRF-API-Logger/blob/master/drf_api_logger/middleware/api_logger_middleware.py
    "drf_api_logger.middleware.api_logger_middleware.APILoggerMiddleware": "it records the bodies of requests",
}
"""Middleware that is known to read a body before the view sees it."""

CSRF = "django.middleware.csrf.CsrfViewMiddleware"
LOGIN = "django.contrib.auth.middleware.LoginRequiredMiddleware"


@dataclass(frozen=True, slots=True)
class Mount:
    """Where one of our views is in the project's URLs: what stands before it, and whether behind a language."""

    before: str
    view: Callable[..., Any]
    translated: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to check."""

    hooks: Hookcatch
    conf: Any
    mounts: tuple[Mount, ...]


def check_all(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Everything; without a configuration that holds, only why it does not."""
    config: Any = apps.get_app_config("hookcatch")
    try:
        conf = config.conf
        missing = [*_missing_secrets(conf)]
        if missing:
            return missing
        found = Found(config.hooks, conf, tuple(_mounts()))
    except ConfigurationError as why:
        return [Error(str(why), id="hookcatch.E001")]
    return [message for check in _CHECKS for message in check(found)]


def _missing_secrets(conf: Any) -> Iterator[CheckMessage]:
    for name, options in conf.sources.items():
        if "secret" in options and not options["secret"]:
            yield Error(
                f"the source {name!r} has no secret",
                hint="Is the variable set in this environment? Without it anybody could send, so nothing is taken.",
                id="hookcatch.E002",
            )


def _mounts() -> Iterator[Mount]:
    if getattr(settings, "ROOT_URLCONF", None):
        yield from _walk(get_resolver(), "", False)


def _walk(resolver: Any, before: str, translated: bool) -> Iterator[Mount]:
    from . import views

    ours = {inspect.unwrap(views.receive), inspect.unwrap(views.receive_async)}
    for one in resolver.url_patterns:
        if isinstance(one, URLPattern):
            if inspect.unwrap(one.callback) in ours and "path" in one.pattern.converters:
                yield Mount(before + str(one.pattern).partition("<")[0], one.callback, translated)
        else:
            behind = translated or isinstance(one.pattern, LocalePrefixPattern)
            yield from _walk(one, before + ("" if behind else str(one.pattern)), behind)


def _check_mounted(found: Found) -> Iterator[CheckMessage]:
    if found.hooks.sources and not found.mounts:
        yield checks.Warning(
            "the webhooks have no URL",
            hint='Add path("hooks/", include("hookcatch.django.urls")) to the urlpatterns.',
            id="hookcatch.W001",
        )


def _check_slash(found: Found) -> Iterator[CheckMessage]:
    for mount in found.mounts:
        if mount.before and not mount.before.endswith("/"):
            yield checks.Warning(
                f"the webhooks are included at {mount.before!r}, without a slash at its end",
                hint=f"/{mount.before}/... is not found, and with APPEND_SLASH it is redirected, which no sender "
                f'follows: write path("{mount.before}/", include(...)).',
                id="hookcatch.W002",
            )


def _check_language(found: Found) -> Iterator[CheckMessage]:
    if any(mount.translated for mount in found.mounts):
        yield checks.Warning(
            "the webhooks are included in i18n_patterns",
            hint="Their URLs would depend on a language that senders do not have: move the include out.",
            id="hookcatch.W003",
        )


def _check_atomic_requests(found: Found) -> Iterator[CheckMessage]:
    for alias, options in settings.DATABASES.items():
        for mount in found.mounts:
            exempt = getattr(mount.view, "_non_atomic_requests", ())
            if options.get("ATOMIC_REQUESTS") and alias not in exempt:
                yield checks.Warning(
                    f"ATOMIC_REQUESTS of the database {alias!r} wraps the view of the webhooks",
                    hint="It would hold a transaction open for each delivery, and fails for the async view: include "
                    "hookcatch.django.urls, or decorate your view with transaction.non_atomic_requests.",
                    id="hookcatch.W004",
                )


def _check_exempt(found: Found) -> Iterator[CheckMessage]:
    for mount in found.mounts:
        asks = [
            what
            for middleware, what, is_exempt in (
                (CSRF, "a CSRF token", getattr(mount.view, "csrf_exempt", False)),
                (LOGIN, "a login", not getattr(mount.view, "login_required", True)),
            )
            if middleware in settings.MIDDLEWARE and not is_exempt
        ]
        if asks:
            yield checks.Warning(
                f"the view of the webhooks at {'/' + mount.before!r} asks for {' and '.join(asks)}",
                hint="No sender has one: wrap the view with functools.wraps, which keeps what it is exempt from, or "
                "include hookcatch.django.urls.",
                id="hookcatch.W009",
            )


def _check_host(found: Found) -> Iterator[CheckMessage]:
    host = urlsplit(found.conf.public_url).hostname
    if not host:
        return
    if not settings.DEBUG and not validate_host(host, settings.ALLOWED_HOSTS):
        yield checks.Warning(
            f"senders call {host!r}, which by ALLOWED_HOSTS is answered with 400",
            hint="Add it, unless the proxy in front calls this site by another name.",
            id="hookcatch.W010",
        )
    if settings.PREPEND_WWW and not host.startswith("www."):
        yield checks.Warning(
            f"senders call {host!r}, and PREPEND_WWW redirects them, which no sender follows",
            hint='Register URLs with "www." and say so in HOOKCATCH["PUBLIC_URL"].',
            id="hookcatch.W011",
        )


def _check_middleware(found: Found) -> Iterator[CheckMessage]:
    for name in settings.MIDDLEWARE:
        if name in READERS:
            yield checks.Warning(
                f"{name} stands before the webhooks: {READERS[name]}",
                hint="What senders sign is there in its records, and a form with files is read away before the "
                "signature can be checked: have it leave the paths of the webhooks alone.",
                id="hookcatch.W005",
            )


def _check_upload_limit(found: Found) -> Iterator[CheckMessage]:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    for name, source in found.hooks.sources.items():
        if limit is not None and limit < source.endpoint.policy.max_body:
            yield checks.Warning(
                f"DATA_UPLOAD_MAX_MEMORY_SIZE is {limit}, and the source {name!r} takes up to "
                f"{source.endpoint.policy.max_body} bytes",
                hint="A middleware that looks at request.body or request.POST would make a larger delivery fail: "
                "raise the setting, or lower max_body.",
                id="hookcatch.W006",
            )


def _check_proxy(found: Found) -> Iterator[CheckMessage]:
    behind_tls = settings.SECURE_PROXY_SSL_HEADER or settings.SECURE_SSL_REDIRECT
    for name, source in found.hooks.sources.items():
        if behind_tls and source.endpoint.url.startswith("http://"):
            yield checks.Warning(
                f"the source {name!r} signs the URL that it calls, which by its public_url is {source.endpoint.url}, "
                "but this site is reached by https",
                hint="Signatures will not match: write the public_url as the sender knows it. Headers of a proxy are "
                "never believed here, so SECURE_PROXY_SSL_HEADER does not help.",
                id="hookcatch.W007",
            )


def _check_database(found: Found) -> Iterator[CheckMessage]:
    for function in router.atomic:
        config = apps.get_containing_app_config(function.__module__)
        for model in config.get_models() if config else ():
            alias = databases.db_for_write(model)
            if alias != found.conf.database:
                yield checks.Warning(
                    f"the handler {function.__qualname__} is atomic in the database {found.conf.database!r}, but "
                    f"{model._meta.label} is written to {alias!r}",
                    hint="Its writes there are not in the transaction that marks it as done, and may happen twice: "
                    f'set HOOKCATCH["DATABASE"] to {alias!r}.',
                    id="hookcatch.W008",
                )


_CHECKS: tuple[Callable[[Found], Iterator[CheckMessage]], ...] = (
    _check_mounted,
    _check_slash,
    _check_language,
    _check_atomic_requests,
    _check_exempt,
    _check_host,
    _check_middleware,
    _check_upload_limit,
    _check_proxy,
    _check_database,
)
