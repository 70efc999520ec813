"""The inbox in tests: everything at once, in the caller's thread and on its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import transaction

from hookcatch.core.errors import HookcatchError
from hookcatch.inbox.shared.dialect import Db
from hookcatch.inbox.shared.driver import Driver
from hookcatch.inbox.shared.transaction import Statements

T = TypeVar("T")


class Inline:
    """In the place of the writer: a `TestCase` wraps a test in a transaction, which other connections do not see."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def submit(self, op: Callable[[Db], T | HookcatchError]) -> Future[T]:
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
            connection = self._driver.connect_for_effects()
            with transaction.atomic(using=connection.alias):
                result = op(Statements(self._driver.cursor(connection), self._driver.dialect))
        except Exception as error:
            future.set_exception(error)
            return
        if isinstance(result, HookcatchError):
            future.set_exception(result)
        else:
            future.set_result(result)
