"""Servers that cannot keep the promise are refused, and what goes wrong on the way to one has a name."""

from __future__ import annotations

import importlib
import os
import re
import ssl
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import psycopg
import pymysql
import pytest

import hookcatch.inbox
from hookcatch.core.errors import ConfigurationError, InboxUnavailable, MissingExtra
from hookcatch.core.model import Run
from hookcatch.inbox import open_inbox
from hookcatch.inbox.shared import dialect, migrations
from hookcatch.inbox.shared.clock import ServerClock
from hookcatch.inbox.shared.front import Front
from hookcatch.inbox.shared.inbox import ServerInbox
from hookcatch.inbox.shared.link import Link
from hookcatch.inbox.shared.transaction import ServerTransaction
from hookcatch.inbox.writer import TRIES
from support.databases import MARIADB, POSTGRES, SERVERS, Server
from support.tls import certificate, private_key

from .conftest import event

NOWHERE = {
    "postgresql": "postgresql://postgres:secret@127.0.0.1:9/shop?connect_timeout=2",
    "mysql": "mysql://root:secret@127.0.0.1:9/shop",
}


def inbox_of(url: str) -> ServerInbox:
    made = open_inbox(url, clock=time.time)
    assert isinstance(made, ServerInbox)
    return made


@pytest.fixture(params=SERVERS)
def server(request) -> Server:
    found = SERVERS[request.param]
    found.need()
    return found


@contextmanager
def said(server: Server, before: str, after: str):
    """Something that the server is told, and how it is taken back."""
    server.say(server.database(), before)
    try:
        yield
    finally:
        server.say(server.database(), after)


def answering(**answers: Any) -> Any:
    """A connection that answers a question in which a word stands; anything else is asked of nobody."""

    class Cursor:
        def __enter__(self):
            return self

        def __exit__(self, *error: object) -> None: ...

        def execute(self, sql: str) -> None:
            (self.found,) = [answer for word, answer in answers.items() if word in sql]

        def fetchone(self) -> Any:
            return None if self.found is None else (self.found,)

    return SimpleNamespace(cursor=Cursor)


# durability


def test_a_server_that_may_lose_a_commit_is_refused_unless_that_is_all_right(tmp_path, caplog):
    POSTGRES.need()
    inbox_of(POSTGRES.clean(tmp_path)).open()
    table = "ALTER TABLE hookcatch_event SET {}"
    with said(POSTGRES, table.format("UNLOGGED"), table.format("LOGGED")):
        url = POSTGRES.url(POSTGRES.database())
        with pytest.raises(ConfigurationError, match=r"not a logged table.*durability=best_effort"):
            inbox_of(url).open()
        inbox = inbox_of(f"{url}?durability=best_effort")
        inbox.open()
        assert (inbox.shared, inbox.durable) == (True, False)
        assert "not a logged table: an event that was acknowledged can be lost" in caplog.text
        inbox.close()


def test_a_log_that_is_not_flushed_at_every_commit_is_seen():
    """A switch of the whole server, which other tests beside this one must not meet."""
    server = answering(character_set_name="utf8mb4", **{"SELECT engine": "InnoDB", "innodb_flush": 2})
    assert dialect.MYSQL.check(server) == "innodb_flush_log_at_trx_commit is not 1"


def test_fsync_off_is_seen():
    """Another such switch."""
    assert dialect.POSTGRES.check(answering(fsync="off")) == "PostgreSQL runs with fsync=off"


def test_a_role_that_commits_without_waiting_is_overruled(tmp_path):
    """`synchronous_commit` is not trusted: every transaction sets it."""
    POSTGRES.need()
    url = POSTGRES.clean(tmp_path)
    off = f"ALTER DATABASE {POSTGRES.database()} {{}} synchronous_commit"
    with said(POSTGRES, off.format("SET") + " = off", off.format("RESET")):
        inbox = inbox_of(url)
        inbox.open()
        shown = inbox._write(lambda db: db.execute("SHOW synchronous_commit").fetchone()[0]).result()
        (lease,) = _leased(inbox)
        with inbox.transaction(lease, Run("h", "succeeded", 1)) as db:
            assert db.execute("SHOW synchronous_commit").fetchone() == ("on",)
        inbox.close()
    assert shown == "on"


