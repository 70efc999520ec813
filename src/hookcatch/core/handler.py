"""The user's function, and what it asks for by annotation. Nothing is guessed from names."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import TypeAdapter

from .errors import ConfigurationError
from .model import Event
from .payload import MISSING, At, adapter, look_up
from .ports import Transaction
from .retry import Backoff

Condition = Callable[[Event[Any]], bool] | Mapping[str, Any]
"""A predicate on the validated event, or payload paths and the values they must have; a tuple, set or
frozenset means any one of its members."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One parameter of a handler: what goes into it, and from where in the payload (None: the event's data)."""

    name: str
    kind: Literal["event", "data", "transaction"]
    wanted: TypeAdapter[Any] | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Handler:
    """A registered function, as built.

    Attributes:
        name: names its runs in the inbox and goes into the idempotency key: keep it when the function moves.
        types: event types, `order.*` for all that start so, `*` for all.
        source: only events of this source; None for all sources.
        max_attempts: how often it is tried before the event is parked.
        timeout: seconds for one attempt.
        reply: it runs before the ack, and what it returns is the response.
    """

    name: str
    function: Callable[..., Any]
    types: tuple[str, ...]
    slots: tuple[Slot, ...]
    source: str | None = None
    max_attempts: int = 12
    timeout: float = 300.0
    backoff: Backoff = Backoff()
    when: Condition | None = None
    reply: bool = False
    is_async: bool = False

    @property
    def wants_transaction(self) -> bool:
        return any(slot.kind == "transaction" for slot in self.slots)

    @property
    def data(self) -> TypeAdapter[Any] | None:
        """The validator of the event's data, if the handler names a type for it."""
        return next((slot.wanted for slot in self.slots if slot.path is None and slot.wanted), None)


def matches(condition: Mapping[str, Any], payload: Any) -> bool:
    """Whether the payload has the wanted value at every path."""
    return all(_equals(look_up(payload, path), wanted) for path, wanted in condition.items())


def _equals(found: Any, wanted: Any) -> bool:
    if found is MISSING:
        return False
    if isinstance(wanted, (tuple, set, frozenset)):
        return any(_equals(found, one) for one in wanted)
    # in Python True == 1; in JSON they are two things
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


def read_slots(function: Callable[..., Any], name: str) -> tuple[Slot, ...]:
    """What a handler asks for, read from its annotations.

    Raises:
        ConfigurationError: if it could not be called with what an event can offer.
    """
    try:
        hints = typing.get_type_hints(annotated(function), include_extras=True)
        parameters = inspect.signature(function).parameters.values()
    except (AttributeError, NameError, SyntaxError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"handler {name}: its annotations cannot be read ({error}); "
            "define the types it names at module level"
        ) from None
    slots = [
        _slot(parameter, hints.get(parameter.name, MISSING), name)
        for parameter in parameters
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name not in _preset(function)
        and not (parameter.name not in hints and parameter.default is not parameter.empty)
    ]
    if sum(slot.path is None and slot.wanted is not None for slot in slots) > 1:
        raise ConfigurationError(
            f"handler {name}: two parameters ask for the event's data; say where each stands, "
            'with Annotated[..., At("path")]'
        )
    return tuple(slots)


def _slot(parameter: inspect.Parameter, hint: Any, name: str) -> Slot:
    where = f"handler {name}: parameter {parameter.name!r}"
    if hint is MISSING:
        raise ConfigurationError(
            f"{where} has no annotation; annotate it with Event, a model for the data, or Transaction"
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise ConfigurationError(f"{where} is positional-only and cannot be passed by name")
    if hint is Transaction:
        return Slot(parameter.name, "transaction")
    if hint is Event:
        return Slot(parameter.name, "event")
    if get_origin(hint) is Event:
        return Slot(parameter.name, "event", adapter(get_args(hint)[0], where))
    if any(part in (Event, Transaction) or get_origin(part) is Event for part in get_args(hint)):
        raise ConfigurationError(
            f"{where} is annotated as {hint!r}; Event and Transaction are always there: annotate with them alone"
        )
    path = None
    if get_origin(hint) is Annotated:
        path = next((extra.path for extra in hint.__metadata__ if isinstance(extra, At)), None)
    return Slot(parameter.name, "data", adapter(hint, where), path)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine, looking through partials and callable objects."""
    return inspect.iscoroutinefunction(annotated(function))


def _preset(function: Callable[..., Any]) -> frozenset[str]:
    """The arguments that a partial gives by name."""
    return frozenset(function.keywords) if isinstance(function, functools.partial) else frozenset()


def annotated(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function whose annotations count: within partials, or of a callable object."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function):
        return function
    return type(function).__call__  # a callable object
