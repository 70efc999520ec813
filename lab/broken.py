"""Inboxes that are wrong on purpose: each is a pattern met in the wild, and each must be caught by its experiment.

An experiment that passes with one of these shows nothing when it passes without.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from typing import Any

from hookcatch.core.errors import LeaseLost
from hookcatch.core.model import Accepted, Close, Duplicate, Lease, NewEvent, Run
from hookcatch.core.ports import Inbox, Query
from hookcatch.inbox import sqlite_file, sqlite_ops
from hookcatch.inbox.shared import ops


class Spoilt:
    """An inbox that passes everything on; its children do one thing wrongly."""

    def __init__(self, inbox: Any) -> None:
        self._inbox = inbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inbox, name)


class AckFirst(Spoilt):
    """Says yes, and stores a moment later (`BackgroundTasks`)."""

    def accept(self, events: Sequence[NewEvent], **options: Any) -> Future[Any]:
        threading.Timer(0.05, self._inbox.accept, (events,), options).start()
        return resolved(tuple(Accepted(0) for _ in events))


class MarkFirst(Spoilt):
    """Marks an event as done when it is taken, and then works on it (`SET NX`, insert-then-process)."""

    def lease(self, **options: Any) -> Future[Any]:
        return then(self._inbox.lease(**options), self._mark)

    def _mark(self, leases: tuple[Lease, ...]) -> tuple[Lease, ...]:
        for lease in leases:
            self._inbox.settle(lease, (), Close("succeeded"))
        return leases

    def settle(self, lease: Lease, runs: Sequence[Run], close: Close | None) -> Future[None]:
        return resolved(None)


class NoDedupe(Spoilt):
    """Makes an id of its own for every delivery."""

    def accept(self, events: Sequence[NewEvent], **options: Any) -> Future[Any]:
        return self._inbox.accept([another(event) for event in events], **options)


class NoLanes(Spoilt):
    """Keeps no order: whoever is free takes what is due."""

    def accept(self, events: Sequence[NewEvent], **options: Any) -> Future[Any]:
        free = [dataclasses.replace(event, lane=None) for event in events]
        return self._inbox.accept(free, **options)


class ForgetsVersions(Spoilt):
    """Takes the last event that came for the newest."""

    def accept(self, events: Sequence[NewEvent], **options: Any) -> Future[Any]:
        bare = [dataclasses.replace(event, version=None) for event in events]
        return self._inbox.accept(bare, **options)


class ExistsFirst(Spoilt):
    """Looks whether it knows the event, and inserts it if not: two statements where there must be one."""

    def accept(self, events: Sequence[NewEvent], **options: Any) -> Future[Any]:
        (event,) = events
        found = self._inbox.find(Query(id=event.id))
        if found:
            return resolved((Duplicate(found[0].seq, found[0].state),))
        return self._inbox.accept([another(event)], **options)

    def find(self, query: Query) -> Any:
        return self._inbox.find(query)


class TwoCommits(Spoilt):
    """Commits the effect, and the mark afterwards."""

    def transaction(self, lease: Lease, run: Run) -> Any:
        if hasattr(self._inbox, "driver"):
            return Apart(self._inbox.driver.connect)
        return Unmarked(self._inbox.transaction(lease, run))


class NoGuard(Spoilt):
    """Works on whatever a message of an engine names, even if another one brought it before."""

    def take(self, source: str, tenant: str, id: str, **named: Any) -> Future[Any]:
        taken = self._inbox.take(source, tenant, id, **named).result()
        if taken is None:
            (known,) = self._inbox.find(Query(source=source, id=id))
            stored, _ = self._inbox.get(known.seq)
            taken = Lease(named["token"], named["until"], stored, {})
        return resolved(taken)


class Unmarked:
    """A transaction that does not record the run, and so cannot know that it was committed."""

    def __init__(self, made: Any) -> None:
        self._made = made
        self.committed = False

    async def __aenter__(self) -> Any:
        db = await self._made.__aenter__()
        db.execute("DELETE FROM hookcatch_run WHERE seq = ?", (self._made._lease.event.seq,))
        return db

    async def __aexit__(self, *error: Any) -> None:
        await self._made.__aexit__(*error)


class Apart:
    """No transaction at all, on a server: each statement is committed by itself."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self.committed = False

    async def __aenter__(self) -> Any:
        self._db = self._connect()
        return self._db

    async def __aexit__(self, *error: Any) -> None:
        self._db.close()


def no_fence(inbox: Any) -> Any:
    """Whoever has worked on an event writes, whether it is still his or not."""

    class NoFence(Spoilt):
        def settle(self, *arguments: Any) -> Future[None]:
            return then(self._inbox.settle(*arguments), lambda _: None, ignore=LeaseLost)

    sqlite_ops.check_fence = lambda connection, lease: None
    ops.holds = lambda db, lease: True
    ops.mark = lambda db, lease, run: ops.record(db, [(lease.event.seq, run)]) is None
    return NoFence(inbox)


def normal_sync(inbox: Any) -> Any:
    """Commits without waiting for the disk, in SQLite; a killed process loses nothing by it, a machine does."""
    settings = sqlite_file._settings
    sqlite_file._settings = lambda options: [
        (name, "NORMAL", 1) if name == "synchronous" else (name, value, expected)
        for name, value, expected in settings(options)
    ]
    return inbox


def no_turns(inbox: Any) -> Any:
    """Leaves it to SQLite who writes next, and waits for nobody."""
    inbox.options = dataclasses.replace(inbox.options, busy_timeout=0.0)
    inbox._writer._lock = NoLock()
    return inbox


class NoLock:
    """Keeps nobody out."""

    def held(self) -> Any:
        return nullcontext()

    def close(self) -> None:
        pass


BROKEN: dict[str, Callable[[Any], Any]] = {
    "ack-first": AckFirst,
    "mark-first": MarkFirst,
    "no-dedupe": NoDedupe,
    "no-lanes": NoLanes,
    "forgets-versions": ForgetsVersions,
    "exists-first": ExistsFirst,
    "two-commits": TwoCommits,
    "no-guard": NoGuard,
    "no-fence": no_fence,
    "normal-sync": normal_sync,
    "no-turns": no_turns,
}


def broken(how: str, inbox: Inbox) -> Inbox:
    """The inbox, wrong in the way that is named; as it is for `""`."""
    spoilt: Inbox = BROKEN[how](inbox) if how else inbox
    return spoilt


def another(event: NewEvent) -> NewEvent:
    """The same event under an id of ours; the sender's stays readable before the `~`."""
    return dataclasses.replace(event, id=f"{event.id}~{secrets.token_hex(4)}")


def resolved(value: Any) -> Future[Any]:
    """A future that is done."""
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def then(
    first: Future[Any], change: Callable[[Any], Any], ignore: type[Exception] | None = None
) -> Future[Any]:
    """A future of what comes of the first one's result."""
    answer: Future[Any] = Future()

    def done(future: Future[Any]) -> None:
        error = future.exception()
        if error is None or (ignore and isinstance(error, ignore)):
            with suppress(Exception):
                answer.set_result(change(None if error else future.result()))
        else:
            answer.set_exception(error)

    first.add_done_callback(done)
    return answer
