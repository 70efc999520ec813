"""Group commit: one thread writes what all others want written.

It takes whatever waits, writes it in one `BEGIN IMMEDIATE ... COMMIT`, and resolves the futures once the commit
is on disk. While one commit is synced the next batch gathers by itself: no timer, and no delay for a lone one.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from hookcatch.core.errors import HookcatchError, InboxUnavailable


class Connection(Protocol):
    """What the writer needs of a connection: sqlite3's words. Its `InboxUnavailable` says that it is broken."""

    @property
    def in_transaction(self) -> bool:
        """Whether there is something to take back."""
        ...

    def execute(self, sql: str, /) -> Any:
        """`BEGIN IMMEDIATE`, `COMMIT` or `ROLLBACK`."""
        ...

    def close(self) -> None:
        """Let go of it, and of what is not committed."""
        ...


class Lock(Protocol):
    """What keeps writers apart; see `WriteLock`."""

    def held(self) -> AbstractContextManager[None]:
        """Hold it."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


T = TypeVar("T")
C = TypeVar("C", bound=Connection)
Op = Callable[[C], T | HookcatchError]
"""What is to be done. An error it *returns* is the caller's result and leaves the batch alone (a lost lease);
one it raises takes the batch back, and every op is then tried by itself."""

MAX_BATCH = 512
TRIES = 12
_FORK_PATIENCE = 5.0
_BROKEN = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""The store's own errors, which the next op would meet as well."""

log: logging.Logger = logging.getLogger("hookcatch.inbox")


class Answer(Future[T]):
    """A future that its waiter cannot take back; cheaper than one that is set running."""

    def cancel(self) -> bool:
        return False


_Job = tuple[Op[Any, Any], Future[Any], bool]
"""What to do, whom to tell, and whether events come due by it."""


