"""The colour of an event loop. Only this module and its callers know asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from .core.handler import is_async

T = TypeVar("T")


class Asyncio:
    """The colour of one event loop: leaves are awaited, plain handlers run in `threads` threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: int) -> None:
        self.loop = loop
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hookcatch-handler")
        self._done: deque[tuple[Future[Any], asyncio.Future[Any]]] = deque()
        self._flushing = False

    async def wait(self, future: Future[T], timeout: float | None = None) -> T:
        """Await a thread's future. If the caller is cancelled or the time is up, the future itself goes on."""
        if future.done():
            return future.result()
        waiter: asyncio.Future[T] = self.loop.create_future()
        future.add_done_callback(partial(self._resolved, waiter))
        alarm = None if timeout is None else self.loop.call_later(timeout, _expire, waiter)
        try:
            return await waiter
        finally:
            if alarm is not None:
                alarm.cancel()

    async def call(self, function: Callable[..., Any], timeout: float | None, /, **arguments: Any) -> Any:
        """Await a coroutine function; run a plain one in a thread, in a copy of this context."""
        if is_async(function):
            async with asyncio.timeout(timeout):
                return await function(**arguments)
        context = contextvars.copy_context()
        try:
            answer = self._pool.submit(context.run, partial(function, **arguments))
        except RuntimeError:
            # the interpreter is ending and takes no more work: leave the event to the next process
            raise asyncio.CancelledError from None
        return await self.wait(answer, timeout)

    def close(self) -> None:
        """Let the threads end when their handlers do."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _resolved(self, waiter: asyncio.Future[Any], future: Future[Any]) -> None:
        """Called in the writer's thread. A group of commits wakes the loop once, not once an event.

        The order matters: append, then look at the flag; `_flush` clears the flag, then empties the queue.
        """
        self._done.append((future, waiter))
        if self._flushing:
            return
        self._flushing = True
        try:
            self.loop.call_soon_threadsafe(self._flush)
        except RuntimeError:  # the loop is closed: nobody waits any more
            self._done.clear()

    def _flush(self) -> None:
        self._flushing = False
        while self._done:
            future, waiter = self._done.popleft()
            if waiter.done():
                continue
            if future.cancelled():
                waiter.cancel()
                continue
            error = future.exception()
            if error is None:
                waiter.set_result(future.result())
            else:
                waiter.set_exception(error)


def _expire(waiter: asyncio.Future[Any]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


class LoopThread:
    """An event loop in a thread of its own, for servers that have none."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="hookcatch-loop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the loop and wait for its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
