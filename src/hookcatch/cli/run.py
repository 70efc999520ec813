"""`hookcatch run`: receive, and work, in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hookcatch.core.errors import MissingExtra

from .leave import LEVELS, leave_soon, speak
from .load import AppCommand, app_argument

if TYPE_CHECKING:
    from hookcatch.app import Hookcatch


@click.command(cls=AppCommand)
@app_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 for any free one."
)
@click.option("--no-worker", is_flag=True, help="Only receive; let `hookcatch worker` run the handlers.")
@click.option("--log-level", default="info", show_default=True, type=click.Choice(LEVELS))
def run(hooks: Hookcatch, host: str, port: int, no_worker: bool, log_level: str) -> None:
    """Serve the webhooks of APP, and run their handlers.

    SIGTERM or Ctrl-C ends it: no new requests, running handlers get 25 seconds, what is left is given back. A
    second signal ends it at once.

    \b
    hookcatch run app:hooks
    hookcatch run app:hooks --host 0.0.0.0 --port 80
    hookcatch run app:hooks --no-worker
    """
    try:
        from . import serving
    except ModuleNotFoundError as why:
        raise MissingExtra(why.name or "uvicorn", "server") from None
    speak(log_level)
    if no_worker:
        hooks.embedded = False
    serving.serve(hooks, host, port)
    leave_soon()