class Writer(Generic[C]):
    """The thread and its connection; both start with the first op and can start again after `close`.

    Args:
        connect: opens a connection that is ready for `BEGIN IMMEDIATE`; may raise HookcatchError, OSError
            or the store's own errors.
        lock: held round every transaction.
        on_due: called after a commit of an op that was submitted with `wakes=True`. Must not raise.
        on_full: called when the disk is full, before the ops are tried one by one.
        explain: what becomes of an error that an op meets alone; default for SQLite's.
        passes: whether an error may not come again: a deadlock. What met it is tried again as it is.
        together: does the ops of a batch, in their order, where there is a better way than one by one.
    """

    def __init__(
        self,
        connect: Callable[[], C],
        lock: Lock,
        *,
        on_due: Callable[[], None],
        on_full: Callable[[], None],
        explain: Callable[[Exception], Exception] | None = None,
        passes: Callable[[Exception], bool] = lambda error: False,
        together: Callable[[C, Sequence[Op[C, Any]]], list[Any]] | None = None,
    ) -> None:
        self._connect = connect
        self._lock = lock
        self._on_due = on_due
        self._on_full = on_full
        self._explain = explain or explained
        self._passes = passes
        self._together = together or _one_by_one
        self._connection: C | None = None
        self._suspect = False
        self._reset()

    def _reset(self) -> None:
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._entry = threading.Lock()
        self._gate = threading.Lock()
        self._forking = False

    def submit(self, op: Op[C, T], *, wakes: bool = False) -> Future[T]:
        """Have it written. The future cannot be cancelled: a caller that stops waiting changes nothing."""
        future: Future[T] = Answer()
        with self._entry:
            if self._thread is None:
                self._start()
            self._queue.put((op, future, wakes))
        return future

    def _start(self) -> None:
        self._thread = threading.Thread(
            target=self._work, args=(self._queue,), name="hookcatch-writer", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Finish what is queued, then let go of thread, connection and lock."""
        with self._entry:
            thread, queue = self._thread, self._queue
            self._thread, self._queue = None, SimpleQueue()
        if thread is not None:
            queue.put(None)
            thread.join()
        with self._gate:
            self._drop()
            self._lock.close()

    def before_fork(self) -> None:
        """Leave nothing open for a child to inherit (SEMANTICS 10.6): wait for the commit under way, and close.

        If that takes too long - a handler that forks inside its own transaction - the child only discards.
        """
        self._forking = self._gate.acquire(timeout=_FORK_PATIENCE)
        if self._forking:
            self._drop()

    def after_fork_in_parent(self) -> None:
        """Go on; the next op connects again."""
        if self._forking:
            self._forking = False
            self._gate.release()

    def after_fork_in_child(self) -> C | None:
        """Start afresh: the queue is the parent's. Answers a connection that must be kept and never used."""
        inherited, self._connection = self._connection, None
        self._lock.close()
        self._reset()
        return inherited

    def _work(self, queue: SimpleQueue[_Job | None]) -> None:
        while (first := queue.get()) is not None:
            batch = [first]
            more = True
            while more and len(batch) < MAX_BATCH and not queue.empty():
                job = queue.get_nowait()
                if job is None:
                    queue.put(None)
                    more = False
                else:
                    batch.append(job)
            self._write(batch)

    def _write(self, batch: Sequence[_Job]) -> None:
        with self._gate:
            results = self._results(batch)
        wakes = False
        for (_, future, due), result in zip(batch, results, strict=True):
            wakes = wakes or due
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        if wakes:
            self._tell()

    def _tell(self) -> None:
        try:
            self._on_due()
        except Exception:  # a listener's loop may be closed; the thread must live
            log.exception("a listener of the inbox failed")

    def _results(self, batch: Sequence[_Job]) -> list[Any]:
        try:
            return self._transact(batch)
        except Exception as error:  # whatever it is, it belongs to the futures: the thread must live
            if _is_full(error):
                self._on_full()
            elif not self._passes(error) and (len(batch) == 1 or _is_broken(error)):
                return [self._explain(error)] * len(batch)
            log.debug("a batch of %d is tried one by one: %r", len(batch), error)
        return [self._alone(job) for job in batch]

    def _alone(self, job: _Job) -> Any:
        try:
            return self._patiently(job)
        except Exception as error:
            return self._explain(error)

    def _patiently(self, job: _Job) -> Any:
        for patience in range(TRIES - 1):
            try:
                return self._transact((job,))[0]
            except Exception as error:
                if not self._passes(error):
                    raise
                log.debug("an op is tried again: %r", error)
                # those who met in a deadlock must not meet again
                time.sleep(random.uniform(0.0, min(0.5, 0.02 * 2**patience)))  # noqa: S311
        return self._transact((job,))[0]

    def _transact(self, batch: Sequence[_Job]) -> list[Any]:
        with self._lock.held():
            connection = self._ready()
            try:
                connection.execute("BEGIN IMMEDIATE")
                results = self._together(connection, [op for op, _, _ in batch])
                connection.execute("COMMIT")
            except Exception as error:
                self._take_back(connection, error)
                raise
        return results

    def _ready(self) -> C:
        if self._connection is None:
            self._connection = self._connect()
        if self._suspect:
            _make_sure(self._connection)
            self._suspect = False
        return self._connection

    def _take_back(self, connection: C, error: Exception) -> None:
        """Roll back; after an I/O error trust neither the connection nor what it wrote last: a sync that failed
        once may succeed the next time without the data (fsyncgate)."""
        if _is_broken(error) and _code(error) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            self._suspect = _code(error) == sqlite3.SQLITE_IOERR
            self._drop()
        elif connection.in_transaction:
            connection.execute("ROLLBACK")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            close_quietly(connection)


def _one_by_one(connection: C, ops: Sequence[Op[C, Any]]) -> list[Any]:
    return [op(connection) for op in ops]


def _make_sure(connection: Connection) -> None:
    """Carry everything that is readable into the database file, synced, before anything is acked again."""
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise InboxUnavailable("the inbox recovers from an I/O error and a reader is in the way")


def close_quietly(connection: Connection) -> None:
    """Close it, whatever state it is in."""
    try:
        connection.close()
    except sqlite3.Error as error:
        log.warning("closing the inbox: %s", error)


def explained(error: Exception) -> Exception:
    """The store's own errors as InboxUnavailable; any other as it is."""
    if not isinstance(error, InboxUnavailable) and (_is_broken(error) or _is_full(error)):
        unavailable = InboxUnavailable(f"the inbox cannot be written or read: {error}")
        unavailable.__cause__ = error
        return unavailable
    return error


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_full(error: Exception) -> bool:
    return _code(error) == sqlite3.SQLITE_FULL


def _is_broken(error: Exception) -> bool:
    return isinstance(error, InboxUnavailable | OSError) or _code(error) in _BROKEN
