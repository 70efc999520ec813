"""Group commit: who shares a commit, who pays for an error, and what happens when the store breaks."""

from __future__ import annotations

import logging
import sqlite3
import threading

import pytest

from hookcatch.core.errors import InboxUnavailable, LeaseLost
from hookcatch.core.model import Close
from hookcatch.core.ports import Query
from hookcatch.inbox.locks import WriteLock
from hookcatch.inbox.writer import MAX_BATCH, Writer, close_quietly, explained

from .conftest import event


class Failing:
    """A connection that fails where it is told to; everything else is real."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self.real = real
        self.fail: dict[str, sqlite3.Error] = {}
        self.closed = False

    @property
    def in_transaction(self) -> bool:
        return self.real.in_transaction

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        for word, error in list(self.fail.items()):
            if sql.startswith(word):
                del self.fail[word]
                raise error
        return self.real.execute(sql, *values)

    def close(self) -> None:
        self.closed = True
        self.real.close()
        if "close" in self.fail:
            raise self.fail["close"]


def sqlite_error(code: int, kind: type[sqlite3.Error] = sqlite3.OperationalError) -> sqlite3.Error:
    error = kind(f"code {code}")
    error.sqlite_errorcode = code
    return error


class Bench:
    """A writer on a real file whose connections can be made to fail."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.opened: list[Failing] = []
        self.refuse: Exception | None = None
        self.due = self.full = 0
        self.writer = Writer(self.connect, WriteLock(file), on_due=self.on_due, on_full=self.on_full)
        self.writer.submit(lambda c: c.execute("CREATE TABLE IF NOT EXISTS t (x UNIQUE)") and None).result()

    def connect(self) -> Failing:
        if self.refuse is not None:
            raise self.refuse
        real = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False)
        real.execute("PRAGMA journal_mode=WAL")
        real.execute("PRAGMA busy_timeout=50")
        self.opened.append(Failing(real))
        return self.opened[-1]

    def on_due(self) -> None:
        self.due += 1

    def on_full(self) -> None:
        self.full += 1

    def insert(self, value: object, **options: bool):
        return self.writer.submit(
            lambda c: c.execute("INSERT INTO t VALUES (?)", (value,)).rowcount, **options
        )

    def hold(self) -> threading.Event:
        """Keep the writer busy until the event is set, so that what follows is one batch."""
        go, busy = threading.Event(), threading.Event()

        def wait(_: object) -> None:
            busy.set()
            go.wait(30)

        self.writer.submit(wait)
        assert busy.wait(30)
        return go

    def rows(self) -> list[object]:
        return [
            row[0]
            for row in self.writer.submit(
                lambda c: c.execute("SELECT x FROM t ORDER BY x").fetchall()
            ).result()
        ]


@pytest.fixture
def bench(file):
    bench = Bench(str(file))
    yield bench
    bench.writer.close()


def test_what_waits_shares_one_commit(bench):
    commits = []
    go = bench.hold()
    bench.opened[0].real.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    futures = [bench.insert(number) for number in range(50)]
    go.set()
    assert [future.result() for future in futures] == [1] * 50
    bench.opened[0].real.set_trace_callback(None)
    assert len(commits) == 2  # the one that was held, and the batch


def test_a_batch_has_a_limit(bench):
    commits = []
    go = bench.hold()
    bench.opened[0].real.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    futures = [bench.insert(number) for number in range(MAX_BATCH + 1)]
    go.set()
    assert sum(future.result() for future in futures) == MAX_BATCH + 1
    bench.opened[0].real.set_trace_callback(None)
    assert len(commits) == 3


def test_an_op_that_fails_does_not_fail_its_neighbours(bench):
    go = bench.hold()
    before, wrong, after = bench.insert(1), bench.insert(object()), bench.insert(2)
    go.set()
    assert (before.result(), after.result()) == (1, 1)
    with pytest.raises(sqlite3.Error):
        wrong.result()
    assert bench.rows() == [1, 2]


def test_an_op_that_fails_half_way_has_written_nothing(bench):
    def half(connection):
        connection.execute("INSERT INTO t VALUES (7)")
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        bench.writer.submit(half).result()
    assert bench.rows() == []


def test_an_error_that_is_returned_is_only_its_own_result(bench):
    go = bench.hold()
    lost = bench.writer.submit(lambda _: LeaseLost("gone"))
    kept = bench.insert(1)
    go.set()
    with pytest.raises(LeaseLost):
        lost.result()
    assert kept.result() == 1
    assert len(bench.opened) == 1


def test_futures_are_resolved_only_after_the_commit(bench):
    seen = []
    bench.opened[0].real.set_trace_callback(seen.append)
    future = bench.insert(1)
    future.add_done_callback(lambda _: seen.append("resolved"))
    future.result()
    bench.rows()
    bench.opened[0].real.set_trace_callback(None)
    assert seen.index("COMMIT") < seen.index("resolved")


@pytest.mark.parametrize(
    "code",
    [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR | (4 << 8), sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_READONLY],
)
def test_after_a_broken_commit_nothing_of_it_is_acked_and_the_connection_is_not_trusted(bench, code):
    go = bench.hold()
    kept = bench.insert(1)
    go.set()
    assert kept.result() == 1
    go = bench.hold()
    go.set()
    go = bench.hold()
    breaking = bench.writer.submit(lambda c: c.fail.update(COMMIT=sqlite_error(code)))
    futures = [breaking, bench.insert(2), bench.insert(3)]
    go.set()
    assert [type(future.exception()) for future in futures] == [InboxUnavailable] * 3
    assert bench.opened[0].closed
    assert bench.rows() == [1]
    assert len(bench.opened) == 2