def _leased(inbox: ServerInbox):
    inbox.accept([event(received_at=time.time())]).result()
    now = time.time() + 1
    return inbox.lease(token="w", limit=1, now=now, until=now + 60).result()


def test_a_table_that_cannot_hold_every_text_is_refused_with_what_to_say(tmp_path):
    MARIADB.need()
    inbox_of(MARIADB.clean(tmp_path)).open()
    convert = "ALTER TABLE hookcatch_event CONVERT TO CHARACTER SET {0} COLLATE {0}_bin"
    with (
        said(MARIADB, convert.format("latin1"), convert.format("utf8mb4")),
        pytest.raises(ConfigurationError, match=r"kept in latin1.*CONVERT TO CHARACTER SET utf8mb4"),
    ):
        inbox_of(MARIADB.url(MARIADB.database())).open()
    MARIADB.bare()


def test_a_table_without_transactions_is_refused(tmp_path):
    MARIADB.need()
    inbox_of(MARIADB.clean(tmp_path)).open()
    engine = "ALTER TABLE hookcatch_event ENGINE = {}"
    with (
        said(MARIADB, engine.format("Aria"), engine.format("InnoDB")),
        pytest.raises(ConfigurationError, match="kept by Aria, which has no transactions"),
    ):
        inbox_of(MARIADB.url(MARIADB.database())).open()
    MARIADB.bare()


# the way there


@pytest.mark.parametrize("scheme", NOWHERE)
def test_a_server_that_is_not_there_is_a_configuration_error_without_the_password(scheme):
    with pytest.raises(ConfigurationError, match=r"127.0.0.1:9/shop cannot be opened") as why:
        inbox_of(NOWHERE[scheme]).open()
    assert "secret" not in str(why.value)


@pytest.mark.parametrize("scheme", NOWHERE)
def test_a_server_that_went_away_is_unavailable(scheme):
    inbox = inbox_of(NOWHERE[scheme])
    with pytest.raises(InboxUnavailable):
        inbox.accept([event()]).result()
    with pytest.raises(InboxUnavailable):
        inbox.get(1)
    inbox.close()


def test_a_transaction_without_a_server_is_unavailable_and_leaves_nothing_open(server, tmp_path):
    inbox = inbox_of(server.clean(tmp_path))
    inbox.open()
    (lease,) = _leased(inbox)
    inbox.close()
    gone = inbox_of(NOWHERE["postgresql" if server is POSTGRES else "mysql"])
    tx = gone.transaction(lease, Run("h", "succeeded", 1))
    with pytest.raises(InboxUnavailable), tx:
        pytest.fail("the block ran")
    assert isinstance(tx, ServerTransaction)
    tx.end(None)  # nothing was begun
    assert not tx.committed


def test_a_connection_that_cannot_even_be_closed_is_let_go(server, tmp_path, caplog):
    caplog.set_level("DEBUG", "hookcatch.inbox")
    inbox = inbox_of(server.clean(tmp_path))
    link = Link(inbox.driver, ServerClock(time.time, timer=time.monotonic), Front())

    class Stuck:
        def __init__(self, real: Any) -> None:
            self.real = real

        def close(self) -> None:
            self.real.close()
            raise inbox.driver.error("no")

    link._connection = Stuck(link._connection)
    link.close()
    link.close()  # and again, with nothing left
    assert "closing the inbox: no" in caplog.text


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://h/shop?colour=blue", "no PostgreSQL URL"),
        ("mysql://h/shop?colour=blue", "no MySQL URL.*the options are unix_socket"),
        ("mysql://h:port/shop", "no MySQL URL"),
        ("mysql://h", "names no database"),
        ("postgresql://h/shop?durability=some", "durability cannot be 'some'"),
        ("mysql://h/shop?server_clock=maybe", "server_clock cannot be 'maybe'"),
    ],
)
def test_a_url_that_says_too_little_or_too_much_is_refused(url, why):
    with pytest.raises(ConfigurationError, match=why):
        open_inbox(url, clock=time.time)


