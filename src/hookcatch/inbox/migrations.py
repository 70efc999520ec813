"""The SQLite inbox's tables, as numbered steps. A step that was released never changes: add another.

The version stands in a table of its own, not in `PRAGMA user_version`: the inbox may share its file with the
application's tables, and that number may be the application's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hookcatch.core.errors import ConfigurationError

FIRST = """
CREATE TABLE hookcatch_event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  tenant NOT NULL,            -- text; a blob where the text is not valid Unicode
  id NOT NULL,
  type NOT NULL,
  state TEXT NOT NULL,
  received_at REAL NOT NULL,
  occurred_at REAL,
  body_hash BLOB NOT NULL,
  content_key BLOB,
  format TEXT NOT NULL,
  headers TEXT NOT NULL,
  lane BLOB,                  -- a hash of source, tenant and lane_key; NULL for an event in no lane
  lane_key,
  lane_limit INTEGER NOT NULL,
  ordered INTEGER NOT NULL,
  blocks INTEGER NOT NULL,
  version REAL,
  behind INTEGER NOT NULL DEFAULT 0,  -- 1 while it is pending and others of its lane stand in its way
  kept INTEGER NOT NULL,      -- 0 no body, 1 body until Retention.payload, 2 body until Retention.key
  run_at REAL,
  lease_token TEXT,
  lease_until REAL,
  leased_at REAL,
  attempt INTEGER NOT NULL,
  lost INTEGER NOT NULL DEFAULT 0,
  replays INTEGER NOT NULL DEFAULT 0,
  duplicates INTEGER NOT NULL DEFAULT 0,
  conflicts INTEGER NOT NULL DEFAULT 0,
  replayed_content INTEGER NOT NULL,
  finished_at REAL,
  error NOT NULL DEFAULT '',
  reply TEXT
);
CREATE UNIQUE INDEX hookcatch_event_key ON hookcatch_event (source, tenant, id);
CREATE INDEX hookcatch_event_due ON hookcatch_event (source, run_at) WHERE state = 'pending' AND behind = 0;
CREATE INDEX hookcatch_event_running ON hookcatch_event (lease_until, leased_at, source) WHERE state = 'running';
CREATE INDEX hookcatch_event_lane ON hookcatch_event (lane, state) WHERE lane IS NOT NULL;
CREATE INDEX hookcatch_event_version ON hookcatch_event (lane, version)
  WHERE state = 'succeeded' AND version IS NOT NULL;
CREATE INDEX hookcatch_event_handling ON hookcatch_event (lease_until) WHERE state = 'handling';
CREATE INDEX hookcatch_event_ended ON hookcatch_event (kept, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX hookcatch_event_parked ON hookcatch_event (state) WHERE kept = 2;  -- an IN here costs 2 us an insert
CREATE INDEX hookcatch_event_content ON hookcatch_event (content_key) WHERE content_key IS NOT NULL;

-- Apart from the event, so that a change of state does not rewrite the body.
CREATE TABLE hookcatch_body (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);

CREATE TABLE hookcatch_run (
  seq INTEGER NOT NULL,
  handler TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  run_at REAL,
  error NOT NULL,
  started_at REAL,
  finished_at REAL,
  PRIMARY KEY (seq, handler)
) WITHOUT ROWID;
"""

SECOND = """
-- Secrets that senders brought in a handshake. Readable by who can read the events.
CREATE TABLE hookcatch_secret (
  source NOT NULL,
  tenant NOT NULL,
  secret BLOB NOT NULL,
  PRIMARY KEY (source, tenant)
) WITHOUT ROWID;
"""

THIRD = """
CREATE INDEX hookcatch_event_relayed ON hookcatch_event (run_at, source) WHERE state = 'relayed';
"""

MIGRATIONS: tuple[str, ...] = (FIRST, SECOND, THIRD)
_OF_DJANGO = "SELECT count(*) FROM pragma_table_info('hookcatch_event') WHERE name = 'event_key'"
_VERSIONS = "CREATE TABLE IF NOT EXISTS hookcatch_schema (version INTEGER NOT NULL)"


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] | None = None) -> None:
    """Bring the tables to the newest version, all in the transaction that is open.

    Raises ConfigurationError when they are newer than this code, or those of a Django project.
    """
    migrations = MIGRATIONS if migrations is None else migrations
    if connection.execute(_OF_DJANGO).fetchone()[0]:
        raise ConfigurationError(
            "the tables in it are a Django project's: work on them with `manage.py hookcatch`, or use another file"
        )
    connection.execute(_VERSIONS)
    (version,) = connection.execute("SELECT coalesce(max(version), 0) FROM hookcatch_schema").fetchone()
    if version > len(migrations):
        raise ConfigurationError(
            f"the inbox was written by a newer hookcatch (schema {version}, this one knows {len(migrations)}): "
            "install that version again, or use another file"
        )
    for number, script in enumerate(migrations[version:], version + 1):
        for statement in statements(script):
            connection.execute(statement)
        connection.execute("INSERT INTO hookcatch_schema (version) VALUES (?)", (number,))


def script(since: int = 0) -> str:
    """The same as SQL, to be read: all steps after version `since`."""
    steps = [
        f"{step.strip()}\nINSERT INTO hookcatch_schema (version) VALUES ({number});\n"
        for number, step in enumerate(MIGRATIONS, 1)
        if number > since
    ]
    return "\n".join([f"{_VERSIONS};\n", *steps])


def statements(script: str) -> list[str]:
    """A script's statements; `executescript` would commit what is open."""
    found, rest = [], ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found
