"""The tables: one SQL makes them, whether Django says so or an inbox that was opened by its URL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.model import Close, Run
from hookcatch.core.ports import Inbox
from hookcatch.core.secret import Secret
from hookcatch.inbox import disk, open_inbox
from support import django_project

from .conftest import event

django_project.set_up()

from django.apps import apps  # noqa: E402
from django.core.management import CommandError, call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import override_settings  # noqa: E402

from hookcatch.django.driver import driver_of  # noqa: E402
from hookcatch.django.inbox import DjangoInbox  # noqa: E402
from hookcatch.django.tables import BringUpToDate  # noqa: E402

URLS = {"django-postgres": "postgresql", "django-mysql": "mysql"}
TABLES = ("hookcatch_event", "hookcatch_run", "hookcatch_secret", "hookcatch_schema")


def another(alias: str, suffix: str) -> Iterator[str]:
    """A database of its own beside the one that all tests share, without any tables."""
    django_project.database(alias)
    name = f"{django_project.NAME}_{suffix}"
    with connections[alias]._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    new = f"{alias}-{suffix}"
    connections.settings[new] = {**connections.settings[alias], "NAME": name}
    try:
        yield new
    finally:
        connections[new].close()
        del connections[new]
        force = " WITH (FORCE)" if alias == "django-postgres" else ""
        with connections[alias]._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}{force}")
        connections[alias].close()
        del connections.settings[new]


@pytest.fixture(params=URLS)
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def one(server: str) -> Iterator[str]:
    yield from another(server, "one")


@pytest.fixture
def other(server: str) -> Iterator[str]:
    yield from another(server, "other")


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """SQLite files by alias."""
    made: list[str] = []

    def make(name: str, **options: str) -> str:
        given = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(tmp_path / f"{name}.db"),
            "OPTIONS": options,
        }
        connections.settings[name] = {**connections.settings["default"], **given}
        made.append(name)
        return name

    yield make
    for name in made:
        connections[name].close()
        del connections[name]
        del connections.settings[name]


def migrate(alias: str, *words: str) -> None:
    call_command("migrate", *words, database=alias, verbosity=0)
    connections[alias].close()


def plain(alias: str) -> Inbox:
    """An inbox without Django at the same database."""
    given = connections[alias].settings_dict
    url = f"{connections[alias].vendor}://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}"
    return open_inbox(f"{url}/{given['NAME']}", clock=time.time)


def columns(alias: str) -> list[tuple[Any, ...]]:
    schema = "current_schema()" if connections[alias].vendor == "postgresql" else "DATABASE()"
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type, is_nullable, column_default, character_set_name, "
            f"collation_name FROM information_schema.columns WHERE table_schema = {schema} "
            "AND table_name LIKE 'hookcatch%' ORDER BY table_name, ordinal_position"
        )
        return list(cursor.fetchall())


def keys(alias: str) -> dict[str, Any]:
    """Of each table, its keys and indexes."""
    introspection = connections[alias].introspection
    with connections[alias].cursor() as cursor:
        return {table: introspection.get_constraints(cursor, table) for table in TABLES}


def test_django_and_a_plain_inbox_make_the_same_columns_and_keys(one, other):
    migrate(one)
    inbox = plain(other)
    inbox.open()
    inbox.close()
    assert len({row[0] for row in columns(one)}) == len(TABLES)
    assert columns(one) == columns(other)
    assert keys(one) == keys(other)


@pytest.mark.parametrize("first", ["django", "plain"])
def test_with_and_without_django_they_work_at_the_same_tables_whoever_made_them(one, first):
    if first == "plain":
        inbox = plain(one)
        inbox.open()
        inbox.close()
    migrate(one)
    receiver, worker = DjangoInbox(one, clock=time.time), plain(one)
    with closing(receiver), closing(worker):
        receiver.open()
        worker.open()
        receiver.accept([event(received_at=time.time() - 9)]).result()
        receiver.learn("asana", "acme", Secret(b"brought")).result()
        now = time.time()
        (lease,) = worker.lease(token="w", limit=1, now=now, until=now + 60).result()
        worker.settle(lease, [Run("h", "succeeded", 1)], Close("succeeded")).result()
        assert receiver.counts() == {("shop", "succeeded"): 1}
        (known,) = [worker.learned(*whose) for whose in worker.learners()]
        assert known is not None
        assert known.reveal() == b"brought"
    row = apps.get_model("hookcatch", "Event").objects.using(one).get()
    assert (row.event_id, row.state, [run.handler for run in row.runs.all()]) == ("evt_1", "succeeded", ["h"])


def test_they_go_as_they_came(one):
    migrate(one)
    migrate(one, "hookcatch", "zero")
    assert columns(one) == []
    migrate(one)
    assert len({row[0] for row in columns(one)}) == len(TABLES)


def test_the_models_are_those_of_the_tables(alias):
    connection = connections[alias]
    with connection.cursor() as cursor:
        for model in apps.get_app_config("hookcatch").get_models():
            found = connection.introspection.get_table_description(cursor, model._meta.db_table)
            fields = {field.column: field for field in model._meta.concrete_fields if field.column}
            assert {column.name for column in found} == fields.keys()
            null = {column.name for column in found if column.null_ok and column.name != "seq"}
            assert null == {name for name, field in fields.items() if field.null}
    connection.close()


def test_the_migrations_are_those_of_the_models():
    call_command("makemigrations", "hookcatch", check=True, dry_run=True, verbosity=0)


def test_the_sql_can_be_read_before_it_is_said(alias, capsys):
    call_command("sqlmigrate", "hookcatch", "0001", database=alias)
    said = capsys.readouterr().out
    assert all(
        f"CREATE TABLE IF NOT EXISTS {table} " in said or f"CREATE TABLE {table} " in said for table in TABLES
    )
    assert "INSERT INTO hookcatch_schema (version) VALUES (1);" in said
    connections[alias].close()


def works_without_migrations(alias: str) -> bool:
    """As many projects run their tests."""
    with override_settings(MIGRATION_MODULES={"hookcatch": None}):
        call_command("migrate", database=alias, run_syncdb=True, verbosity=0)
    inbox = DjangoInbox(alias, clock=time.time, is_test=lambda: True)
    inbox.open()
    for _ in range(2):
        inbox.accept([event()]).result()
    (lease,) = inbox.lease(token="w", limit=1, now=1000.0, until=1060.0).result()
    inbox.settle(lease, [Run("h", "retry", 1)], None).result()
    with inbox.transaction(lease, Run("h", "succeeded", 1)):
        pass
    connections[alias].close()
    return [run.state for run in inbox.get(1)[1]] == ["succeeded"]  # type: ignore[index]


def test_what_django_makes_of_the_models_will_do_for_tests_without_migrations(one, lite):
    assert works_without_migrations(one)
    assert works_without_migrations(lite("bare"))


class Nowhere:
    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if app_label == "hookcatch" else None


def test_a_router_decides_where_they_are_made(lite):
    alias = lite("routed")
    with override_settings(DATABASE_ROUTERS=[Nowhere()]):
        migrate(alias)
        migrate(alias, "hookcatch", "zero")
    assert "hookcatch_event" not in connections[alias].introspection.table_names()


def test_a_kind_of_database_that_holds_no_inbox_is_told_so_and_migrated_all_the_same(lite, monkeypatch):
    alias = lite("oracle")
    monkeypatch.setattr(type(connections[alias]), "vendor", "oracle")
    monkeypatch.setattr(type(connections[alias]), "display_name", "Oracle")
    with pytest.raises(ConfigurationError, match="cannot live in Oracle: name a database of PostgreSQL"):
        driver_of(alias)
    with connections[alias].schema_editor() as editor:
        BringUpToDate().database_forwards("hookcatch", editor, None, None)
    assert connections[alias].introspection.table_names() == []


def test_tables_that_are_not_there_are_an_error_that_says_migrate(one):
    with pytest.raises(ConfigurationError, match=f"run `manage.* migrate --database {one}`"):
        DjangoInbox(one, clock=time.time).open()


def test_tables_of_a_newer_hookcatch_are_refused(one):
    migrate(one)
    with connections[one].cursor() as cursor:
        cursor.execute("INSERT INTO hookcatch_schema (version) VALUES (99)")
    with pytest.raises(ConfigurationError, match=r"newer hookcatch \(schema 99"):
        DjangoInbox(one, clock=time.time).open()


def test_a_sqlite_file_is_a_django_projects_or_not(lite):
    plainly, ours = lite("plainly"), lite("ours")
    url = f"sqlite:///{connections[plainly].settings_dict['NAME']}?disk_floor=0&ballast=0"
    inbox = open_inbox(url, clock=time.time)
    inbox.open()
    inbox.close()
    with pytest.raises(CommandError, match="the inbox of a project without Django"):
        migrate(plainly)
    with pytest.raises(ConfigurationError, match="the inbox of a project without Django"):
        DjangoInbox(plainly, clock=time.time).open()
    migrate(ours)
    with pytest.raises(ConfigurationError, match="a Django project's: work on them with `manage"):
        open_inbox(url.replace("plainly.db", "ours.db"), clock=time.time).open()


@pytest.mark.parametrize("mode", ["OFF", "MEMORY"])
def test_a_sqlite_that_a_crash_can_destroy_is_refused(lite, mode):
    alias = lite("unsafe", init_command=f"PRAGMA journal_mode={mode}")
    migrate(alias)
    with pytest.raises(ConfigurationError, match=f"journal_mode is {mode.lower()}"):
        DjangoInbox(alias, clock=time.time).open()


def test_a_sqlite_on_a_disk_of_others_is_refused(lite, monkeypatch):
    alias = lite("far")
    migrate(alias)
    monkeypatch.setattr(disk, "file_system", lambda place: "nfs")
    with pytest.raises(ConfigurationError, match="lies on nfs"):
        DjangoInbox(alias, clock=time.time).open()


def test_a_sqlite_that_does_not_sync_is_refused(lite, monkeypatch):
    alias = lite("lazy")
    migrate(alias)
    driver = driver_of(alias)
    with closing(driver.connect()) as connection:
        connection.cursor().execute("PRAGMA synchronous = NORMAL")
        with pytest.raises(ConfigurationError, match="synchronous=FULL"):
            driver.dialect.check(connection)
