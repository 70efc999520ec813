"""Celery: over RabbitMQ, Redis, or whatever else it runs on."""

from __future__ import annotations

from typing import Any

from celery import Celery

from hookcatch.core.errors import ConfigurationError, InboxUnavailable

from . import Performer

TASK = "hookcatch.perform"
"""The task's name, for `task_routes`: by it the work gets a queue of its own."""


class CeleryEngine:
    """See `hookcatch.relay.Engine`."""

    def __init__(self, app: Celery, task: Any) -> None:
        self._app = app
        self._task = task

    def send(self, message: str) -> None:
        """Returns when the broker has it. One try: what is not confirmed is tried again by the worker."""
        self._task.apply_async((message,), retry=False, serializer="json", ignore_result=True)

    def check(self) -> None:
        """RabbitMQ confirms only where it is asked to; Redis answers every command."""
        options = self._app.conf.broker_transport_options or {}
        with self._app.connection_for_write() as connection:
            is_amqp = connection.transport.driver_type == "amqp"
        if is_amqp and not options.get("confirm_publish"):
            raise ConfigurationError(
                "Celery takes a message to RabbitMQ for sent once it is written to the socket: say "
                'app.conf.broker_transport_options = {"confirm_publish": True}'
            )


def engine(app: Celery, hooks: Performer) -> CeleryEngine:
    """Register the task.

    It is acknowledged late and brought again when a worker is killed; what that brings twice is worked on once. It
    never fails for a handler's failure, which is tried again by us; an inbox that cannot be reached it waits for.
    https://docs.celeryq.dev/en/stable/userguide/tasks.html
    """

    @app.task(
        name=TASK,
        acks_late=True,
        reject_on_worker_lost=True,
        ignore_result=True,
        autoretry_for=(InboxUnavailable,),
        max_retries=None,
        retry_backoff=True,
        retry_backoff_max=600,
    )  # type: ignore[untyped-decorator]
    def perform(message: str) -> None:
        hooks.perform(message)

    return CeleryEngine(app, perform)
