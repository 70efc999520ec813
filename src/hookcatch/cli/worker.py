"""`hookcatch worker`: run handlers, receive nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import click

from hookcatch.core.errors import ConfigurationError
from hookcatch.worker import DRAIN, Worker

from .leave import LEVELS, leave_soon, speak, stop_on_signals
from .load import AppCommand, app_argument

if TYPE_CHECKING:
    from hookcatch.app import Hookcatch
    from hookcatch.runtime import Runtime

logger: logging.Logger = logging.getLogger("hookcatch")


@click.command(cls=AppCommand)
@app_argument
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), help="Events to work on at a time; default what APP says."
)
@click.option("--until-idle", is_flag=True, help="End when nothing is due any more.")
@click.option("--log-level", default="info", show_default=True, type=click.Choice(LEVELS))
def worker(hooks: Hookcatch, concurrency: int | None, until_idle: bool, log_level: str) -> None:
    """Run the handlers of APP on the events that wait in its inbox.

    SIGTERM or Ctrl-C ends it: running handlers get 25 seconds, what is left is given back to other workers. A
    second signal ends it at once.

    With --until-idle it works off what is due and ends, for cron; retries that come due later are left to a
    later call.

    \b
    hookcatch worker app:hooks
    hookcatch worker app:hooks --until-idle
    """
    speak(log_level)
    if concurrency:
        hooks.concurrency = concurrency
    if not hooks.inbox().shared:
        raise ConfigurationError(
            "this inbox lives in the memory of the process that receives, so no other can work on its events; "
            "use one on disk: sqlite:///hookcatch.db"
        )
    runtime = hooks.runtime()
    asyncio.run(_work(runtime, until_idle=until_idle))
    runtime.close()
    leave_soon()


async def _work(runtime: Runtime, *, until_idle: bool) -> None:
    working = runtime.worker(asyncio.get_running_loop())
    stop_on_signals(working.loop, lambda: _stop(working))
    logger.info("working on up to %d events at a time", working.concurrency)
    await working.run(until_idle=until_idle, wait_for_retries=False)


def _stop(working: Worker) -> None:
    logger.info("stopping: what runs gets %.0f s to end", DRAIN)
    working.stop()
