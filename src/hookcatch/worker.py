"""The worker: lease, process, settle, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from .core.endpoint import App
from .core.errors import InboxUnavailable, LeaseLost, RelayUnavailable
from .core.flow import hand_over, process
from .core.model import Close, Lease
from .core.ports import Clock, Inbox, Ports, Relay, Retention
from .observe.logs import escape

logger: logging.Logger = logging.getLogger("hookcatch")

POLL = 0.5
"""Seconds between looks into the inbox when nothing calls: retries that come due, events of other processes."""

DRAIN = 25.0
"""Seconds that running handlers get at a stop; orchestrators kill after 30."""

PRUNE_EVERY = 60.0

REST = (1.0, 30.0)
"""Seconds without handing over, after the engine did not confirm: the first time, and at most. It doubles."""


class Heart:
    """Keeps leases alive from a thread of its own, so that a blocked event loop loses nothing."""

    def __init__(self, inbox: Inbox, clock: Clock, lease: float) -> None:
        self._inbox = inbox
        self._clock = clock
        self._lease = lease
        self._held: dict[tuple[int, str], Lease] = {}  # leases taken together share their token
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def keep(self, lease: Lease) -> Iterator[None]:
        """Prolong the lease as long as the block runs."""
        key = (lease.event.seq, lease.token)
        with self._lock:
            self._held[key] = lease
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="hookcatch-heart", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(key, None)

    def stop(self) -> None:
        """Beat no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _beat(self) -> None:
        missed: set[tuple[int, str]] = set()
        while not self._stop.wait(self._lease / 4):
            with self._lock:
                held = dict(self._held)
            if not held:
                continue
            try:
                alive = self._inbox.heartbeat(list(held.values()), until=self._clock() + self._lease).result()
            except InboxUnavailable as why:
                logger.warning("leases could not be prolonged: %s", why)
                continue
            gone = {key for key, is_ours in zip(held, alive, strict=True) if not is_ours}
            for key in gone & missed:  # what is gone at one beat only was being settled just then
                logger.warning("lease lost: %s %s", held[key].event.source, escape(held[key].event.id))
            missed = gone


@dataclass
class Turns:
    """Whose events come next. Where there are more than there are hands for, every second claim is for one source
    only, each in its turn: so a flood of one does not keep those of another waiting for its end."""

    sources: tuple[str, ...]
    is_crowded: bool = False
    _count: int = 0

    def next(self) -> str | None:
        """The source whose turn it is; None for whatever is due first."""
        if not self.is_crowded or len(self.sources) < 2:
            return None
        self._count += 1
        turn, is_for_all = divmod(self._count, 2)
        return None if is_for_all else self.sources[turn % len(self.sources)]


