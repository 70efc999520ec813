"""An inbox with a spool in front: while the store is away, deliveries are kept on this machine's disk, acknowledged,
and brought to the store when it is back.

    DIRECT     deliveries go to the store. One that the store cannot take, or does not answer for, goes to the spool
               with all that are under way, and from then on it is
    SPOOLING   deliveries go to the spool, and a thread brings the oldest to the store, over and over. When few are
               left it is
    HOLDING    for a moment: deliveries go nowhere until the last that this process spooled are in the store. Then
               they follow, and it is DIRECT again; or, if the store is away once more, SPOOLING

So whatever a process acknowledged is in the store, or before it on the way there, when its next delivery comes.
A commit whose outcome is not known is brought again: `accept` with the same keys is harmless.
"""

from __future__ import annotations

import enum
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from hookcatch.core.errors import ConfigurationError, InboxUnavailable, InboxUnreachable
from hookcatch.core.model import Accepted, Claim, Duplicate, Duplicates, NewEvent
from hookcatch.core.ports import Inbox

from .carrier import Carrier
from .forks import Forking, watch
from .passing import Passing
from .rules import Resolved, failed
from .spool_file import SpoolFile
from .sqlite_file import SqliteOptions
from .writer import Answer

TICK = 0.25
"""Seconds between looks at what is under way, and at first between tries to reach the store."""

REST = 5.0
"""Seconds between these tries at most, and between looks for what a dead process left."""

CARRYING = 5.0
"""Seconds that the store gets for what is brought to it."""

FEW = 200
"""Events that are brought to the store while deliveries wait for that."""

TELL = 60.0
"""Seconds between words on how much waits."""

Answers = tuple[Accepted | Duplicate, ...]

log: logging.Logger = logging.getLogger("hookcatch.inbox")


@dataclass(frozen=True, slots=True)
class Spool:
    """Where deliveries wait while the store is away.

    Args:
        place: a directory on a local disk, for this app alone; its processes on one machine share it.
        patience: seconds that the store gets to keep a delivery. Together with an fsync it has to be less than the
            `ack_deadline` of the sources.
        disk_floor: bytes that must stay free for deliveries to be spooled; None for 5 % of the disk, at least 256 MiB
            and at most 2 GiB.
        any_file_system: allow NFS, SMB, 9p, virtiofs, FUSE, where SQLite's locks may not hold.
    """

    place: str | os.PathLike[str]
    patience: float = 1.0
    disk_floor: int | None = None
    any_file_system: bool = False


class Mode(enum.Enum):
    """See the module."""

    DIRECT = enum.auto()
    SPOOLING = enum.auto()
    HOLDING = enum.auto()


@dataclass(eq=False, slots=True)
class _Delivery:
    """A call of `accept` that is to be answered."""

    events: Sequence[NewEvent]
    duplicates: Duplicates
    due: float
    answer: Answer[Answers] = field(default_factory=Answer)


