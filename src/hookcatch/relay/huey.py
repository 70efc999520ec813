"""Huey: over Redis, SQLite, PostgreSQL, or a folder of files."""

from __future__ import annotations

from typing import Any

from huey import RetryTask
from huey.api import Huey

from hookcatch.core.errors import ConfigurationError, InboxUnavailable

from . import Performer

TASK = "hookcatch_perform"
"""The task's name."""

_KEEPS_NOTHING = ("MemoryStorage", "BlackHoleStorage")


class HueyEngine:
    """See `hookcatch.relay.Engine`."""

    def __init__(self, huey: Huey, task: Any) -> None:
        self._huey = huey
        self._task = task

    def send(self, message: str) -> None:
        """Returns when the storage has it."""
        self._task(message)

    def check(self) -> None:
        """Raises ConfigurationError where nothing is handed over, or to nobody but this process."""
        storage = type(self._huey.storage).__name__
        if self._huey.immediate or storage in _KEEPS_NOTHING:
            raise ConfigurationError(
                f"this Huey (immediate={self._huey.immediate}, {storage}) hands nothing to a consumer of its own: "
                "say RedisHuey(...), SqliteHuey(...) or another that keeps its tasks"
            )


def engine(huey: Huey, hooks: Performer) -> HueyEngine:
    """Register the task.

    It never fails for a handler's failure, which is tried again by us; for an inbox that cannot be reached it is put
    off by Huey. A task is gone from the storage once a worker has taken it: of a worker that is killed the event is
    handed over again. https://huey.readthedocs.io/en/latest/api.html#RetryTask
    """

    @huey.task(name=TASK)  # type: ignore[untyped-decorator,unused-ignore]
    def perform(message: str) -> None:
        try:
            hooks.perform(message)
        except InboxUnavailable as why:
            raise RetryTask(str(why), delay=why.retry_after) from why

    return HueyEngine(huey, perform)
