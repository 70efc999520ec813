"""The way to Kafka."""

from __future__ import annotations

import asyncio
import threading
import weakref
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, Producer

from .client import TURN


class Sending:
    """A producer, and the thread that hears what was confirmed."""

    def __init__(self, producer: Producer) -> None:
        self.is_broken: bool = False
        self._producer: Producer | None = producer
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=_hear, args=(producer, self._closing), name="hookcatch-kafka-sending", daemon=True
        )
        self._thread.start()
        weakref.finalize(self, self._closing.set)  # its loop may have gone without a word

    async def publish(self, topic: str, message: str) -> None:
        """Returns when all copies that are in step have it, of which there are `min.insync.replicas` or more.

        Raises:
            KafkaException: they have not, or not in time.
            BufferError: too much waits for that already.
        """
        confirmed = _Confirmed(asyncio.get_running_loop())
        if self._producer is None:
            raise KafkaException(KafkaError(KafkaError._DESTROY))
        try:
            self._producer.produce(topic, message.encode(), on_delivery=confirmed.tell)
            await confirmed.future
        except KafkaException as why:
            error: KafkaError = why.args[0]
            self.is_broken = self.is_broken or error.fatal() or error.code() == KafkaError._FATAL
            raise

    async def close(self) -> None:
        """Nobody waits for what is not confirmed yet: it is forgotten."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._closing.set()
        self._thread.join()
        self._producer = None


class _Confirmed:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[None] = loop.create_future()
        self._loop = loop

    def tell(self, error: KafkaError | None, _message: object) -> None:
        """In the thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, error: KafkaError | None) -> None:
        if self.future.done():  # given up
            return
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(KafkaException(error))


def _hear(producer: Producer, closing: threading.Event) -> None:
    while not closing.is_set():
        producer.poll(TURN)
