"""The secrets that senders brought in a handshake, in the SQLite inbox."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hookcatch.core.secret import Secret

from .rows import text, untext


def learn(connection: sqlite3.Connection, source: str, tenant: str, secret: Secret) -> bool:
    """Keep a secret, unless one is kept; whether it is the one that is kept now."""
    connection.execute(
        "INSERT INTO hookcatch_secret (source, tenant, secret) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (text(source), text(tenant), secret.reveal()),
    )
    known = learned(connection, source, tenant)
    return known is not None and known.reveal() == secret.reveal()


def learned(connection: sqlite3.Connection, source: str, tenant: str) -> Secret | None:
    """The secret that is kept."""
    sql = "SELECT secret FROM hookcatch_secret WHERE source = ? AND tenant = ?"
    row = connection.execute(sql, (text(source), text(tenant))).fetchone()
    return None if row is None else Secret(row[0])


def learners(connection: sqlite3.Connection) -> Sequence[tuple[str, str]]:
    """Whose secrets are kept."""
    rows = connection.execute("SELECT source, tenant FROM hookcatch_secret").fetchall()
    return sorted((untext(source), untext(tenant)) for source, tenant in rows)


def forget(connection: sqlite3.Connection, source: str, tenant: str) -> bool:
    """Drop a secret; whether there was one."""
    sql = "DELETE FROM hookcatch_secret WHERE source = ? AND tenant = ?"
    return connection.execute(sql, (text(source), text(tenant))).rowcount == 1
