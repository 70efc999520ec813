"""NATS JetStream."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hookcatch.core.errors import ConfigurationError, MissingExtra
from hookcatch.observe.logs import logger
from hookcatch.relay import Perform

from . import REDELIVERY, WAIT, Outlet, Taken, look_now
from .consuming import consume

try:
    import nats
    import nats.errors
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.api import (
        ConsumerConfig,
        DiscardPolicy,
        Header,
        RetentionPolicy,
        StorageType,
        StreamConfig,
    )
    from nats.js.errors import NotFoundError
except ModuleNotFoundError:
    raise MissingExtra("nats-py", "nats") from None


class NatsStream:
    """A stream of JetStream and a durable consumer of it. A stream that is not there is made: in files, a message
    gone once it is acknowledged, none dropped for another.

    Args:
        servers: where NATS is.
        stream: the stream's name.
        subject: what is published to, one that the stream listens to; default the stream's name.
        consumer: the durable consumer's name, shared by all that consume.
        **options: for `nats.connect`: `user_credentials`, `tls`, ...
    """

    def __init__(
        self,
        servers: str | list[str] = "nats://127.0.0.1:4222",
        *,
        stream: str = "hookcatch",
        subject: str = "",
        consumer: str = "hookcatch",
        **options: Any,
    ) -> None:
        self.name: str = f"NATS stream {stream!r}"
        self.failures: tuple[type[Exception], ...] = (nats.errors.Error, OSError, TimeoutError)
        self._servers = servers
        self._stream = stream
        self._subject = subject or stream
        self._consumer = consumer
        self._options = options
        self._outlet = Outlet(
            self._connect, is_gone=lambda client: client.is_closed, close=lambda client: client.close()
        )

    async def send(self, message: str) -> None:
        """Returns when the stream has it. A message is known by its text, which is that of one lease."""
        client = await self._outlet.get()
        number = hashlib.sha256(message.encode()).hexdigest()[:32]
        await client.jetstream().publish(
            self._subject, message.encode(), stream=self._stream, headers={Header.MSG_ID: number}
        )

    def check(self) -> None:
        """Raises ConfigurationError for a stream that may drop what it has confirmed."""
        look_now(self._look, self)

    async def consume(self, perform: Perform, *, concurrency: int, stopping: asyncio.Event) -> None:
        """See `hookcatch.relay.Consumer`."""
        await consume(self, perform, concurrency=concurrency, stopping=stopping)

    async def close(self) -> None:
        """See `hookcatch.relay.Consumer`."""
        await self._outlet.close()

    @asynccontextmanager
    async def open(self, concurrency: int) -> AsyncIterator[_Inlet]:
        """See `Stream`."""
        client = await self._connect()
        try:
            subscription = await client.jetstream().pull_subscribe(
                self._subject,
                durable=self._consumer,
                stream=self._stream,
                config=ConsumerConfig(ack_wait=REDELIVERY, max_deliver=-1),
            )
            yield _Inlet(subscription)
        finally:
            await client.close()

    async def _look(self) -> None:
        client = await self._connect()
        await client.close()

    async def _connect(self) -> Client:
        """One try: whoever waits for a server that is away waits in his own way. The stream is there then."""
        client = await nats.connect(
            self._servers,
            error_cb=_told,
            **{"name": "hookcatch", "allow_reconnect": False, "max_reconnect_attempts": 1,
               "reconnect_time_wait": 0.1, **self._options},
        )  # fmt: skip
        try:
            await self._prepare(client.jetstream())
        except BaseException:
            await client.close()
            raise
        return client

    async def _prepare(self, context: JetStreamContext) -> None:
        try:
            config = (await context.stream_info(self._stream)).config
        except NotFoundError:
            config = StreamConfig(
                name=self._stream,
                subjects=[self._subject],
                storage=StorageType.FILE,
                retention=RetentionPolicy.WORK_QUEUE,
                discard=DiscardPolicy.NEW,
            )
            await context.add_stream(config)
        why = ", ".join(_losses(config))
        if why:
            raise ConfigurationError(
                f"{self.name} can lose what it has confirmed ({why}): change it, or name a stream that does not "
                "exist, and it is made as it should be"
            )


@dataclass(frozen=True, slots=True)
class _Inlet:
    subscription: JetStreamContext.PullSubscription

    async def take(self, free: int) -> Sequence[Taken]:
        """One at a time: a fetch for more waits until there are so many."""
        try:
            return [_Taken(message) for message in await self.subscription.fetch(1, timeout=WAIT)]
        except nats.errors.TimeoutError:
            return ()


@dataclass(frozen=True, slots=True)
class _Taken:
    """https://docs.nats.io/using-nats/developer/develop_jetstream/consumers"""

    raw: Msg

    @property
    def message(self) -> str:
        return self.raw.data.decode(errors="replace")

    async def done(self) -> None:
        await self.raw.ack()

    async def again(self) -> None:
        await self.raw.nak()

    async def refuse(self) -> None:
        await self.raw.term()


def _losses(config: StreamConfig) -> list[str]:
    limits = {
        "max_msgs": config.max_msgs,
        "max_bytes": config.max_bytes,
        "max_msgs_per_subject": config.max_msgs_per_subject,
    }
    limited = [f"{name}={limit}" for name, limit in limits.items() if (limit or 0) > 0]
    drops = limited and config.discard != DiscardPolicy.NEW
    return [
        *(["storage in memory"] if config.storage == StorageType.MEMORY else []),
        *([f"{' '.join(limited)} with discard=old"] if drops else []),
        *([f"max_age={config.max_age:g} s"] if config.max_age else []),
        *(["retention=interest"] if config.retention == RetentionPolicy.INTEREST else []),
        *(["no_ack"] if config.no_ack else []),
    ]


async def _told(why: Exception) -> None:
    logger.debug("NATS: %s: %s", type(why).__name__, why)
