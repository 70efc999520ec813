"""The tables of an inbox, made and looked at by hand."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from support.databases import SERVERS, Server
from support.redis_server import OWN_REDIS


@pytest.fixture(params=SERVERS)
def server(request) -> Server:
    found = SERVERS[request.param]
    found.need()
    return found


def test_the_tables_of_a_server_are_made_and_checked(hookcatch, server):
    url = server.bare()
    before = hookcatch("db", "check", url)
    assert (before.exit_code, "at version 0" in before.stderr) == (1, True)
    assert hookcatch("db", "upgrade", url).output == "the tables are up to date\n"
    assert hookcatch("db", "upgrade", url).exit_code == 0
    assert hookcatch("db", "check", url).output == "version 1, durable\n"


def test_the_printed_sql_makes_the_tables_that_the_inbox_works_with(hookcatch, server):
    url = server.bare()
    script = hookcatch("db", "sql", url).output
    for statement in script.split(";\n"):
        if statement.strip():
            server.say(server.database(), statement)
    assert hookcatch("db", "check", url).output == "version 1, durable\n"
    assert "CREATE TABLE hookcatch_event" not in hookcatch("db", "sql", "--since", "1", url).output


def test_so_does_that_for_sqlite(hookcatch, kept, monkeypatch):
    """The tables are those that an inbox made by itself."""
    script = hookcatch("db", "sql", "sqlite:///other.db").output
    with closing(sqlite3.connect(":memory:")) as other, closing(sqlite3.connect(kept.inbox.path)) as own:
        other.executescript(script)
        tables = "SELECT name FROM sqlite_master WHERE name LIKE 'hookcatch%' ORDER BY name"
        assert other.execute(tables).fetchall() == own.execute(tables).fetchall()
    monkeypatch.setenv("HOOKCATCH_INBOX", kept.url)
    assert hookcatch("db", "upgrade").exit_code == 0
    assert "only the inboxes of servers" in hookcatch("db", "check").stderr


def test_memory_has_no_tables(hookcatch):
    assert "has no tables" in hookcatch("db", "upgrade", "memory:").stderr


def test_redis_has_no_tables_and_is_durable_or_not(hookcatch, tmp_path):
    url = OWN_REDIS.clean(tmp_path)
    assert hookcatch("db", "check", url).output == "durable\n"
    with OWN_REDIS.set_to(appendfsync="everysec"):
        refused = hookcatch("db", "check", url)
        assert (refused.exit_code, "appendfsync is everysec" in refused.stderr) == (1, True)
        said = hookcatch("db", "check", f"{url}&durability=best_effort").output
        assert said == "NOT durable: a commit can be lost\n"
    assert "has no tables" in hookcatch("db", "upgrade", url).stderr
    assert "only the inboxes of servers" in hookcatch("db", "sql", url).stderr