def test_a_ca_is_there_to_check_the_server_by(tmp_path):
    """PyMySQL would take it and check nothing."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificate("db.example.com", private_key(0)))
    made = inbox_of(f"mysql://127.0.0.1:9/shop?ssl_ca={ca}").driver.connect(defer_connect=True)
    assert (made.ctx.verify_mode, made._ssl_required) == (ssl.CERT_REQUIRED, True)


def test_tls_is_used_where_the_server_has_it_and_certificates_that_nobody_checks_are_not_read():
    made = inbox_of("mysql://127.0.0.1:9/shop").driver.connect(defer_connect=True)
    assert (made.ctx.verify_mode, made.ctx.check_hostname, made._ssl_required) == (
        ssl.CERT_NONE,
        False,
        False,
    )
    assert made.ctx.cert_store_stats()["x509"] == 0


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [("postgres", "psycopg", "postgres"), ("mysql", "pymysql", "mysql")],
    ids=["postgres", "mysql"],
)
def test_a_library_that_is_not_there_is_an_error_that_names_the_extra(module, library, extra, monkeypatch):
    name = f"hookcatch.inbox.{module}"
    importlib.import_module(name)
    monkeypatch.setattr(hookcatch.inbox, module, None)
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=re.escape(f"hookcatch[{extra}]")):
        importlib.import_module(name)


def test_the_tables_are_not_changed_while_somebody_else_changes_them(server):
    server.bare()
    schema = replace(inbox_of(server.url(server.database())).driver.schema, lock="SELECT 0")
    with (
        closing(server.connect(server.database())) as connection,
        pytest.raises(ConfigurationError, match="being changed by somebody else"),
    ):
        migrations.migrate(connection, schema)


def test_what_meets_in_a_deadlock_every_time_is_an_error_in_the_end(server, tmp_path):
    inbox = inbox_of(server.clean(tmp_path))
    inbox.open()
    tried = []

    def deadlock(db: Any) -> None:
        tried.append(1)
        if server is POSTGRES:
            raise psycopg.errors.DeadlockDetected("again")
        raise pymysql.OperationalError(1213, "again")

    with pytest.raises(InboxUnavailable, match="again"):
        inbox._write(deadlock).result(60)
    assert len(tried) == 1 + TRIES, "once with others, and so often alone"
    inbox.close()


def test_the_childs_side_of_a_fork_starts_with_connections_of_its_own(server, tmp_path):
    """The same hooks without a fork, so that what they do can be looked at."""
    inbox = inbox_of(server.clean(tmp_path))
    inbox.open()
    inbox.accept([event()]).result()
    inbox.before_fork()
    inbox.after_fork_in_child()
    assert inbox.counts() == {("shop", "pending"): 1}
    assert len(inbox.accept([event("evt_2")]).result()) == 1
    inbox.close()


def test_parent_and_child_both_go_on_after_a_fork(server, tmp_path):
    inbox = inbox_of(server.clean(tmp_path))
    inbox.open()
    inbox.accept([event("before")]).result()
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child
        kept = inbox.accept([event("child")]).result(30)
        os._exit(0 if len(kept) == 1 and inbox.counts() else 1)
    inbox.accept([event("parent")]).result(30)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert inbox.counts() == {("shop", "pending"): 3}
    inbox.close()


@pytest.mark.parametrize("form", ["bytes", "composed"])
def test_a_commit_is_refused_in_every_form_that_psycopg_takes(form, tmp_path):
    POSTGRES.need()
    inbox = inbox_of(POSTGRES.clean(tmp_path))
    inbox.open()
    (lease,) = _leased(inbox)
    word: Any = b"COMMIT" if form == "bytes" else psycopg.sql.SQL("COMMIT")
    tx = inbox.transaction(lease, Run("h", "succeeded", 1))
    with pytest.raises(ConfigurationError, match="COMMIT is refused"), tx as db:
        db.execute(word)
    inbox.close()


def test_so_is_begin_of_pymysql(tmp_path):
    MARIADB.need()
    inbox = inbox_of(MARIADB.clean(tmp_path))
    inbox.open()
    (lease,) = _leased(inbox)
    tx = inbox.transaction(lease, Run("h", "succeeded", 1))
    with pytest.raises(ConfigurationError, match="BEGIN is refused"), tx as db:
        db.begin()
    inbox.close()
