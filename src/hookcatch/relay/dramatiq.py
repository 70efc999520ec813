"""Dramatiq: over RabbitMQ or Redis."""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq import Broker

from hookcatch.core.errors import ConfigurationError, InboxUnavailable

from . import Performer

TASK = "hookcatch.perform"
"""The actor's name."""

QUEUE = "hookcatch"


class DramatiqEngine:
    """See `hookcatch.relay.Engine`."""

    def __init__(self, broker: Broker, actor: Any) -> None:
        self._broker = broker
        self._actor = actor

    def send(self, message: str) -> None:
        """Returns when the broker has it."""
        self._actor.send(message)

    def check(self) -> None:
        """RabbitMQ confirms only where it is asked to; Redis answers every command."""
        if not getattr(self._broker, "confirm_delivery", True):
            raise ConfigurationError(
                "Dramatiq takes a message to RabbitMQ for sent once it is written to the socket: say "
                "RabbitmqBroker(..., confirm_delivery=True)"
            )


def engine(broker: Broker, hooks: Performer) -> DramatiqEngine:
    """Register the actor.

    It never fails for a handler's failure, which is tried again by us; for an inbox that cannot be reached it is
    tried again by Dramatiq. A handler may take as long as ours may: the time limit is hookcatch's.
    https://dramatiq.io/reference.html#middleware
    """

    @dramatiq.actor(
        actor_name=TASK,
        queue_name=QUEUE,
        broker=broker,
        max_retries=None,
        retry_when=_is_passing,
        time_limit=float("inf"),
    )
    def perform(message: str) -> None:
        hooks.perform(message)

    return DramatiqEngine(broker, perform)


def _is_passing(_retries: int, why: BaseException) -> bool:
    return isinstance(why, InboxUnavailable)
