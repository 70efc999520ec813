"""For a project's own tests: be the sender, and run the handlers, under any of Django's test cases.

While Django's test environment is set up, everything happens on the connection of the test, inside its transaction,
and no handler runs by itself::

    class OrderTests(TestCase):
        def test_an_order_is_created(self):
            deliver(self.client, "shop", "order.created", {"id": "o_1"})
            work()
            self.assertEqual(Order.objects.get().number, "o_1")
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import async_to_sync
from django.urls import reverse

from hookcatch.core.bridge import Blocking, step
from hookcatch.core.flow import process
from hookcatch.core.handler import is_async
from hookcatch.core.model import Close
from hookcatch.core.wire import Request

from . import hooks


def deliver(
    client: Any, source: str, type: str, data: Any, *, id: str = "", tenant: str = "", **changed: Any
) -> Any:
    """Send an event of a source through Django's test client, signed with the source's own secret.

    Args:
        client: a `django.test.Client`.
        source: a key of `HOOKCATCH["SOURCES"]`.
        type: the event's type.
        data: its data, as JSON values.
        id: its id; default a new one each time.
        tenant: whose secret signs and whose path is called, where the source has several.
        **changed: what `Request.replace` changes after signing, to be a forger: `body=b"..."`.
    """
    chosen = hooks().sources[source]
    request = chosen.sign(type, data, id=id or f"evt_{secrets.token_hex(8)}", tenant=tenant)
    return send(client, source, request.replace(**changed), tenant=tenant)


def send(client: Any, source: str, request: Request, *, tenant: str = "") -> Any:
    """Send a request as it is to the URL of a source, or of one of its tenants."""
    url = reverse("hookcatch:root") + hooks().sources[source].path(tenant).lstrip("/")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
    kind = headers.pop("content-type", "application/octet-stream")
    query = urlsplit(request.url).query
    return client.generic(
        request.method, f"{url}?{query}" if query else url, request.body, content_type=kind, headers=headers
    )


def work() -> list[Close]:
    """Run the handlers of all events that are due now, in this thread; what came of each event."""
    runtime = hooks().runtime()
    inbox, now = runtime.inbox, hooks().clock()
    ports = replace(runtime._base, colour=_Here(), keep=lambda lease: nullcontext())
    closes: list[Close] = []
    while leases := inbox.lease(token=ports.token(), limit=100, now=now, until=now + ports.lease).result():
        closes += [step(process(lease, runtime.app, ports)) for lease in leases]
    return closes


class _Here(Blocking):
    """Plain handlers in this thread; async ones in a loop of their own, with the thread's connections."""

    async def call(self, function: Callable[..., Any], timeout: float | None, /, **arguments: Any) -> Any:
        if is_async(function):
            return async_to_sync(functools.partial(function, **arguments))()
        return function(**arguments)


__all__ = ["deliver", "send", "work"]
