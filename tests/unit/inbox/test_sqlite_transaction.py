"""The effect and its mark: one commit, or nothing."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time

import pytest

from hookcatch.core.errors import ConfigurationError, HookcatchError, InboxUnavailable, LeaseLost
from hookcatch.core.model import Close, Run
from hookcatch.inbox.locks import WriteLock

from .conftest import event

DONE = Run("h", "succeeded", 1, started_at=1.0, finished_at=1.0)


@pytest.fixture
def lease(inbox, file):
    own = sqlite3.connect(file)
    own.execute("CREATE TABLE orders (id UNIQUE ON CONFLICT ROLLBACK, paid)")
    own.commit()
    own.close()
    inbox.accept([event()]).result()
    (lease,) = inbox.lease(token="w", limit=1, now=1000.0, until=1060.0).result()
    return lease


def orders(inbox) -> list[object]:
    return inbox._read(
        lambda connection: [row[0] for row in connection.execute("SELECT id FROM orders ORDER BY id")]
    )


def runs(inbox) -> list[Run]:
    return list(inbox.get(1)[1])


def test_the_effect_and_the_mark_are_committed_together(inbox, lease):
    tx = inbox.transaction(lease, DONE)
    assert not tx.committed
    with tx as db:
        db.execute("INSERT INTO orders VALUES (?, ?)", ("a", 1))
        assert db.isolation_level is None
        assert db.row_factory is None
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert not tx.committed
        assert runs(inbox) == []
        assert orders(inbox) == []
    assert tx.committed
    assert orders(inbox) == ["a"]
    assert runs(inbox) == [DONE]


def test_an_exception_takes_both_back_and_gets_out_as_it_is(inbox, lease):
    tx = inbox.transaction(lease, DONE)
    with pytest.raises(ZeroDivisionError) as caught, tx as db:  # noqa: PT012
        db.execute("INSERT INTO orders VALUES ('a', 1)")
        _ = 1 / 0
    assert not hasattr(caught.value, "__notes__")
    assert not tx.committed
    assert (orders(inbox), runs(inbox)) == ([], [])


def test_a_lost_lease_never_gets_in(inbox, lease):
    inbox.lease(token="heir", limit=1, now=2000.0, until=2060.0).result()
    tx = inbox.transaction(lease, DONE)
    with pytest.raises(LeaseLost), tx:
        pytest.fail("the block ran")
    assert not tx.committed
    assert runs(inbox) == []
    inbox.accept([event("other")]).result()  # the lock is free again


def test_the_mark_outlives_the_worker_that_made_it(inbox, lease):
    with inbox.transaction(lease, DONE) as db:
        db.execute("INSERT INTO orders VALUES ('a', 1)")
    (heir,) = inbox.lease(token="heir", limit=1, now=2000.0, until=2060.0).result()
    assert dict(heir.runs) == {"h": DONE}
    with pytest.raises(LeaseLost):
        inbox.settle(lease, [Run("h", "retry", 1)], Close("pending")).result()
    inbox.settle(heir, [Run("h", "retry", 2)], Close("pending")).result()
    assert runs(inbox) == [DONE]


def test_leaving_what_was_never_entered_does_nothing(inbox, lease):
    tx = inbox.transaction(lease, DONE)
    tx.__exit__(None, None, None)
    assert not tx.committed


def test_it_can_be_opened_once(inbox, lease):
    tx = inbox.transaction(lease, DONE)
    with tx, pytest.raises(ConfigurationError, match="opened before"), tx:
        pytest.fail("the block ran")
    with pytest.raises(ConfigurationError, match="opened before"), tx:
        pytest.fail("the block ran")


@pytest.mark.parametrize(
    "word",
    [
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "ATTACH ':memory:' AS m",
        "PRAGMA synchronous=OFF",
        "PRAGMA journal_mode=DELETE",
    ],
)
def test_what_would_part_the_mark_from_the_effect_is_refused(inbox, lease, word):
    tx = inbox.transaction(lease, DONE)
    with pytest.raises(sqlite3.DatabaseError, match="not authorized") as caught, tx as db:  # noqa: PT012
        db.execute("INSERT INTO orders VALUES ('a', 1)")
        db.execute(word)
    assert "is refused inside the transaction" in caught.value.__notes__[0]
    assert not tx.committed
    assert (orders(inbox), runs(inbox)) == ([], [])


@pytest.mark.parametrize("method", ["commit", "rollback"])
def test_the_connections_own_ways_to_end_it_are_refused(inbox, lease, method):
    tx = inbox.transaction(lease, DONE)
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"), tx as db:
        getattr(db, method)()
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"), inbox.transaction(lease, DONE) as db:
        db.executescript("INSERT INTO orders VALUES ('a', 1)")
    assert (orders(inbox), runs(inbox)) == ([], [])


def test_a_swallowed_refusal_does_no_harm(inbox, lease):
    with inbox.transaction(lease, DONE) as db:
        with pytest.raises(sqlite3.DatabaseError):
            db.commit()
        db.execute("INSERT INTO orders VALUES ('a', 1)")
    assert orders(inbox) == ["a"]


def test_savepoints_and_questions_about_tables_are_fine(inbox, lease):
    with inbox.transaction(lease, DONE) as db:
        db.execute("SAVEPOINT one")
        db.execute("INSERT INTO orders VALUES ('a', 1)")
        db.execute("ROLLBACK TO one")
        db.execute("RELEASE one")
        assert [row[1] for row in db.execute("PRAGMA table_info(orders)")] == ["id", "paid"]
        db.execute("INSERT INTO orders VALUES ('b', 1)")
    assert orders(inbox) == ["b"]


def test_a_transaction_that_a_statement_rolled_back_is_not_taken_for_done(inbox, lease):
    tx = inbox.transaction(lease, DONE)
    with pytest.raises(HookcatchError, match="rolled the transaction back"), tx as db:  # noqa: PT012
        db.execute("INSERT INTO orders VALUES ('a', 1)")
        with pytest.raises(sqlite3.IntegrityError):
            db.execute("INSERT INTO orders VALUES ('a', 2)")
    assert not tx.committed
    assert (orders(inbox), runs(inbox)) == ([], [])


def test_the_connection_is_of_no_use_after_the_block(inbox, lease):
    with inbox.transaction(lease, DONE) as db:
        rows = db.execute("SELECT 1 UNION SELECT 2")
    with pytest.raises(sqlite3.ProgrammingError):
        db.execute("SELECT 1")
    with pytest.raises(sqlite3.ProgrammingError):
        rows.fetchone()


def test_a_store_that_cannot_be_opened_is_unavailable(inbox, lease):
    path, inbox.path = inbox.path, inbox.path.with_name("no") / "such.db"
    with pytest.raises(InboxUnavailable), inbox.transaction(lease, DONE):
        pytest.fail("the block ran")
    inbox.path = path


def test_a_commit_that_fails_is_not_taken_for_done(inbox, lease, monkeypatch):
    class Broken(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
            if sql == "COMMIT":
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
                raise error
            return super().execute(sql, *values)

    broken = sqlite3.connect(inbox.path, factory=Broken, isolation_level=None, check_same_thread=False)
    monkeypatch.setattr(inbox, "_connect", lambda: broken)
    tx = inbox.transaction(lease, DONE)
    monkeypatch.undo()
    with pytest.raises(InboxUnavailable), tx:
        pass
    assert not tx.committed
    assert runs(inbox) == []


# async with


def test_it_works_in_an_event_loop(inbox, lease):
    async def handler() -> None:
        async with tx as db:
            db.execute("INSERT INTO orders VALUES ('a', 1)")

    tx = inbox.transaction(lease, DONE)
    asyncio.run(handler())
    assert tx.committed
    assert (orders(inbox), runs(inbox)) == (["a"], [DONE])


def test_an_exception_takes_it_back_in_an_event_loop_too(inbox, lease):
    async def handler() -> None:
        async with tx as db:
            db.execute("INSERT INTO orders VALUES ('a', 1)")
            raise KeyError("x")

    tx = inbox.transaction(lease, DONE)
    with pytest.raises(KeyError):
        asyncio.run(handler())
    assert not tx.committed
    assert orders(inbox) == []


def test_the_loop_goes_on_while_the_lock_is_waited_for(inbox, lease, file):
    lock = WriteLock(str(file))
    lock.acquire()

    async def handler() -> None:
        task = asyncio.create_task(enter())
        for _ in range(10):
            await asyncio.sleep(0.001)
        lock.close()
        await task

    async def enter() -> None:
        async with tx:
            pass

    tx = inbox.transaction(lease, DONE)
    asyncio.run(handler())
    assert tx.committed


def test_a_cancelled_entry_leaves_no_lock_behind(inbox, lease, file):
    lock = WriteLock(str(file))
    lock.acquire()

    async def handler() -> None:
        task = asyncio.create_task(enter())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0.05)
        lock.close()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def enter() -> None:
        async with tx:
            pytest.fail("the block ran")

    tx = inbox.transaction(lease, DONE)
    asyncio.run(handler())
    assert not tx.committed
    inbox.accept([event("other")]).result()
    assert runs(inbox) == []


def test_a_cancelled_entry_that_failed_anyway_is_only_cancelled(inbox, lease, file):
    inbox.lease(token="heir", limit=1, now=2000.0, until=2060.0).result()
    lock = WriteLock(str(file))
    lock.acquire()

    async def handler() -> None:
        task = asyncio.create_task(enter())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0.05)
        lock.close()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def enter() -> None:
        async with inbox.transaction(lease, DONE):
            pytest.fail("the block ran")

    asyncio.run(handler())
    inbox.accept([event("other")]).result()


def test_a_commit_under_way_is_waited_for_by_who_is_cancelled(inbox, lease, monkeypatch):
    committing = threading.Event()
    real = type(tx := inbox.transaction(lease, DONE))._commit

    def slow(self: object, connection: sqlite3.Connection) -> None:
        committing.set()
        time.sleep(0.1)
        real(self, connection)  # type: ignore[arg-type]

    monkeypatch.setattr(type(tx), "_commit", slow)

    async def handler() -> None:
        async with tx as db:
            db.execute("INSERT INTO orders VALUES ('a', 1)")

    async def cancelled() -> bool:
        task = asyncio.create_task(handler())
        while not committing.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return tx.committed

    assert asyncio.run(cancelled())
    assert orders(inbox) == ["a"]
