"""The worker: lease, process, settle, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .core.errors import HookcatchError, InboxUnavailable, LeaseLost
from .core.endpoint import App
from .core.flow import LEASE, process
from .core.model import Close, Lease
from .core.ports import Clock, Inbox, Ports, Retention

logger = logging.getLogger("hookcatch")

POLL = 0.5
"""Seconds between looks into the inbox when nothing calls: retries that come due, events of other processes."""

DRAIN = 25.0
"""Seconds that running handlers get at a stop; orchestrators kill after 30."""

PRUNE_EVERY = 60.0


class Heart:
    """Keeps leases alive from a thread of its own, so that a blocked event loop loses nothing."""

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock
        self._held: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def keep(self, lease: Lease) -> Iterator[None]:
        """Prolong the lease as long as the block runs."""
        with self._lock:
            self._held[lease.token] = lease
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="hookcatch-heart", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(lease.token, None)

    def stop(self) -> None:
        """Beat no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(LEASE / 4):
            with self._lock:
                held = list(self._held.values())
            if not held:
                continue
            try:
                alive = self._inbox.heartbeat(held, until=self._clock() + LEASE).result()
            except InboxUnavailable as why:
                logger.warning("leases could not be prolonged: %s", why)
                continue
            for lease, is_ours in zip(held, alive, strict=True):
                if not is_ours:
                    logger.warning("lease lost: %s %s", lease.event.source, lease.event.id)


@dataclass
class Worker:
    """Works on due events in an event loop, `concurrency` at a time."""

    app: App
    ports: Ports
    concurrency: int
    retention: Retention
    _tasks: dict[asyncio.Task[Close | None], Lease] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: bool = False

    async def run(self, *, until_idle: bool = False) -> None:
        """Work until `stop`; with `until_idle` until nothing waits any more, not even a retry."""
        loop = asyncio.get_running_loop()
        silence = self.ports.inbox.listen(lambda: self._called(loop))
        housekeeping = asyncio.create_task(self._keep_house())
        try:
            while not self._stopping:
                self._wake.clear()
                if not await self._take() and not self._tasks and until_idle and not self._anything_left():
                    return
                await self._pause()
        finally:
            silence()
            housekeeping.cancel()
            await self._drain()

    def stop(self) -> None:
        """Claim nothing more; `run` returns when what runs has ended, or after DRAIN seconds."""
        self._stopping = True
        self._wake.set()

    async def work(self, lease: Lease) -> Close | None:
        """Process one lease; what goes wrong around the handlers is logged, and the lease runs out."""
        try:
            return await process(lease, self.app, self.ports)
        except LeaseLost:
            logger.warning("lease lost: %s %s", lease.event.source, lease.event.id)
        except HookcatchError as why:
            logger.error("event %s of %s stays as it is: %s", lease.event.id, lease.event.source, why)  # noqa: TRY400
        return None

    def _called(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._wake.is_set():
            loop.call_soon_threadsafe(self._wake.set)

    async def _take(self) -> bool:
        """Lease as much as there are hands for; whether there was any."""
        free = self.concurrency - len(self._tasks)
        if not free:
            return True
        now = self.ports.clock()
        try:
            leases = await self.ports.colour.wait(
                self.ports.inbox.lease(token=self.ports.token(), limit=free, now=now, until=now + LEASE)
            )
        except InboxUnavailable as why:
            logger.warning("the inbox cannot be read, waiting: %s", why)
            return True
        for lease in leases:
            task = asyncio.create_task(self.work(lease))
            self._tasks[task] = lease
            task.add_done_callback(self._ended)
        return bool(leases)

    def _ended(self, task: asyncio.Task[Close | None]) -> None:
        self._tasks.pop(task, None)
        self._wake.set()

    async def _pause(self) -> None:
        if len(self._tasks) < self.concurrency or not self._wake.is_set():
            try:
                async with asyncio.timeout(POLL):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _anything_left(self) -> bool:
        return self.ports.inbox.next_due() is not None

    async def _keep_house(self) -> None:
        """Let go of what retention allows, a little at a time."""
        while True:
            try:
                while await self.ports.colour.wait(
                    self.ports.inbox.prune(now=self.ports.clock(), retention=self.retention)
                ):
                    await asyncio.sleep(0.01)
            except InboxUnavailable as why:
                logger.warning("old events could not be pruned: %s", why)
            await asyncio.sleep(PRUNE_EVERY)

    async def _drain(self) -> None:
        """Wait for what runs; give back what does not end in time."""
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=DRAIN)
        left = dict(self._tasks)
        for task in left:
            task.cancel()
        if left:
            logger.warning("%d handlers did not end in %.0f s; their events are given back", len(left), DRAIN)
            await self.ports.colour.wait(self.ports.inbox.release(list(left.values())))
