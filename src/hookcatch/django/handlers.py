"""Handlers of a Django project: each gets a connection that is fit for use, and a transaction if it likes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, Unpack

from asgiref.sync import sync_to_async

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.handler import is_async
from hookcatch.core.ports import Transaction
from hookcatch.router import HandlerOptions, Router

F = TypeVar("F", bound=Callable[..., Any])

_TRANSACTION = "_hookcatch_transaction"


class DjangoOptions(HandlerOptions, total=False):
    """How a handler is run.

    Keys:
        atomic: True for `transaction.atomic()` around the handler and the mark that it is done, in the database of
            the inbox: what it writes there with the ORM has happened exactly once. Keep it short.
    """

    atomic: bool


class DjangoRouter(Router):
    """A Router whose handlers may use the ORM. The decorated function itself stays as it is.

    Attributes:
        atomic: those of them that run in a transaction.
    """

    def __init__(self) -> None:
        super().__init__()
        self.atomic: list[Callable[..., Any]] = []

    def on(  # pyright: ignore[reportIncompatibleMethodOverride] - it takes more options
        self, types: str | Iterable[str], *, source: str | None = None, **options: Unpack[DjangoOptions]
    ) -> Callable[[F], F]:
        """As `Hookcatch.on`, with the options of Django. See DjangoOptions."""
        rest, atomic = _split(options)
        register = super().on(types, source=source, **rest)
        return _registering(register, self.atomic if atomic else None)

    def fallback(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *, source: str | None = None, **options: Unpack[DjangoOptions]
    ) -> Callable[[F], F]:
        """As `Hookcatch.fallback`, with the options of Django. See DjangoOptions."""
        rest, atomic = _split(options)
        return _registering(super().fallback(source=source, **rest), self.atomic if atomic else None)


def _split(options: DjangoOptions) -> tuple[HandlerOptions, bool]:
    rest: Any = {name: value for name, value in options.items() if name != "atomic"}
    return rest, options.get("atomic", False)


def _registering(register: Callable[[Any], Any], atomic: list[Callable[..., Any]] | None) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        if atomic is None:
            register(with_connections(function))
            return function
        if is_async(function):
            raise ConfigurationError(
                f"handler {function.__qualname__}: Django's transactions are not for async code; make it a plain "
                "function, which runs in a thread, or leave atomic out"
            )
        register(with_connections(_atomic(function)))
        atomic.append(function)
        return function

    return decorate


def _atomic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Ask for the transaction on behalf of the function, and run the function in it."""

    @functools.wraps(function)
    def run(**arguments: Any) -> Any:
        with arguments.pop(_TRANSACTION):
            return function(**arguments)

    signature = inspect.signature(function)
    extra = inspect.Parameter(_TRANSACTION, inspect.Parameter.KEYWORD_ONLY, annotation=Transaction)
    last = [one for one in signature.parameters.values() if one.kind is one.VAR_KEYWORD]
    rest = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    run.__signature__ = signature.replace(parameters=[*rest, extra, *last])  # type: ignore[attr-defined]
    run.__annotations__ = {**function.__annotations__, _TRANSACTION: Transaction}
    return run


def with_connections(function: Callable[..., Any]) -> Callable[..., Any]:
    """A handler's thread lives longer than a request: as Django does round those, drop what is old or broken."""
    from django.db import close_old_connections

    if is_async(function):
        clean = sync_to_async(close_old_connections)  # in the thread in which async code reaches the ORM

        @functools.wraps(function)
        async def awaited(**arguments: Any) -> Any:
            await clean()
            try:
                return await function(**arguments)
            finally:
                await clean()

        return awaited

    @functools.wraps(function)
    def called(**arguments: Any) -> Any:
        close_old_connections()
        try:
            return function(**arguments)
        finally:
            close_old_connections()

    return called
