"""The tables of the inbox in a migration of Django's: made by the SQL of the servers' inbox, under its numbers.

So a `hookcatch worker` without Django can work at the same tables on a server, whoever made them.
"""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError
from django.db import router
from django.db.migrations.operations.base import Operation

from hookcatch.core.errors import ConfigurationError
from hookcatch.inbox.shared import migrations
from hookcatch.inbox.shared.dialect import EVENTS, RUNS, SECRETS
from hookcatch.inbox.shared.migrations import Schema

from . import sqlite
from .driver import KINDS


class BringUpToDate(Operation):
    """Make the tables, or bring them to the newest version; nothing where another inbox has done so before."""

    reversible = True
    reduces_to_sql = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """What the models are is told by the operations beside it."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Make them."""
        schema = _schema(app_label, schema_editor.connection)
        if schema is None:
            return
        if schema_editor.collect_sql:
            for statement in migrations.statements(schema):
                schema_editor.execute(statement, params=None)
            return
        try:
            _bring(schema_editor.connection, schema)
        except ConfigurationError as why:
            raise CommandError(str(why)) from why

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop them."""
        if _schema(app_label, schema_editor.connection) is not None:
            for table in (EVENTS, RUNS, SECRETS, "hookcatch_schema"):
                schema_editor.execute(f"DROP TABLE {table}")

    def describe(self) -> str:
        """For `migrate --plan`."""
        return "Make the tables of the inbox"


def _schema(app_label: str, connection: Any) -> Schema | None:
    """None where there is nothing to make: for a router, or for a kind of database that holds no inbox."""
    if connection.vendor not in KINDS or not router.allow_migrate(connection.alias, app_label):
        return None
    return KINDS[connection.vendor][1]


def _bring(connection: Any, schema: Schema) -> None:
    if connection.vendor == "sqlite":
        sqlite.refuse_anothers_tables(connection)
    if connection.features.can_rollback_ddl:  # Django has begun, and commits
        migrations.upgrade(connection, schema)
    else:
        migrations.migrate(connection, schema)
