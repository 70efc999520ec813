"""How every inbox is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hookcatch.core.ports import Clock, Inbox
from hookcatch.inbox import open_inbox
from support import django_project
from support.databases import SERVERS
from support.jetstream import NATS
from support.redis_server import OWN_REDIS


def make(store: str, directory: Path, clock: Clock) -> Inbox:
    if store == "memory":
        return open_inbox("memory:", clock=clock)
    if store in SERVERS:  # the clock is the test's own, which no server goes by
        return open_inbox(f"{SERVERS[store].clean(directory)}?server_clock=0", clock=clock)
    if store == "redis":
        return open_inbox(OWN_REDIS.clean(directory), clock=clock)
    if store == "nats":  # the server is told to keep; snapshots are as frequent as can be
        return open_inbox(NATS.url(directory, "fsync=always&server_clock=0&snapshot_every=1"), clock=clock)
    if store.startswith("django"):
        return make_django(store, directory, clock)
    return open_inbox(f"sqlite:///{directory}/inbox.db?disk_floor=0&ballast=0", clock=clock)


def make_django(alias: str, directory: Path, clock: Clock) -> Inbox:
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
