"""The queue of SQS: what it needs to be reached, what its settings mean, and what counts as confirmed. What all
streams have in common is in test_streams."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError
from lab.processes import free_port

from hookcatch.core.errors import ConfigurationError
from hookcatch.relay import Fate, Perform
from hookcatch.relay.streams import consuming
from hookcatch.relay.streams.sqs import SqsQueue
from support.sqs import SQS, SQS_URL, at, clean_sqs, left_in_sqs, make_sqs, seen_in_sqs


@pytest.fixture
def name() -> Iterator[str]:
    SQS.need()
    made = f"hookcatch_test_{uuid.uuid4().hex}"
    yield made
    clean_sqs(made)


# the way there


@pytest.fixture
def nothing_known(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """A machine that nobody has told of AWS."""
    for one in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(one)
    for one in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(one, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "needs a region: set AWS_DEFAULT_REGION, or say region_name="),
        ({"region_name": "eu-central-1"}, "needs credentials: set AWS_ACCESS_KEY_ID"),
        (
            {"region_name": "eu-central-1", "aws_access_key_id": "half"},
            "needs credentials: set AWS_ACCESS_KEY_ID",
        ),
        ({"profile_name": "nobody"}, "with these settings: The config profile .nobody. could not be found"),
        (
            {"region_name": "eu-central-1", "endpoint_url": "host:1"},
            "with these settings: Invalid endpoint: host:1",
        ),
        ({"region_name": "eu-central-1", "colour": "blue"}, "with these settings: .*colour"),
    ],
)
@pytest.mark.usefixtures("nothing_known")
def test_what_is_missing_to_reach_it_is_said_at_the_start(options, why):
    with pytest.raises(ConfigurationError, match=why):
        SqsQueue(**options).check()


@pytest.mark.usefixtures("nothing_known")
def test_credentials_that_come_after_the_start_are_found(name, monkeypatch):
    queue = SqsQueue(name, endpoint_url=SQS_URL, region_name="eu-central-1")
    with pytest.raises(NoCredentialsError):
        queue.send("too early")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    queue.send("in time")
    assert left_in_sqs(name) == 1
    asyncio.run(queue.close())


@pytest.mark.usefixtures("nothing_known")
def test_credentials_that_cannot_be_fetched_now_are_no_reason_not_to_receive(caplog):
    Path(os.environ["AWS_CONFIG_FILE"]).write_text("[default]\ncredential_process = false\n")
    queue = SqsQueue(region_name="eu-central-1")
    queue.check()
    assert "is not there yet: CredentialRetrievalError" in caplog.text
    with pytest.raises(queue.failures, match="custom-process"):
        queue.send("evt")


@pytest.mark.parametrize(
    "wrong", ["", "shop queue", "shop/queue", "größe", "q" * 81, ".fifo", "q" * 76 + ".fifo"]
)
def test_a_name_that_no_queue_can_have_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="up to 80 letters, digits, hyphens and underscores"):
        SqsQueue(wrong)


@pytest.mark.parametrize("fine", ["q" * 80, "Shop_queue-1", "q" * 75 + ".fifo", "https://sqs.example/1/q"])
def test_a_name_that_a_queue_can_have_is_taken(fine):
    assert fine in SqsQueue(fine).name


# the queue


def test_a_queue_that_is_not_there_is_made_to_keep_its_messages_as_long_as_sqs_does(name):
    SqsQueue(name, **at(SQS_URL)).check()
    assert seen_in_sqs(name, "MessageRetentionPeriod") == {"MessageRetentionPeriod": "1209600"}


def test_a_queue_that_is_named_by_its_url_is_used_and_never_made(name):
    url = make_sqs(name)
    queue = SqsQueue(url, **at(SQS_URL))
    queue.check()
    queue.send("evt")
    assert left_in_sqs(name) == 1
    clean_sqs(name)
    for _ in range(2):
        with pytest.raises(ClientError, match="NonExistentQueue"):
            queue.send("evt")
    asyncio.run(queue.close())


def test_a_queue_that_was_deleted_is_made_again_by_the_second_who_sends(name):
    queue = SqsQueue(name, **at(SQS_URL))
    queue.check()
    clean_sqs(name)
    with pytest.raises(ClientError, match="NonExistentQueue"):
        queue.send("evt")
    queue.send("evt")
    assert left_in_sqs(name) == 1
    asyncio.run(queue.close())


def test_a_fifo_queue_has_a_message_once_that_the_client_sends_twice(name):
    queue = SqsQueue(f"{name}.fifo", **at(SQS_URL))
    for message in ("evt", "evt", "another"):
        queue.send(message)
    assert left_in_sqs(f"{name}.fifo") == 2
    asyncio.run(queue.close())
    clean_sqs(f"{name}.fifo")


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({}, ""),
        ({"MessageRetentionPeriod": "600"}, "drops messages after 600 s (MessageRetentionPeriod)"),
        ({"MaximumMessageSize": "1024"}, "takes messages of up to 1024 bytes (MaximumMessageSize)"),
        ({"deliveries": "3"}, "a dead letter after 3 deliveries (maxReceiveCount)"),
        ({"deliveries": "10"}, ""),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, Mapping) else "",
)
def test_settings_that_cost_time_are_warned_of(name, settings, warned, caplog):
    if deliveries := settings.get("deliveries"):
        make_sqs(f"{name}-dead")
        arn = seen_in_sqs(f"{name}-dead", "QueueArn")["QueueArn"]
        settings = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": deliveries})}
    make_sqs(name, **settings)
    SqsQueue(name, **at(SQS_URL)).check()
    said = [record.message for record in caplog.records if record.name == "hookcatch"]
    assert len(said) == bool(warned)
    assert all(warned in one for one in said)
    clean_sqs(f"{name}-dead")


# messages


async def consume(queue: SqsQueue, perform: Perform, until: Callable[[], bool], at_a_time: int) -> None:
    """Until it holds, and then until what was in hand is done."""
    stopping = asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(queue.consume(perform, concurrency=at_a_time, stopping=stopping))
        await holds(until)
        stopping.set()
    await queue.close()


async def holds(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_more_than_sqs_hands_out_at_a_time_are_worked_on_at_a_time(name):
    sent = {f"m{n}" for n in range(25)}
    queue = SqsQueue(name, **at(SQS_URL))
    for one in sent:
        queue.send(one)
    seen: set[str] = set()
    crowd = asyncio.Event()

    async def perform(message: str) -> Fate:
        seen.add(message)
        if len(seen) >= 20:
            crowd.set()
        await crowd.wait()  # 20 are in work, or nobody gets on
        return Fate.DONE

    asyncio.run(consume(queue, perform, lambda: seen == sent, 20))
    assert left_in_sqs(name) == 0


def test_a_queue_that_is_deleted_while_it_is_consumed_is_made_again(name, monkeypatch):
    monkeypatch.setattr(consuming, "REST", (0.1, 0.1))
    queue = SqsQueue(name, **at(SQS_URL))
    queue.send("before")
    seen: list[str] = []

    async def perform(message: str) -> Fate:
        seen.append(message)
        return Fate.DONE

    def is_there() -> bool:
        with suppress(ClientError):
            return bool(seen_in_sqs(name, "QueueArn"))
        return False

    async def weather() -> None:
        await holds(lambda: "before" in seen)
        clean_sqs(name)
        await holds(is_there)
        queue.send("after")

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(weather())
            group.create_task(consume(queue, perform, lambda: "after" in seen, 2))

    asyncio.run(story())
    assert seen == ["before", "after"]


def test_it_waits_for_messages_in_threads_of_its_own(name):
    queue = SqsQueue(name, **at(SQS_URL))
    queue.send("evt")
    seen: list[str] = []

    async def perform(message: str) -> Fate:
        seen.append(message)
        return Fate.DONE

    async def story() -> None:
        held = threading.Event()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        holding = loop.run_in_executor(None, held.wait)  # what handlers have is all taken
        try:
            await consume(queue, perform, lambda: bool(seen), 1)
        finally:
            held.set()
            await holding

    asyncio.run(story())
    assert seen == ["evt"]
    assert left_in_sqs(name) == 0


# what answers; moto lets anybody do anything, so these answers are put together as Amazon's are

ID = {"QueueUrl": "http://queue"}
SENT = {"MessageId": "1", "MD5OfMessageBody": "0"}


@dataclass
class Answering:
    """An HTTP server with an answer for each operation, or a status, or a list of these, of which the last one stays.
    An operation that it does not know is denied."""

    answers: Mapping[str, object]
    callers: list[int] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def answering(**answers: object) -> Iterator[Answering]:
    it = Answering(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            it.callers.append(self.client_address[1])
            it.agents.append(self.headers["User-Agent"])
            self.rfile.read(int(self.headers["Content-Length"]))
            asked = self.headers["X-Amz-Target"].rpartition(".")[2]
            body = it.answers.get(asked, denied(asked))
            if isinstance(body, list):
                body = body.pop(0) if len(body) > 1 else body[0]
            text = (
                body
                if isinstance(body, bytes)
                else json.dumps({} if isinstance(body, int) else body).encode()
            )
            status = body if isinstance(body, int) else 200
            self.send_response(status if asked in it.answers else 403)
            if asked not in it.answers:
                self.send_header("x-amzn-query-error", "AccessDenied;Sender")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", free_port()), Handler) as server:
        it.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield it
        finally:
            server.shutdown()
            thread.join()


def denied(asked: str) -> dict[str, str]:
    return {
        "__type": "com.amazon.coral.service#AccessDeniedException",
        "Message": f"User: arn:aws:iam::1:user/shop is not authorized to perform: sqs:{asked.lower()}",
    }


def test_a_queue_that_may_be_neither_seen_nor_made_says_what_to_do():
    with (
        answering() as server,
        pytest.raises(ConfigurationError, match=r"give the queue's URL.*sqs:getqueueurl"),
    ):
        SqsQueue("shop", **at(server.url)).check()


def test_wrong_credentials_are_no_reason_not_to_receive(caplog):
    with answering(GetQueueUrl=401) as server:
        queue = SqsQueue("shop", **at(server.url))
        queue.check()
        assert "is not there yet: ClientError" in caplog.text
        with pytest.raises(queue.failures, match="401"):
            queue.send("evt")
        asyncio.run(queue.close())


def test_a_message_whose_end_could_not_be_told_is_left_to_come_again(caplog, monkeypatch):
    monkeypatch.setattr(consuming, "REST", (0.1, 0.1))
    caplog.set_level("INFO", "hookcatch")
    one = {"Messages": [{"ReceiptHandle": "1", "Body": "evt"}]}
    with answering(GetQueueUrl=ID, ReceiveMessage=[one, one, 500]) as server:  # the first is but a look
        queue = SqsQueue("shop", **at(server.url))

        async def perform(_: str) -> Fate:
            await holds(lambda: "cannot be consumed, next try" in caplog.text)
            return Fate.DONE

        asyncio.run(
            consume(queue, perform, lambda: "was not told what became of a message" in caplog.text, 2)
        )


def test_one_who_may_not_receive_does_not_say_that_he_consumes(caplog, monkeypatch):
    monkeypatch.setattr(consuming, "REST", (0.01, 0.01))
    caplog.set_level("INFO", "hookcatch")
    with answering(GetQueueUrl=ID) as server:
        queue = SqsQueue("shop", **at(server.url))

        async def perform(message: str) -> Fate:
            raise AssertionError(message)

        asyncio.run(consume(queue, perform, lambda: caplog.text.count("sqs:receivemessage") > 1, 2))
    assert "messages at a time" not in caplog.text


def test_settings_that_may_not_be_seen_are_no_reason_not_to_receive(caplog):
    with answering(GetQueueUrl=ID, SendMessage=SENT) as server:
        queue = SqsQueue("shop", **at(server.url))
        queue.check()
        assert "allow sqs:GetQueueAttributes" in caplog.text
        queue.send("evt")
        asyncio.run(queue.close())


def test_one_who_may_only_send_sends_to_a_queue_by_its_url():
    with answering(SendMessage=SENT) as server:
        queue = SqsQueue(f"{server.url}/1/shop", **at(server.url))
        queue.send("evt")
        asyncio.run(queue.close())


@pytest.mark.parametrize("options", [{}, {"config": Config(user_agent_extra="shop")}])
def test_it_is_asked_once_for_whoever_sends_tries_again_by_himself(options):
    with answering(SendMessage=500) as server:
        queue = SqsQueue(f"{server.url}/1/shop", **at(server.url), **options)
        with pytest.raises(queue.failures):
            queue.send("evt")
        asyncio.run(queue.close())
    assert len(server.callers) == 1
    assert server.agents[0].endswith("shop") == bool(options)


@pytest.mark.parametrize("answer", [b"<html>Welcome to our WLAN</html>", {}])
def test_what_is_no_answer_of_sqs_confirms_nothing(answer):
    with answering(GetQueueUrl=ID, SendMessage=answer) as server:
        queue = SqsQueue("shop", **at(server.url))
        with pytest.raises(queue.failures, match="does not speak as SQS does"):
            queue.send("evt")
        asyncio.run(queue.close())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_sends_through_a_connection_of_its_own():
    with answering(GetQueueUrl=ID, SendMessage=SENT) as server:
        queue = SqsQueue("shop", **at(server.url))
        queue.send("parent")
        queue.send("parent")
        assert len(set(server.callers)) == 1
        child = os.fork()
        if child == 0:  # pragma: no cover - coverage does not see the child
            queue.send("child")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        queue.send("parent")
        *first, of_child, last = server.callers
        assert of_child not in {*first, last}
        asyncio.run(queue.close())
