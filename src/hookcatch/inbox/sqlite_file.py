"""Opening the SQLite inbox's file: the rules of SEMANTICS 10, in one place."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hookcatch.core.errors import ConfigurationError

from . import disk

SAFE_WITH_MANY = (3, 51, 3)
"""The first SQLite without the WAL-reset race between processes (https://sqlite.org/wal.html#walresetbug)."""

log: logging.Logger = logging.getLogger("hookcatch.inbox")


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """How the file is used; each can stand in the URL: `sqlite:///hookcatch.db?busy_timeout=5`.

    Args:
        busy_timeout: seconds to wait for a lock that someone outside hookcatch holds.
        disk_floor: bytes that must stay free for events to be accepted; None for 5 % of the disk, at least
            256 MiB and at most 2 GiB; 0 for no floor.
        checkpoint: pages in the write-ahead log before it is carried into the file. 200 instead of SQLite's
            1000 keeps the slowest acks 2.5 times faster for 8 % of the throughput.
        ballast: bytes laid by in a file of their own, let go when the disk is full; 0 for none.
        any_file_system: allow NFS, SMB, 9p, virtiofs, FUSE, where SQLite's locks may not hold.
    """

    busy_timeout: float = 10.0
    disk_floor: int | None = None
    checkpoint: int = 200
    ballast: int = disk.BALLAST
    any_file_system: bool = False


def check_place(
    path: Path, options: SqliteOptions, file_system: Callable[[Path], str] = disk.file_system
) -> None:
    """Refuse a place where the file cannot be kept safely, and make the file if it is missing: 0600, and never
    through a symlink (ATTACKS A65). An existing file is not opened here: closing it would drop the locks of
    any SQLite connection of this process (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    if not path.parent.is_dir():
        raise ConfigurationError(f"the inbox's directory {path.parent} does not exist: create it")
    kind = file_system(path.parent)
    if disk.is_network(kind) and not options.any_file_system:
        raise ConfigurationError(
            f"{path} lies on {kind}, where SQLite's locks do not hold: use a local disk, or another inbox "
            "(or ?any_file_system=1 if you know that they do)"
        )
    try:
        facts = path.lstat()
    except FileNotFoundError:
        _create(path)
        return
    if not stat.S_ISREG(facts.st_mode):
        raise ConfigurationError(
            f"{path} is not a regular file (a symlink is not followed): name the file itself"
        )
    if facts.st_mode & 0o077:
        log.warning("%s holds what senders sent and others may read it: chmod 600 it", path)


def _create(path: Path) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        file = os.open(path, flags, 0o600)
    except FileExistsError:
        return  # another process was first
    except OSError as error:
        raise ConfigurationError(f"the inbox cannot be created at {path}: {error.strerror}") from error
    os.close(file)
    path.chmod(0o600)


def connect(path: Path, options: SqliteOptions) -> sqlite3.Connection:
    """A connection with every setting made and read back. Usable from any one thread at a time."""
    connection = sqlite3.connect(
        path, timeout=options.busy_timeout, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma, value, expected in _settings(options):
            _set(connection, pragma, value, expected)
    except BaseException:
        connection.close()
        raise
    return connection


def _settings(options: SqliteOptions) -> list[tuple[str, str, Any]]:
    settings: list[tuple[str, str, Any]] = [
        ("journal_mode", "WAL", "wal"),
        ("synchronous", "FULL", 2),
        ("foreign_keys", "ON", 1),
        ("trusted_schema", "OFF", 0),
        ("mmap_size", "0", 0),
        # Zero what is deleted where that costs no further write: pruning a full disk must not need room.
        ("secure_delete", "FAST", 2),
        ("wal_autocheckpoint", str(options.checkpoint), options.checkpoint),
    ]
    if sys.platform == "darwin":  # its fsync does not reach the disk
        settings += [("fullfsync", "ON", 1), ("checkpoint_fullfsync", "ON", 1)]
    return settings


def _set(connection: sqlite3.Connection, pragma: str, value: str, expected: Any) -> None:
    connection.execute(f"PRAGMA {pragma}={value}").fetchall()
    row = connection.execute(f"PRAGMA {pragma}").fetchone()
    if row is not None and row[0] != expected:
        raise ConfigurationError(
            f"SQLite answers {row[0]!r} to PRAGMA {pragma}={value}: an event could be lost after its ack; "
            "use a local disk and a SQLite built with the usual options"
        )


def warn_of_company(others: bool, path: Path, version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Tell once that several processes share a file under a SQLite that has the WAL-reset race."""
    if others and version < SAFE_WITH_MANY:
        log.warning(
            "several processes use %s with SQLite %s, which can rarely corrupt a write-ahead log that is shared "
            "(fixed in 3.51.3): upgrade SQLite, or run one process",
            path,
            ".".join(map(str, version)),
        )
