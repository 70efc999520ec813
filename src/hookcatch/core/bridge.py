"""Two colours, one core: the flow is written once as `async def` and stepped once where nothing awaits.

A coroutine whose leaves all block never suspends, so a single `send(None)` runs it to its end: no event loop,
no second thread, and thread-locals stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from .errors import Suspended

T = TypeVar("T")


def step(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends. Raises Suspended if it does."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise Suspended("an async-only store or handler was used from synchronous code")


class Blocking:
    """The colour of a thread: every leaf blocks."""

    async def wait(self, future: Future[T], timeout: float | None = None) -> T:
        """Block until the future is done."""
        return future.result(timeout)

    async def call(self, function: Callable[..., Any], timeout: float | None, /, **arguments: Any) -> Any:
        """Call in this very thread, so that thread-local connections and contexts are the caller's own.

        Nothing can end a plain call from outside, so `timeout` is not enforced here.
        """
        result = function(**arguments)
        if isinstance(result, Coroutine):
            result.close()
            raise Suspended(f"{function!r} is async and was called from synchronous code")
        return result