def test_after_an_io_error_everything_readable_is_synced_before_the_next_ack(bench):
    bench.opened[0].fail["COMMIT"] = sqlite_error(sqlite3.SQLITE_IOERR_FSYNC)
    assert isinstance(bench.insert(1).exception(), InboxUnavailable)
    reader = sqlite3.connect(bench.file, isolation_level=None, timeout=0)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM t").fetchall()
    other = sqlite3.connect(bench.file, isolation_level=None)
    other.execute("INSERT INTO t VALUES (5)")
    refused = bench.insert(2).exception()
    assert isinstance(refused, InboxUnavailable)
    assert "a reader is in the way" in str(refused)
    reader.execute("COMMIT")
    assert bench.insert(3).result() == 1
    reader.close()
    other.close()
    assert bench.rows() == [3, 5]


def test_a_lock_held_from_outside_makes_it_unavailable_and_keeps_the_connection(bench):
    other = sqlite3.connect(bench.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(InboxUnavailable, match="locked"):
        bench.insert(1).result()
    other.execute("COMMIT")
    other.close()
    assert bench.insert(1).result() == 1
    assert len(bench.opened) == 1


def test_a_full_disk_lets_the_ballast_go_and_tries_each_by_itself(bench):
    bench.opened[0].fail["COMMIT"] = sqlite_error(sqlite3.SQLITE_FULL)
    assert bench.insert(1).result() == 1
    assert bench.full == 1
    assert len(bench.opened) == 1


def test_a_disk_that_stays_full_makes_it_unavailable(bench):
    def full(_: object) -> None:
        raise sqlite_error(sqlite3.SQLITE_FULL)

    with pytest.raises(InboxUnavailable):
        bench.writer.submit(full).result()
    assert bench.full == 1
    assert bench.insert(1).result() == 1


def test_a_store_that_cannot_be_opened_is_unavailable_until_it_can(bench):
    bench.writer.close()
    for why in (
        OSError("no such device"),
        sqlite_error(sqlite3.SQLITE_CANTOPEN),
        InboxUnavailable("not yet"),
    ):
        bench.refuse = why
        with pytest.raises(InboxUnavailable):
            bench.insert(1).result()
    bench.refuse = None
    assert bench.insert(1).result() == 1


def test_a_listener_that_raises_does_not_stop_the_writer(bench, caplog):
    def raising() -> None:
        raise RuntimeError("loop is closed")

    caplog.set_level(logging.CRITICAL, "hookcatch.inbox")
    bench.writer._on_due = raising
    assert bench.insert(1, wakes=True).result() == 1
    assert bench.insert(2).result() == 1


def test_only_ops_that_make_events_due_wake(bench):
    bench.insert(1).result()
    bench.rows()
    assert bench.due == 0
    bench.insert(2, wakes=True).result()
    bench.rows()
    assert bench.due == 1


def test_close_finishes_what_is_queued_and_a_later_op_starts_afresh(bench):
    go = bench.hold()
    futures = [bench.insert(number) for number in range(MAX_BATCH + 5)]
    threading.Timer(0.05, go.set).start()
    bench.writer.close()
    assert all(future.done() for future in futures)
    assert bench.opened[0].closed
    assert bench.insert("later").result() == 1
    assert len(bench.opened) == 2


def test_what_is_queued_behind_the_end_is_not_forgotten(bench):
    """`close` ends the batch it is found in, and the thread with it; later ops have a queue of their own."""
    go = bench.hold()
    first = bench.insert(1)
    closing = threading.Thread(target=bench.writer.close)
    closing.start()
    while bench.writer._thread is not None:
        pass
    second = bench.insert(2)
    go.set()
    closing.join()
    assert (first.result(), second.result()) == (1, 1)


def test_closing_a_broken_connection_is_told_not_raised(bench, caplog):
    bench.opened[0].fail["close"] = sqlite_error(sqlite3.SQLITE_IOERR)
    close_quietly(bench.opened[0])
    assert "closing the inbox" in caplog.text
    bench.writer._connection = None


def test_errors_that_are_not_the_stores_stay_what_they_are():
    bug = TypeError("a bug")
    assert explained(bug) is bug
    assert isinstance(explained(sqlite_error(sqlite3.SQLITE_IOERR)), InboxUnavailable)
    already = InboxUnavailable("down", retry_after=77.0)
    assert explained(already) is already


def test_an_event_that_sqlite_cannot_take_keeps_nothing_of_its_batch(inbox):
    wrong = event("b")
    object.__setattr__(wrong, "body", object())
    with pytest.raises(sqlite3.Error):
        inbox.accept([event("a"), wrong]).result()
    assert inbox.find(Query()) == []


def test_reading_from_a_broken_file_is_unavailable(inbox, file):
    def broken(_: object) -> None:
        raise sqlite_error(sqlite3.SQLITE_IOERR)

    inbox.get(1)
    with pytest.raises(InboxUnavailable):
        inbox._read(broken)
    assert inbox.get(1) is None


def test_a_file_that_is_taken_away_is_unavailable_to_readers(make, file, tmp_path):
    inbox = make()
    inbox.close()
    inbox.path = tmp_path / "no" / "such.db"
    with pytest.raises(InboxUnavailable):
        inbox.get(1)
    inbox.path = file


def test_settling_from_many_threads_never_mixes_up_answers(inbox):
    inbox.accept([event(f"evt_{number}") for number in range(200)]).result()
    leases = inbox.lease(token="w", limit=200, now=1000.0, until=1060.0).result()
    futures = [inbox.settle(lease, [], Close("succeeded")) for lease in (*leases, *leases)]
    outcomes = [type(future.exception()) for future in futures]
    assert outcomes == [type(None)] * 200 + [LeaseLost] * 200
