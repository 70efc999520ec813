"""What lives in one process: the open inbox, the heart, and the worker in its loop.

It is made on first use, so after any fork; an app that is mounted inside another gets no lifespan events.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import logging
import os
import random
import secrets
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .concurrency import Asyncio, LoopThread, Patience
from .core.bridge import Blocking, step
from .core.endpoint import App, Endpoint
from .core.errors import HookcatchError
from .core.flow import process
from .core.model import Close, Lease
from .core.ports import LEASE, Clock, Inbox, Observer, Ports, Retention, shrug
from .keyring import Published
from .suspicion import Suspicion
from .worker import Heart, Worker

LOOKUPS = 4
"""Threads beside those of the handlers, so that a tenant's secrets are looked up while all handlers are busy."""

logger: logging.Logger = logging.getLogger("hookcatch")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a process works.

    Attributes:
        concurrency: how many events are worked on at a time.
        worker: whether this process works on events at all, or only receives them.
        lease: seconds until another worker takes over the event of a dead one.
        max_requests: how many requests may be under way before new ones are told to come back.
    """

    concurrency: int = 10
    worker: bool = True
    retention: Retention = Retention()
    max_requests: int = 1000
    lease: float = LEASE


class Hooks(Protocol):
    """What the edges need of a `Hookcatch`."""

    def match(self, path: str) -> Endpoint | None:
        """The endpoint that is served at a path below the mount."""
        ...

    def build(self, *, blocking: bool = False) -> App:
        """Check and freeze the configuration."""
        ...

    def runtime(self) -> Runtime:
        """This process's runtime."""
        ...


class Runtime:
    """One process's inbox and worker. `close` gives everything back.

    Attributes:
        alive: whether it still serves this process: not after `close`, and not in a fork's child.
    """

    def __init__(
        self,
        app: App,
        inbox: Inbox,
        settings: Settings,
        clock: Clock,
        observer: Observer,
        published: Published | None = None,
        suspicion: Suspicion | None = None,
    ) -> None:
        self.app = app
        self.inbox = inbox
        self.settings = settings
        self._published = published or Published(clock)
        self._suspicion = suspicion
        self._requests = 0
        self._counting = threading.Lock()
        self.alive: bool = True
        inbox.open()
        self._heart = Heart(inbox, clock, settings.lease)
        self._base = Ports(
            inbox=inbox,
            clock=clock,
            colour=Blocking(),
            observer=observer,
            random=random.random,
            token=functools.partial(secrets.token_hex, 8),
            keep=self._heart.keep,
            work=self._work_here,
            keys=self._published,
            visit=self._published.visit,
            suspect=suspicion.suspect if suspicion else shrug,
            lease=settings.lease,
        )
        self._starting = threading.Lock()
        self._thread: LoopThread | None = None
        self._worker: Worker | None = None
        self._colour: Asyncio | None = None
        self._running: Future[None] | asyncio.Task[None] | None = None
        self._stays = at_exit(self.close)
        _runtimes.add(self)

    def enter(self) -> bool:
        """Count a request in; False if there are too many already."""
        with self._counting:
            if self._requests >= self.settings.max_requests:
                return False
            self._requests += 1
            return True

    def leave(self) -> None:
        """Count a request out."""
        with self._counting:
            self._requests -= 1

    def blocking(self, *, takes: bool = True) -> Ports:
        """The ports of a thread; the worker runs in a loop in a thread of its own. Without `takes` it only does what
        it is given: an engine brings the events."""
        with self._starting:  # a threaded server's first requests come together
            if self._thread is None:
                self._thread = LoopThread()
                worker = self.worker(self._thread.loop)
                if takes and self.settings.worker:
                    self._running = asyncio.run_coroutine_threadsafe(worker.run(), self._thread.loop)
                    self._running.add_done_callback(_tell_if_failed)
        return self._base

    def in_loop(self, *, takes: bool = True) -> Ports:
        """The ports of the running event loop; the worker runs in it too. `takes`: see `blocking`."""
        loop = asyncio.get_running_loop()
        if self._worker is not None and self._worker.loop is loop:
            return self._worker.ports
        worker = self.worker(loop)
        if takes and self.settings.worker:
            self._running = loop.create_task(worker.run())
            self._running.add_done_callback(_tell_if_failed)
        return worker.ports

    def worker(self, loop: asyncio.AbstractEventLoop) -> Worker:
        """A worker in this loop, not yet running."""
        colour = self._colour = Asyncio(loop, self.settings.concurrency + LOOKUPS)
        self.patience: Patience = Patience(loop)
        worker = Worker(
            app=self.app,
            ports=replace(self._base, colour=colour, work=lambda lease: worker.adopt(lease)),
            loop=loop,
            concurrency=self.settings.concurrency,
            retention=self.settings.retention,
        )
        self._worker = worker
        return worker

    async def drain(self) -> None:
        """Stop claiming and wait for what runs, in the loop in which it runs."""
        if self._worker is None:
            return
        self._worker.stop()
        if self._running is None:
            await self._worker.drain()
        else:
            await (
                self._running
                if isinstance(self._running, asyncio.Task)
                else asyncio.wrap_future(self._running)
            )

    def close(self) -> None:
        """Drain the worker of a thread, finish what is queued, let go of the inbox."""
        if not self.alive:  # of a fork's child the threads and the files are the parent's
            return
        self.alive = False
        self._stays()
        if self._thread is not None:
            asyncio.run_coroutine_threadsafe(self.drain(), self._thread.loop).result()
            self._thread.stop()
        if self._colour is not None:
            self._colour.close()
        self._heart.stop()
        self._published.close()
        if self._suspicion is not None:
            self._suspicion.close()
        self.inbox.close()

    def _work_here(self, lease: Lease) -> Future[Close]:
        """Handlers before the ack run in the request's own thread; what may outlive it, in the worker's loop."""
        if lease.event.state == "running" and self._worker is not None:
            return self._worker.adopt(lease)
        answer: Future[Close] = Future()
        try:
            answer.set_result(step(process(lease, self.app, self._base)))
        except HookcatchError as why:
            answer.set_exception(why)
        return answer


def at_exit(close: Callable[[], None]) -> Callable[[], None]:
    """Have it called when this process ends; answers what takes that back.

    A child of `multiprocessing`, as granian's workers are, leaves by `os._exit` in older Pythons: it runs finalizers
    of its own, and nothing that `atexit` knows (https://github.com/python/cpython/issues/83856).
    """
    atexit.register(close)
    children: Any = sys.modules.get("multiprocessing.util")  # in such a child it is there
    finalizer = children.Finalize(None, close, exitpriority=0) if children else None

    def stay() -> None:
        atexit.unregister(close)
        if finalizer is not None:
            finalizer.cancel()

    return stay


def _tell_if_failed(running: Future[None] | asyncio.Task[None]) -> None:
    if not running.cancelled() and running.exception() is not None:
        logger.critical("the worker has stopped; events are kept, but not handled: %r", running.exception())


_runtimes: weakref.WeakSet[Runtime] = weakref.WeakSet()


def _leave_to_the_parent() -> None:
    """A fork's child has none of its parent's threads and makes a runtime of its own."""
    for runtime in _runtimes:
        runtime.alive = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)
