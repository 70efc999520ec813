"""Group commit: what waits while messages are on their way to the server goes with the next one, together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

from nats.aio.client import Client
from nats.errors import ConnectionClosedError, Error
from nats.js import JetStreamContext
from nats.js.api import Header
from nats.js.errors import APIError

from hookcatch.core.errors import HookcatchError, InboxUnavailable
from hookcatch.core.model import Accepted, Lease
from hookcatch.inbox.shared.clock import ServerClock

from .codec import Call, Written, encode, written
from .follow import Follower
from .options import Names

log: logging.Logger = logging.getLogger("hookcatch.inbox")

ON_THEIR_WAY = 4
"""Messages at the same time: one is synced while others travel."""

A_MESSAGE = 256 * 1024
"""Bytes after which a message is full."""

SOON = 0.5
"""Seconds in which a message has to be back if its time is to be trusted."""

CALLS = 512
"""Calls after which a message is full."""

TRIES = (1.0, 2.0, 3.0)
"""Seconds that a message is waited for, try by try. The stream knows one again that it has."""


PAUSE = 0.2
"""Seconds between two tries."""


class Answer(Future[Any]):
    """A future that its waiter cannot take back."""

    def cancel(self) -> bool:
        return False


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A call, whom to tell, and whether events come due by it."""

    call: Written
    future: Future[Any]
    wakes: bool = False
    gives: bool = False  # leases, which are given back if nobody waits for them any more


@dataclass(slots=True, eq=False)
class _Batch:
    id: str
    jobs: Sequence[Job]
    results: asyncio.Future[Sequence[Any]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    sent: float = field(default_factory=time.monotonic)


class Committer:
    """Writes calls to the log, and tells their callers what they came to.

    Args:
        on_due: called after a message with a job that wakes. Must not raise.
        clock: learns the server's time.
    """

    def __init__(
        self,
        client: Client,
        js: JetStreamContext,
        names: Names,
        follower: Follower,
        *,
        on_due: Callable[[], None],
        clock: ServerClock,
    ) -> None:
        self._client = client
        self._js = js
        self._names = names
        self._follower = follower
        self._on_due = on_due
        self._clock = clock
        self._origin = uuid4().hex
        self._number = count()
        self._waiting: deque[Job] = deque()
        self._sent: dict[str, _Batch] = {}
        self._given_up: dict[str, Sequence[Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, jobs: Iterable[Job]) -> None:
        """Write calls with the next message."""
        self._waiting.extend(jobs)
        self._send()

    async def drain(self) -> None:
        """Wait until all is written and told."""
        while self._tasks:
            await asyncio.wait(self._tasks)
            await asyncio.sleep(0)  # for what takes the place of those that are done

    def _send(self, _: object = None) -> None:
        while self._waiting and len(self._tasks) < ON_THEIR_WAY:
            batch = _Batch(f"{self._origin}.{next(self._number)}", self._next())
            self._sent[batch.id] = batch
            task = asyncio.create_task(self._commit(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(self._send)

    def _next(self) -> list[Job]:
        jobs: list[Job] = []
        size = 0
        while self._waiting and len(jobs) < CALLS:
            size += self._waiting[0].call.size
            if jobs and size > A_MESSAGE:
                break
            jobs.append(self._waiting.popleft())
        return jobs

    def told(self, id: str, results: Sequence[Any], server_time: float) -> None:
        """A message was carried out."""
        batch = self._sent.get(id)
        if batch is not None and not batch.results.done():
            batch.results.set_result(results)
            if self._clock.is_due() and time.monotonic() - batch.sent < SOON:
                self._clock.measure(lambda: server_time)
        elif id in self._given_up:
            self._give_back(self._given_up.pop(id), results)

    def _give_back(self, jobs: Sequence[Job], results: Sequence[Any]) -> None:
        """Release leases that came too late for whoever asked."""
        leases = [
            lease for job, result in zip(jobs, results, strict=True) if job.gives for lease in _leases(result)
        ]
        if leases:
            call = Call("release", self._clock(), {"leases": leases})
            self.submit([Job(written(call), Answer(), wakes=True)])

    async def _commit(self, batch: _Batch) -> None:
        results: Sequence[Any]
        try:
            results = await self._results(batch)
        except Exception as error:  # it belongs to the callers
            self._given_up[batch.id] = batch.jobs
            results = [explained(error)] * len(batch.jobs)
        finally:
            self._sent.pop(batch.id, None)
        for job, result in zip(batch.jobs, results, strict=True):
            if isinstance(result, Exception):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)
        if any(job.wakes for job in batch.jobs):
            self._on_due()

    async def _results(self, batch: _Batch) -> Sequence[Any]:
        limit = self._client.max_payload - 1024  # of headers
        data = encode([job.call for job in batch.jobs], limit=limit)
        if len(data) > limit:
            raise InboxUnavailable(
                f"a delivery is {len(data)} bytes, and the NATS server takes messages of {self._client.max_payload}: "
                "raise its max_payload"
            )
        await self._published(batch, data)
        results = await asyncio.wait_for(batch.results, TRIES[-1])
        return [self._clock.here(await self._follower.bodies.filled(result)) for result in results]

    async def _published(self, batch: _Batch, data: bytes) -> None:
        brings = any(job.call.bodies for job in batch.jobs)
        subject = self._names.bodies if brings else self._names.calls
        for patience in TRIES[:-1]:
            try:
                await self._publish(subject, data, batch.id, patience)
            except (APIError, ConnectionClosedError):
                raise
            except Error as error:
                log.debug("message %s was not acknowledged: %r", batch.id, error)
                await asyncio.sleep(PAUSE)
            else:
                return
        await self._publish(subject, data, batch.id, TRIES[-1])

    async def _publish(self, subject: str, data: bytes, id: str, timeout: float) -> None:
        await self._js.publish(subject, data, timeout=timeout, headers={Header.MSG_ID: id})


def _leases(result: Any) -> Iterator[Lease]:
    for one in result if isinstance(result, tuple) else ():
        lease = one.lease if isinstance(one, Accepted) else one
        if isinstance(lease, Lease):
            yield lease


def explained(error: BaseException) -> HookcatchError:
    """A failure in the words of the port."""
    if isinstance(error, HookcatchError):
        return error
    why = getattr(error, "description", None) or str(error) or type(error).__name__
    unavailable = InboxUnavailable(f"the NATS server does not keep anything now: {why}")
    unavailable.__cause__ = error
    return unavailable
