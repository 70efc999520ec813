"""Registering handlers, and carrying them from module to module."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from hookcatch import Backoff, ConfigurationError, Event, Hookcatch, Router
from hookcatch.core.handler import Handler


def built(router: Router) -> list[Handler]:
    return [one.build() for one in router._registered]


def test_a_decorated_function_stays_what_it_was():
    router = Router()

    def handler(event: Event) -> str:
        return "called"

    assert router.on("*")(handler) is handler
    assert router.fallback()(handler) is handler


def test_everything_a_handler_can_be_told_reaches_it():
    router, backoff = Router(), Backoff(base=1)
    condition = {"livemode": True}

    @router.on(
        ["a", "b.*"],
        source="shop",
        name="n",
        max_attempts=3,
        timeout=9.0,
        backoff=backoff,
        when=condition,
        reply=True,
    )
    async def handler(event: Event) -> None: ...

    (made,) = built(router)
    assert (made.name, made.types, made.source, made.max_attempts, made.timeout, made.backoff, made.when) == (
        "n", ("a", "b.*"), "shop", 3, 9.0, backoff, condition,
    )  # fmt: skip
    assert made.reply
    assert made.is_async


def test_a_handler_is_named_by_its_qualified_name_unless_it_says_otherwise():
    router = Router()

    class Shop:
        def fulfil(self) -> None: ...

        def dispatch(self) -> None: ...

        def __call__(self) -> None: ...

    router.on("a")(Shop().fulfil)
    router.on("a")(Shop())
    router.on("a")(functools.partial(functools.partial(Shop().dispatch)))
    prefix = "test_a_handler_is_named_by_its_qualified_name_unless_it_says_otherwise.<locals>."
    assert [one.name for one in built(router)] == [
        f"{prefix}Shop.fulfil",
        f"{prefix}Shop",
        f"{prefix}Shop.dispatch",
    ]


def test_a_router_is_included_with_all_it_has_by_then():
    router, hooks = Router(), Hookcatch("memory:")
    router.on("a", name="before")(lambda: None)
    hooks.include(router)
    router.on("a", name="after")(lambda: None)
    assert [one.name for one in hooks.build().routes.handlers] == ["before"]


def test_routers_include_each_other():
    inner, outer = Router(), Router()
    inner.fallback(name="inner")(lambda: None)
    outer.on("a", name="outer")(lambda: None)
    outer.include(inner)
    assert [(one.name, one.types) for one in built(outer)] == [("outer", ("a",)), ("inner", ())]


def test_the_annotations_are_read_when_the_app_is_built_for_only_then_all_types_exist():
    router = Router()

    @router.on("a")
    def handler(later: Later) -> None: ...

    (made,) = built(router)
    assert made.data is not None


@dataclass
class Later:
    id: str


def test_a_decorator_without_event_types_is_refused_where_it_stands():
    router = Router()
    with pytest.raises(ConfigurationError, match=r"@hooks\.on\("):
        router.on(lambda event: None)
    with pytest.raises(ConfigurationError, match="no event types"):
        router.on([])


def test_an_option_that_does_not_exist_is_refused_where_it_stands():
    router = Router()
    with pytest.raises(ConfigurationError, match="no option max_attemps, retries, only name, max_attempts"):
        router.on("a", max_attemps=3, retries=1)(lambda: None)
    with pytest.raises(ConfigurationError, match="no option types"):
        router.fallback(types="a")(lambda: None)


def test_a_condition_that_is_async_is_refused():
    router = Router()

    async def condition(event: Event) -> bool:
        return True

    router.on("a", name="h", when=condition)(lambda: None)
    with pytest.raises(ConfigurationError, match="handler h: its `when` is async"):
        built(router)


def test_a_backoff_that_is_none_is_refused():
    router = Router()
    router.on("x", name="h", backoff=[1.0, 2.0])(lambda: None)
    with pytest.raises(ConfigurationError, match=r"handler h: backoff is Backoff\(base"):
        built(router)


def test_less_than_one_attempt_is_refused():
    router = Router()
    router.on("a", name="h", max_attempts=0)(lambda: None)
    with pytest.raises(ConfigurationError, match="handler h: max_attempts is at least 1"):
        built(router)


@pytest.mark.parametrize("colour", ["plain", "async"])
def test_included_handlers_run_within_a_context_and_ask_for_what_they_asked_before(colour: str):
    router, hooks, seen = Router(), Hookcatch("memory:"), []

    @contextmanager
    def within() -> Iterator[None]:
        seen.append("in")
        try:
            yield
        finally:
            seen.append("out")

    def plain(event: Event, *, more: str) -> None:
        seen.append(f"{event} {more}")
        raise RuntimeError

    async def awaited(event: Event, *, more: str) -> None:
        plain(event, more=more)

    router.on("*")(functools.partial(plain if colour == "plain" else awaited, more="sugar"))
    hooks.include(router, within=within)
    (handler,) = built(hooks)
    assert (handler.name.rpartition(".")[2], handler.is_async) == (
        ("plain", False) if colour == "plain" else ("awaited", True)
    )
    assert [slot.name for slot in handler.slots] == ["event"]
    with pytest.raises(RuntimeError):
        asyncio.run(handler.function(event="tea")) if handler.is_async else handler.function(event="tea")
    assert seen == ["in", "tea sugar", "out"]
    assert built(router)[0].function is router._registered[0].function
