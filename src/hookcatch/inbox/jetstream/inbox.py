"""The inbox in NATS JetStream."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar
from urllib.parse import urlsplit

from hookcatch.core.errors import ConfigurationError, MissingExtra
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
from hookcatch.inbox.shared.clock import ServerClock, ticking

from .codec import Call
from .options import BUCKET, Names, NatsOptions
from .replica import Replica

try:
    from .engine import Engine, Place
except ImportError:
    raise MissingExtra("nats-py", "nats") from None

T = TypeVar("T")

log: logging.Logger = logging.getLogger("hookcatch.inbox")


class NatsInbox(Forking):
    """Events in a stream of a NATS server: a log of all calls, which every process carries out on a copy of its own.

    Args:
        url: `nats://user:password@host:4222/bucket` or `tls://...`; several hosts with commas.
        clock: seconds since the epoch.
        options: see NatsOptions.
    """

    shared = True
    transactional = False

    def __init__(self, url: str, *, clock: Clock, options: NatsOptions = NatsOptions()) -> None:
        self.durable: bool = options.durability == "strict"
        self._place = place_of(url)
        self._options = options
        self._clock = ServerClock(clock, timer=ticking, wanted=options.server_clock)
        self._listeners = Listeners()
        self._starting = threading.Lock()
        self._running: Engine | None = None
        self._inherited: list[Engine | None] = []
        watch(self)

    def open(self) -> None:
        """See `Inbox.open`."""
        engine = self._engine()
        engine.ready.result()
        self.durable = engine.durable

    def close(self) -> None:
        """See `Inbox.close`."""
        with self._starting:
            engine, self._running = self._running, None
        if engine is not None:
            engine.close()

    def _engine(self) -> Engine:
        with self._starting:
            if self._running is None or self._running.has_ended:
                self._running = Engine(self._place, self._options, on_due=self._listeners, clock=self._clock)
            return self._running

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
        call = self._call("accept", events=tuple(events), claim=claim, duplicates=duplicates)
        return self._engine().write(call, wakes=claim is None, gives=claim is not None)

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
        call = self._call("lease", token=token, limit=limit, now=now, until=until, caps=caps, only=only)
        return self._engine().lease(call)

    def take(
        self, source: str, tenant: str, id: str, *, of: str, token: str, now: float, until: float
    ) -> Future[Lease | None]:
        """See `Inbox.take`."""
        return self._write(
            "take", source=source, tenant=tenant, id=id, of=of, token=token, now=now, until=until
        )

    def heartbeat(self, leases: Sequence[Lease], *, until: float) -> Future[tuple[bool, ...]]:
        """See `Inbox.heartbeat`."""
        return self._write("heartbeat", leases=tuple(leases), until=until)

    def settle(self, lease: Lease, runs: Sequence[Run], close: Close | None) -> Future[None]:
        """See `Inbox.settle`."""
        wakes = close is not None and close.state == "pending"
        return self._write("settle", wakes, lease=lease, runs=tuple(runs), close=close)

    def release(self, leases: Sequence[Lease]) -> Future[None]:
        """See `Inbox.release`."""
        return self._write("release", True, leases=tuple(leases))

    def transaction(self, lease: Lease, run: Run) -> Transaction:
        """Always a ConfigurationError: there is no database to share."""
        raise ConfigurationError(
            "a handler asks for a transaction, which the NATS inbox does not have: use sqlite:///file.db or a "
            "database server"
        )

    def standing(self, lease: Lease) -> Future[Standing]:
        """See `Inbox.standing`."""
        return self._engine().look(lambda replica: replica.standing(lease).result())

    def find(self, query: Query) -> Sequence[StoredEvent]:
        """See `Inbox.find`."""
        asked = self._clock.there(query)
        return self._look(lambda replica: replica.find(asked))

    def get(self, seq: int) -> tuple[StoredEvent, Sequence[Run]] | None:
        """See `Inbox.get`."""
        return self._look(lambda replica: replica.get(seq))

    def state_of(self, seq: int) -> tuple[EventState | None, Response | None]:
        """See `Inbox.state_of`."""
        return self._look(lambda replica: replica.state_of(seq))

    def counts(self) -> dict[tuple[str, EventState], int]:
        """See `Inbox.counts`."""
        return dict(self._look(Replica.counts))

    def next_due(self) -> float | None:
        """See `Inbox.next_due`. What other processes wrote in the last moment may be missing."""
        return self._engine().glance(Replica.next_due).result()

    def learn(self, source: str, tenant: str, secret: Secret) -> Future[bool]:
        """See `Inbox.learn`."""
        return self._write("learn", source=source, tenant=tenant, secret=secret)

    def learned(self, source: str, tenant: str) -> Secret | None:
        """See `Inbox.learned`."""
        return self._look(lambda replica: replica.learned(source, tenant))

    def learners(self) -> Sequence[tuple[str, str]]:
        """See `Inbox.learners`."""
        return self._look(Replica.learners)

    def forget(self, source: str, tenant: str) -> Future[bool]:
        """See `Inbox.forget`."""
        return self._write("forget", source=source, tenant=tenant)

    def replay(self, seqs: Sequence[int], *, now: float) -> Future[int]:
        """See `Inbox.replay`."""
        return self._write("replay", True, seqs=tuple(seqs), now=now)

    def discard(self, seqs: Sequence[int], *, now: float, why: str) -> Future[int]:
        """See `Inbox.discard`."""
        return self._write("discard", seqs=tuple(seqs), now=now, why=why)

    def prune(self, *, now: float, retention: Retention) -> Future[int]:
        """See `Inbox.prune`."""
        return self._engine().prune(self._call("prune", now=now, retention=retention))

    def _call(self, name: str, **arguments: Any) -> Call:
        return Call(name, self._clock(), {key: self._clock.there(value) for key, value in arguments.items()})

    def _write(self, name: str, wakes: bool = False, **arguments: Any) -> Future[Any]:
        return self._engine().write(self._call(name, **arguments), wakes=wakes)

    def _look(self, what: Callable[[Replica], T]) -> T:
        return self._engine().look(what).result()

    def after_fork_in_child(self) -> None:
        """See `Forking`."""
        self._starting = threading.Lock()
        self._inherited.append(self._running)  # never let go of: it shares its socket with the parent's
        self._running = None


def place_of(url: str) -> Place:
    """The servers and the bucket that a URL names. Raises ConfigurationError for one that names none."""
    parts = urlsplit(url)
    bucket = parts.path.strip("/") or BUCKET
    who, _, hosts = parts.netloc.rpartition("@")
    if not all(hosts.split(",")) or not _BUCKET.fullmatch(bucket):
        shown = f"{parts.scheme}://{hosts}{parts.path}"
        raise ConfigurationError(
            f"{shown!r} names no NATS stream: write nats://user:password@host:4222/bucket, the bucket in letters, "
            "digits, - and _"
        )
    login = f"{who}@" if who else ""
    return Place(
        servers=tuple(f"{parts.scheme}://{login}{host}" for host in hosts.split(",")),
        shown=f"{parts.scheme}://{hosts}/{bucket}",
        names=Names(bucket),
    )


_BUCKET = re.compile(r"[A-Za-z0-9_-]+")
