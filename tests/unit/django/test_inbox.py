"""What is particular to an inbox in a project's database: connections, durability, and what text may hold."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from typing import Any

import pytest

from hookcatch.core.errors import ConfigurationError, InboxUnavailable
from hookcatch.core.model import Accepted, Close, Duplicate, Duplicates, Run
from hookcatch.core.secret import Secret as Brought
from hookcatch.inbox.shared.inbox import ServerOptions
from support import django_project

from .conftest import event

DONE = Run("h", "succeeded", 1, started_at=1.0, finished_at=1.0)


def kill_connections(alias: str) -> None:
    """As a server does that restarts."""
    from django.db import connections

    connection = connections[alias]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        else:
            cursor.execute(
                "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            )
            for (one,) in cursor.fetchall():
                cursor.execute(f"KILL {one}")
    connection.close()


def test_after_the_server_has_restarted_the_next_event_is_kept_as_if_nothing_had_been(inbox, alias):
    if alias == "django-sqlite":
        pytest.skip("has no server")
    inbox.accept([event("a")]).result()
    inbox.counts()
    for number in range(3):
        kill_connections(alias)
        assert isinstance(inbox.accept([event(f"b{number}")]).result()[0], Accepted)
        kill_connections(alias)
        assert sum(inbox.counts().values()) == 2 + number


def test_a_connection_that_is_lost_in_the_middle_is_unavailable_and_nothing_was_kept(inbox, alias):
    if alias == "django-sqlite":
        pytest.skip("has no server")

    def dies(db: Any) -> None:
        from hookcatch.inbox.shared import ops, rows

        one = event("lost")
        ops.accept(db, [(one, rows.new_event(one))], None, Duplicates())
        kill_connections(alias)
        db.execute("SELECT 1")

    with pytest.raises(InboxUnavailable):
        inbox._write(dies).result()
    assert inbox.counts() == {}
    inbox.accept([event("next")]).result()
    assert inbox.counts() == {("shop", "pending"): 1}


def test_a_large_batch_is_kept_in_order_with_its_copies_counted(inbox):
    inbox.accept([event("evt_7", b"first"), event("evt_600")]).result()
    answers = inbox.accept([event(f"evt_{number}") for number in range(1200)]).result()
    fresh = [answer.seq for answer in answers if isinstance(answer, Accepted)]
    assert fresh == sorted(fresh)
    assert {n for n, answer in enumerate(answers) if isinstance(answer, Duplicate)} == {7, 600}
    assert answers[7].conflict
    assert not answers[600].conflict
    assert sum(inbox.counts().values()) == 1200
    leases = inbox.lease(token="w", limit=2000, now=1000.0, until=1060.0).result()
    others = [lease.event.id for lease in leases if lease.event.id not in ("evt_7", "evt_600")]
    assert others == [f"evt_{number}" for number in range(1200) if number not in (7, 600)]


def test_two_processes_that_lock_each_other_out_are_both_served(inbox, alias):
    if alias == "django-sqlite":
        pytest.skip("locks as a whole")
    from hookcatch.django.inbox import DjangoInbox

    other = DjangoInbox(alias, clock=lambda: 1000.0)
    batches = [[event(f"evt_{n}") for n in range(20)], [event(f"evt_{n}") for n in reversed(range(20))]]
    for _ in range(10):
        futures = [one.accept(batch) for one, batch in zip((inbox, other), batches, strict=True)]
        for future in futures:
            try:
                future.result()
            except InboxUnavailable:
                continue  # said so, and nothing of it was kept
    assert sum(inbox.counts().values()) == 20
    other.close()


def test_a_wait_for_a_lock_is_tried_again(inbox, alias):
    if alias == "django-sqlite":
        pytest.skip("locks as a whole")
    from django.db import connections, transaction

    wait = {
        "django-mysql": "SET SESSION innodb_lock_wait_timeout = 1",
        "django-postgres": "SET LOCAL lock_timeout = '1s'",
    }
    tried: list[int] = []

    def touch(db: Any) -> None:
        tried.append(1)
        db.execute(wait[alias])
        db.execute("UPDATE hookcatch_event SET lost = 0 WHERE seq = 1")

    inbox.accept([event()]).result()
    with transaction.atomic(using=alias):
        with connections[alias].cursor() as cursor:
            cursor.execute("UPDATE hookcatch_event SET lost = 1 WHERE seq = 1")
        waiting = inbox._write(touch)
        end = time.monotonic() + 30
        while len(tried) < 2:
            assert time.monotonic() < end
            time.sleep(0.01)
    waiting.result(timeout=30)
    connections[alias].close()
    assert inbox.get(1)[0].lost == 0


def test_a_server_that_may_lose_a_commit_is_refused_unless_that_is_all_right(caplog):
    from django.db import connections

    from hookcatch.django.inbox import DjangoInbox

    alias = django_project.database("django-postgres")
    with connections[alias].cursor() as cursor:
        cursor.execute("ALTER TABLE hookcatch_event SET UNLOGGED")
    try:
        with pytest.raises(
            ConfigurationError, match=r'not a logged table.*HOOKCATCH\["DURABILITY"\] = "best_'
        ):
            DjangoInbox(alias, clock=time.time).open()
        inbox = DjangoInbox(alias, clock=time.time, options=ServerOptions("best_effort"))
        inbox.open()
        assert not inbox.durable
        inbox.close()
    finally:
        with connections[alias].cursor() as cursor:
            cursor.execute("ALTER TABLE hookcatch_event SET LOGGED")
        connections[alias].close()
    assert "an event that was acknowledged can be lost" in caplog.text


def test_on_postgres_a_worker_hears_of_what_other_processes_keep():
    """A web process and `manage.py hookcatch worker`."""
    from hookcatch.django.inbox import DjangoInbox

    alias = django_project.database("django-postgres")
    django_project.empty(alias)
    web, worker = DjangoInbox(alias, clock=time.time), DjangoInbox(alias, clock=time.time)
    heard = threading.Event()
    with closing(web), closing(worker):
        worker.listen(heard.set)
        end = time.monotonic() + 20
        while not heard.wait(0.1):  # the first may come before it listens
            assert time.monotonic() < end
            web.accept([event()]).result()


def test_in_a_projects_tests_nobody_listens():
    """The connection would keep the test database from being dropped."""
    from hookcatch.django.inbox import DjangoInbox

    alias = django_project.database("django-postgres")
    inbox = DjangoInbox(alias, clock=time.time, is_test=lambda: True)
    inbox.listen(lambda: None)
    assert inbox._hints._listener is None


def test_postgres_commits_synchronously_whatever_the_role_says(inbox, alias):
    if alias != "django-postgres":
        pytest.skip("PostgreSQL's own setting")
    from django.db import connections

    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {django_project.NAME} SET synchronous_commit = off")
    connection.close()
    inbox.close()
    shown = inbox._write(lambda db: db.execute("SHOW synchronous_commit").fetchone()[0]).result()
    assert shown == "on"


def test_sqlite_is_synced_whatever_the_project_says(inbox, alias):
    if alias != "django-sqlite":
        pytest.skip("SQLite's own setting")
    assert inbox._write(lambda db: db.execute("PRAGMA synchronous").fetchone()[0]).result() == 2


def test_a_server_that_is_not_there_is_an_error_at_start_and_unavailable_later(alias):
    if alias == "django-sqlite":
        pytest.skip("has no server")
    from django.db import connections

    from hookcatch.django.inbox import DjangoInbox

    connections.settings["away"] = {**connections.settings[alias], "PORT": "1"}
    inbox = DjangoInbox("away", clock=lambda: 1000.0)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        inbox.open()
    with pytest.raises(InboxUnavailable):
        inbox.accept([event()]).result()
    inbox.close()
    del connections.settings["away"]


def test_a_forked_child_connects_by_itself_and_leaves_the_parents_connection_alone(inbox, alias):
    inbox.accept([event("parent")]).result()
    child = os.fork()
    if child == 0:
        try:
            kept = isinstance(inbox.accept([event("child")]).result(timeout=20)[0], Accepted)
            os._exit(0 if kept else 1)
        finally:
            os._exit(2)
    deadline = time.monotonic() + 30
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(ended[1]) == 0
    assert isinstance(inbox.accept([event("child")]).result()[0], Duplicate)
    assert isinstance(inbox.accept([event("after")]).result()[0], Accepted)


def test_what_senders_bring_as_secrets_is_kept_by_source_and_tenant(inbox):
    assert inbox.learned("asana", "acme") is None
    assert inbox.learn("asana", "acme", Brought(b"one")).result() is True
    assert inbox.learn("asana", "acme", Brought(b"two")).result() is False
    assert inbox.learn("asana", "acme", Brought(b"one")).result() is True
    assert inbox.learn("asana", "\ud800", Brought(b"\x00\xff")).result() is True
    assert inbox.learned("asana", "\ud800").reveal() == b"\x00\xff"
    assert list(inbox.learners()) == [("asana", "acme"), ("asana", "\ud800")]
    assert inbox.forget("asana", "acme").result() is True
    assert inbox.forget("asana", "acme").result() is False
    assert inbox.learned("asana", "acme") is None
    inbox.forget("asana", "\ud800").result()


def test_a_sqlite_that_somebody_keeps_locked_is_unavailable_and_served_afterwards(inbox, alias):
    if alias != "django-sqlite":
        pytest.skip("locks rows")
    from django.db import connections

    with closing(sqlite3.connect(connections[alias].settings_dict["NAME"], isolation_level=None)) as other:
        inbox._write(lambda db: db.execute("PRAGMA busy_timeout = 10")).result()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InboxUnavailable, match="locked"):
            inbox.accept([event()]).result()
        other.execute("ROLLBACK")
    assert isinstance(inbox.accept([event()]).result()[0], Accepted)


def test_nothing_that_the_inbox_says_is_kept_for_debugging(inbox, alias):
    from django.db import connections, reset_queries
    from django.test import override_settings

    with override_settings(DEBUG=True):
        reset_queries()
        inbox.accept([event(body=b"secret")]).result()
        logged = inbox._write(lambda db: list(db._connection._wrapper.queries_log)).result()
        assert "hookcatch" not in str(logged)
        assert connections[alias].queries == []


def test_the_orm_reads_what_the_inbox_wrote(inbox, alias):
    from hookcatch.django.models import Event, Secret
    from hookcatch.django.models import Run as RunRow

    inbox.accept([event("a\x00\ud800", b"\x00\xff", type="\u20ac", headers={"a": "b"})]).result()
    (lease,) = inbox.lease(token="w", limit=1, now=1000.0, until=1060.0).result()
    inbox.settle(lease, [DONE], Close("dead", error="why")).result()
    row = Event.objects.using(alias).get()
    assert (row.seq, row.event_id, row.type, bytes(row.body)) == (1, "a\x00\ud800", "\u20ac", b"\x00\xff")
    assert (row.state, row.error, row.at) == ("dead", "why", 1000.0)
    assert row.received.isoformat() == row.finished.isoformat() == "1970-01-01T00:16:40+00:00"
    assert str(row) == r"shop a\x00\ud800"
    assert Event.objects.using(alias).get(event_id="a\x00\ud800") == row
    run = row.runs.get()
    assert (run.pk, str(run)) == ((1, run.run_key), "h: succeeded")
    assert RunRow.objects.using(alias).get(event=row, handler="h").attempts == 1
    inbox.learn("asana", "acme", Brought(b"one")).result()
    secret = Secret.objects.using(alias).get()
    assert (str(secret), bytes(secret.secret)) == ("asana acme", b"one")
