"""The inbox in tests: everything at once, in the caller's thread and on its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import connections, transaction

from hookcatch.core.errors import HookcatchError

from .dialect import Db
from .link import Borrowed

T = TypeVar("T")


class Inline:
    """In the place of the writer: a `TestCase` wraps a test in a transaction, which other connections do not see."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def submit(self, op: Callable[[Db], T | HookcatchError], *, wakes: bool = False) -> Future[T]:
        """Do it. Under an event loop it is done in the thread that async code has for the database."""
        future: Future[T] = Future()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._do(op, future)
        else:
            task = loop.create_task(sync_to_async(self._do)(op, future))
            task.add_done_callback(lambda _: None)  # somebody has to know the task
        return future

    def _do(self, op: Callable[[Db], T | HookcatchError], future: Future[T]) -> None:
        try:
            with transaction.atomic(using=self._alias):
                result = op(Borrowed(connections[self._alias]))
        except Exception as error:
            future.set_exception(error)
            return
        if isinstance(result, HookcatchError):
            future.set_exception(result)
        else:
            future.set_result(result)
