"""Taskiq: over Redis, RabbitMQ, NATS, or whatever else its brokers are written for."""

from __future__ import annotations

import asyncio
from typing import Any

from taskiq import AsyncBroker

from . import Performer, patiently

TASK = "hookcatch.perform"


class TaskiqEngine:
    """See `hookcatch.relay.Engine`."""

    def __init__(self, broker: AsyncBroker, task: Any) -> None:
        self._broker = broker
        self._task = task
        self._starting: asyncio.Lock = asyncio.Lock()
        self._is_started = False

    async def send(self, message: str) -> None:
        """Returns when the broker has it. It is started by whoever sends first."""
        async with self._starting:
            if not self._is_started:
                await self._broker.startup()
                self._is_started = True
        await self._task.kiq(message)

    def check(self) -> None:
        """Nothing that could be seen from here: what a broker's `kick` has awaited is its own matter."""


def engine(broker: AsyncBroker, hooks: Performer) -> TaskiqEngine:
    """Register the task.

    It never fails for a handler's failure, which is tried again by us, and waits for an inbox that cannot be reached:
    a task that fails is gone, unless the app has a middleware that brings it again.
    """

    async def perform(message: str) -> None:
        await patiently(hooks, message)

    return TaskiqEngine(broker, broker.register_task(perform, task_name=TASK))
