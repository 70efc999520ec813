"""Registering handlers: what a decorator notes down, and what it makes of it when the app is built."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, TypedDict, TypeVar, Unpack, cast

from .core.errors import ConfigurationError
from .core.handler import Condition, Handler, is_async, read_slots
from .core.retry import Backoff

F = TypeVar("F", bound=Callable[..., Any])

Within = Callable[[], AbstractContextManager[Any]]
"""Makes the context in which a handler runs: a framework's `app.app_context`."""


class HandlerOptions(TypedDict, total=False):
    """How a handler is run.

    Keys:
        name: names its runs; default the function's qualified name. Keep it when the function is renamed.
        max_attempts: tries before the event is parked; default 12.
        timeout: seconds for one attempt; default 300.
        backoff: the waits between attempts; default exponential with full jitter, up to 6 hours.
        when: only events that meet it: a predicate on the validated Event, or a mapping of payload paths to
            values. Others are recorded as `filtered`.
        reply: run before the ack, and answer with what it returns.
    """

    name: str
    max_attempts: int
    timeout: float
    backoff: Backoff
    when: Condition
    reply: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """A decorated function, before it is looked at; that waits for the build, when all its types exist."""

    function: Callable[..., Any]
    types: tuple[str, ...]
    source: str | None
    options: HandlerOptions
    fallback: bool = False
    within: Within | None = None

    def build(self) -> Handler:
        """The handler, checked. Raises ConfigurationError."""
        function = self.function
        name = self.options.get("name") or _name(function)
        condition = self.options.get("when")
        if callable(condition) and is_async(condition):
            raise ConfigurationError(
                f"handler {name}: its `when` is async; a condition only looks at the event"
            )
        if self.options.get("max_attempts", 1) < 1:
            raise ConfigurationError(f"handler {name}: max_attempts is at least 1")
        if not isinstance(self.options.get("backoff", Backoff()), Backoff):
            raise ConfigurationError(f"handler {name}: backoff is Backoff(base=..., factor=..., cap=...)")
        options = {**cast("dict[str, Any]", self.options), "name": name}
        return Handler(
            **options,
            function=function if self.within is None else _inside(self.within, function),
            types=self.types,
            slots=read_slots(function, name),
            source=self.source,
            is_async=is_async(function),
        )


def _inside(within: Within, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, of the same colour, called within a context of its own."""
    if is_async(function):

        async def awaited(**arguments: Any) -> Any:
            with within():
                return await function(**arguments)

        return awaited

    def called(**arguments: Any) -> Any:
        with within():
            return function(**arguments)

    return called


def _name(function: Callable[..., Any]) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__qualname__", type(function).__qualname__))


class Router:
    """Handlers, to be carried from module to module and included in a Hookcatch."""

    def __init__(self) -> None:
        self._registered: list[Registered] = []

    def on(
        self, types: str | Iterable[str], *, source: str | None = None, **options: Unpack[HandlerOptions]
    ) -> Callable[[F], F]:
        """Register the decorated function, plain or async, for events.

        Args:
            types: an event type, one that ends in `*` for all that begin so, `"*"` for all, or a list of them.
            source: only those of this source.
            **options: see HandlerOptions.

        The function says by annotation what it wants: a model (the event's data, validated), `Event` or
        `Event[Model]`, `Annotated[Model, At("path")]` for another part of the payload, `Transaction`.
        """
        if callable(types):
            raise ConfigurationError('say for which events: @hooks.on("order.created")')
        wanted = (types,) if isinstance(types, str) else tuple(types)
        if not wanted:
            raise ConfigurationError('no event types are given; "*" stands for all')
        return self._register(wanted, source, options)

    def fallback(self, *, source: str | None = None, **options: Unpack[HandlerOptions]) -> Callable[[F], F]:
        """Register the decorated function for events that no other handler wants. Without one they are kept
        as `ignored`."""
        return self._register((), source, options, fallback=True)

    def include(self, router: Router, *, within: Within | None = None) -> None:
        """Take over all handlers that another router has by now; each of their runs is within a context that
        `within` makes for it."""
        self._check_open()
        taken = (
            router._registered
            if within is None
            else [replace(one, within=within) for one in router._registered]
        )
        self._registered.extend(taken)

    def _register(
        self, types: tuple[str, ...], source: str | None, options: HandlerOptions, *, fallback: bool = False
    ) -> Callable[[F], F]:
        unknown = options.keys() - HandlerOptions.__annotations__.keys()
        if unknown:
            raise ConfigurationError(
                f"a handler has no option {', '.join(sorted(unknown))}, "
                f"only {', '.join(HandlerOptions.__annotations__)}"
            )

        def register(function: F) -> F:
            self._check_open()
            self._registered.append(Registered(function, types, source, options, fallback))
            return function

        return register

    def _check_open(self) -> None:
        """A plain router is always open."""
