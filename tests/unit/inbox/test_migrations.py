from __future__ import annotations

import sqlite3

import pytest

from hookcatch.core.errors import ConfigurationError
from hookcatch.inbox import migrations
from hookcatch.inbox.migrations import migrate, statements

ONE = "CREATE TABLE a (x); -- a comment; with a semicolon\nCREATE TABLE b (y);\n"
TWO = "ALTER TABLE a ADD COLUMN z;\nINSERT INTO a (x, z) VALUES ('a;\nb', 1);\n"


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def in_transaction(connection, steps):
    connection.execute("BEGIN IMMEDIATE")
    migrate(connection, steps)
    assert connection.in_transaction
    connection.execute("COMMIT")


def test_each_step_is_taken_once_and_in_order(connection):
    in_transaction(connection, (ONE,))
    in_transaction(connection, (ONE, TWO))
    in_transaction(connection, (ONE, TWO))
    assert connection.execute("SELECT x, z FROM a").fetchall() == [("a;\nb", 1)]
    assert connection.execute("SELECT version FROM hookcatch_schema").fetchall() == [(1,), (2,)]


def test_a_step_that_fails_leaves_the_version_before_it(connection):
    in_transaction(connection, (ONE,))
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.Error):
        migrate(connection, (ONE, TWO + "CREATE TABLE a (x);\n"))
    connection.execute("ROLLBACK")
    assert connection.execute("SELECT max(version) FROM hookcatch_schema").fetchone() == (1,)
    in_transaction(connection, (ONE, TWO))


def test_tables_of_a_newer_hookcatch_are_refused(connection):
    in_transaction(connection, (ONE, TWO))
    with pytest.raises(ConfigurationError, match=r"schema 2, this one knows 1.*install that version"):
        migrate(connection, (ONE,))


def test_an_inbox_of_a_newer_hookcatch_is_not_opened(make, file):
    make().close()
    connection = sqlite3.connect(file)
    connection.execute("INSERT INTO hookcatch_schema VALUES (99)")
    connection.commit()
    connection.close()
    with pytest.raises(ConfigurationError, match="newer hookcatch"):
        make()


def test_an_inbox_of_version_one_is_brought_up_with_its_events(make, file, monkeypatch):
    from .conftest import event

    make().accept([event()]).result()
    later = (*migrations.MIGRATIONS, "ALTER TABLE hookcatch_event ADD COLUMN later INTEGER DEFAULT 7;\n")
    monkeypatch.setattr(migrations, "MIGRATIONS", later)
    inbox = make()
    assert inbox.counts() == {("shop", "pending"): 1}
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT later FROM hookcatch_event").fetchone() == (7,)
    connection.close()


def test_a_script_is_cut_into_statements_that_sqlite_completes():
    assert [part.strip() for part in statements(TWO)] == [
        "ALTER TABLE a ADD COLUMN z;",
        "INSERT INTO a (x, z) VALUES ('a;\nb', 1);",
    ]
