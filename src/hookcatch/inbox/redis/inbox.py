"""The inbox in Redis: one writer thread that sends what waits in one way, and a reader beside it."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

from hookcatch.core.errors import ConfigurationError, InboxUnavailable, InboxUnreachable, MissingExtra
from hookcatch.core.model import (
    Accepted,
    Claim,
    Close,
    Duplicate,
    Duplicates,
    EventState,
    Lease,
    NewEvent,
    Run,
    Standing,
    StoredEvent,
)
from hookcatch.core.ports import NO_CAPS, Clock, Query, Retention, Transaction
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Response
from hookcatch.inbox.forks import Forking, watch
from hookcatch.inbox.listeners import Listeners
from hookcatch.inbox.locks import NoLock
from hookcatch.inbox.shared.clock import ServerClock, ticking
from hookcatch.inbox.writer import Writer

try:
    import redis
except ImportError:
    raise MissingExtra("redis", "redis") from None

from . import rows, steps
from .link import Link, Server, Step, explained, together

T = TypeVar("T")

log: logging.Logger = logging.getLogger("hookcatch.inbox")


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """How the inbox uses its server; each can stand in the URL: `redis://host/0?prefix=shop`.

    Args:
        durability: `best_effort` to go on where what was acknowledged may be lost (no append-only file, one that is
            not synced, keys that are evicted); such a server is refused otherwise.
        server_clock: go by the server's clock where this machine's is more than two seconds off.
        prefix: what the names of all keys begin with, in braces: `{hookcatch}:`. Two inboxes in one database differ
            in it.
    """

    durability: Literal["strict", "best_effort"] = "strict"
    server_clock: bool = True
    prefix: str = "hookcatch"


class RedisInbox(Forking):
    """Events in a Redis, in its append-only file on disk before they are acked.

    Args:
        url: as redis-py takes it: `redis://user:password@host:6379/0`, `rediss://...` for TLS.
        clock: seconds since the epoch.
        options: see RedisOptions.

    Raises:
        ConfigurationError: the URL is none that redis-py takes, or the prefix holds braces.
    """

    shared = True
    transactional = False

    def __init__(self, url: str, *, clock: Clock, options: RedisOptions = RedisOptions()) -> None:
        if not options.prefix or set("{}") & set(options.prefix):
            raise ConfigurationError(f"prefix cannot be {options.prefix!r}: write a name without braces")
        self.options: RedisOptions = options
        self.durable: bool = True
        self.server: Server = Server(url, options.prefix, strict=options.durability == "strict")
        self._clock = ServerClock(clock, timer=ticking, wanted=options.server_clock)
        self._listeners = Listeners()
        self._opening = threading.Lock()
        self._opened = False
        self._inherited: list[Link | None] = []
        self._writer = self._hand()
        self._reader = self._hand()
        watch(self)

    def _hand(self) -> Writer[Link]:
        return Writer(
            partial(Link, self.server, self._clock),
            NoLock(),
            on_due=self._listeners,
            on_full=_nothing,
            explain=explained,
            together=together,
        )

    def open(self) -> None:
        """See `Inbox.open`."""
        with self._opening:
            if not self._opened:
                self._look()
                self._opened = True

    def _look(self) -> None:
        place = self.server.place
        try:
            connection, verdict = self.server.connect()
            connection.disconnect()
        except redis.RedisError as error:
            kind = InboxUnreachable if _is_away(error) else ConfigurationError
            raise kind(f"the inbox in {place} cannot be opened: {error}") from error
        refusal = self.server.refusal(verdict)
        if refusal:
            raise ConfigurationError(refusal)
        self.durable = not verdict.why_not
        if verdict.why_not:
            log.warning(
                "%s: an event that was acknowledged can be lost: %s", place, "; ".join(verdict.why_not)
            )
        link = Link(self.server, self._clock)
        try:
            link.execute("BEGIN IMMEDIATE")  # asks for its time, before anything is taken by a wrong clock
            steps.next_due()(link)  # a role may connect and still not run scripts or use these keys
        except InboxUnavailable as error:
            raise ConfigurationError(f"the inbox in {place} cannot be used: {error}") from error
        finally:
            link.close()

    def close(self) -> None:
        """See `Inbox.close`."""
        with self._opening:
            self._writer.close()
            self._reader.close()
            self._opened = False

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See `Inbox.listen`."""
        return self._listeners.add(callback)

    def accept(
        self,
        events: Sequence[NewEvent],
        *,
        claim: Claim | None = None,
        duplicates: Duplicates = Duplicates(),
    ) -> Future[tuple[Accepted | Duplicate, ...]]:
        """See `Inbox.accept`."""
        clock = self._clock
        there = clock.there(tuple(events))
        given = [rows.new_event(event) for event in there]
        step = steps.accept(there, given, clock.there(claim), clock.there(duplicates), clock.here)
        return self._write(step, wakes=claim is None)

    def lease(
        self,
        *,
        token: str,
        limit: int,
        now: float,
        until: float,
        caps: Mapping[str, int] = NO_CAPS,
        only: str | None = None,
    ) -> Future[tuple[Lease, ...]]:
        """See `Inbox.lease`."""
        there = self._clock.there
        return self._write(self._here(steps.lease(token, limit, there(now), there(until), caps, only)))

    def standing(self, lease: Lease) -> Future[Standing]:
        """See `Inbox.standing`."""
        return self._reader.submit(steps.standing(lease.event.seq))

    def take(
        self, source: str, tenant: str, id: str, *, of: str, token: str, now: float, until: float
    ) -> Future[Lease | None]:
        """See `Inbox.take`."""
        there = self._clock.there
        return self._write(self._here(steps.take((source, tenant, id), of, token, there(now), there(until))))

    def heartbeat(self, leases: Sequence[Lease], *, until: float) -> Future[tuple[bool, ...]]:
        """See `Inbox.heartbeat`."""
        return self._write(steps.heartbeat(leases, self._clock.there(until), self._clock()))

    def settle(self, lease: Lease, runs: Sequence[Run], close: Close | None) -> Future[None]:
        """See `Inbox.settle`."""
        there = self._clock.there
        step = steps.settle(lease, there(tuple(runs)), there(close), self._clock())
        return self._write(step, wakes=close is not None and close.state == "pending")

    def release(self, leases: Sequence[Lease]) -> Future[None]:
        """See `Inbox.release`."""
        return self._write(steps.release(leases, self._clock()), wakes=True)

    def transaction(self, lease: Lease, run: Run) -> Transaction:
        """Always a ConfigurationError: Redis has no transaction to share."""
        raise ConfigurationError(
            "a handler asks for a transaction, which the inbox in Redis does not have: use sqlite:///file.db, "
            "postgresql:// or mysql://"
        )

    def find(self, query: Query) -> Sequence[StoredEvent]:
        """See `Inbox.find`. Several looks, of which none keeps the server long."""
        asked = self._clock.there(query)
        below = "+inf" if query.before is None else rows.id_of(query.before)
        found: list[StoredEvent] = []
        while below and len(found) < query.limit:
            below, some = self._ask(steps.find(asked, below, len(found)))
            found += some
        return list(self._clock.here(tuple(found)))

    def get(self, seq: int) -> tuple[StoredEvent, Sequence[Run]] | None:
        """See `Inbox.get`."""
        return self._ask(self._here(steps.get(seq)))

    def state_of(self, seq: int) -> tuple[EventState | None, Response | None]:
        """See `Inbox.state_of`."""
        return self._ask(steps.state_of(seq))

    def counts(self) -> dict[tuple[str, EventState], int]:
        """See `Inbox.counts`."""
        return self._ask(steps.counts())

    def next_due(self) -> float | None:
        """See `Inbox.next_due`."""
        return self._clock.here(self._ask(steps.next_due()))

    def learn(self, source: str, tenant: str, secret: Secret) -> Future[bool]:
        """See `Inbox.learn`."""
        return self._write(steps.learn(source, tenant, secret))

    def learned(self, source: str, tenant: str) -> Secret | None:
        """See `Inbox.learned`."""
        return self._ask(steps.learned(source, tenant))

    def learners(self) -> Sequence[tuple[str, str]]:
        """See `Inbox.learners`."""
        return self._ask(steps.learners())

    def forget(self, source: str, tenant: str) -> Future[bool]:
        """See `Inbox.forget`."""
        return self._write(steps.forget(source, tenant))

    def replay(self, seqs: Sequence[int], *, now: float) -> Future[int]:
        """See `Inbox.replay`."""
        return self._write(steps.replay(seqs, self._clock.there(now)), wakes=True)

    def discard(self, seqs: Sequence[int], *, now: float, why: str) -> Future[int]:
        """See `Inbox.discard`."""
        return self._write(steps.discard(seqs, self._clock.there(now), why))

    def prune(self, *, now: float, retention: Retention) -> Future[int]:
        """See `Inbox.prune`."""
        return self._write(steps.prune(self._clock.there(now), retention))

    def _here(self, step: Step[T]) -> Step[T]:
        """The same, with the times of its answer in the machine's own."""
        here, read = self._clock.here, step.read
        return Step(step.script, step.words, lambda answer: here(read(answer)), step.lasts)

    def _write(self, step: Step[T], *, wakes: bool = False) -> Future[T]:
        return self._writer.submit(step, wakes=wakes)

    def _ask(self, step: Step[T]) -> T:
        return self._reader.submit(step).result()

    def before_fork(self) -> None:
        """See `Forking`."""
        self._writer.before_fork()
        self._reader.before_fork()

    def after_fork_in_parent(self) -> None:
        """See `Forking`."""
        self._reader.after_fork_in_parent()
        self._writer.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """See `Forking`."""
        self._opening = threading.Lock()
        self._inherited += [self._writer.after_fork_in_child(), self._reader.after_fork_in_child()]


def _is_away(error: redis.RedisError) -> bool:
    """Whether it may come back as it is. One that says no, or whose certificate is not right, does not."""
    said_no = isinstance(error, redis.AuthenticationError) or isinstance(error.__context__, ssl.SSLError)
    return isinstance(error, redis.ConnectionError | redis.TimeoutError) and not said_no


def _nothing() -> None:
    """There is no ballast to drop."""
