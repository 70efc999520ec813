"""`settings.HOOKCATCH` and the handlers of a project."""

from __future__ import annotations

from typing import Any

import pytest

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.model import Event
from support import django_project
from support.senders import whsec

django_project.set_up()

from hookcatch.django.conf import KEYS, build, read  # noqa: E402
from hookcatch.django.handlers import DjangoRouter  # noqa: E402
from hookcatch.django.inbox import SpooledDjangoInbox  # noqa: E402
from hookcatch.inbox.spool import Spool  # noqa: E402

SOURCE = {"provider": "standard_webhooks", "secret": whsec(0)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "is a dict"),
        ({"SUORCES": {}}, "did you mean 'SOURCES'"),
        ({"sources": {}}, "did you mean 'SOURCES'"),
        ({"XYZ": {}}, "there are ASYNCHRONOUS, CONCURRENCY"),
        ({"SOURCES": ["stripe"]}, "is a dict of dicts"),
        ({"SOURCES": {"stripe": "whsec_x"}}, "is a dict"),
        ({"SOURCES": {"stripe": {"secert": "x"}}}, "did you mean 'secret'"),
        ({"RELAY": "shop.celery.app"}, "RELAY.* is a dict"),
        ({"RELAY": {"secret": "x"}}, "RELAY.* is a dict"),
        ({"RELAY": {"engine": "x", "patients": 1}}, "did you mean 'patience'"),
        ({"DURABILITY": "some"}, 'is "strict" or "best_effort", not \'some\''),
    ],
)
def test_what_is_mistyped_is_an_error_that_says_what_was_meant(given, said):
    with pytest.raises(ConfigurationError, match=said):
        read(given)


def test_a_database_that_is_not_there_is_an_error():
    with pytest.raises(ConfigurationError, match="has only default"):
        build(read({"DATABASE": "nowhere"}))


def test_the_settings_are_what_the_hookcatch_does():
    given: dict[str, Any] = {
        "SOURCES": {"shop": {**SOURCE, "max_body": 5000}},
        "DATABASE": "django-sqlite",
        "CONCURRENCY": 3,
        "DURABILITY": "best_effort",
        "WORKER": False,
        "PUBLIC_URL": "https://shop.example.com/hooks",
    }
    hooks = build(read(given))
    assert hooks.sources["shop"].endpoint.policy.max_body == 5000
    assert (hooks.concurrency, hooks.embedded, hooks._named_inbox().alias) == (3, False, "django-sqlite")
    assert hooks._named_inbox().options.durability == "best_effort"
    assert set(given) < set(KEYS)


def test_a_spool_stands_in_front_of_the_database_but_in_tests(tmp_path):
    place = tmp_path / "none"
    hooks = build(read({"SOURCES": {"shop": SOURCE}, "DATABASE": "django-sqlite", "SPOOL": str(place)}))
    inbox = hooks._named_inbox()
    assert inbox.alias == "django-sqlite"
    with pytest.raises(ConfigurationError, match=r"spool's directory .*none does not exist"):
        hooks.inbox()
    testing = SpooledDjangoInbox(inbox.store, Spool(place), is_test=lambda: True)
    testing.open()
    asked = []
    inbox.store.accept = lambda events, **options: asked.append(options)
    testing.accept([], claim=None)
    assert [*asked[0]] == ["claim", "duplicates"]
    place.mkdir()
    real = SpooledDjangoInbox(inbox.store, Spool(place, disk_floor=0), is_test=lambda: False)
    assert real.accept([]).result() == ()


def test_an_async_handler_cannot_be_atomic():
    router = DjangoRouter()
    with pytest.raises(ConfigurationError, match="not for async code"):

        @router.on("order.created", atomic=True)
        async def handler(event: Event) -> None: ...


def test_an_atomic_handler_asks_for_the_transaction_and_stays_a_function_that_can_be_called():
    router = DjangoRouter()

    @router.on("order.created", atomic=True)
    def handler(event: Event, **more: Any) -> str:
        return "called"

    (registered,) = router._registered
    assert [slot.kind for slot in registered.build().slots] == ["event", "transaction"]
    assert registered.build().name.endswith("handler")
    assert handler(None) == "called"
    assert router.atomic == [handler]


def test_a_fallback_may_be_atomic_too():
    router = DjangoRouter()

    @router.fallback(atomic=True)
    def handler(event: Event) -> None: ...

    assert router._registered[0].build().wants_transaction


class Engine:
    def check(self) -> None:
        """It keeps what it has."""

    def send(self, message: str) -> None:
        """Confirms everything."""


engine = Engine()


@pytest.mark.parametrize("given", [engine, f"{__name__}.engine"])
def test_an_engine_is_named_by_its_path_or_as_it_is(given):
    relay = (
        build(read({"RELAY": {"engine": given, "secret": "a secret of the relay's own", "patience": 5.0}}))
        .build()
        .relay
    )
    assert relay.patience == 5.0
    assert relay.send == engine.send


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"engine": "no.where"}, "No module named 'no'"),
        ({"engine": f"{__name__}.nothing"}, 'does not define a "nothing"'),
        ({"engine": engine}, "the secret is empty"),
    ],
)
def test_an_engine_that_is_not_there_or_has_no_secret_is_an_error(given, said):
    with pytest.raises(ConfigurationError, match=said):
        build(read({"RELAY": given}))


def test_tasks_that_are_handed_to_nobody_are_refused():
    relay = build(
        read({"RELAY": {"engine": "hookcatch.django.tasks.engine", "secret": "a secret of the relay's own"}})
    )
    with pytest.raises(ConfigurationError, match="ImmediateBackend, which hands nothing to a worker"):
        relay.runtime()
