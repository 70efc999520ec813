"""What tests leave behind at brokers, by the name that they gave to their queue, and how it goes away."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aio_pika
import nats
from nats.js.errors import NotFoundError
from redis import Redis

REDIS_URL = "redis://127.0.0.1:6379/9"
RABBITMQ_URL = "amqp://guest:guest@127.0.0.1:5672//"
NATS_URL = "nats://127.0.0.1:4222"


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
