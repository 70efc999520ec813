from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from hookcatch.core.model import Lease, NewEvent
from support import django_project


def event(key: str = "evt_1", body: bytes = b"{}", **facts: Any) -> NewEvent:
    given = {"source": "shop", "tenant": "", "type": "order.created", "received_at": 1000.0}
    return NewEvent(id=key, body=body, body_hash=sha256(body).digest(), **{**given, **facts})


@pytest.fixture(scope="session", autouse=True)
def _databases() -> Iterator[None]:
    yield
    django_project.drop_databases()


@pytest.fixture(params=django_project.STORES)
def alias(request: pytest.FixtureRequest) -> str:
    return django_project.database(request.param)


@pytest.fixture
def inbox(alias: str) -> Iterator[Any]:
    from hookcatch.django.inbox import DjangoInbox
    from hookcatch.inbox.shared.inbox import ServerOptions

    django_project.empty(alias)
    inbox = DjangoInbox(alias, clock=lambda: 1000.0, options=ServerOptions(server_clock=False))
    inbox.open()
    yield inbox
    inbox.close()


@pytest.fixture
def lease(inbox: Any) -> Lease:
    inbox.accept([event()]).result()
    (lease,) = inbox.lease(token="w", limit=1, now=1000.0, until=1060.0).result()
    return lease
