"""Redis streams, of Redis 6.2 and newer."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from hookcatch.core.errors import ConfigurationError, MissingExtra
from hookcatch.observe.logs import logger
from hookcatch.relay import Perform

from . import REDELIVERY, WAIT, Taken
from .consuming import consume

try:
    import redis
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError, ResponseError
except ModuleNotFoundError:
    raise MissingExtra("redis", "redis") from None

FIELD = "message"

TIMEOUT = 5.0
"""Seconds for one answer of Redis."""

RECLAIM = 10.0
"""Seconds between looks for messages of consumers that died."""

DEAD = 3600.0
"""Seconds without a sign of life, after which a consumer that holds no message is struck off the list."""


class RedisStream:
    """A stream of Redis and a consumer group of it, made where they are not there. What was performed is deleted.

    Args:
        url: where Redis is: `redis://host:6379/0`, or `rediss://`.
        stream: the stream's key.
        group: the consumer group's name, shared by all that consume.
        **options: for `redis.Redis`: `ssl_ca_certs`, ...
    """

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        stream: str = "hookcatch",
        group: str = "hookcatch",
        **options: Any,
    ) -> None:
        self.name: str = f"Redis stream {stream!r}"
        self.failures: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
        self._url = url
        self._stream = stream
        self._group = group
        self._options = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT, **options}
        self._sending = redis.Redis.from_url(url, **self._options)

    def send(self, message: str) -> None:
        """Returns when Redis has it."""
        self._sending.xadd(self._stream, {FIELD: message})

    def check(self) -> None:
        """Raises ConfigurationError for a Redis that drops keys when its memory is full."""
        try:
            memory: Any = self._sending.info("memory")
            persistence: Any = self._sending.info("persistence")
        except self.failures as why:
            logger.warning("%s is not there yet: %s: %s", self.name, type(why).__name__, why)
            return
        policy = str(memory.get("maxmemory_policy"))
        if memory.get("maxmemory") and policy.startswith("allkeys-"):
            raise ConfigurationError(
                f"{self.name} can lose what it has confirmed: maxmemory-policy {policy} drops any key when "
                "the memory is full; say noeviction or volatile-..."
            )
        if not persistence.get("aof_enabled"):
            logger.warning(
                "%s is not in a file that is written at once (appendonly no): what a crash of Redis takes is handed "
                "over again after the relay's patience",
                self.name,
            )

    async def consume(self, perform: Perform, *, concurrency: int, stopping: asyncio.Event) -> None:
        """See `hookcatch.relay.Consumer`."""
        await consume(self, perform, concurrency=concurrency, stopping=stopping)

    async def close(self) -> None:
        """See `hookcatch.relay.Consumer`."""
        self._sending.close()

    @asynccontextmanager
    async def open(self, concurrency: int) -> AsyncIterator[_Inlet]:
        """See `Stream`."""
        own = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        client: Redis = Redis.from_url(
            self._url, decode_responses=True, protocol=2, retry=Retry(NoBackoff(), 0), **self._options
        )
        async with client:
            with suppress(ResponseError):  # it is there already
                await client.xgroup_create(self._stream, self._group, id="0", mkstream=True)
            await self._strike_off(client)
            inlet = _Inlet(client, self._stream, self._group, own)
            try:
                yield inlet
            finally:
                inlet.is_open = False

    async def _strike_off(self, client: Redis) -> None:
        for one in await client.xinfo_consumers(self._stream, self._group):
            if not one["pending"] and one["idle"] > DEAD * 1000:
                await client.xgroup_delconsumer(self._stream, self._group, one["name"])


@dataclass(slots=True)
class _Inlet:
    client: Redis
    stream: str
    group: str
    own: str
    looked: float = field(default=-RECLAIM)
    is_open: bool = True

    async def take(self, free: int) -> Sequence[Taken]:
        """Now and then those that a consumer took and never acknowledged; else new ones."""
        found = await self._reclaimed(free) or await self._new(free)
        return [_Taken(self, number, values) for number, values in found]

    async def _reclaimed(self, free: int) -> list[tuple[str, Mapping[str, str]]]:
        if time.monotonic() - self.looked < RECLAIM:
            return []
        _, found, *_ = await self.client.xautoclaim(
            self.stream, self.group, self.own, min_idle_time=int(REDELIVERY * 1000), count=free
        )
        if not found:
            self.looked = time.monotonic()
        return list(found)

    async def _new(self, free: int) -> list[tuple[str, Mapping[str, str]]]:
        answer: Any = await self.client.xreadgroup(
            self.group, self.own, {self.stream: ">"}, count=free, block=int(WAIT * 1000)
        )
        return [entry for _, entries in answer for entry in entries]


@dataclass(frozen=True, slots=True)
class _Taken:
    """https://redis.io/docs/latest/develop/data-types/streams/"""

    inlet: _Inlet
    number: str
    values: Mapping[str, str]

    @property
    def message(self) -> str:
        return self.values.get(FIELD, "")

    async def done(self) -> None:
        await self._end()

    async def again(self) -> None:
        """Redis has no word for it: to the end of the stream, and away from where it was."""
        await self._end(instead=self.message)

    async def refuse(self) -> None:
        await self._end()

    async def _end(self, *, instead: str = "") -> None:
        at = self.inlet
        if not at.is_open:  # the client would connect again, and nobody would close that
            raise redis.ConnectionError("closed meanwhile")
        async with at.client.pipeline(transaction=True) as commands:
            if instead:
                commands.xadd(at.stream, {FIELD: instead})
            commands.xack(at.stream, at.group, self.number)
            commands.xdel(at.stream, self.number)
            await commands.execute()