@dataclass
class Worker:
    """Works on due events in an event loop, `concurrency` at a time, or hands them to the app's engine."""

    app: App
    ports: Ports
    loop: asyncio.AbstractEventLoop
    concurrency: int
    retention: Retention
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: bool = False
    _trial: asyncio.Task[None] | None = None
    _rest: float = 0.0
    _rests_until: float = 0.0
    _is_cut_off: bool = False
    _turns: Turns = field(init=False)
    _caps: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._turns = Turns(tuple(self.app.endpoints))
        self._caps = self.app.caps

    async def run(self, *, until_idle: bool = False, wait_for_retries: bool = True) -> None:
        """Work until `stop`; with `until_idle` until nothing waits any more, not even a retry, or without
        `wait_for_retries` until nothing is due now."""
        silence = self.ports.inbox.listen(self._called)
        housekeeping = self.loop.create_task(self._keep_house())
        try:
            while not self._stopping:
                self._wake.clear()
                if not await self._take() and until_idle and self._is_idle(wait_for_retries):
                    return
                await self._pause()
        finally:
            silence()
            housekeeping.cancel()
            await self.drain()
            if self.app.relay is not None:
                await self.app.relay.close()

    def stop(self) -> None:
        """Claim nothing more; `run` returns when what runs has ended, or after DRAIN seconds."""
        self._stopping = True
        self._wake.set()

    def adopt(self, lease: Lease) -> Future[Close]:
        """Process a lease that somebody else took, and answer them with what came of it; from any thread."""
        answer: Future[Close] = Future()
        self.loop.call_soon_threadsafe(self._start, lease, answer, None)
        return answer

    async def drain(self) -> None:
        """Wait for what runs; give back what does not end in time."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DRAIN)
        left = list(self._tasks)
        if left:
            logger.warning("%d events did not end in %.0f s and are given back", len(left), DRAIN)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        try:
            # the inbox works in order: once this is answered, what was given back is on disk
            await self.ports.colour.wait(self.ports.inbox.release([]))
        except InboxUnavailable as why:
            logger.warning("leases could not be given back and run out by themselves: %s", why)

    def _start(self, lease: Lease, answer: Future[Close], relay: Relay | None) -> None:
        # an empty context: not that of the request in which the worker happened to be started, or the event adopted
        task = self.loop.create_task(self._work(lease, answer, relay), context=contextvars.Context())
        self._tasks.add(task)
        if lease.is_last_chance:
            self._trial = task
        task.add_done_callback(self._ended)

    async def _work(self, lease: Lease, answer: Future[Close], relay: Relay | None) -> None:
        """Process one lease, or hand it over. If it cannot be settled the lease runs out, and another worker takes
        it."""
        try:
            if relay is None:
                answer.set_result(await process(lease, self.app, self.ports))
            else:
                answer.set_result(await hand_over(lease, relay, self.ports))
                self._rest = 0.0
        except LeaseLost as why:
            if relay is not None:  # it has confirmed, and was faster than we: it works on the event already
                self._rest = 0.0
            self._tell_unsettled(lease, why, logging.WARNING if relay is None else logging.DEBUG)
            answer.set_exception(why)
        except RelayUnavailable as why:
            answer.set_exception(why)
            self.ports.inbox.release([lease])
            self._take_a_rest(why)
        except asyncio.CancelledError:
            answer.set_exception(LeaseLost("given back at a stop"))
            self.ports.inbox.release([lease])
            raise
        except Exception as why:  # one event's trouble is not the worker's
            expected = isinstance(why, InboxUnavailable)
            self._tell_unsettled(lease, why, logging.WARNING if expected else logging.ERROR)
            answer.set_exception(why)

    def _tell_unsettled(self, lease: Lease, why: Exception, level: int) -> None:
        logger.log(
            level,
            "event %s of %s was not settled: %r",
            escape(lease.event.id),
            lease.event.source,
            why,
            exc_info=why if level >= logging.ERROR else None,
        )

    def _take_a_rest(self, why: RelayUnavailable) -> None:
        """Let the broker come back. All that wait stay as they are."""
        now = self.ports.clock()
        if now >= self._rests_until:
            shortest, longest = REST
            self._rest = min(longest, max(shortest, 2 * self._rest))
            self._rests_until = now + self._rest
            logger.warning("events cannot be handed over, next try in %.0f s: %s", self._rest, why)

    def _is_resting(self) -> bool:
        now = self.ports.clock()
        return now < self._rests_until <= now + REST[1]  # farther ahead it is only if the clock was set back

    def _called(self) -> None:
        if not self._wake.is_set():
            with suppress(RuntimeError):  # the loop is closed; that is no matter of whoever commits
                self.loop.call_soon_threadsafe(self._wake.set)

    async def _take(self) -> bool:
        """Lease as much as there are hands for; whether there was any.

        Nothing is taken while an event on its last chance is in work, so that two of these never share a fate.
        """
        # after a failure to hand over one event tries the way; all would only wait for the same broker
        free = (1 if self._rest else self.concurrency) - len(self._tasks)
        if free <= 0 or self._trial is not None or self._is_resting():
            return True
        only = self._turns.next()
        taken = await self._claim(free, only)
        if (
            only is not None and taken < free and self._trial is None
        ):  # its turn, and nothing there: let the others
            taken += await self._claim(free - taken, None)
        self._turns.is_crowded = taken == free
        return taken > 0

    async def _claim(self, limit: int, only: str | None) -> int:
        """Start on what is due, of one source or of all; how many there were."""
        now = self.ports.clock()
        try:
            leases = await self.ports.colour.wait(
                self.ports.inbox.lease(
                    token=self.ports.token(),
                    limit=limit,
                    now=now,
                    until=now + self.ports.lease,
                    caps=self._caps,
                    only=only,
                )
            )
        except InboxUnavailable as why:
            logger.log(
                logging.DEBUG if self._is_cut_off else logging.WARNING,
                "the inbox cannot be read now: %s",
                why,
            )
            self._is_cut_off = True
            return limit
        if self._is_cut_off:
            logger.info("the inbox can be read again")
            self._is_cut_off = False
        for lease in leases:
            self._start(lease, Future(), self._engine_for(lease))
        return len(leases)

    def _engine_for(self, lease: Lease) -> Relay | None:
        """Who works on it: what no handler wants needs no engine to find that out."""
        event = lease.event
        return self.app.relay if self.app.routes.find(event.source, event.type) else None

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task is self._trial:
            self._trial = None
        self._wake.set()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _is_idle(self, wait_for_retries: bool) -> bool:
        if self._tasks:
            return False
        due = self.ports.inbox.next_due()
        return due is None or (not wait_for_retries and due > self.ports.clock())

    async def _keep_house(self) -> None:
        """Let go of what retention allows, a little at a time."""
        while True:
            try:
                await self._prune()
            except InboxUnavailable as why:
                logger.warning("old events could not be pruned: %s", why)
            await asyncio.sleep(PRUNE_EVERY)

    async def _prune(self) -> None:
        now = self.ports.clock()
        while await self.ports.colour.wait(self.ports.inbox.prune(now=now, retention=self.retention)):
            pass
