"""Where the databases differ: their SQL, how a transaction of the inbox begins, and what makes a commit durable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from hookcatch.core.errors import ConfigurationError

from .ear import NOTIFY
from .front import Front
from .many import Columns, by_column, one_by_one, places, union, unnest

EVENTS = "hookcatch_event"
RUNS = "hookcatch_run"
SECRETS = "hookcatch_secret"
COLUMNS: Columns = MappingProxyType(
    {
        "event_key": "text",
        "source": "text",
        "tenant": "text",
        "event_id": "text",
        "type": "text",
        "received_at": "float8",
        "occurred_at": "float8",
        "body_hash": "text",
        "content_key": "text",
        "format": "text",
        "headers": "text",
        "body": "bytea",
        "lane": "text",
        "lane_key": "text",
        "lane_limit": "int",
        "ordered": "bool",
        "blocks": "bool",
        "version": "float8",
        "replayed_content": "bool",
        "state": "text",
        "at": "float8",
        "lease_token": "text",
        "leased_at": "float8",
        "attempt": "int",
    }
)
"""What an event begins with."""
NUMBERED: Columns = MappingProxyType({"seq": "bigint", **COLUMNS})
"""The same for one that brings its `seq`."""
UNTOLD: Mapping[str, str] = MappingProxyType(
    {
        "has_body": "1",
        "behind": "0",
        "lost": "0",
        "replays": "0",
        "duplicates": "0",
        "conflicts": "0",
        "error": "''",
    }
)
"""What is the same for all events that begin."""
RUN_COLUMNS: Columns = MappingProxyType(
    {
        "event_id": "bigint",
        "run_key": "text",
        "handler": "text",
        "state": "text",
        "attempts": "int",
        "run_at": "float8",
        "error": "text",
        "started_at": "float8",
        "finished_at": "float8",
    }
)
LEAVING: Columns = MappingProxyType(
    {
        "at": "float8",
        "error": "text",
        "reply": "text",
        "keeps_lost": "int",
        "state": "text",
        "seq": "bigint",
        "token": "text",
    }
)
"""What the end of a lease says, and of which it is."""
HELD = "state IN ('running', 'handling')"
"""What is in somebody's hands."""
KNOWN = "seq, duplicates, state, at, leased_at, has_body, body_hash, replayed_content, reply"
"""What is asked of the row that an insert made or met: it met one if there are duplicates."""

# MySQL sets from left to right, and sees what it has set: `state` changes last
_RUN_FACTS = ("attempts", "run_at", "error", "started_at", "finished_at", "state")

COUNT = f"""
ON CONFLICT (event_key) DO UPDATE SET duplicates = {EVENTS}.duplicates + 1,
conflicts = {EVENTS}.conflicts + CASE WHEN {EVENTS}.body_hash <> excluded.body_hash THEN 1 ELSE 0 END
RETURNING {KNOWN}, event_key"""
RERUN = f"""
ON CONFLICT (event_id, run_key) DO UPDATE SET
{", ".join(f"{name} = excluded.{name}" for name in _RUN_FACTS)} WHERE {RUNS}.state <> 'succeeded'"""

_COUNT_MYSQL = """
ON DUPLICATE KEY UPDATE duplicates = duplicates + 1,
conflicts = conflicts + CASE WHEN body_hash <> VALUES(body_hash) THEN 1 ELSE 0 END, seq = LAST_INSERT_ID(seq)"""
_RERUN_MYSQL = f"""
ON DUPLICATE KEY UPDATE
{", ".join(f"{name} = CASE state WHEN 'succeeded' THEN {name} ELSE VALUES({name}) END" for name in _RUN_FACTS)}"""

_LEAVE = f"""UPDATE {EVENTS} e SET at = g.at, error = g.error, reply = COALESCE(g.reply, e.reply),
lost = e.lost * g.keeps_lost, lease_token = NULL, leased_at = NULL, state = g.state
FROM {unnest(LEAVING)} AS g ({", ".join(LEAVING)})
WHERE e.seq = g.seq AND e.lease_token = g.token AND e.{HELD} RETURNING e.seq"""
_LEAVE_MYSQL = f"""UPDATE {EVENTS} e JOIN ({{rows}}) g ON e.seq = g.seq
SET e.at = g.at, e.error = g.error, e.reply = COALESCE(g.reply, e.reply), e.lost = e.lost * g.keeps_lost,
e.lease_token = NULL, e.leased_at = NULL, e.state = g.state"""

_LEARN = f"INTO {SECRETS} (secret_key, source, tenant, secret) VALUES (%s, %s, %s, %s)"
LEARN = f"INSERT {_LEARN} ON CONFLICT DO NOTHING"


