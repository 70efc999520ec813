"""What Kafka alone has: offsets, a group whose members come and go, and the settings of a topic. Members meet on the
mock cluster of librdkafka, which knows no settings; topics are made in Tansu, a broker of its own that does."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import given
from hypothesis import strategies as st
from lab.processes import free_port

from hookcatch.core.errors import ConfigurationError
from hookcatch.relay import Fate
from hookcatch.relay.streams import Inlet, Taken
from hookcatch.relay.streams import consuming as loop
from hookcatch.relay.streams.kafka import KafkaTopic, client, topic
from hookcatch.relay.streams.kafka.offsets import Offsets
from hookcatch.relay.streams.kafka.topic import losses, useless
from support.brokers import KAFKA, QUICK_KAFKA, TANSU

# what may be committed


@given(st.data())
def test_never_is_anything_committed_past_a_message_that_is_not_done(data: st.DataObject):
    """Messages are taken from front to back, with gaps between them, and done in any order."""
    offsets, end = Offsets(), 0
    taken: list[int] = []
    done: set[int] = set()
    for _ in range(data.draw(st.integers(0, 30))):
        open_ = [one for one in taken if one not in done]
        if not open_ or data.draw(st.booleans()):
            offset = end + data.draw(st.integers(0, 3))
            offsets, end = offsets.taken(offset), offset + 1
            taken.append(offset)
        else:
            offset = data.draw(st.sampled_from(open_))
            offsets = offsets.done(offset)
            done.add(offset)
        commit = offsets.commit
        assert commit is not None
        assert {one for one in taken if one < commit} <= done
        assert all(one not in done for one in taken if one == commit), "it goes as far as it may"
    if taken and set(taken) <= done:
        assert offsets.commit == end


def test_before_the_first_message_there_is_nothing_to_commit():
    assert Offsets().commit is None


def test_a_log_that_was_cut_is_committed_where_it_goes_on():
    assert Offsets().taken(7).done(7).taken(3).done(3).commit == 4


# a group whose members come and go


class Hands:
    """Performs messages, each when it is let go; notes which were taken and which are done."""

    def __init__(self, *, free: bool = False) -> None:
        self.taken: list[str] = []
        self.done: list[str] = []
        self._free = free
        self._let_go: set[str] = set()
        self._changed = asyncio.Condition()

    async def __call__(self, message: str) -> Fate:
        self.taken.append(message)
        async with self._changed:
            await self._changed.wait_for(lambda: self._free or message in self._let_go)
        self.done.append(message)
        return Fate.DONE

    async def let_go(self, *messages: str) -> None:
        async with self._changed:
            self._let_go.update(messages)
            self._changed.notify_all()


@pytest.fixture
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    KAFKA.need()
    monkeypatch.setattr(
        topic, "ANSWER", 0.5
    )  # the mock cluster does not answer when it is asked for settings
    made = f"hookcatch_{os.getpid()}_{abs(hash(request.node.nodeid))}"
    KAFKA.make(made)
    return made


def stream(name: str, **settings: Any) -> KafkaTopic:
    return KafkaTopic(KAFKA.servers, topic=name, group=name, settings={**QUICK_KAFKA, **settings})


def put(name: str, partition: int, *messages: str) -> None:
    producer = Producer({"bootstrap.servers": KAFKA.servers})
    for message in messages:
        producer.produce(name, message.encode(), partition=partition)
    assert producer.flush(10) == 0


def committed(name: str) -> dict[int, int]:
    """Partition and offset, where there is one."""
    client = Client({"bootstrap.servers": KAFKA.servers, "group.id": name})
    try:
        asked = client.committed([TopicPartition(name, number) for number in range(4)], timeout=10)
        return {one.partition: one.offset for one in asked if one.offset >= 0}
    finally:
        client.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(45):
        while not holds():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def consuming(stream: KafkaTopic, perform: Callable[[str], Awaitable[Fate]], at_a_time: int = 8):
    """A process of `hookcatch consume`, so to say. It is told to stop at the end."""
    stopping = asyncio.Event()
    task = asyncio.create_task(stream.consume(perform, concurrency=at_a_time, stopping=stopping))
    try:
        yield
        stopping.set()
        await task
    finally:
        task.cancel()
        await stream.close()


def test_behind_a_message_that_is_not_done_nothing_is_committed(name):
    async def story() -> None:
        put(name, 0, "slow", "b", "c")
        hands = Hands()
        async with consuming(stream(name), hands):
            await until(lambda: len(hands.taken) == 3)
            await hands.let_go("b", "c")
            await until(lambda: len(hands.done) == 2)
            put(name, 1, "later")
            await hands.let_go("later")
            await until(lambda: committed(name) == {0: 0, 1: 1})  # 0: from the beginning
            await hands.let_go("slow")
        assert committed(name) == {0: 3, 1: 1}

    asyncio.run(story())


def test_of_what_another_got_meanwhile_nothing_is_committed_any_more(name):
    async def story() -> None:
        numbers = range(4)
        for number in numbers:
            put(name, number, f"{number}a", f"{number}b")
        every = {f"{number}{letter}" for number in numbers for letter in "ab"}
        first, second = Hands(), Hands(free=True)
        async with consuming(stream(name), first):
            await until(lambda: set(first.taken) == every)
            async with consuming(stream(name), second):
                await until(lambda: len(second.done) == 4)  # two partitions
                of_the_second = {int(message[0]) for message in second.done}
                await until(lambda: committed(name).items() >= {(one, 2) for one in of_the_second})
                # done in hands that it was taken from
                await first.let_go(*[f"{number}a" for number in numbers])
                await until(lambda: len(first.done) == 4)
                of_the_first = set(numbers) - of_the_second
                await until(lambda: committed(name).items() >= {(one, 1) for one in of_the_first})
                assert committed(name).items() >= {(one, 2) for one in of_the_second}
                await first.let_go(*every)
                await until(lambda: committed(name) == dict.fromkeys(numbers, 2))

    asyncio.run(story())


def test_handlers_that_take_longer_than_the_group_waits_for_a_poll_keep_their_partitions(name):
    async def story() -> None:
        put(name, 0, "long", "next")
        seen: list[str] = []

        async def perform(message: str) -> Fate:
            seen.append(message)
            await asyncio.sleep(5 if message == "long" else 0)
            return Fate.DONE

        slow = stream(name, **{"max.poll.interval.ms": 3000})
        async with consuming(slow, perform, at_a_time=1):
            await until(lambda: "next" in seen)
        assert seen == ["long", "next"]
        assert committed(name) == {0: 2}

    asyncio.run(story())


def test_no_more_is_taken_than_may_be_in_work(name):
    async def story() -> None:
        put(name, 0, *[f"m{number}" for number in range(10)])
        async with stream(name).open(2) as inlet:
            taken: list[Taken] = []

            async def take(turns: int) -> None:
                for _ in range(turns):
                    taken.extend(await inlet.take(100))

            while len(taken) < 2:
                await take(1)
            await take(4)  # some seconds
            assert [one.message for one in taken] == ["m0", "m1"]
            await taken[1].done()
            while len(taken) < 3:
                await take(1)
            await take(2)
            assert [one.message for one in taken] == ["m0", "m1", "m2"]

    asyncio.run(story())


async def one_of(inlet: Inlet) -> Taken:
    while not (taken := await inlet.take(1)):
        pass
    return taken[0]


def test_what_was_done_just_now_is_committed_at_the_end(name):
    async def story() -> None:
        put(name, 0, "evt")
        async with stream(name).open(1) as inlet:
            await (await one_of(inlet)).done()
        assert committed(name) == {0: 1}

    asyncio.run(story())


def test_after_the_end_nothing_is_sent_again_for_it_comes_by_itself(name):
    async def story() -> None:
        put(name, 0, "evt")
        async with stream(name).open(1) as inlet:
            taken = await one_of(inlet)
        await taken.again()
        assert KAFKA.left(name, name) == 1
        async with stream(name).open(1) as inlet:
            assert (await one_of(inlet)).message == "evt"

    asyncio.run(story())


def test_a_consumer_that_fails_for_good_is_closed_and_another_joins(name, monkeypatch, caplog):
    monkeypatch.setattr(loop, "REST", (0.1, 0.1))
    failures = [KafkaException(KafkaError(KafkaError._FENCED))]

    class Fenced(Client):
        """Of which there is another with the same name, at its first poll."""

        def poll(self, timeout: float = -1) -> Message | None:
            if failures:
                raise failures.pop()
            return super().poll(timeout)

    monkeypatch.setattr(client, "Consumer", Fenced)

    async def story() -> None:
        put(name, 0, "evt")
        hands = Hands(free=True)
        async with consuming(stream(name), hands):
            await until(lambda: hands.done == ["evt"])
        assert "cannot be consumed, next try" in caplog.text
        assert committed(name) == {0: 1}

    asyncio.run(story())


def test_a_message_that_is_to_come_again_and_cannot_be_sent_again_stays_in_hand(name, caplog):
    caplog.set_level(logging.INFO, "hookcatch")

    async def story() -> None:
        put(name, 0, "evt")
        seen: list[str] = []

        async def perform(message: str) -> Fate:
            seen.append(message)
            if len(seen) > 1:
                return Fate.DONE
            KAFKA.down()
            return Fate.AGAIN

        patient = stream(name, **{"session.timeout.ms": 45000})
        try:
            async with consuming(patient, perform):
                await until(lambda: len(seen) == 2)
                assert "was not told what became of a message" in caplog.text
                KAFKA.up()
                await until(lambda: committed(name) == {0: 1})
        finally:
            KAFKA.up()

    asyncio.run(story())


def test_what_is_no_text_of_ours_is_handed_on_to_be_refused(name):
    async def story() -> None:
        producer = Producer({"bootstrap.servers": KAFKA.servers})
        producer.produce(name, None, key=b"gone", partition=0)
        producer.produce(name, b"\xff", partition=0)
        assert producer.flush(10) == 0
        hands = Hands(free=True)
        async with consuming(stream(name), hands):
            await until(lambda: len(hands.done) == 2)
        assert hands.taken == ["", "\N{REPLACEMENT CHARACTER}"]

    asyncio.run(story())


# sending


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_parent_and_child_both_send_after_a_fork(name):
    sending = stream(name)

    def send(message: str) -> None:
        async def once() -> None:
            await sending.send(message)
            await sending.close()

        asyncio.run(once())

    async def opened_and_left() -> None:
        await sending.send("before")

    asyncio.run(opened_and_left())
    child = os.fork()
    if child == 0:
        try:
            send("child")
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    send("parent")
    assert KAFKA.left(name, name) == 3


def test_what_cannot_be_confirmed_is_an_error(name):
    async def story() -> None:
        sending = stream(name, **{"message.timeout.ms": 2000})
        await sending.send("before")
        KAFKA.down()
        try:
            with pytest.raises(KafkaException, match="MSG_TIMED_OUT"):
                await sending.send("lost")
        finally:
            KAFKA.up()
            await sending.close()

    asyncio.run(story())


# settings that are wrong


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"acks": 1}, "leave acks out of the settings"),
        ({"enable.auto.commit": False, "group.id": "x"}, "leave enable.auto.commit, group.id out"),
        ({"no.such.thing": 1}, 'No such configuration property: "no.such.thing"'),
        ({"security.protocol": "rot13"}, 'Invalid value "rot13"'),
        ({"session.timeout.ms": "long"}, 'Invalid value for configuration property "session'),
    ],
)
def test_settings_that_it_cannot_have_are_refused(settings, why):
    with pytest.raises(ConfigurationError, match=why):
        KafkaTopic(settings=settings).check()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"partitions": 0}, "partitions and replicas of a topic are 1 to"),
        ({"replicas": 0}, "partitions and replicas of a topic are 1 to"),
        ({"topic": ""}, "have names"),
        ({"group": ""}, "have names"),
        ({"servers": ""}, "write host:port"),
        ({"servers": "kafka://host:9092"}, "write host:port"),
        ({"servers": []}, "write host:port"),
    ],
)
def test_what_cannot_be_a_topic_is_refused_at_once(arguments, why):
    with pytest.raises(ConfigurationError, match=why):
        KafkaTopic(**arguments)


def test_why_no_broker_was_found_is_said(monkeypatch, caplog):
    monkeypatch.setattr(topic, "ANSWER", 0.5)
    KafkaTopic(f"127.0.0.1:{free_port()}").check()
    assert "is not there yet" in caplog.text
    assert "Connection refused" in caplog.text


# the settings of a topic


@pytest.mark.parametrize(
    ("settings", "copies", "why"),
    [
        ({}, 1, ["one copy of each partition"]),
        ({"min.insync.replicas": "1"}, 1, ["one copy of each partition"]),
        (
            {"min.insync.replicas": "1"},
            3,
            ["min.insync.replicas=1: one copy confirms where the others are behind"],
        ),
        ({"min.insync.replicas": "2"}, 3, []),
        ({"unclean.leader.election.enable": "true"}, 3, ["unclean.leader.election.enable=true"]),
        ({"unclean.leader.election.enable": "false"}, 3, []),
        ({"retention.ms": "60000"}, 3, ["retention.ms=60000, less than an hour"]),
        ({"retention.ms": "604800000"}, 3, []),
        ({"retention.ms": "-1", "retention.bytes": "-1"}, 3, []),
        ({"retention.bytes": "1000"}, 3, ["retention.bytes=1000, read or not"]),
        ({}, 0, []),
    ],
)
def test_what_may_be_lost_is_told_from_a_topics_settings(settings: Mapping[str, str], copies, why):
    assert losses(settings, copies) == why


@pytest.mark.parametrize(
    ("settings", "copies", "is_useless"),
    [
        ({"cleanup.policy": "delete"}, 3, False),
        ({"cleanup.policy": "compact"}, 3, True),
        ({"cleanup.policy": "compact,delete"}, 3, True),
        ({"min.insync.replicas": "2"}, 1, True),
        ({"min.insync.replicas": "2"}, 2, False),
        ({"min.insync.replicas": "2"}, 0, False),
    ],
)
def test_a_topic_to_which_nothing_could_be_sent_is_known_by_its_settings(settings, copies, is_useless):
    assert bool(useless(settings, copies)) is is_useless


@pytest.fixture(scope="module")
def tansu() -> Iterator[str]:
    TANSU.need()
    with TANSU.running() as servers:
        yield servers


def make(tansu: str, name: str, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": tansu, "log_level": 0})
    admin.create_topics([NewTopic(name, 1, config=config)])[name].result()


def test_a_topic_that_is_not_there_is_made_with_so_many_partitions(tansu):
    wanted = KafkaTopic(tansu, topic="made", partitions=3)
    wanted.check()
    wanted.check()
    found = (
        AdminClient({"bootstrap.servers": tansu, "log_level": 0})
        .list_topics("made", timeout=10)
        .topics["made"]
    )
    assert len(found.partitions) == 3


def says_no(code: int) -> Callable[..., Any]:
    """An answer to who would make a topic that this broker gives to nobody."""

    def create_topics(
        _admin: AdminClient, topics: list[NewTopic], **_options: Any
    ) -> dict[str, Future[None]]:
        answer: Future[None] = Future()
        answer.set_exception(KafkaException(KafkaError(code)))
        return {one.topic: answer for one in topics}

    return create_topics


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.POLICY_VIOLATION,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError._UNSUPPORTED_FEATURE,
    ],
)
def test_a_topic_that_may_not_be_made_is_an_error_that_says_what_to_do(tansu, monkeypatch, code):
    monkeypatch.setattr(AdminClient, "create_topics", says_no(code))
    with pytest.raises(ConfigurationError, match=r"is not there and cannot be made: .*\. Make it, with"):
        KafkaTopic(tansu, topic="forbidden").check()


def test_a_topic_that_cannot_be_made_just_now_is_no_reason_not_to_receive(tansu, monkeypatch, caplog):
    monkeypatch.setattr(AdminClient, "create_topics", says_no(KafkaError.NOT_CONTROLLER))
    KafkaTopic(tansu, topic="forbidden").check()
    assert "is not there yet" in caplog.text


def test_a_topic_that_another_was_faster_to_make_is_used(tansu, monkeypatch):
    created = AdminClient.create_topics

    def another(admin: AdminClient, topics: list[NewTopic], **options: Any) -> dict[str, Future[None]]:
        created(admin, topics)[topics[0].topic].result()
        return says_no(KafkaError.TOPIC_ALREADY_EXISTS)(admin, topics)

    monkeypatch.setattr(AdminClient, "create_topics", another)
    KafkaTopic(tansu, topic="contended").check()


def test_what_is_sent_to_a_topic_that_is_not_there_is_in_it(tansu):
    async def story() -> None:
        sending = KafkaTopic(tansu, topic="sent")
        await sending.send("evt")
        await sending.close()

    asyncio.run(story())
    client = Client({"bootstrap.servers": tansu, "group.id": "x"})
    ends = [client.get_watermark_offsets(TopicPartition("sent", number), timeout=10) for number in range(6)]
    client.close()
    assert sum(high for _, high in ends) == 1


def test_what_the_settings_of_a_topic_may_lose_is_said_at_the_start(tansu, caplog):
    make(tansu, "short", **{"retention.ms": "60000"})
    KafkaTopic(tansu, topic="short").check()
    assert "can lose what it has confirmed (one copy of each partition; retention.ms=60000" in caplog.text


def test_a_topic_that_is_compacted_is_refused(tansu):
    make(tansu, "compacted", **{"cleanup.policy": "compact"})
    with pytest.raises(ConfigurationError, match="takes no message without a key"):
        KafkaTopic(tansu, topic="compacted").check()


def test_a_name_that_no_topic_can_have_is_refused(tansu):
    with pytest.raises(ConfigurationError, match=r"cannot be used: .*Invalid topic"):
        KafkaTopic(tansu, topic="a b").check()
