"""Procrastinate: jobs in PostgreSQL."""

from __future__ import annotations

import threading
from typing import Any

from procrastinate import App, RetryStrategy

from hookcatch.core.errors import InboxUnavailable

from . import Performer

TASK = "hookcatch.perform"
"""The task's name, and its queue's: `procrastinate worker --queues hookcatch.perform` does nothing else."""

_AGAIN = RetryStrategy(wait=10, retry_exceptions=[InboxUnavailable])


class ProcrastinateEngine:
    """See `hookcatch.relay.Engine`."""

    def __init__(self, app: App, task: Any) -> None:
        self._app = app
        self._task = task
        self._opening = threading.Lock()
        self._is_open = False

    def send(self, message: str) -> None:
        """Returns after the commit. The app is opened by whoever sends first."""
        with self._opening:
            if not self._is_open:
                self._app.open()
                self._is_open = True
        self._task.defer(message=message)

    def check(self) -> None:
        """Nothing to check: a job is a row, and PostgreSQL says when it is there."""


def engine(app: App, hooks: Performer) -> ProcrastinateEngine:
    """Register the task.

    It never fails for a handler's failure, which is tried again by us; for an inbox that cannot be reached it is
    tried again by Procrastinate. Of a worker that is killed the job stays `doing`, and the event is handed over again
    once its lease has run out. https://procrastinate.readthedocs.io/en/stable/howto/advanced/retry.html
    """

    @app.task(name=TASK, queue=TASK, retry=_AGAIN)
    async def perform(message: str) -> None:
        await hooks.aperform(message)

    return ProcrastinateEngine(app, perform)
