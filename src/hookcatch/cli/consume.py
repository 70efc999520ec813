"""`hookcatch consume`: run the handlers of what a relay has published to a stream."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import click

from hookcatch.relay import Consumer, consumer_of
from hookcatch.relay.streams import WAIT
from hookcatch.relay.streams.consuming import performer
from hookcatch.worker import DRAIN

from .leave import LEVELS, leave_soon, speak, stop_on_signals
from .load import AppCommand, app_argument

if TYPE_CHECKING:
    from hookcatch.app import Hookcatch

logger: logging.Logger = logging.getLogger("hookcatch")


@click.command(cls=AppCommand)
@app_argument
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    help="Messages to work on at a time; default what APP says.",
)
@click.option("--log-level", default="info", show_default=True, type=click.Choice(LEVELS))
def consume(hooks: Hookcatch, concurrency: int | None, log_level: str) -> None:
    """Run the handlers of the events that the relay of APP has published to a stream: Kafka, NATS, RabbitMQ, Redis,
    SQS.

    SIGTERM or Ctrl-C ends it: running handlers get 25 seconds, what is left is given back to other workers. A
    second signal ends it at once.

    \b
    hookcatch consume app:hooks
    """
    speak(log_level)
    if concurrency:
        hooks.concurrency = concurrency
    consumer = consumer_of(hooks.build().relay)
    hooks.runtime()  # says now what is wrong
    asyncio.run(_consume(hooks, consumer))
    hooks.runtime().close()
    leave_soon()


async def _consume(hooks: Hookcatch, consumer: Consumer) -> None:
    stopping = asyncio.Event()
    stop_on_signals(asyncio.get_running_loop(), lambda: _stop(stopping))
    consuming = asyncio.ensure_future(
        consumer.consume(performer(hooks, stopping), concurrency=hooks.concurrency, stopping=stopping)
    )
    told = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({consuming, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    # what was taken last is with the worker by then, who ends what does not end
    await asyncio.wait({consuming}, timeout=2 * WAIT)
    await hooks.runtime().drain()
    await consuming


def _stop(stopping: asyncio.Event) -> None:
    logger.info("stopping: what runs gets %.0f s to end", DRAIN)
    stopping.set()
