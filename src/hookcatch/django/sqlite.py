"""SQLite as one of Django's databases: the statements and tables of the servers, in its words.

An inbox at `sqlite:///` has other tables of the same names, made for one writer with a file of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hookcatch.core.errors import ConfigurationError
from hookcatch.inbox import disk
from hookcatch.inbox.shared.dialect import COUNT, LEARN, RERUN, Dialect, ask
from hookcatch.inbox.shared.migrations import Schema

_SQLITE_1 = """
CREATE TABLE hookcatch_event (
  seq integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  event_key text NOT NULL,            -- a hash of source, tenant and event_id
  source text NOT NULL,
  tenant text NOT NULL,
  event_id text NOT NULL,
  type text NOT NULL,
  state text NOT NULL,
  at real NOT NULL,                   -- when it is due, leased until, or ended, as the state says
  received_at real NOT NULL,
  occurred_at real,
  body blob,
  has_body smallint NOT NULL,
  body_hash text NOT NULL,
  content_key text,
  format text NOT NULL,
  headers text NOT NULL,
  lane text,                          -- a hash of source, tenant and lane_key
  lane_key text,
  lane_limit integer NOT NULL,
  ordered bool NOT NULL,
  blocks bool NOT NULL,
  version real,
  behind smallint NOT NULL,           -- 1 while it is pending and others of its lane stand in its way
  lease_token text,
  leased_at real,
  attempt integer NOT NULL,
  lost integer NOT NULL,
  replays integer NOT NULL,
  duplicates integer NOT NULL,
  conflicts integer NOT NULL,
  replayed_content bool NOT NULL,
  error text NOT NULL,
  reply text
);
CREATE UNIQUE INDEX hookcatch_event_key ON hookcatch_event (event_key);
CREATE INDEX hookcatch_event_due ON hookcatch_event (state, has_body, behind, at, seq);
CREATE INDEX hookcatch_event_turn ON hookcatch_event (source, at, seq)
  WHERE state = 'pending' AND has_body = 1 AND behind = 0;
CREATE INDEX hookcatch_event_lane ON hookcatch_event (lane, state, seq) WHERE lane IS NOT NULL;
CREATE INDEX hookcatch_event_version ON hookcatch_event (lane, version)
  WHERE state = 'succeeded' AND version IS NOT NULL;
CREATE INDEX hookcatch_event_content ON hookcatch_event (content_key) WHERE content_key IS NOT NULL;
CREATE INDEX hookcatch_event_id ON hookcatch_event (event_id);

CREATE TABLE hookcatch_run (
  event_id bigint NOT NULL,           -- hookcatch_event.seq
  run_key text NOT NULL,              -- a hash of handler
  handler text NOT NULL,
  state text NOT NULL,
  attempts integer NOT NULL,
  run_at real,
  error text NOT NULL,
  started_at real,
  finished_at real,
  PRIMARY KEY (event_id, run_key)
);

-- Secrets that senders brought in a handshake. Readable by who can read the events.
CREATE TABLE hookcatch_secret (
  secret_key text NOT NULL PRIMARY KEY,  -- a hash of source and tenant
  source text NOT NULL,
  tenant text NOT NULL,
  secret blob NOT NULL
);
"""

SCHEMA = Schema(
    exists="SELECT count(*) FROM sqlite_master WHERE name = 'hookcatch_schema'",
    locked="BEGIN IMMEDIATE",
    lock="SELECT 1",
    done="COMMIT",
    steps=(_SQLITE_1,),
)

_IS_ANOTHERS = """SELECT count(*) FROM sqlite_master WHERE name = 'hookcatch_event'
AND NOT EXISTS (SELECT 1 FROM pragma_table_info('hookcatch_event') WHERE name = 'event_key')"""


def refuse_anothers_tables(connection: Any) -> None:
    """Raises ConfigurationError for a file that holds an inbox of `sqlite:///`."""
    if ask(connection, _IS_ANOTHERS):
        raise ConfigurationError(
            "this SQLite file holds the inbox of a project without Django (sqlite:///), whose tables are others: "
            'name another database in HOOKCATCH["DATABASE"]'
        )


def _check(connection: Any) -> str:
    mode = str(ask(connection, "PRAGMA journal_mode"))
    if mode in {"off", "memory"}:
        raise ConfigurationError(
            f"SQLite's journal_mode is {mode}: a crash could destroy the database; use WAL, "
            'with "init_command": "PRAGMA journal_mode=WAL" in the OPTIONS of the database'
        )
    if int(ask(connection, "PRAGMA synchronous")) < 2:
        raise ConfigurationError(
            "SQLite does not take PRAGMA synchronous=FULL: an event could be lost after its ack"
        )
    file = Path(str(ask(connection, "SELECT file FROM pragma_database_list WHERE name = 'main'")))
    kind = disk.file_system(file.parent)
    if disk.is_network(kind):
        raise ConfigurationError(
            f"{file} lies on {kind}, where SQLite's locks do not hold: use a local disk, or another database"
        )
    return ""


DIALECT = Dialect(
    count=COUNT,
    rerun=RERUN,
    learn=LEARN,
    returns=True,
    reserve="",
    skip_locked="",
    serialise="",
    connected=("PRAGMA synchronous=FULL",),
    begin="BEGIN IMMEDIATE",
    begin_effect="BEGIN IMMEDIATE",
    now="SELECT (julianday('now') - 2440587.5) * 86400.0",
    check=_check,
)
