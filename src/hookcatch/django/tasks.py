"""Django's tasks as the engine that runs the handlers: `"RELAY": {"engine": "hookcatch.django.tasks.engine", ...}`.

`django.tasks` of Django 6, or the package django-tasks for those before it. Whoever works on the project's tasks
(`manage.py db_worker`) works on webhooks too. https://docs.djangoproject.com/en/6.0/topics/tasks/
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hookcatch.core.errors import ConfigurationError, MissingExtra

from . import hooks
from .handlers import with_connections


def _tasks() -> Any:
    """The module of Django's tasks: Django's own, or the package that was there before it."""
    for name in ("django.tasks", "django_tasks"):
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise MissingExtra("django-tasks", "django") from None


@_tasks().task()
def perform(message: str) -> None:
    """Work on the event that a message names. It never fails for a handler's failure, which is tried again by us."""
    hooks().perform(message)


class TasksEngine:
    """See `hookcatch.relay.Engine`."""

    def __init__(self) -> None:
        self._enqueue = with_connections(perform.enqueue)

    def send(self, message: str) -> None:
        """Returns when the backend has it."""
        self._enqueue(message=message)

    def check(self) -> None:
        """Raises ConfigurationError for a backend that hands nothing over."""
        backend = type(perform.get_backend()).__name__
        if backend in ("ImmediateBackend", "DummyBackend"):
            raise ConfigurationError(
                f"settings.TASKS has the {backend}, which hands nothing to a worker: name one that does, such as "
                'django_tasks_db.DatabaseBackend, or leave "RELAY" out'
            )


engine: TasksEngine = TasksEngine()
"""The engine, for `HOOKCATCH["RELAY"]`."""
