"""A process's copy of the inbox, kept up with the log.

The numbers of a stream's messages have no gaps, and nothing goes from the log but what a snapshot covers. So a gap
says that the copy has fallen behind a snapshot: it is made anew from that. A message that stands where the copy has
seen another one says that the server has lost the end of the log: the same.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, Header

from hookcatch.core.errors import HookcatchError, InboxUnavailable

from .bodies import Bodies
from .codec import Unreadable, decode
from .options import Names
from .replica import Replica
from .snapshots import NOTHING, Head, Snapshots

log: logging.Logger = logging.getLogger("hookcatch.inbox")

HEARTBEAT = 1.0
"""Seconds after which a server that has nothing to send says so."""

SILENCE = 3.0
"""Seconds of silence after which it is asked to send afresh."""

FILLER = b"-"
"""Holds no call."""

Told = Callable[[str, Sequence[Any], float], None]
"""Is told what a message came to: its id, the results of its calls, and the server's time of it."""


class _Gap(HookcatchError):
    """The copy does not fit the log."""


class Follower:
    """Reads the log and carries out what it says.

    Args:
        told: called for every message. Must not raise.
    """

    def __init__(self, client: Client, js: JetStreamContext, names: Names, told: Told) -> None:
        self.replica: Replica = Replica()
        self.position: int = 0
        self.mark: str = ""
        self.kept: list[int] = []
        self.base: Head = NOTHING
        self.bodies: Bodies = Bodies(js, names.log)
        self.snapshots: Snapshots = Snapshots(js, names)
        self._client = client
        self._js = js
        self._names = names
        self._told = told
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = count()
        self._heard = 0.0
        self._wrong: Exception | None = None
        self._anew = asyncio.Event()
        self._tidying = asyncio.Lock()

    async def load(self) -> None:
        """Begin with the newest snapshot."""
        self.base, rows = await self.snapshots.read()
        last = (await self._js.stream_info(self._names.log)).state
        while (
            last.last_seq < self.base.position
        ):  # the server has lost the end: its numbers must not come twice
            ack = await self._js.publish(self._names.calls, FILLER)
            last.last_seq = ack.seq
        if last.first_seq > self.base.position + 1:
            raise InboxUnavailable(
                f"the stream {self._names.log} lacks its messages {self.base.position + 1} to {last.first_seq - 1}: "
                f"somebody purged it. Restore it, or delete it and {self._names.state} to start with an empty inbox"
            )
        replica = Replica()
        replica.load(rows)
        self.replica, self.position, self.mark = replica, self.base.position, ""
        self.kept = list(self.base.kept)
        self._tell_those_who_wait()

    def reconnected(self) -> None:
        """The server may not know whom to send to any more."""
        self._anew.set()

    async def run(self) -> None:
        """Go on until cancelled. Raises Newer, and InboxUnavailable if messages are missing."""
        gap_at = -1
        while True:
            try:
                await self._tail()
            except _Gap as why:
                if self.position == gap_at:
                    raise InboxUnavailable(
                        f"the stream {self._names.log} cannot be read on: {why}. Somebody deleted what no "
                        f"snapshot covers: restore the stream, or delete it and {self._names.state} to start with an "
                        "empty inbox"
                    ) from why
                log.warning("the copy of the inbox is made anew: %s", why)
                gap_at = self.position
                await self._reload()
            except (Error, OSError) as error:
                log.warning("the log of the inbox cannot be followed now: %r", error)
                await asyncio.sleep(0.2)

    async def _reload(self) -> None:
        while True:
            try:
                await self.load()
            except (Error, OSError) as error:
                log.warning("the snapshot of the inbox cannot be read now: %r", error)
                await asyncio.sleep(0.2)
            else:
                return

    async def _tail(self) -> None:
        """Read from where the copy is, until that has to be begun again."""
        self._anew.clear()
        there = (await self._js.stream_info(self._names.log)).state
        if not there.first_seq - 1 <= self.position <= there.last_seq:
            raise _Gap(
                f"the log goes from {there.first_seq} to {there.last_seq}, and {self.position} was read"
            )
        inbox = self._client.new_inbox()
        self._heard, self._wrong = time.monotonic(), None
        heard = await self._client.subscribe(inbox, cb=self._receive, pending_bytes_limit=-1)
        try:
            await self._js.add_consumer(
                self._names.log,
                ConsumerConfig(
                    deliver_subject=inbox,
                    deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                    opt_start_seq=max(self.position, 1),
                    ack_policy=AckPolicy.NONE,
                    flow_control=True,
                    idle_heartbeat=HEARTBEAT,
                    inactive_threshold=10.0,
                    max_deliver=1,
                    mem_storage=True,
                    num_replicas=1,
                ),
            )
            while not self._anew.is_set() and time.monotonic() - self._heard < SILENCE:
                try:
                    await asyncio.wait_for(self._anew.wait(), HEARTBEAT)
                except TimeoutError:
                    continue
        finally:
            await heard.unsubscribe()
        if self._wrong is not None:
            raise self._wrong

    async def _receive(self, message: Msg) -> None:
        if self._wrong is not None:
            return
        self._heard = time.monotonic()
        try:
            if message.headers and message.headers.get(Header.STATUS) == "100":
                await self._answer(message)
            else:
                self._read(message)
        except Exception as error:  # whatever it is, the reader begins again
            self._wrong = error if isinstance(error, HookcatchError) else _Gap(repr(error))
            self._anew.set()

    async def _answer(self, message: Msg) -> None:
        """The server asks whether it may go on sending."""
        to = message.reply or (message.headers or {}).get(Header.CONSUMER_STALLED, "")
        if to:
            await self._client.publish(to)

    def _read(self, message: Msg) -> None:
        facts = message.metadata
        position, mark = facts.sequence.stream, (message.headers or {}).get(Header.MSG_ID, "")
        if position == self.position and (mark == self.mark or position == self.base.position):
            return
        if position != self.position + 1:
            raise _Gap(f"message {position} comes after {self.position}")
        results = self._carried_out(position, message.data)
        self.position, self.mark = position, mark
        self._told(mark, results, facts.timestamp.timestamp())
        self._tell_those_who_wait()

    def _tell_those_who_wait(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.position:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)

    def _carried_out(self, position: int, data: bytes) -> list[Any]:
        try:
            read = decode(data, position)
        except Unreadable as error:
            if data != FILLER:
                log.error("%s: it is left out", error)  # noqa: TRY400
            return []
        if read.bodies:
            self.kept.append(position)
            self.bodies.keep(position, read.bodies)
        return [self.replica.apply(call) for call in read.calls]

    async def reach(self, position: int) -> None:
        """Wait until the copy has come as far as a position."""
        if position > self.position:
            future = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (position, next(self._number), future))
            await future

    async def catch_up(self) -> None:
        """Wait until the copy has all that is in the log now."""
        there = (await self._js.stream_info(self._names.log)).state
        if there.first_seq - 1 > self.position:  # nothing may come that shows the gap
            self._anew.set()
        await self.reach(there.last_seq)

    async def tidy(self, every: int) -> None:
        """Once the log has grown by so many messages, make a snapshot and let go of what is behind it."""
        if self.position - self.base.position < every or self._tidying.locked():
            return
        async with self._tidying:
            try:
                self.base = await self.snapshots.head()
                if self.position - self.base.position >= every:  # no other process was faster
                    await self._write_down()
            except (Error, OSError) as error:
                log.warning("the log of the inbox could not be made shorter: %r", error)

    async def _write_down(self) -> None:
        position, kept = self.position, list(self.kept)
        needed = self.replica.references()
        if not await self.snapshots.write(position, self.replica.dump(), kept):
            return
        self.base = Head(position, (), kept)
        gone = set(await self.snapshots.trim(position, [seq for seq in kept if seq not in needed]))
        self.kept = [seq for seq in self.kept if seq not in gone]