class SpooledInbox(Passing, Forking):
    """The store, with a spool in front of it.

    Only deliveries whose handlers run after the ack are spooled: with a claim, somebody waits for what comes of it.

    Args:
        store: where events are kept.
        spool: see Spool.
        timer: seconds from anywhere, growing.

    Raises:
        ConfigurationError: for a store that is in memory.
    """

    def __init__(self, store: Inbox, spool: Spool, *, timer: Callable[[], float] = time.monotonic) -> None:
        super().__init__(store)
        if not store.shared:
            raise ConfigurationError("a spool is for a store that outlives this process: name another inbox")
        options = SqliteOptions(disk_floor=spool.disk_floor, any_file_system=spool.any_file_system)
        self.spool: SpoolFile = SpoolFile(spool.place, options)
        self._patience = spool.patience
        self._timer = timer
        self._start_afresh()
        watch(self)

    def _start_afresh(self) -> None:
        self._opening = threading.Lock()
        self._opened = False
        self._store_is_open = False
        self._carrier = Carrier(self.store, self.spool)
        self._lock = threading.RLock()
        self._mode = Mode.SPOOLING
        self._under_way: dict[_Delivery, None] = {}
        self._held: list[_Delivery] = []
        self._since = self._next_word = self._next_look = self._timer()
        self._rest = TICK
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def mode(self) -> Mode:
        """What becomes of a delivery now."""
        return self._mode

    def open(self) -> None:
        """See `Inbox.open`. A store that is away is opened when it comes back; one that says no is an error."""
        with self._opening:
            if not self._opened:
                self.spool.open()
                try:
                    self._open_all()
                except BaseException:
                    self.spool.close()
                    raise
                self._thread = threading.Thread(target=self._tend, name="hookcatch-spool", daemon=True)
                self._thread.start()
                self._opened = True

    def _open_all(self) -> None:
        try:
            self._open_store()
        except InboxUnreachable as why:
            log.warning("%s. Until then deliveries are spooled in %s", why, self.spool.place)
        try:
            self.spool.try_again().result()
            left = self.spool.status().deliveries
        except InboxUnavailable as why:
            raise ConfigurationError(f"the spool in {self.spool.place} cannot be read: {why}") from why
        if left:
            log.warning("%d deliveries were left in the spool %s, and are drained", left, self.spool.place)
        self._mode = Mode.DIRECT if self._store_is_open and not left else Mode.SPOOLING
        self._since = self._timer()
        self._next_word = self._since + TELL

    def _open_store(self) -> None:
        if not self._store_is_open:
            super().open()
            self._store_is_open = True

    def close(self) -> None:
        """See `Inbox.close`. What is in the spool stays there, for whoever opens it next."""
        with self._opening:
            self._end.set()
            if self._thread is not None:
                self._thread.join()
            super().close()  # what it cannot write any more goes to the spool
            self.spool.close()
            self._carrier.close()
            self._start_afresh()

    def accept(
        self,
        events: Sequence[NewEvent],
        *,
        claim: Claim | None = None,
        duplicates: Duplicates = Duplicates(),
    ) -> Future[Answers]:
        """See `Inbox.accept`. While the store is away it resolves when the events are in the spool, on disk."""
        if claim is not None:
            if not self._store_is_open:
                return failed(InboxUnavailable("the store was not reached yet"))
            return self.store.accept(events, claim=claim, duplicates=duplicates)
        if not events:
            return Resolved(())
        delivery = _Delivery(events, duplicates, self._timer() + self._patience)
        with self._lock:
            self._send(delivery)
        return delivery.answer

    def _send(self, delivery: _Delivery) -> None:
        """Where it belongs. Under the lock."""
        if self._mode is Mode.HOLDING:
            self._held.append(delivery)
        elif self._mode is Mode.SPOOLING:
            self._append(delivery)
        else:
            self._under_way[delivery] = None
            asked = self.store.accept(delivery.events, duplicates=delivery.duplicates)
            asked.add_done_callback(partial(self._answered, delivery))

    def _answered(self, delivery: _Delivery, asked: Future[Answers]) -> None:
        error = asked.exception()
        with self._lock:
            if delivery not in self._under_way:
                return  # it did not come in time, and the spool has it
            if isinstance(error, InboxUnavailable):
                self._fall_back(str(error))
                return
            del self._under_way[delivery]
        if error is None:
            delivery.answer.set_result(asked.result())
        else:
            delivery.answer.set_exception(error)

    def _fall_back(self, why: str) -> None:
        """The store is away: what is under way goes to the spool in its order, before anything else. Under the
        lock."""
        self._mode = Mode.SPOOLING
        self._since = self._timer()
        self._next_word = self._since + TELL
        self._rest = TICK
        log.warning("the store is away, deliveries are spooled in %s: %s", self.spool.place, why)
        waiting, self._under_way = self._under_way, {}
        for delivery in waiting:
            self._append(delivery)

    def _append(self, delivery: _Delivery) -> None:
        kept = self.spool.append(delivery.events, delivery.duplicates)
        kept.add_done_callback(partial(_spooled, delivery))

    def _tend(self) -> None:
        """The thread."""
        pause = TICK
        while not self._end.wait(pause):
            try:
                pause = self._keep_watch() if self._mode is Mode.DIRECT else self._drain()
            except Exception:  # whatever it is, it must not be the end of draining
                log.exception("the spool %s is in trouble", self.spool.place)
                pause = REST

    def _keep_watch(self) -> float:
        """While the store takes what comes: see whether it still answers, and whether some process left a spool."""
        with self._lock:
            oldest = next(iter(self._under_way), None)
            if oldest is not None and oldest.due <= self._timer():
                self._fall_back(f"it did not answer in {self._patience:g} s")
        if self._timer() >= self._next_look:
            self._look_for_leftovers()
        return TICK

    def _look_for_leftovers(self) -> None:
        self._next_look = self._timer() + REST
        try:
            if self._carrier.carry(self._patience / 2):
                self._next_look = self._timer()
        except Exception as why:  # of no matter here: the next delivery finds out about the store
            log.debug("the spool cannot be drained now: %r", why)

    def _drain(self) -> float:
        """Bring some to the store; the seconds until the next try."""
        try:
            self._open_store()
            if self._carrier.carry(CARRYING) is None:
                return TICK / 5
            oldest, newest = self.spool.span().result()
            if newest - oldest < FEW:
                self._change_over()
        except Exception as why:
            return self._wait_longer(why)
        self._rest = TICK
        return 0.0

    def _wait_longer(self, why: Exception) -> float:
        refused = isinstance(why, ConfigurationError) and not isinstance(why, InboxUnreachable)
        log.log(logging.ERROR if refused else logging.DEBUG, "the spool cannot be drained now: %s", why)
        if self._timer() >= self._next_word:
            self._next_word = self._timer() + TELL
            status, away = self.spool.status(), self._timer() - self._since
            log.warning(
                "the store is away for %.0f s, and %d deliveries wait in the spool %s",
                away,
                status.deliveries,
                self.spool.place,
            )
        rest, self._rest = self._rest, min(REST, 2 * self._rest)
        return rest

    def _change_over(self) -> None:
        """Bring the last ones while deliveries are held, and let these follow. Raises if that is not done in time."""
        with self._lock:
            self._mode = Mode.HOLDING
        mode = Mode.SPOOLING
        try:
            self._bring_the_last(self._timer() + self._patience)
            mode = Mode.DIRECT
        finally:
            with self._lock:
                self._mode = mode
                held, self._held = self._held, []
                for delivery in held:
                    self._send(delivery)
        log.info(
            "the spool is drained after %.1f s: this process brought %d deliveries to the store, which knew %d of "
            "their events",
            self._timer() - self._since,
            self._carrier.taken,
            self._carrier.known,
        )
        self._carrier.taken = self._carrier.known = 0

    def _bring_the_last(self, until: float) -> None:
        """All that this process has spooled; what others spool meanwhile is behind it."""
        oldest, last = self.spool.span().result()
        while 0 < oldest <= last:
            left = until - self._timer()
            if left <= 0:
                raise TimeoutError("the last in the spool were not brought to the store in time")
            if not self._carrier.carry(left):
                time.sleep(0.01)  # another process has its turn
            oldest, _ = self.spool.span().result()

    def after_fork_in_child(self) -> None:
        """See `Forking`."""
        self._carrier.close()
        self._start_afresh()


def _spooled(delivery: _Delivery, kept: Future[int]) -> None:
    error = kept.exception()
    if error is None:
        delivery.answer.set_result((Accepted(0, spooled=True),) * len(delivery.events))
    else:
        retry_after = error.retry_after if isinstance(error, InboxUnavailable) else 10.0
        unavailable = InboxUnavailable(
            f"the store is away, and the spool cannot take it: {error}", retry_after
        )
        unavailable.__cause__ = error
        delivery.answer.set_exception(unavailable)