class Db(Protocol):
    """An open transaction, as the inbox's statements see it."""

    dialect: Dialect
    front: Front

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """A cursor that has done it."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """A database's ways.

    Attributes:
        count: the end of an insert, which makes a copy count. `returns` says that it answers KNOWN and the key.
        rerun: the end of an insert of runs, which brings up to date what is there, unless it has succeeded.
        learn: inserts a secret, unless there is one.
        reserve: answers as many new values of `seq` as it is told; empty where that cannot be asked, or where nobody
            needs it because one writer locks the whole database.
        skip_locked: the end of a SELECT of rows to work on, so that workers do not wait for each other.
        serialise: lets one transaction at a time go on, until its commit; empty where there is but one anyway.
        connected: what is said to a new connection of the inbox.
        begin: how a transaction of the inbox begins; it is also how a connection that is gone is noticed.
        begin_effect: how the transaction begins that a handler shares; it waits for locks as the server does.
        now: the server's clock, in seconds since the epoch.
        check: why a commit would not survive, or `""`; raises ConfigurationError for what nobody can want.
        notify: tells other processes that there are events, and who tells it; empty where that cannot be said.
        leave: ends leases in one statement; empty where that takes one each. With `returns` it looks at the fences
            itself, and answers the `seq` of each that it did end.
        arrays: whether many rows are told as one array a column.
    """

    count: str
    rerun: str
    learn: str
    returns: bool
    reserve: str
    skip_locked: str
    serialise: str
    connected: tuple[str, ...]
    begin: str
    begin_effect: str
    now: str
    check: Callable[[Any], str]
    notify: str = ""
    leave: str = ""
    arrays: bool = False

    def accept(self, rows: Sequence[Sequence[Any]], *, numbered: bool = False) -> tuple[str, list[Any]]:
        """Inserts events or counts their copies, in one statement; `numbered` ones bring their `seq`."""
        return self._insert(EVENTS, NUMBERED if numbered else COLUMNS, rows, UNTOLD, self.count)

    def record(self, rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
        """Writes runs down, in one statement."""
        return self._insert(RUNS, RUN_COLUMNS, rows, {}, self.rerun)

    def leaving(self, rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
        """Ends leases in one statement."""
        if self.arrays:
            return self.leave, by_column(LEAVING, rows)
        return self.leave.format(rows=union(LEAVING, len(rows))), one_by_one(rows)

    def _insert(
        self,
        table: str,
        columns: Columns,
        rows: Sequence[Sequence[Any]],
        constants: Mapping[str, str],
        end: str,
    ) -> tuple[str, list[Any]]:
        into = f"INSERT INTO {table} ({', '.join((*columns, *constants))})"
        same = tuple(constants.values())
        if self.arrays and len(rows) > 1:
            values = by_column(columns, rows)
            return f"{into} SELECT {', '.join(('*', *same))} FROM {unnest(columns)}{end}", values
        return f"{into} {places(columns, len(rows), same)}{end}", one_by_one(rows)


def ask(connection: Any, sql: str) -> Any:
    """The one value that a question has for an answer; None for no row."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    return None if row is None else row[0]


def _check_postgres(connection: Any) -> str:
    if ask(connection, "SHOW fsync") != "on":
        return "PostgreSQL runs with fsync=off"
    if ask(connection, f"SELECT relpersistence FROM pg_class WHERE oid = '{EVENTS}'::regclass") != "p":
        return f"{EVENTS} is not a logged table"
    return ""


def _check_mysql(connection: Any) -> str:
    charset = ask(
        connection,
        "SELECT character_set_name FROM information_schema.columns WHERE table_schema = DATABASE() "
        f"AND table_name = '{EVENTS}' AND column_name = 'event_id'",
    )
    if charset != "utf8mb4":
        raise ConfigurationError(
            f"{EVENTS} is kept in {charset}, which cannot hold all that senders write: "
            f"ALTER TABLE {EVENTS} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, and the same for {RUNS}"
        )
    engine = ask(
        connection,
        "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() "
        f"AND table_name = '{EVENTS}'",
    )
    if engine != "InnoDB":
        raise ConfigurationError(f"{EVENTS} is kept by {engine}, which has no transactions: use InnoDB")
    if str(ask(connection, "SELECT @@innodb_flush_log_at_trx_commit")) != "1":
        return "innodb_flush_log_at_trx_commit is not 1"
    return ""


POSTGRES = Dialect(
    count=COUNT,
    rerun=RERUN,
    learn=LEARN,
    returns=True,
    reserve=f"SELECT nextval(pg_get_serial_sequence('{EVENTS}', 'seq')) FROM generate_series(1, %s)",
    skip_locked="FOR UPDATE SKIP LOCKED",
    serialise="SELECT 1 FROM pg_advisory_xact_lock(hashtext('hookcatch lanes'), hashtext(current_schema()))",
    connected=(),
    # lock_timeout: whoever keeps a row of ours locked must not stop all others from being acknowledged
    # idle_in_transaction_session_timeout: nor may the machine that vanished in the middle of it
    # enable_seqscan: what is written is found by an index, even where the server takes a table that has grown
    # since its last ANALYZE for a small one
    begin="BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on; "
    "SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '60s'; "
    "SET LOCAL enable_seqscan = off",
    begin_effect="BEGIN; SET LOCAL synchronous_commit = on; "
    "SET LOCAL idle_in_transaction_session_timeout = '600s'",
    now="SELECT EXTRACT(EPOCH FROM clock_timestamp())",
    check=_check_postgres,
    notify=NOTIFY,
    leave=_LEAVE,
    arrays=True,
)
MYSQL = Dialect(
    count=_COUNT_MYSQL,
    rerun=_RERUN_MYSQL,
    learn=f"INSERT IGNORE {_LEARN}",
    returns=False,
    reserve="",
    skip_locked="FOR UPDATE SKIP LOCKED",
    serialise="SELECT version FROM hookcatch_schema WHERE version = 1 FOR UPDATE",  # GET_LOCK outlives the commit
    # READ COMMITTED: what is read after a row was locked must not be older than the lock
    connected=(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET SESSION innodb_lock_wait_timeout = 5",
    ),
    begin="START TRANSACTION",
    begin_effect="START TRANSACTION",
    now="SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000",
    check=_check_mysql,
    leave=_LEAVE_MYSQL,
)
