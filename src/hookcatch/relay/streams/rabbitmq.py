"""RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hookcatch.core.errors import ConfigurationError, MissingExtra
from hookcatch.relay import Perform

from . import WAIT, Outlet, Taken, look_now
from .consuming import consume

try:
    import aio_pika
    from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
    from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelPreconditionFailed
except ModuleNotFoundError:
    raise MissingExtra("aio-pika", "rabbitmq") from None


class RabbitQueue:
    """A durable queue of RabbitMQ, declared where it is not there.

    Args:
        url: where RabbitMQ is: `amqp://user:password@host/vhost`, or `amqps://`.
        queue: the queue's name.
        arguments: with which it is, or is to be, declared: `{"x-queue-type": "quorum"}`, or where messages go that
            are thrown away: `{"x-dead-letter-exchange": ...}`.
        **options: for `aio_pika.connect`: `ssl_context`, ...
    """

    def __init__(
        self,
        url: str = "amqp://guest:guest@127.0.0.1/",
        *,
        queue: str = "hookcatch",
        arguments: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.name: str = f"RabbitMQ queue {queue!r}"
        self.failures: tuple[type[Exception], ...] = (*CONNECTION_EXCEPTIONS, TimeoutError)
        self._url = url
        self._queue = queue
        self._arguments = dict(arguments or {})
        self._options = options
        self._outlet = Outlet(
            self._open_sending,
            is_gone=lambda sending: sending.channel.is_closed,
            close=lambda sending: sending.connection.close(),
        )

    async def send(self, message: str) -> None:
        """Returns when RabbitMQ has it on disk, in the queue: it is persistent, mandatory, and confirmed."""
        sending = await self._outlet.get()
        persistent = aio_pika.Message(message.encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await sending.channel.default_exchange.publish(persistent, self._queue, mandatory=True)

    def check(self) -> None:
        """Raises ConfigurationError for a queue that may drop what it has confirmed."""
        losses = _losses(self._arguments)
        if losses:
            raise ConfigurationError(
                f"{self.name} can lose what it has confirmed: leave {', '.join(losses)} out of its arguments"
            )
        look_now(self._look, self)

    async def consume(self, perform: Perform, *, concurrency: int, stopping: asyncio.Event) -> None:
        """See `hookcatch.relay.Consumer`."""
        await consume(self, perform, concurrency=concurrency, stopping=stopping)

    async def close(self) -> None:
        """See `hookcatch.relay.Consumer`."""
        await self._outlet.close()

    @asynccontextmanager
    async def open(self, concurrency: int) -> AsyncIterator[_Inlet]:
        """See `Stream`. What is delivered and not acknowledged when it closes goes back to the queue."""
        connection = await self._connect()
        async with connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=concurrency)
            queue = await self._declared(channel)
            arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
            await queue.consume(arrived.put)
            yield _Inlet(channel, queue.name, arrived)

    async def _look(self) -> None:
        async with await self._connect() as connection:
            await self._declared(await connection.channel())

    async def _connect(self) -> AbstractConnection:
        connection: AbstractConnection = await aio_pika.connect(self._url, **self._options)
        return connection

    async def _open_sending(self) -> _Sending:
        connection = await self._connect()
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await self._declared(channel)
        return _Sending(connection, channel)

    async def _declared(self, channel: AbstractChannel) -> AbstractQueue:
        try:
            return await channel.declare_queue(self._queue, durable=True, arguments=self._arguments)
        except ChannelPreconditionFailed as why:
            raise ConfigurationError(
                f"{self.name} is there, and not as it should be: it has to be durable, and to have been declared "
                f"with the arguments that you give: {why}"
            ) from why


@dataclass(frozen=True, slots=True)
class _Sending:
    connection: AbstractConnection
    channel: AbstractChannel


@dataclass(frozen=True, slots=True)
class _Inlet:
    channel: AbstractChannel
    queue: str
    arrived: asyncio.Queue[AbstractIncomingMessage]

    async def take(self, free: int) -> Sequence[Taken]:
        """One that has arrived. RabbitMQ sends no more than may be held."""
        try:
            async with asyncio.timeout(WAIT):
                return [_Taken(await self.arrived.get())]
        except TimeoutError:
            # fails if the queue or the connection is gone, of which nobody tells
            await self.channel.declare_queue(self.queue, passive=True)
            return ()


@dataclass(frozen=True, slots=True)
class _Taken:
    """https://www.rabbitmq.com/docs/confirms"""

    raw: AbstractIncomingMessage

    @property
    def message(self) -> str:
        return self.raw.body.decode(errors="replace")

    async def done(self) -> None:
        await self.raw.ack()

    async def again(self) -> None:
        await self.raw.nack(requeue=True)

    async def refuse(self) -> None:
        """To the dead letters, if the queue has an exchange for these."""
        await self.raw.reject(requeue=False)


def _losses(arguments: Mapping[str, Any]) -> list[str]:
    """https://www.rabbitmq.com/docs/ttl and https://www.rabbitmq.com/docs/maxlength"""
    drops = str(arguments.get("x-overflow", "drop-head")) == "drop-head"
    limits = ("x-max-length", "x-max-length-bytes") if drops else ()
    return [name for name in ("x-message-ttl", "x-expires", *limits) if name in arguments]
