"""Kafka 2.4 and newer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from hookcatch.core.errors import ConfigurationError
from hookcatch.relay import Perform
from hookcatch.relay.streams import Outlet, look_now
from hookcatch.relay.streams.consuming import consume

from .client import FAILURES, Clients
from .group import Member
from .sending import Sending
from .topic import Wanted, look

PARTITIONS = 6
"""Of a topic that is made here. No more processes than partitions have something to do; within each as many messages
are in work as its concurrency says."""


class KafkaTopic:
    """A topic of Kafka and a consumer group of it, made where they are not there.

    Args:
        servers: where some brokers are: host:port.
        topic: the topic's name.
        group: the consumer group's name, shared by all that consume.
        partitions: of a topic that is made.
        replicas: copies of each partition of a topic that is made; default what the brokers are set to
            (`default.replication.factor`).
        settings: for librdkafka: `{"security.protocol": "SASL_SSL", ...}`.
    """

    def __init__(
        self,
        servers: str | list[str] = "127.0.0.1:9092",
        *,
        topic: str = "hookcatch",
        group: str = "hookcatch",
        partitions: int = PARTITIONS,
        replicas: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.name: str = f"Kafka topic {topic!r}"
        self.failures: tuple[type[Exception], ...] = FAILURES
        if not topic or not group:
            raise ConfigurationError("a topic and a consumer group of Kafka have names")
        self._topic = topic
        self._group = group
        self._wanted = Wanted(topic, partitions, replicas)
        self._clients = Clients(
            self.name, servers if isinstance(servers, str) else ",".join(servers), dict(settings or {})
        )
        self._is_looked_at = False
        self._outlet = self._way_out()

    async def send(self, message: str) -> None:
        """Returns when Kafka has it, in each copy that is in step (`acks=all`). It is given up after five seconds."""
        await self._publish(self._outlet, message)

    def check(self) -> None:
        """Raises ConfigurationError for a topic that cannot be made, or takes no message; warns where one may be lost
        that was confirmed."""
        look_now(self._look, self)

    async def consume(self, perform: Perform, *, concurrency: int, stopping: asyncio.Event) -> None:
        """See `hookcatch.relay.Consumer`."""
        await consume(self, perform, concurrency=concurrency, stopping=stopping)

    async def close(self) -> None:
        """See `hookcatch.relay.Consumer`."""
        await self._outlet.close()

    @asynccontextmanager
    async def open(self, concurrency: int) -> AsyncIterator[Member]:
        """See `Stream`. What is taken and not done when it closes comes to others, or to us again."""
        await self._look_once()
        outlet = self._way_out()
        member = Member(
            self._clients.consumer(self._group),
            self._topic,
            concurrency=concurrency,
            publish=partial(self._publish, outlet),
        )
        try:
            yield member
        except self.failures:
            self._is_looked_at = False
            raise
        finally:
            await member.close()
            await outlet.close()

    def _way_out(self) -> Outlet[Sending]:
        return Outlet(
            self._open_sending,
            is_gone=lambda sending: sending.is_broken,
            close=lambda sending: sending.close(),
        )

    async def _open_sending(self) -> Sending:
        await self._look_once()
        return Sending(self._clients.producer())

    async def _publish(self, outlet: Outlet[Sending], message: str) -> None:
        sending = await outlet.get()
        await sending.publish(self._topic, message)

    async def _look_once(self) -> None:
        if not self._is_looked_at:
            await self._look()

    async def _look(self) -> None:
        await asyncio.to_thread(look, self._clients, self._wanted)
        self._is_looked_at = True
