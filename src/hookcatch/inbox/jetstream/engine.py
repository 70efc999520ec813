"""The thread that speaks to the server: a connection, a copy of the inbox, and what is to be written."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from nats.aio.client import Client
from nats.errors import Error

from hookcatch.core.errors import ConfigurationError, InboxUnavailable
from hookcatch.inbox.shared.clock import ServerClock

from . import streams
from .codec import Call, written
from .commit import Answer, Committer, Job, explained
from .follow import Follower
from .options import Names, NatsOptions
from .replica import Replica

T = TypeVar("T")

log: logging.Logger = logging.getLogger("hookcatch.inbox")

PATIENCE = 5.0
"""Seconds that a read waits for the server."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the inbox is: addresses of servers, how it is called in messages, and its streams."""

    servers: tuple[str, ...]
    shown: str
    names: Names


@dataclass(frozen=True, slots=True)
class _Question:
    ask: Callable[[], Coroutine[Any, Any, Any]]
    future: Future[Any]


class Engine:
    """Starts at once and serves until `close`; what is asked of it before the copy of the inbox is there waits.

    Args:
        on_due, clock: see Committer.
    """

    def __init__(
        self,
        place: Place,
        options: NatsOptions,
        *,
        on_due: Callable[[], None],
        clock: ServerClock,
    ) -> None:
        self.durable: bool = True
        self.ready: Future[None] = Answer()
        self._place = place
        self._options = options
        self._on_due = on_due
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: deque[Job | _Question] = deque()
        self._is_called = False
        self._why_ended: InboxUnavailable | None = None
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = False
        self._following: list[asyncio.Task[None]] = []
        self._follower: Follower
        self._committer: Committer
        self._thread = threading.Thread(target=self._run, name="hookcatch-nats", daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether it does nothing any more."""
        return self._why_ended is not None

    def write(self, call: Call, *, wakes: bool = False, gives: bool = False) -> Future[Any]:
        """Put a call into the log; answers what it came to."""
        job = Job(written(call), Answer(), wakes, gives)
        self._put(job)
        return job.future

    def look(self, what: Callable[[Replica], T]) -> Future[T]:
        """Look at the inbox as of now, with all that others have written."""

        async def ask() -> T:
            await self._catch_up()
            found: T = await self._follower.bodies.filled(what(self._follower.replica))
            return self._clock.here(found)

        return self._ask(ask)

    def glance(self, what: Callable[[Replica], T]) -> Future[T]:
        """Look at the inbox as far as this process knows it; that may be a little behind."""

        async def ask() -> T:
            return self._clock.here(what(self._follower.replica))

        return self._ask(ask)

    def lease(self, call: Call) -> Future[Any]:
        """Put a lease into the log if there is something to lease."""

        async def ask() -> Any:
            now = call.arguments["now"]
            if not self._follower.replica.is_due(now):
                await self._catch_up()
            return await self._written(call, gives=True) if self._follower.replica.is_due(now) else ()

        return self._ask(ask)

    def prune(self, call: Call) -> Future[int]:
        """Put it into the log if there is something to prune; else let go of what the log does not need."""

        async def ask() -> int:
            if self._follower.replica.is_prunable(**call.arguments):
                pruned: int = await self._written(call)
                return pruned
            await self._follower.tidy(self._options.snapshot_every)
            return 0

        return self._ask(ask)

    def close(self) -> None:
        """Finish what is asked and let go. Blocks."""
        self._end(InboxUnavailable("the inbox is closed"))
        self._thread.join()

    def _ask(self, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Future[Any]:
        question = _Question(ask, Answer())
        self._put(question)
        return question.future

    def _put(self, item: Job | _Question) -> None:
        with self._lock:
            why_not = self._why_ended
            is_first = why_not is None and not self._is_called
            if why_not is None:
                self._queue.append(item)
                self._is_called = True
        if why_not is not None:
            item.future.set_exception(why_not)
        if is_first:
            self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        """Begin with what is asked, in the order in which it was."""
        if not self._is_open:
            return
        with self._lock:
            items, self._queue = self._queue, deque()
            self._is_called = False
        for item in items:
            if isinstance(item, _Question):
                task = asyncio.create_task(_answer(item))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        self._committer.submit([item for item in items if isinstance(item, Job)])

    async def _written(self, call: Call, *, gives: bool = False) -> Any:
        job = Job(written(call), Answer(), gives=gives)
        self._committer.submit([job])
        return await asyncio.wrap_future(job.future)

    async def _catch_up(self) -> None:
        await asyncio.wait_for(self._follower.catch_up(), PATIENCE)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        client = Client()
        try:
            await self._begin(client)
        except Exception as error:  # it belongs to those who wait
            self._fail(error)
        else:
            self._is_open = True
            self.ready.set_result(None)
            self._take()
            await self._stop.wait()
            self._take()
            while self._tasks:
                await asyncio.wait(self._tasks)
            await self._committer.drain()
        finally:
            for task in self._following:
                await _cancelled(task)
            await client.close()

    async def _begin(self, client: Client) -> None:
        """Connect, and make the copy of the inbox."""
        await self._connect(client)
        js, names = client.jetstream(timeout=PATIENCE), self._place.names
        self.durable = await streams.prepare(client, js, names, self._options)
        self._follower = Follower(client, js, names, lambda *told: self._committer.told(*told))
        self._committer = Committer(
            client,
            js,
            names,
            self._follower,
            on_due=self._on_due,
            clock=self._clock,
        )
        await self._follower.load()
        following = asyncio.create_task(self._follower.run())
        self._following.append(following)
        following.add_done_callback(self._followed)
        caught_up = asyncio.create_task(self._follower.catch_up())
        await asyncio.wait([following, caught_up], return_when=asyncio.FIRST_COMPLETED)
        await (following if following.done() else caught_up)
        if self._options.server_clock:  # a call that does nothing, but its message says when it came
            await self._written(Call("heartbeat", self._clock(), {"leases": (), "until": 0.0}))

    def _followed(self, following: asyncio.Task[None]) -> None:
        """The log cannot be read on: whoever calls next begins anew."""
        if not following.cancelled():
            self._end(following.exception())

    def _fail(self, error: Exception) -> None:
        self._end(error)
        self.ready.set_exception(explained(error))
        for item in self._queue:
            item.future.set_exception(InboxUnavailable(str(error)))

    def _end(self, error: BaseException | None) -> None:
        with self._lock:
            is_first = self._why_ended is None
            self._why_ended = self._why_ended or InboxUnavailable(str(error))
        if is_first:
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _connect(self, client: Client) -> None:
        errors: list[Exception] = []

        async def failed(error: Exception) -> None:
            errors.append(error)
            log.debug("NATS: %r", error)

        async def closed() -> None:
            self._end(InboxUnavailable("the NATS server has closed the connection for good"))

        async def reconnected() -> None:
            self._follower.reconnected()

        try:
            await client.connect(
                list(self._place.servers),
                name="hookcatch",
                error_cb=failed,
                closed_cb=closed,
                reconnected_cb=reconnected,
                connect_timeout=2,
                reconnect_time_wait=0,
                max_reconnect_attempts=1,
                ping_interval=10,
            )
        except (Error, OSError) as error:
            said = [one for one in errors if isinstance(one, Error) and str(one)]  # says more than a reset
            why = [error, *errors, *said][-1]
            raise ConfigurationError(
                f"the inbox in {self._place.shown} cannot be opened: {str(why).strip() or type(why).__name__}"
            ) from error
        # from now on it comes back, however long that takes
        client.options.update(max_reconnect_attempts=-1, reconnect_time_wait=0.2)


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancel it until it is: a cancellation that meets an answer is lost in `asyncio.wait_for` of Python 3.11."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.1)


async def _answer(question: _Question) -> None:
    try:
        question.future.set_result(await question.ask())
    except Exception as error:  # it belongs to whoever asked
        question.future.set_exception(explained(error))
