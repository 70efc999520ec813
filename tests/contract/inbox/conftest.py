"""Every inbox that keeps the contract. A new store adds a name to STORES and a branch to `make`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hookcatch.core.model import NewEvent
from hookcatch.core.ports import Inbox
from hookcatch.inbox import open_inbox
from support import django_project
from support.databases import SERVERS
from support.jetstream import NATS

STORES = ("memory", "sqlite", "nats", *SERVERS, *django_project.STORES)


@dataclass
class FakeClock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def make(store: str, directory: Path, clock: FakeClock) -> Inbox:
    if store == "memory":
        return open_inbox("memory:", clock=clock)
    if store in SERVERS:  # the clock is the test's own, which no server goes by
        return open_inbox(f"{SERVERS[store].clean(directory)}?server_clock=0", clock=clock)
    if store == "nats":  # the server is told to keep; snapshots are as frequent as can be
        return open_inbox(NATS.url(directory, "fsync=always&server_clock=0&snapshot_every=1"), clock=clock)
    if store.startswith("django"):
        return make_django(store, directory, clock)
    return open_inbox(f"sqlite:///{directory}/inbox.db?disk_floor=0&ballast=0", clock=clock)


def make_django(alias: str, directory: Path, clock: FakeClock) -> Inbox:
    """A directory stands for a store of its own: the tables are emptied when one is seen first."""
    django_project.database(alias)
    from hookcatch.django.inbox import DjangoInbox
    from hookcatch.inbox.shared.inbox import ServerOptions

    seen = directory / alias
    if not seen.exists():
        django_project.empty(alias)
        seen.touch()
    return DjangoInbox(alias, clock=clock, options=ServerOptions(server_clock=False))


@pytest.fixture(scope="session", autouse=True)
def _databases() -> Iterator[None]:
    yield
    django_project.drop_databases()


@dataclass
class Maker:
    """Makes events; what a test does not say is the same for all."""

    clock: FakeClock
    defaults: dict[str, Any] = field(default_factory=dict)

    def __call__(self, id: str = "evt_1", body: bytes = b"{}", **facts: Any) -> NewEvent:
        given = {"source": "shop", "tenant": "", "type": "order.created", "received_at": self.clock.now}
        return NewEvent(id=id, body=body, body_hash=sha256(body).digest(), **{**given, **facts})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def event(clock: FakeClock) -> Maker:
    return Maker(clock)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def inbox(store: str, tmp_path: Path, clock: FakeClock) -> Iterator[Inbox]:
    inbox = make(store, tmp_path, clock)
    inbox.open()
    yield inbox
    inbox.close()


@pytest.fixture
def fresh(store: str, tmp_path: Path, clock: FakeClock) -> Callable[[], Inbox]:
    """The same inbox as another process would open it."""
    return lambda: make(store, tmp_path, clock)
