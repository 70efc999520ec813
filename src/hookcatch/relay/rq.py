"""RQ: over Redis. Its worker finds what it runs by name alone, so the app has to be named::

hooks.relay(RqEngine(Queue("hookcatch", connection=Redis()), "shop:hooks"), secret)
"""

from __future__ import annotations

import importlib
import time
from typing import NoReturn

from rq import Queue

from hookcatch.core.errors import ConfigurationError, InboxUnavailable

from . import Performer

TASK = f"{__name__}.perform"
"""The job's name."""

_AS_LONG_AS_IT_TAKES = -1


class RqEngine:
    """See `hookcatch.relay.Engine`.

    Args:
        queue: where the jobs go.
        app: names the Hookcatch as `module:attribute`, to be imported where the jobs are worked on.
    """

    def __init__(self, queue: Queue, app: str) -> None:
        self._queue = queue
        self._app = app

    def send(self, message: str) -> None:
        """Returns when Redis has it."""
        self._queue.enqueue_call(
            TASK,
            args=(self._app, message),
            timeout=_AS_LONG_AS_IT_TAKES,  # a handler's time limit is hookcatch's
            result_ttl=0,
            description=TASK,
        )

    def check(self) -> None:
        """Raises ConfigurationError where the workers would not find the app, or where there is nothing for them."""
        _load(self._app)
        if not self._queue.is_async:
            raise ConfigurationError("this RQ queue hands nothing to a worker: leave is_async=False out")


def engine(queue: Queue, hooks: Performer) -> NoReturn:
    """A queue alone does not say what its workers should import."""
    raise ConfigurationError(
        "RQ's workers find your app by its name: say hooks.relay(hookcatch.relay.rq.RqEngine(queue, "
        '"module:attribute"), secret)'
    )


def perform(app: str, message: str) -> None:
    """The job.

    It never fails for a handler's failure, which is tried again by us, and waits for an inbox that cannot be
    reached: to bring a job later RQ would need its scheduler. Of a worker that is killed the event is handed over
    again once its lease has run out. https://python-rq.org/docs/workers/
    """
    hooks = _load(app)
    while True:
        try:
            hooks.perform(message)
        except InboxUnavailable as why:
            time.sleep(why.retry_after)
        else:
            return


def _load(app: str) -> Performer:
    module, _, attribute = app.partition(":")
    try:
        hooks: Performer = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as why:
        raise ConfigurationError(
            f"RQ's workers would not find {app!r}: write module:attribute, as in shop:hooks: {why}"
        ) from why
    if not hasattr(hooks, "perform"):
        raise ConfigurationError(f"{app} is {type(hooks).__name__}, not a Hookcatch")
    return hooks
