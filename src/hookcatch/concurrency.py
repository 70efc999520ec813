"""The colour of an event loop. Only this module and its callers know asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Coroutine
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
        waiter: asyncio.Future[None] = self.loop.create_future()
        future.add_done_callback(partial(self._resolved, waiter))
        alarm = None if timeout is None else self.loop.call_later(timeout, _expire, waiter, timeout)
        try:
            await waiter
        finally:
            if alarm is not None:
                alarm.cancel()
        return future.result()

    async def call(self, function: Callable[..., Any], timeout: float | None, /, **arguments: Any) -> Any:
        """Await a coroutine function; run a plain one in a thread, in a copy of this context."""
        if is_async(function):
            return await _await(function(**arguments), timeout)
        context = contextvars.copy_context()
        try:
            answer = self._pool.submit(context.run, partial(function, **arguments))
        except RuntimeError:
            # the interpreter is ending and takes no more work: leave the event to the next process
            raise asyncio.CancelledError from None
        try:
            return await self.wait(answer, timeout)
        finally:
            answer.cancel()  # what nobody waits for any more must not start later

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
            else:
                waiter.set_result(None)


def _expire(waiter: asyncio.Future[None], timeout: float) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError(f"not done after {timeout:g} s"))


async def _await(coroutine: Coroutine[Any, Any, Any], timeout: float | None) -> Any:
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await coroutine
    except TimeoutError:
        if limit.expired():
            raise TimeoutError(f"not done after {timeout:g} s") from None
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # not we are cancelled, but something that the handler awaited: an error like any other
        raise RuntimeError("what it waited for was cancelled").with_traceback(error.__traceback__) from None


class Patience:
    """Ends a task's wait when it takes too long. One timer watches over all that wait: a task that is served in
    time costs two steps in a dict, where a timer of its own would cost more than everything else about it.

    All are given the same time, so the first to begin is the first to be late.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._until: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._watching = False

    def begin(self, seconds: float) -> asyncio.Task[Any]:
        """From now on this task has `seconds`; then it is cancelled, which `was_late` tells from other reasons."""
        task = asyncio.current_task(self._loop)
        assert task is not None, "a server runs an ASGI app in a task"  # noqa: S101
        self._until[task] = self._loop.time() + seconds
        if not self._watching:
            self._watching = True
            self._loop.call_later(seconds, self._look)
        return task

    def end(self, task: asyncio.Task[Any]) -> None:
        """It has what it waited for."""
        self._until.pop(task, None)
        self._late.discard(task)

    def was_late(self, task: asyncio.Task[Any]) -> bool:
        """Whether the cancellation that `task` has just met is ours, and no other stands behind it."""
        if task not in self._late:
            return False
        self._late.discard(task)
        return task.uncancel() == 0

    def _look(self) -> None:
        now = self._loop.time()
        for task, until in [*self._until.items()]:
            if until > now:
                self._loop.call_later(until - now, self._look)
                return
            del self._until[task]
            self._late.add(task)
            task.cancel()
        self._watching = False


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
