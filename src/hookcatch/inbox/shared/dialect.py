"""Where the databases differ: their SQL, how a transaction of the inbox begins, and what makes a commit durable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hookcatch.core.errors import ConfigurationError
from hookcatch.inbox import disk

EVENTS = "hookcatch_event"
RUNS = "hookcatch_run"
SECRETS = "hookcatch_secret"
COLUMNS = (
    "event_key, source, tenant, event_id, type, received_at, occurred_at, body_hash, content_key, format, headers, "
    "body, replayed_content, state, at, lease_token, leased_at, attempt, has_body, lost, replays, duplicates, "
    "conflicts, error"
)
"""What an insert names; the last six are given here."""
KNOWN = "seq, duplicates, state, at, leased_at, has_body, body_hash, replayed_content, reply"
"""What is asked of the row that an insert made or met: it met one if there are duplicates."""

_VALUES = f"({', '.join(['%s'] * (COLUMNS.count(',') - 5))}, 1, 0, 0, 0, 0, '')"
_INSERT = f"INSERT INTO {EVENTS} ({COLUMNS}) VALUES "
_NUMBERED = f"INSERT INTO {EVENTS} (seq, {COLUMNS}) VALUES "
_RUN = f"""INSERT INTO {RUNS}
(event_id, run_key, handler, state, attempts, run_at, error, started_at, finished_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""
# MySQL sets from left to right, and sees what it has set: `state` changes last
_RUN_FACTS = ("attempts", "run_at", "error", "started_at", "finished_at", "state")

_COUNT = f"""
ON CONFLICT (event_key) DO UPDATE SET duplicates = {EVENTS}.duplicates + 1,
conflicts = {EVENTS}.conflicts + CASE WHEN {EVENTS}.body_hash <> excluded.body_hash THEN 1 ELSE 0 END
RETURNING {KNOWN}, event_key"""
_RECORD = f"""{_RUN} ON CONFLICT (event_id, run_key) DO UPDATE SET
{", ".join(f"{name} = excluded.{name}" for name in _RUN_FACTS)} WHERE {RUNS}.state <> 'succeeded'"""

_COUNT_MYSQL = """
ON DUPLICATE KEY UPDATE duplicates = duplicates + 1,
conflicts = conflicts + CASE WHEN body_hash <> VALUES(body_hash) THEN 1 ELSE 0 END, seq = LAST_INSERT_ID(seq)"""
_RECORD_MYSQL = f"""{_RUN} ON DUPLICATE KEY UPDATE
{", ".join(f"{name} = CASE state WHEN 'succeeded' THEN {name} ELSE VALUES({name}) END" for name in _RUN_FACTS)}"""

_LEARN = f"INTO {SECRETS} (secret_key, source, tenant, secret) VALUES (%s, %s, %s, %s)"


class Db(Protocol):
    """An open transaction, as the inbox's statements see it."""

    dialect: Dialect

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """A cursor that has done it."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """A database's ways.

    Attributes:
        count: the end of an insert, which makes a copy count. `returns` says that it answers KNOWN and the key.
        record: inserts a run or brings it up to date, unless it has succeeded.
        learn: inserts a secret, unless there is one.
        reserve: answers as many new values of `seq` as it is told; empty where that cannot be asked, or where nobody
            needs it because one writer locks the whole database.
        skip_locked: the end of a SELECT of rows to work on, so that workers do not wait for each other.
        connected: what is said to a new connection of the inbox.
        begin: how a transaction of the inbox begins; it is also how a connection that is gone is noticed.
        begin_reading: the same to read only.
        begin_effect: how the transaction begins that a handler shares; it waits for locks as the server does.
        now: the server's clock, in seconds since the epoch.
        early_mark: whether a handler's transaction has to write first, because it locks the whole database.
        check: why a commit would not survive, or `""`; raises ConfigurationError for what nobody can want.
    """

    count: str
    record: str
    learn: str
    returns: bool
    reserve: str
    skip_locked: str
    connected: tuple[str, ...]
    begin: str
    begin_reading: str
    begin_effect: str
    now: str
    early_mark: bool
    check: Callable[[Any], str]

    def accept(self, number: int = 1, *, numbered: bool = False) -> str:
        """Inserts events or counts their copies, in one statement; `numbered` ones bring their `seq`."""
        insert, values = (_NUMBERED, f"(%s, {_VALUES[1:]}") if numbered else (_INSERT, _VALUES)
        return insert + ", ".join([values] * number) + self.count


def _one(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    return None if row is None else row[0]


def _check_postgres(connection: Any) -> str:
    if _one(connection, "SHOW fsync") != "on":
        return "PostgreSQL runs with fsync=off"
    if _one(connection, f"SELECT relpersistence FROM pg_class WHERE oid = '{EVENTS}'::regclass") != "p":
        return f"{EVENTS} is not a logged table"
    return ""


def _check_mysql(connection: Any) -> str:
    charset = _one(
        connection,
        "SELECT character_set_name FROM information_schema.columns WHERE table_schema = DATABASE() "
        f"AND table_name = '{EVENTS}' AND column_name = 'event_id'",
    )
    if charset != "utf8mb4":
        raise ConfigurationError(
            f"{EVENTS} is kept in {charset}, which cannot hold all that senders write: "
            f"ALTER TABLE {EVENTS} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, and the same for {RUNS}"
        )
    engine = _one(
        connection,
        "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() "
        f"AND table_name = '{EVENTS}'",
    )
    if engine != "InnoDB":
        raise ConfigurationError(f"{EVENTS} is kept by {engine}, which has no transactions: use InnoDB")
    if str(_one(connection, "SELECT @@innodb_flush_log_at_trx_commit")) != "1":
        return "innodb_flush_log_at_trx_commit is not 1"
    return ""


def _check_sqlite(connection: Any) -> str:
    mode = str(_one(connection, "PRAGMA journal_mode"))
    if mode in {"off", "memory"}:
        raise ConfigurationError(
            f"SQLite's journal_mode is {mode}: a crash could destroy the database; say PRAGMA journal_mode=WAL"
        )
    if int(_one(connection, "PRAGMA synchronous")) < 2:
        raise ConfigurationError(
            "SQLite does not take PRAGMA synchronous=FULL: an event could be lost after its ack"
        )
    file = Path(str(_one(connection, "SELECT file FROM pragma_database_list WHERE name = 'main'")))
    kind = disk.file_system(file.parent)
    if disk.is_network(kind):
        raise ConfigurationError(
            f"{file} lies on {kind}, where SQLite's locks do not hold: use a local disk, or another database"
        )
    return ""


POSTGRES = Dialect(
    count=_COUNT,
    record=_RECORD,
    learn=f"INSERT {_LEARN} ON CONFLICT DO NOTHING",
    returns=True,
    reserve=f"SELECT nextval(pg_get_serial_sequence('{EVENTS}', 'seq')) FROM generate_series(1, %s)",
    skip_locked="FOR UPDATE SKIP LOCKED",
    connected=(),
    # lock_timeout: whoever keeps a row of ours locked must not stop all others from being acknowledged
    # idle_in_transaction_session_timeout: nor may the machine that vanished in the middle of it
    begin="BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on; "
    "SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '60s'",
    begin_reading="BEGIN READ ONLY",
    begin_effect="BEGIN; SET LOCAL synchronous_commit = on; "
    "SET LOCAL idle_in_transaction_session_timeout = '600s'",
    now="SELECT EXTRACT(EPOCH FROM clock_timestamp())",
    early_mark=False,
    check=_check_postgres,
)
MYSQL = Dialect(
    count=_COUNT_MYSQL,
    record=_RECORD_MYSQL,
    learn=f"INSERT IGNORE {_LEARN}",
    returns=False,
    reserve="",
    skip_locked="FOR UPDATE SKIP LOCKED",
    # READ COMMITTED: what is read after a row was locked must not be older than the lock
    connected=(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET SESSION innodb_lock_wait_timeout = 5",
    ),
    begin="START TRANSACTION",
    begin_reading="START TRANSACTION READ ONLY",
    begin_effect="START TRANSACTION",
    now="SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000",
    early_mark=False,
    check=_check_mysql,
)
SQLITE = Dialect(
    count=_COUNT,
    record=_RECORD,
    learn=f"INSERT {_LEARN} ON CONFLICT DO NOTHING",
    returns=True,
    reserve="",
    skip_locked="",
    connected=("PRAGMA synchronous=FULL",),
    begin="BEGIN IMMEDIATE",
    begin_reading="BEGIN",
    begin_effect="BEGIN IMMEDIATE",
    now="SELECT (julianday('now') - 2440587.5) * 86400.0",
    early_mark=True,
    check=_check_sqlite,
)
_DIALECTS = {"postgresql": POSTGRES, "mysql": MYSQL, "sqlite": SQLITE}


def dialect_of(connection: Any) -> Dialect:
    """The dialect of a connection that says its `vendor`, as Django's do.

    Raises ConfigurationError for a database that is not supported.
    """
    known = _DIALECTS.get(connection.vendor)
    if known is None:
        raise ConfigurationError(
            f"the inbox cannot live in {connection.display_name}: use PostgreSQL, MySQL, MariaDB or SQLite"
        )
    return known
