"""The effect and its mark in a database server: one commit, or nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from hookcatch.core.errors import ConfigurationError, HookcatchError, InboxUnavailable, LeaseLost
from hookcatch.core.model import Lease, Run
from hookcatch.core.ports import Inbox
from hookcatch.inbox import open_inbox
from support.databases import SERVERS, Server

from .conftest import event

DONE = Run("h", "succeeded", 1, started_at=1.0, finished_at=1.0)
INSERT = "INSERT INTO orders VALUES (%s)"


@dataclass
class Shop:
    server: Server
    inbox: Inbox
    lease: Lease

    def orders(self) -> list[Any]:
        return self.server.say(self.server.database(), "SELECT id FROM orders")

    def runs(self) -> list[Run]:
        return list(self.inbox.get(1)[1])

    def is_untouched(self) -> bool:
        return self.orders() == [] and self.runs() == []


@pytest.fixture(params=SERVERS)
def shop(request, tmp_path):
    server = SERVERS[request.param]
    inbox = open_inbox(f"{server.clean(tmp_path)}?server_clock=0", clock=lambda: 1000.0)
    inbox.open()
    server.say(server.database(), "DROP TABLE IF EXISTS orders")
    server.say(server.database(), "CREATE TABLE orders (id varchar(20) PRIMARY KEY)")
    inbox.accept([event()]).result()
    (lease,) = inbox.lease(token="w", limit=1, now=1000.0, until=1060.0).result()
    yield Shop(server, inbox, lease)
    inbox.close()


def say(db, sql, *values):
    with db.cursor() as cursor:
        cursor.execute(sql, values or None)


def test_the_effect_and_the_mark_are_committed_together(shop):
    tx = shop.inbox.transaction(shop.lease, DONE)
    with tx as db:
        say(db, INSERT, "a")
        assert shop.is_untouched()
        assert not tx.committed
    assert tx.committed
    assert (shop.orders(), shop.runs()) == ([("a",)], [DONE])


def test_in_an_event_loop_too(shop):
    async def work() -> None:
        async with shop.inbox.transaction(shop.lease, DONE) as db:
            say(db, INSERT, "a")

    asyncio.run(work())
    assert (shop.orders(), shop.runs()) == ([("a",)], [DONE])


def test_an_exception_takes_both_back(shop):
    tx = shop.inbox.transaction(shop.lease, DONE)
    with pytest.raises(ZeroDivisionError), tx as db:  # noqa: PT012
        say(db, INSERT, "a")
        _ = 1 / 0
    assert not tx.committed
    assert shop.is_untouched()


def test_a_lost_lease_never_gets_in(shop):
    shop.inbox.lease(token="heir", limit=1, now=2000.0, until=2060.0).result()
    with pytest.raises(LeaseLost), shop.inbox.transaction(shop.lease, DONE):
        pytest.fail("the block ran")


def test_who_is_replaced_in_the_middle_of_the_block_has_done_nothing(shop):
    tx = shop.inbox.transaction(shop.lease, DONE)
    with pytest.raises(LeaseLost), tx as db:  # noqa: PT012
        say(db, INSERT, "a")
        shop.inbox.lease(token="heir", limit=1, now=2000.0, until=2060.0).result()
    assert not tx.committed
    assert shop.is_untouched()


def test_a_heartbeat_and_a_copy_do_not_wait_for_the_block(shop):
    with shop.inbox.transaction(shop.lease, DONE) as db:
        say(db, INSERT, "a")
        assert shop.inbox.heartbeat([shop.lease], until=1090.0).result(2) == (True,)
        shop.inbox.accept([event()]).result(2)
    assert shop.runs() == [DONE]


@pytest.mark.parametrize("word", ["COMMIT", " rollback", "ROLLBACK WORK", "begin", "START TRANSACTION"])
def test_what_would_end_the_transaction_is_refused(shop, word):
    tx = shop.inbox.transaction(shop.lease, DONE)
    with pytest.raises(ConfigurationError, match="refused inside the transaction"), tx as db:
        say(db, word)
    assert shop.is_untouched()


@pytest.mark.parametrize("name", ["commit", "rollback"])
def test_so_are_the_methods_of_the_connection(shop, name):
    tx = shop.inbox.transaction(shop.lease, DONE)
    with pytest.raises(ConfigurationError, match="refused inside the transaction"), tx as db:
        getattr(db, name)()
    assert shop.is_untouched()


def test_savepoints_are_fine(shop):
    with shop.inbox.transaction(shop.lease, DONE) as db:
        say(db, "SAVEPOINT own")
        say(db, INSERT, "a")
        say(db, "ROLLBACK TO SAVEPOINT own")
    assert (shop.orders(), shop.runs()) == ([], [DONE])


def test_a_commit_that_was_smuggled_in_leaves_the_run_unmarked(shop):
    smuggled = "/* */ COMMIT"
    tx = shop.inbox.transaction(shop.lease, DONE)
    with pytest.raises(HookcatchError, match="did not last to the end"), tx as db:
        say(db, smuggled)
    assert shop.runs() == []


def test_a_connection_that_is_killed_in_the_block_has_done_nothing(shop):
    kill = {
        "PostgreSQL": "SELECT pg_terminate_backend({})",
        "MariaDB": "KILL {}",
    }[shop.server.name]
    tx = shop.inbox.transaction(shop.lease, DONE)
    with pytest.raises(InboxUnavailable), tx as db:  # noqa: PT012
        say(db, INSERT, "a")
        number = db.info.backend_pid if shop.server.name == "PostgreSQL" else db.thread_id()
        shop.server.say(shop.server.home, kill.format(number))
    assert shop.is_untouched()


def test_what_the_server_finds_at_the_commit_is_the_handlers_error(shop):
    if shop.server.name != "PostgreSQL":
        pytest.skip("checks nothing that late")
    shop.server.say(shop.server.database(), "ALTER TABLE orders DROP CONSTRAINT orders_pkey")
    late = "ALTER TABLE orders ADD CONSTRAINT late UNIQUE (id) DEFERRABLE INITIALLY DEFERRED"
    shop.server.say(shop.server.database(), late)
    tx = shop.inbox.transaction(shop.lease, DONE)
    with pytest.raises(psycopg.errors.UniqueViolation), tx as db:  # noqa: PT012
        say(db, INSERT, "a")
        say(db, INSERT, "a")
    assert not tx.committed
    assert shop.is_untouched()


def test_it_can_be_opened_once(shop):
    tx = shop.inbox.transaction(shop.lease, DONE)
    with tx, pytest.raises(ConfigurationError, match="opened before"), tx:
        pytest.fail("the block ran")
