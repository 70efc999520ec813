"""Every inbox keeps the contract. A new store adds a class here and a branch to `make`."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookcatch.core.ports import Clock, Inbox
from hookcatch.testing import InboxContract

from .conftest import make


class Store(InboxContract):
    store = ""

    def make(self, directory: Path, clock: Clock) -> Inbox:
        return make(self.store, directory, clock)

    @pytest.mark.timeout(900)
    def test_it_behaves_like_the_model(self) -> None:
        super().test_it_behaves_like_the_model()


class Server(Store):
    examples = 15


class TestMemory(Store):
    store = "memory"


class TestSqlite(Store):
    store = "sqlite"


class TestPostgres(Server):
    store = "postgres"


class TestMariadb(Server):
    store = "mariadb"


class TestRedis(Server):
    store = "redis"


class TestNats(Server):
    store = "nats"


class TestDjangoSqlite(Server):
    store = "django-sqlite"


@pytest.mark.no_cover  # the SQL is that of the servers
class TestDjangoPostgres(Server):
    store = "django-postgres"


@pytest.mark.no_cover  # the SQL is that of the servers
class TestDjangoMysql(Server):
    store = "django-mysql"
