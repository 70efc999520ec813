"""The block of a transaction that a handler shares: opened once, by `with` or `async with`."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Generic, TypeVar

from hookcatch.core.errors import ConfigurationError

T = TypeVar("T")
C = TypeVar("C")


class Block(ABC, Generic[C]):
    """`begin` gives what stands after `as`; `end` gets the exception that ended the block, if one did.

    In an event loop both run in a thread, and neither is given up half-done when the task is cancelled.
    """

    committed: bool = False
    _opened: bool = False

    @abstractmethod
    def begin(self) -> C:
        """Begin. What it has taken when it raises, it has let go of."""

    @abstractmethod
    def end(self, error: BaseException | None) -> None:
        """Commit, or with an error roll back. Nothing to do if it was never begun."""

    def __enter__(self) -> C:
        self._open()
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(error)

    async def __aenter__(self) -> C:
        import asyncio

        self._open()
        begun = asyncio.wrap_future(_in_thread(self.begin))
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            await asyncio.wait([begun])
            if begun.exception() is None:
                self.end(asyncio.CancelledError())
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        ended = asyncio.wrap_future(_in_thread(partial(self.end, error)))
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:  # not before it is known whether it was committed
            await asyncio.wait([ended])
            raise

    def _open(self) -> None:
        if self._opened:
            raise ConfigurationError("this transaction was opened before: open it once in a run")
        self._opened = True


def _in_thread(function: Callable[[], T]) -> Future[T]:
    """Run it in a thread of its own. In a shared pool those that wait for a lock would take all threads, and
    the one that holds it would find none to end in."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="hookcatch-transaction", daemon=True).start()
    return future
