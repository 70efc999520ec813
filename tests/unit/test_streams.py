"""Streams, on their real brokers: what is sent is performed once, whatever breaks on the way; what could lose it is
refused."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest
from lab.processes import Process, free_port
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType
from redis import Redis

from hookcatch.core.errors import ConfigurationError, InboxUnavailable
from hookcatch.core.handler import is_async
from hookcatch.relay import Consumer, Fate
from hookcatch.relay.streams import consuming
from hookcatch.relay.streams import nats as nats_stream
from hookcatch.relay.streams import redis as redis_stream
from hookcatch.relay.streams import sqs as sqs_stream
from hookcatch.relay.streams.kafka import KafkaTopic
from hookcatch.relay.streams.kafka import topic as kafka_topic
from hookcatch.relay.streams.nats import NatsStream
from hookcatch.relay.streams.rabbitmq import RabbitQueue
from hookcatch.relay.streams.redis import RedisStream
from hookcatch.relay.streams.sqs import SqsQueue
from support.brokers import (
    KAFKA,
    NATS_URL,
    QUICK_KAFKA,
    RABBITMQ_URL,
    MockKafka,
    clean_nats,
    clean_nothing,
    clean_rabbitmq,
    clean_redis,
    left_in_nats,
    left_in_rabbitmq,
    left_in_redis,
)
from support.databases import NATS, RABBITMQ, REDIS, Service
from support.sqs import SQS, at, clean_sqs, left_in_sqs


class Line:
    """A way to a port that can be cut."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._to = port
        self._passing: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass(reader, writer))
        self._passing.add(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._to)
            with closing(to_broker), suppress(ConnectionError):
                await asyncio.gather(self._pour(reader, to_broker), self._pour(from_broker, writer))

    async def _pour(self, source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            into.write(data)
            await into.drain()
        into.close()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    line = Line(port)
    await line.mend()
    yield line
    await line.cut()


@dataclass(frozen=True)
class Switch:
    """Kafka tells its clients where they find it, past any line: so it is taken down itself."""

    port: int

    async def mend(self) -> None:
        KAFKA.up()

    async def cut(self) -> None:
        KAFKA.down()


@asynccontextmanager
async def switch_of(port: int) -> AsyncIterator[Switch]:
    yield Switch(port)
    KAFKA.up()


@dataclass(frozen=True)
class Broker:
    """A real one: how a stream is made of it that is reached through a port, and what is left in that."""

    service: Service | MockKafka
    stream: Callable[[str, int], Consumer]
    left: Callable[[str], int]
    clean: Callable[[str], None]
    make: Callable[[str], None] = clean_nothing
    line: Callable[[int], AbstractAsyncContextManager[Line | Switch]] = line_to
    says: str = "cannot be consumed, next try"


BROKERS = {
    "kafka": Broker(
        KAFKA,
        lambda name, port: KafkaTopic(f"127.0.0.1:{port}", topic=name, group=name, settings=QUICK_KAFKA),
        lambda name: KAFKA.left(name, name),
        clean_nothing,
        KAFKA.make,
        switch_of,
        "brokers are down",
    ),
    "nats": Broker(
        NATS,
        lambda name, port: NatsStream(f"nats://127.0.0.1:{port}", stream=name),
        left_in_nats,
        clean_nats,
    ),
    "rabbitmq": Broker(
        RABBITMQ,
        lambda name, port: RabbitQueue(f"amqp://guest:guest@127.0.0.1:{port}//", queue=name),
        left_in_rabbitmq,
        clean_rabbitmq,
    ),
    "redis": Broker(
        REDIS,
        lambda name, port: RedisStream(f"redis://127.0.0.1:{port}/9", stream=name),
        left_in_redis,
        clean_redis,
    ),
    "sqs": Broker(
        SQS,
        lambda name, port: SqsQueue(name, **at(f"http://127.0.0.1:{port}")),
        left_in_sqs,
        clean_sqs,
    ),
    "sqs, fifo": Broker(
        SQS,
        lambda name, port: SqsQueue(f"{name}.fifo", **at(f"http://127.0.0.1:{port}")),
        lambda name: left_in_sqs(f"{name}.fifo"),
        lambda name: clean_sqs(f"{name}.fifo"),
    ),
}


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mock cluster does not answer when it is asked for settings."""
    monkeypatch.setattr(kafka_topic, "ANSWER", 0.5)


@pytest.fixture
def name() -> str:
    return f"hookcatch_test_{uuid.uuid4().hex}"


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest, name: str) -> Iterator[Broker]:
    known = BROKERS[request.param]
    known.service.need()
    known.make(name)
    yield known
    known.clean(name)


@pytest.fixture
def stream(broker: Broker, name: str) -> Consumer:
    return broker.stream(name, broker.service.port)


async def send(stream: Consumer, *messages: str) -> None:
    """As a worker does: what is plain in a thread."""
    for message in messages:
        if is_async(stream.send):
            await stream.send(message=message)
        else:
            await asyncio.to_thread(stream.send, message=message)


class Work:
    """Performs messages: notes them, and gives each its fates in turn."""

    def __init__(self, **fates: list[Fate]) -> None:
        self.seen: list[str] = []
        self.at_once = self.most = 0
        self._fates = fates

    async def __call__(self, message: str) -> Fate:
        self.seen.append(message)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.02)
        self.at_once -= 1
        return self._fates[message].pop(0) if self._fates.get(message) else Fate.DONE


async def consume(
    stream: Consumer, work: Callable[[str], Awaitable[Fate]], until: Callable[[], bool], at_a_time: int = 2
) -> None:
    """Until it holds, and then until what was in hand is done."""
    stopping = asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(stream.consume(work, concurrency=at_a_time, stopping=stopping))
        while not until():
            await asyncio.sleep(0.01)
        stopping.set()
    await stream.close()


def test_what_is_sent_is_performed_and_gone_and_what_is_to_come_again_comes_again(stream, broker, name):
    async def story() -> None:
        sent = [f"m{n}" for n in range(6)]
        await send(stream, *sent)
        work = Work(m1=[Fate.AGAIN], m2=[Fate.FORGED])
        await consume(stream, work, lambda: len(work.seen) >= 7)
        assert sorted(work.seen) == sorted([*sent, "m1"])
        assert work.most == 2

    asyncio.run(story())
    assert broker.left(name) == 0


def test_a_message_in_the_hands_of_one_that_dies_comes_to_another(stream, broker, name, monkeypatch):
    monkeypatch.setattr(nats_stream, "REDELIVERY", 0.5)
    monkeypatch.setattr(redis_stream, "REDELIVERY", 0.5)
    monkeypatch.setattr(redis_stream, "RECLAIM", 0.1)
    monkeypatch.setattr(sqs_stream, "REDELIVERY", 2.0)  # SQS counts whole seconds; a slow machine needs one

    async def story() -> None:
        await send(stream, "evt")
        taken = asyncio.Event()

        async def dies(message: str) -> Fate:
            taken.set()
            await asyncio.sleep(60)
            raise AssertionError(message)

        dying = asyncio.create_task(stream.consume(dies, concurrency=1, stopping=asyncio.Event()))
        async with asyncio.timeout(10):
            await taken.wait()
        dying.cancel()
        with suppress(asyncio.CancelledError):
            await dying
        work = Work()
        await consume(stream, work, lambda: bool(work.seen))
        assert work.seen == ["evt"]

    asyncio.run(story())
    assert broker.left(name) == 0


def test_a_broker_that_goes_away_and_comes_back_is_sent_to_and_consumed_again(
    broker, name, monkeypatch, caplog
):
    monkeypatch.setattr(consuming, "REST", (0.1, 0.1))
    monkeypatch.setattr(sqs_stream, "REDELIVERY", 2.0)  # what it has said into the cut line is in flight

    async def story() -> None:
        async with broker.line(broker.service.port) as line:
            stream = broker.stream(name, line.port)
            work = Work()

            async def weather() -> None:
                await send(stream, "before")
                while not work.seen:
                    await asyncio.sleep(0.01)
                await line.cut()
                while broker.says not in caplog.text:
                    await asyncio.sleep(0.01)
                with pytest.raises((OSError, *stream.failures)):
                    await send(stream, "lost")
                await line.mend()
                await send(stream, "after")

            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                group.create_task(weather())
                group.create_task(consume(stream, work, lambda: "after" in work.seen))
            # what was not confirmed may have come all the same
            assert {"before", "after"} <= set(work.seen) <= {"before", "lost", "after"}
            await stream.close()

    asyncio.run(story())


# what its settings would lose is refused


def test_a_broker_that_is_away_is_no_reason_not_to_receive(broker, name, caplog):
    broker.stream(name, free_port()).check()
    assert "is not there yet" in caplog.text


def test_a_stream_that_is_not_there_is_made_as_it_should_be(stream: Consumer):
    stream.check()
    stream.check()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"storage": StorageType.MEMORY}, "storage in memory"),
        ({"max_msgs": 10}, "max_msgs=10 with discard=old"),
        ({"max_age": 60}, "max_age=60 s"),
        ({"retention": RetentionPolicy.INTEREST}, "retention=interest"),
        ({"no_ack": True}, "no_ack"),
        ({"max_msgs": 10, "discard": DiscardPolicy.NEW}, ""),
    ],
)
def test_a_stream_of_nats_that_drops_what_it_has_is_refused(name, settings, why):
    NATS.need()

    async def made() -> None:
        client = await nats.connect(NATS_URL)
        await client.jetstream().add_stream(name=name, subjects=[name], **settings)
        await client.close()

    asyncio.run(made())
    stream = NatsStream(NATS_URL, stream=name)
    with pytest.raises(ConfigurationError, match=why) if why else nullcontext():
        stream.check()
    clean_nats(name)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"x-message-ttl": 1000}, "x-message-ttl"),
        ({"x-expires": 1000}, "x-expires"),
        ({"x-max-length": 10}, "x-max-length"),
    ],
)
def test_a_queue_of_rabbitmq_that_drops_what_it_has_is_refused(arguments, why):
    with pytest.raises(ConfigurationError, match=f"leave {why} out"):
        RabbitQueue(RABBITMQ_URL, arguments=arguments).check()


def test_a_queue_of_rabbitmq_that_refuses_what_is_too_much_is_fine_and_one_of_other_arguments_is_not(name):
    RABBITMQ.need()
    full = {"x-max-length": 10, "x-overflow": "reject-publish"}
    RabbitQueue(RABBITMQ_URL, queue=name, arguments=full).check()
    with pytest.raises(ConfigurationError, match="not as it should be"):
        RabbitQueue(RABBITMQ_URL, queue=name).check()
    clean_rabbitmq(name)


def test_a_redis_that_drops_keys_when_it_is_full_is_refused(tmp_path: Path):
    argv = ["redis-server", "--port", str(free_port()), "--save", "", "--maxmemory", "100mb"]
    if shutil.which(argv[0]) is None:
        pytest.skip("needs redis-server, to set its memory")
    server = Process([*argv, "--maxmemory-policy", "allkeys-lru"], dict(os.environ), tmp_path / "redis.log")
    server.port = int(argv[2])
    server.start()
    asyncio.run(server.ready())
    try:
        url = f"redis://127.0.0.1:{server.port}/0"
        with pytest.raises(ConfigurationError, match="allkeys-lru drops any key"):
            RedisStream(url).check()
        with Redis.from_url(url) as redis:
            redis.config_set("maxmemory-policy", "noeviction")
        RedisStream(url).check()
    finally:
        server.kill()


# what a message's performance says of its fate


class Hooks:
    """Performs what raises what it is made with."""

    def __init__(self, *raises: Exception) -> None:
        self._raises = raises

    def perform(self, message: str) -> None: ...

    async def aperform(self, message: str) -> None:
        for one in self._raises:
            raise one


@pytest.mark.parametrize(
    ("raises", "fate", "level"),
    [
        ([], Fate.DONE, ""),
        ([InboxUnavailable("it is full", 0.001)], Fate.AGAIN, "WARNING"),
        ([ConfigurationError("not signed")], Fate.FORGED, "ERROR"),
        ([OSError("who knows")], Fate.AGAIN, "ERROR"),
    ],
    ids=["nothing", "no inbox", "forged", "anything else"],
)
def test_what_performing_raises_is_the_fate_of_the_message(raises, fate, level, caplog, monkeypatch):
    monkeypatch.setattr(consuming, "STUMBLE", 0.001)
    perform = consuming.performer(Hooks(*raises), asyncio.Event())
    assert asyncio.run(perform("message")) is fate
    assert [record.levelname for record in caplog.records] == ([level] if level else [])


def test_a_stop_is_not_kept_waiting_by_an_inbox_that_is_away():
    async def story() -> Fate:
        stopping = asyncio.Event()
        stopping.set()
        async with asyncio.timeout(10):
            return await consuming.performer(Hooks(InboxUnavailable("away", 1000.0)), stopping)("message")

    assert asyncio.run(story()) is Fate.AGAIN
