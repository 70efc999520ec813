"""Amazon SQS."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from hookcatch.core.errors import ConfigurationError, MissingExtra
from hookcatch.observe.logs import logger
from hookcatch.relay import Perform

from . import REDELIVERY, WAIT, Taken
from .consuming import consume

try:
    import boto3.session
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConfigParseError,
        InvalidRegionError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
        ProfileNotFound,
    )
except ModuleNotFoundError:
    raise MissingExtra("boto3", "sqs") from None

NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|(?=.{6,80}$)[A-Za-z0-9_-]+\.fifo")
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html"""

BATCH = 10
"""Messages that SQS hands out at a time, at most."""

ANSWERS = 8
"""Threads that tell SQS what became of messages, beside the one that waits for new ones."""

KEPT = {"MessageRetentionPeriod": str(14 * 86400)}
"""A queue that we make keeps its messages as long as SQS does, in seconds."""

SETTINGS: Config = Config(
    # one try, which ends before the relay's timeout: whoever sends or consumes tries again in his own way
    connect_timeout=3,
    read_timeout=5,
    retries={"total_max_attempts": 1},
    max_pool_connections=1000,  # those above it would be closed after each message, with a warning
)

WRONG: tuple[type[Exception], ...] = (
    ProfileNotFound,
    InvalidRegionError,
    ConfigParseError,
    ValueError,
    TypeError,
)
NOT_THERE = ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
DENIED = ("AccessDenied", "AccessDeniedException")

SHORTEST = 3600
"""Seconds that a queue has to keep messages, not to lose one before the relay's default patience has ended."""

FEWEST = 10
"""Deliveries that a message should have before it is a dead letter: SQS's own default."""

LARGEST = 8192
"""Bytes of the largest message that is to be expected, of a source, a tenant and an id with long names."""


class SqsQueue:
    """A queue of SQS, created where it is not there. FIFO or not is all the same to hookcatch.

    Args:
        queue: the queue's name; or its URL, for one that is there and in another account, or that these credentials
            may not look up.
        profile_name: of AWS's configuration files, if not the one that `AWS_PROFILE` says.
        **options: for `boto3.session.Session.client`: `region_name`, `endpoint_url`, `config`, ... Region and
            credentials that are not given here are looked for as in any program that uses boto3.

    Raises:
        ConfigurationError: no queue can have this name.
    """

    def __init__(self, queue: str = "hookcatch", *, profile_name: str | None = None, **options: Any) -> None:
        self.name: str = f"SQS queue {queue!r}"
        self.failures: tuple[type[Exception], ...] = (ClientError, BotoCoreError, OSError)
        self._is_named = not queue.startswith(("https://", "http://"))
        if self._is_named and not NAME.fullmatch(queue):
            raise ConfigurationError(
                f"{self.name}: a name has up to 80 letters, digits, hyphens and underscores, that of a FIFO queue "
                "ends with .fifo; anything else has to be the URL of a queue"
            )
        self._queue = queue
        self._url = "" if self._is_named else queue
        self._is_fifo = queue.endswith(".fifo")
        self._profile = profile_name
        self._options = {**options, "config": SETTINGS.merge(options.get("config") or Config())}
        self._process = 0
        self._making = threading.Lock()
        self._sending: Any = None

    def send(self, message: str) -> None:
        """Returns when SQS has it."""
        try:
            client = self._client()
            answer = client.send_message(
                QueueUrl=self._place(client), MessageBody=message, **self._once(message)
            )
        except NoCredentialsError:
            self._sending = None  # a client that has found none looks for none again
            raise
        except ClientError as why:
            self._forget_what_is_gone(why)
            raise
        if "MessageId" not in answer:
            raise ConnectionError("what answered does not speak as SQS does")

    def check(self) -> None:
        """Look at the queue's settings. None of them loses an event; what costs time is a warning.

        Raises:
            ConfigurationError: there is no region, or there are no credentials; or the queue is not there and may
                not be created.
        """
        try:
            client = self._client()
            said = client.get_queue_attributes(QueueUrl=self._place(client), AttributeNames=["All"])
        except (NoCredentialsError, PartialCredentialsError) as why:
            raise ConfigurationError(
                f"{self.name}: AWS needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                f"AWS_PROFILE, or give the machine a role: {why}"
            ) from why
        except self.failures as why:
            if isinstance(why, ClientError) and _code(why) in DENIED:
                logger.warning("%s cannot be looked at, allow sqs:GetQueueAttributes: %s", self.name, why)
            else:
                logger.warning("%s is not there yet: %s: %s", self.name, type(why).__name__, why)
            return
        for doubt in _doubts(said["Attributes"]):
            logger.warning("%s %s", self.name, doubt)

    async def consume(self, perform: Perform, *, concurrency: int, stopping: asyncio.Event) -> None:
        """See `hookcatch.relay.Consumer`."""
        await consume(self, perform, concurrency=concurrency, stopping=stopping)

    async def close(self) -> None:
        """See `hookcatch.relay.Consumer`."""
        client, self._sending = self._sending, None
        if client is not None and self._process == os.getpid():
            client.close()

    @asynccontextmanager
    async def open(self, concurrency: int) -> AsyncIterator[_Inlet]:
        """See `Stream`. boto3 blocks, so it has threads of its own, which its long waits are free to hold."""
        threads = ThreadPoolExecutor(1 + min(concurrency, ANSWERS), thread_name_prefix="hookcatch-sqs")
        try:
            client, url = await asyncio.get_running_loop().run_in_executor(threads, self._opened)
            try:
                yield _Inlet(client, url, threads)
            finally:
                threads.submit(client.close)
        finally:
            threads.shutdown(wait=False)

    def _opened(self) -> tuple[Any, str]:
        """A client with which messages may be received, as it has tried. What it has seen stays there for all."""
        client = self._connect()
        try:
            url = self._place(client)
            client.receive_message(
                QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=0, VisibilityTimeout=0
            )
        except Exception as why:
            client.close()
            self._forget_what_is_gone(why)
            raise
        return client, url

    def _forget_what_is_gone(self, why: Exception) -> None:
        """Whoever comes next creates it again."""
        if self._is_named and isinstance(why, ClientError) and _code(why) in NOT_THERE:
            self._url = ""

    def _client(self) -> Any:
        """With which this process sends. A fork's child makes one of its own, lest two read from one socket."""
        if self._process != os.getpid():
            self._process, self._making, self._sending = os.getpid(), threading.Lock(), None
        with self._making:
            client = self._sending = self._sending or self._connect()
            return client

    def _connect(self) -> Any:
        """A client, which threads may share. They may not share a session, so each client has its own."""
        try:
            return boto3.session.Session(profile_name=self._profile).client("sqs", **self._options)
        except NoRegionError as why:
            raise ConfigurationError(
                f"{self.name}: AWS needs a region: set AWS_DEFAULT_REGION, or say region_name=..., as in "
                'SqsQueue("hookcatch", region_name="eu-central-1")'
            ) from why
        except WRONG as why:  # not all that boto3 raises here: credentials may be to be had a moment later
            raise ConfigurationError(f"{self.name} cannot be asked with these settings: {why}") from why

    def _place(self, client: Any) -> str:
        """The queue's URL. The queue is there then."""
        if not self._url:
            try:
                self._url = self._found(client) or self._made(client)
            except ClientError as why:
                if _code(why) not in DENIED:
                    raise
                raise ConfigurationError(
                    f"{self.name} is not there, or may not be looked up or created: create it and allow "
                    f"sqs:GetQueueUrl, or allow sqs:CreateQueue, or give the queue's URL instead of its name: {why}"
                ) from why
        return self._url

    def _found(self, client: Any) -> str:
        try:
            url: str = client.get_queue_url(QueueName=self._queue)["QueueUrl"]
        except ClientError as why:
            if _code(why) not in NOT_THERE:
                raise
            return ""
        return url

    def _made(self, client: Any) -> str:
        attributes = {**KEPT, **({"FifoQueue": "true"} if self._is_fifo else {})}
        url: str = client.create_queue(QueueName=self._queue, Attributes=attributes)["QueueUrl"]
        return url

    def _once(self, message: str) -> dict[str, str]:
        """What a FIFO queue wants: a message is known by its text, which is that of one lease. Its group is its own,
        so that no message waits for another: what order there is among events is the inbox's matter."""
        if not self._is_fifo:
            return {}
        number = hashlib.sha256(message.encode()).hexdigest()
        return {"MessageGroupId": number, "MessageDeduplicationId": number}


