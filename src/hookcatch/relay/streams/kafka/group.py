"""The way from Kafka: a member of a consumer group, in a thread of its own.

Kafka hears of a partition only up to where all is done, and takes a member for dead that does not ask for more in
five minutes. So the thread goes on asking while handlers work, with the partitions paused where there is no room.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from hookcatch.relay.streams import WAIT, Taken

from .client import FAILURES, TURN
from .offsets import Offsets


@dataclass(slots=True, eq=False)
class _Partition:
    """One that is ours, from when we get it until it is taken away."""

    offsets: Offsets = Offsets()
    stored: int | None = None
    is_ours: bool = True


class Member:
    """See `Inlet`. Everything that is said to the consumer is said in the thread.

    Args:
        consumer: not subscribed yet; it is closed with this.
        topic: the topic's name.
        concurrency: messages at a time that are in work or about to be.
        publish: sends to the topic.
    """

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        *,
        concurrency: int,
        publish: Callable[[str], Awaitable[None]],
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._concurrency = concurrency
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._lock = threading.Lock()
        self._partitions: dict[int, _Partition] = {}
        self._waiting: deque[_Taken] = deque()
        self._failed: Exception | None = None
        self._is_paused = False
        self._freed = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hookcatch-kafka", daemon=True)
        self._thread.start()

    # in the loop

    async def take(self, free: int) -> Sequence[Taken]:
        """Those that have arrived."""
        self._arrived.clear()
        if not self._waiting and self._failed is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(WAIT):
                    await self._arrived.wait()
        if self._failed is not None:
            raise self._failed
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]

    async def close(self) -> None:
        """Say what is done, and leave the group, so that others need not wait for us."""
        self._closing.set()
        self._freed.set()
        await asyncio.to_thread(self._thread.join)

    def done(self, taken: _Taken) -> None:
        """Nothing is to be done about it any more. Of a partition that was taken away nobody reads it."""
        with self._lock:
            taken.partition.offsets = taken.partition.offsets.done(taken.offset)
        self._freed.set()

    async def again(self, taken: _Taken) -> None:
        """Kafka has no word for it: to the end of the topic, and then it is done here. Where that fails it stays
        with us. If its partition was taken away it comes to whoever has that."""
        if not taken.partition.is_ours:
            return
        try:
            await self._publish(taken.message)
        except FAILURES:
            with self._lock:
                if taken.partition.is_ours:
                    self._waiting.append(taken)
            raise
        self.done(taken)

    # in the thread

    def _run(self) -> None:
        try:
            self._consumer.subscribe(
                [self._topic], on_assign=self._given, on_revoke=self._taken_away, on_lost=self._lost
            )
            while not self._closing.is_set():
                self._turn()
        except Exception as why:  # raised by the next `take`
            self._failed = why
        finally:
            with suppress(KafkaException):
                self._consumer.close()  # takes all away from us, with what is stored then
            self._forget(list(self._partitions))
            self._tell()

    def _turn(self) -> None:
        self._store()
        self._freed.clear()
        if self._has_room():
            self._pause(False)
            self._accept(self._consumer.poll(TURN))
        elif not self._freed.wait(WAIT):
            self._pause(True)
            self._accept(self._consumer.poll(0))

    def _has_room(self) -> bool:
        return sum(len(one.offsets.open) for one in self._partitions.values()) < self._concurrency

    def _pause(self, paused: bool) -> None:
        """Again and again while it lasts: partitions may have come to us meanwhile."""
        if paused:
            self._consumer.pause(self._consumer.assignment())
        elif self._is_paused:
            self._consumer.resume(self._consumer.assignment())
        self._is_paused = paused

    def _accept(self, raw: Message | None) -> None:
        if raw is None:
            return
        error = raw.error()
        if error is not None:
            raise KafkaException(error)
        number, offset = raw.partition(), raw.offset()
        partition = None if number is None else self._partitions.get(number)
        if partition is None or offset is None:
            return  # taken away meanwhile
        message = (raw.value() or b"").decode(errors="replace")
        with self._lock:
            partition.offsets = partition.offsets.taken(offset)
            self._waiting.append(_Taken(self, partition, offset, message))
        self._tell()

    def _store(self) -> None:
        """Up to where all is done; it is committed within a second, and before the partition is given away."""
        for number, partition in self._partitions.items():
            upto = partition.offsets.commit
            if upto is not None and upto != partition.stored:
                self._consumer.store_offsets(offsets=[TopicPartition(self._topic, number, upto)])
                partition.stored = upto

    def _given(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            self._partitions[one.partition] = _Partition()

    def _taken_away(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._store()
        self._lost(consumer, partitions)

    def _lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """From here on nothing of them is ours to commit, and what is not begun is another's to do."""
        self._forget([one.partition for one in partitions])

    def _forget(self, numbers: Sequence[int]) -> None:
        with self._lock:
            for number in numbers:
                self._partitions.pop(number).is_ours = False
            self._waiting = deque(one for one in self._waiting if one.partition.is_ours)

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._arrived.set)


@dataclass(frozen=True, slots=True)
class _Taken:
    member: Member = field(repr=False)
    partition: _Partition
    offset: int
    message: str

    async def done(self) -> None:
        self.member.done(self)

    async def again(self) -> None:
        await self.member.again(self)

    async def refuse(self) -> None:
        self.member.done(self)
