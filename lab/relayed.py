"""The app of lab.receiver with an engine behind it: what it notes down is done by Celery's workers.

`uvicorn lab.relayed:hooks`, `hookcatch worker lab.relayed:hooks`, `celery -A lab.relayed:engine worker`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from concurrent.futures import Future

from celery import Celery

from hookcatch.core.model import Close, Lease, Run

from .broken import Spoilt
from .options import from_environ
from .receiver import build

BROKER = os.environ["HOOKCATCH_LAB_BROKER"]
DEATH = float(os.environ.get("HOOKCATCH_LAB_DEATH", "0"))
"""The share of marks at which the process ends."""


class DiesBetween(Spoilt):
    """Ends the process at some of the marks that come after a message was published: the broker has the message, and
    the inbox does not know."""

    def settle(self, lease: Lease, runs: Sequence[Run], close: Close | None) -> Future[None]:
        if close is not None and close.state == "relayed" and random.random() < DEATH:
            os._exit(9)
        settled: Future[None] = self._inbox.settle(lease, runs, close)
        return settled


engine = Celery(broker=BROKER)
engine.conf.update(task_default_queue="hookcatch-lab", broker_connection_retry_on_startup=True)
hooks = build(from_environ(), DiesBetween)
hooks.relay(engine, "a secret of the lab's own", patience=300.0)
