"""One Django project for all tests of this process: SQLite, and PostgreSQL and MariaDB where a server runs.

`$HOOKCATCH_TEST_POSTGRES` and `$HOOKCATCH_TEST_MYSQL` say where, as `user:password@host:port`; by default the servers
of this machine with their usual superuser.
"""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path
from typing import Any

import django
import pymysql
import pytest
from django.conf import settings

DIRECTORY = Path(tempfile.mkdtemp(prefix="hookcatch-django-"))
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
NAME = f"hookcatch_test_{WORKER or 'main'}_{os.getpid()}"
"""A database of this process alone, dropped at its end."""

TABLES = ("hookcatch_run", "hookcatch_event")
"""Those that count."""
STORES = ("django-sqlite", "django-postgres", "django-mysql")


def _server(variable: str, usual: str, engine: str) -> dict[str, Any]:
    who, _, where = os.environ.get(variable, usual).rpartition("@")
    user, _, password = who.partition(":")
    host, _, port = where.partition(":")
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": NAME,
        "USER": user,
        "PASSWORD": password,
        "HOST": host,
        "PORT": port,
    }


DATABASES: dict[str, dict[str, Any]] = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(DIRECTORY / "default.db")},
    "django-sqlite": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(DIRECTORY / "inbox.db"),
        "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL", "transaction_mode": "IMMEDIATE"},
    },
    "django-postgres": _server("HOOKCATCH_TEST_POSTGRES", "postgres:@127.0.0.1:5432", "postgresql"),
    "django-mysql": _server("HOOKCATCH_TEST_MYSQL", "root:@127.0.0.1:3306", "mysql"),
}


def set_up() -> None:
    """Configure Django, once a process."""
    if settings.configured:
        return
    pymysql.install_as_MySQLdb()
    settings.configure(
        DATABASES=DATABASES,
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.admin",
            "hookcatch.django",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        SECRET_KEY="for tests only",
        ROOT_URLCONF="support.django_urls",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        HOOKCATCH={"SOURCES": {}},
    )
    django.setup()


@functools.cache
def database(alias: str) -> str:
    """An alias whose database is there, with the tables of the inbox; skips where no server answers."""
    set_up()
    from django.core.management import call_command
    from django.db import connections
    from django.db.utils import OperationalError

    if alias in ("django-postgres", "django-mysql"):
        try:
            _make(alias, connections)
        except OperationalError as why:
            pytest.skip(f"no server for {alias}: {why}")
    call_command("migrate", database=alias, verbosity=0)
    connections[alias].close()
    return alias


def _make(alias: str, connections: Any) -> None:
    connection = connections[alias]
    with connection._nodb_cursor() as cursor:
        # MariaDB's usual character set, to see that ours does not depend on it
        charset = " CHARACTER SET latin1" if connection.vendor == "mysql" else ""
        cursor.execute(f"CREATE DATABASE {NAME}{charset}")


def drop_databases() -> None:
    """What this process made on servers."""
    if not settings.configured:
        return
    from django.db import connections
    from django.db.utils import Error

    for alias in ("django-postgres", "django-mysql"):
        connection = connections[alias]
        connection.close()
        force = " WITH (FORCE)" if connection.vendor == "postgresql" else ""
        try:
            with connection._nodb_cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS {NAME}{force}")
        except Error:
            continue


def empty(alias: str) -> None:
    """Forget all events, and count from 1 again."""
    from django.db import connections

    connection = connections[alias]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")
        elif connection.vendor == "mysql":
            for table in TABLES:
                cursor.execute(f"DELETE FROM {table}")
                cursor.execute(f"ALTER TABLE {table} AUTO_INCREMENT = 1")
        else:
            for table in TABLES:
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute("DELETE FROM sqlite_sequence WHERE name LIKE 'hookcatch%'")
        cursor.execute("DELETE FROM hookcatch_secret")
    connection.close()