@dataclass(frozen=True, slots=True)
class _Inlet:
    client: Any
    url: str
    threads: Executor

    async def take(self, free: int) -> Sequence[Taken]:
        """As many as there are, at once; else it waits for the first."""
        answer = await self.ask(
            self.client.receive_message,
            MaxNumberOfMessages=min(free, BATCH),
            WaitTimeSeconds=int(WAIT),
            VisibilityTimeout=int(REDELIVERY),
        )
        return [_Taken(self, one["ReceiptHandle"], one["Body"]) for one in answer.get("Messages", ())]

    async def ask(self, what: Callable[..., Any], **arguments: Any) -> Any:
        """Call it in a thread."""
        call = partial(what, QueueUrl=self.url, **arguments)
        try:
            answer = asyncio.get_running_loop().run_in_executor(self.threads, call)
        except RuntimeError:  # that is how an executor says it
            raise ConnectionError("closed meanwhile") from None
        return await answer


@dataclass(frozen=True, slots=True)
class _Taken:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""

    inlet: _Inlet
    receipt: str
    message: str

    async def done(self) -> None:
        await self._tell(self.inlet.client.delete_message)

    async def again(self) -> None:
        await self._tell(self.inlet.client.change_message_visibility, VisibilityTimeout=0)

    async def refuse(self) -> None:
        """Not to the dead letters, to which SQS moves what is delivered too often."""
        await self._tell(self.inlet.client.delete_message)

    async def _tell(self, what: Callable[..., Any], **arguments: Any) -> None:
        await self.inlet.ask(what, ReceiptHandle=self.receipt, **arguments)


def _doubts(attributes: Mapping[str, str]) -> list[str]:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""
    kept = int(attributes.get("MessageRetentionPeriod", SHORTEST))
    size = int(attributes.get("MaximumMessageSize", LARGEST))
    redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
    deliveries = int(redrive.get("maxReceiveCount", FEWEST))
    doubts = {
        f"drops messages after {kept} s (MessageRetentionPeriod): what waits in it for longer is handed over again "
        "only after the relay's patience": kept < SHORTEST,
        f"takes a message for a dead letter after {deliveries} deliveries (maxReceiveCount), of which an inbox "
        f"that is away costs one in 10 s: say {FEWEST} or more, for such an event is handed over again only after "
        "the relay's patience": deliveries < FEWEST,
        f"takes messages of up to {size} bytes (MaximumMessageSize): an event whose id, tenant and source are long "
        f"is never handed over; {LARGEST} are enough for all": size < LARGEST,
    }
    return [doubt for doubt, holds in doubts.items() if holds]


def _code(why: ClientError) -> str:
    return str(why.response.get("Error", {}).get("Code", ""))
