"""The rules of SEMANTICS 10, each tried on a real file."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import sys

import pytest

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.model import Close
from hookcatch.core.ports import Query
from hookcatch.inbox import disk, sqlite_file, sqlite_lanes, sqlite_ops
from hookcatch.inbox.sqlite import SqliteInbox
from hookcatch.inbox.sqlite_file import SqliteOptions

from .conftest import FREE, event


def test_every_connection_has_every_setting(file, inbox):
    connection = sqlite_file.connect(file, SqliteOptions(busy_timeout=7.0, checkpoint=123))
    read = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in (
            "journal_mode",
            "synchronous",
            "foreign_keys",
            "trusted_schema",
            "wal_autocheckpoint",
            "busy_timeout",
        )
    }
    assert read == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "wal_autocheckpoint": 123,
        "busy_timeout": 7000,
    }
    assert connection.execute("PRAGMA mmap_size").fetchone() in {None, (0,)}
    connection.close()


def test_a_mac_is_told_to_reach_the_disk(file, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    connection = sqlite_file.connect(file, FREE)
    assert connection.execute("PRAGMA fullfsync").fetchone() == (1,)
    assert connection.execute("PRAGMA checkpoint_fullfsync").fetchone() == (1,)
    connection.close()


def test_a_setting_that_does_not_hold_is_refused(file, monkeypatch):
    monkeypatch.setattr(sqlite_file, "_settings", lambda options: [("synchronous", "OFF", 2)])
    with pytest.raises(ConfigurationError, match="could be lost after its ack"):
        sqlite_file.connect(file, FREE)


def test_all_files_are_the_owners_alone_whatever_the_umask(make, file):
    before = os.umask(0)
    try:
        inbox = make(SqliteOptions(disk_floor=0))
        inbox.accept([event()]).result()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert {"inbox.db", "inbox.db-wal", "inbox.db-shm", "inbox.db-lock", "inbox.db-ballast"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_a_umask_that_takes_everything_is_undone(make, file):
    before = os.umask(0o777)
    try:
        sqlite_file.check_place(file, FREE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_existing_file_that_others_may_read_is_told_of(file, caplog):
    sqlite_file.check_place(file, FREE)
    sqlite_file.check_place(file, FREE)
    assert caplog.text == ""
    file.chmod(0o644)
    sqlite_file.check_place(file, FREE)
    assert "chmod 600" in caplog.text


def test_a_symlink_is_not_followed(make, file, tmp_path):
    target = tmp_path / "elsewhere"
    file.symlink_to(target)
    with pytest.raises(ConfigurationError, match="symlink is not followed"):
        make()
    assert not target.exists()


@pytest.mark.parametrize("beside", ["-lock", "-turn", "-here"])
def test_a_symlink_beside_the_file_is_not_followed_either(make, file, tmp_path, beside):
    target = tmp_path / "elsewhere"
    file.with_name(file.name + beside).symlink_to(target)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        make()
    assert not target.exists()


def test_a_ballast_that_is_a_symlink_is_left_alone(tmp_path):
    (tmp_path / "ballast").symlink_to(tmp_path / "elsewhere")
    disk.take_ballast(tmp_path / "ballast")
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_directory_is_named(make, tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere does not exist: create it"):
        make(path=tmp_path / "nowhere" / "inbox.db")


def test_a_directory_that_cannot_be_written_is_named(file, monkeypatch):
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigurationError, match="cannot be created"):
        sqlite_file.check_place(file, FREE)


def test_two_processes_that_create_the_file_at_once_are_both_content(file, monkeypatch):
    real = os.open

    def late(*arguments: object) -> int:
        monkeypatch.undo()
        file.touch()
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", late)
    sqlite_file.check_place(file, FREE)


def test_a_file_that_is_no_database_is_refused_and_not_touched(make, file):
    file.write_bytes(b"my diary, " * 1000)
    with pytest.raises(ConfigurationError, match="file is not a database"):
        make()
    assert file.read_bytes() == b"my diary, " * 1000


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "fuse", "fuse.sshfs"])
def test_a_network_file_system_is_refused_by_name_unless_it_is_allowed(file, kind):
    with pytest.raises(ConfigurationError, match=f"lies on {kind}, where"):
        sqlite_file.check_place(file, FREE, lambda _: kind)
    assert not file.exists()
    sqlite_file.check_place(file, SqliteOptions(any_file_system=True), lambda _: kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "apfs", "zfs", "overlay", "tmpfs", "fuseblk", ""])
def test_a_local_file_system_is_taken(kind):
    assert not disk.is_network(kind)


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path):
    inner = tmp_path / "a b"
    inner.mkdir()
    (tmp_path / "a").mkdir()
    mounts = tmp_path / "mounts"
    escaped = str(inner).replace(" ", "\\040")
    mounts.write_text(
        f"x / ext4 rw 0 0\nx {tmp_path} xfs rw 0 0\nx {escaped} nfs4 rw 0 0\nx {escaped} cifs rw 0 0\n"
    )
    assert disk.file_system(inner, mounts) == "cifs"
    assert disk.file_system(tmp_path / "a", mounts) == "xfs"
    assert disk.file_system(inner, tmp_path / "no mounts") == ""
    assert disk.file_system(tmp_path) != "nfs"


# room on the disk


def test_the_floor_is_a_twentieth_of_the_disk_within_limits():
    assert disk.default_floor(1 * 1024**3) == 256 * disk.MIB
    assert disk.default_floor(20 * 1024**3) == 1024 * disk.MIB
    assert disk.default_floor(4 * 1024**4) == 2048 * disk.MIB


def test_below_the_floor_nothing_is_accepted_and_work_goes_on(make):
    inbox = make()
    inbox.accept([event()]).result()
    room = [10 * disk.MIB]
    now = [0.0]
    inbox.floor = disk.Floor(inbox.path, 20 * disk.MIB, timer=lambda: now[0], room=lambda _: (room[0], 1))
    with pytest.raises(Exception, match="10 MiB free and 20 MiB have to stay free") as caught:
        inbox.accept([event("b")]).result()
    assert caught.value.retry_after == 30.0
    (lease,) = inbox.lease(token="w", limit=1, now=1000.0, until=1060.0).result()
    inbox.settle(lease, [], Close("succeeded")).result()
    room[0] = 30 * disk.MIB
    now[0] = 0.9
    with pytest.raises(Exception, match="have to stay free"):
        inbox.accept([event("b")]).result()
    now[0] = 1.0
    inbox.accept([event("b")]).result()


def test_a_disk_that_cannot_be_asked_is_not_trusted(tmp_path):
    why = disk.Floor(tmp_path / "gone", None, timer=lambda: 0.0).why_not()
    assert why is not None
    assert "cannot be asked" in why


def test_by_default_the_floor_follows_the_disk(tmp_path):
    roomy = disk.Floor(tmp_path, None, timer=lambda: 0.0, room=lambda _: (300 * disk.MIB, 1024 * disk.MIB))
    tight = disk.Floor(tmp_path, None, timer=lambda: 0.0, room=lambda _: (200 * disk.MIB, 1024 * disk.MIB))
    assert roomy.why_not() is None
    assert tight.why_not() is not None


def test_the_ballast_is_real_room_and_can_be_let_go(tmp_path):
    ballast = tmp_path / "ballast"
    for _ in range(2):
        disk.take_ballast(ballast, 100_000)
        assert ballast.stat().st_size == 100_000
        assert ballast.stat().st_blocks * 512 >= 100_000
    disk.drop_ballast(ballast)
    disk.drop_ballast(ballast)
    assert not ballast.exists()


# company


def test_company_under_an_old_sqlite_is_told_once_with_what_to_do(make, file, caplog, monkeypatch):
    monkeypatch.setattr(sqlite_file, "SAFE_WITH_MANY", (99, 0, 0))
    caplog.set_level(logging.WARNING)
    make()
    assert caplog.text == ""
    second = make()
    second.open()
    assert caplog.text.count("several processes use") == 1
    assert "upgrade SQLite" in caplog.text


def test_a_new_sqlite_needs_no_warning_and_no_extra_file(make, file, caplog, monkeypatch):
    monkeypatch.setattr(sqlite_file, "SAFE_WITH_MANY", (0, 0, 0))
    make()
    make()
    assert caplog.text == ""
    assert not file.with_name("inbox.db-here").exists()


# opening, closing, growing


def test_nothing_is_opened_by_the_constructor(tmp_path):
    SqliteInbox(tmp_path / "a.db", clock=lambda: 0.0)
    assert list(tmp_path.iterdir()) == []


def test_the_write_ahead_log_stays_small(inbox, file):
    wal = file.with_name("inbox.db-wal")
    largest = 0
    for number in range(400):
        inbox.accept([event(f"evt_{number}", b"x" * 2000)]).result()
        largest = max(largest, wal.stat().st_size)
    assert largest < 260 * 4200


def test_the_file_is_whole_after_a_life(make, file):
    inbox = make()
    for number in range(100):
        inbox.accept([event(f"evt_{number}", b"x" * number * 100)]).result()
    inbox.close()
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert len(make().find(Query(limit=1000))) == 100


def test_the_application_may_keep_its_own_tables_and_version_in_the_file(make, file):
    own = sqlite3.connect(file)
    own.execute("CREATE TABLE orders (id)")
    own.execute("PRAGMA user_version = 77")
    own.close()
    make().accept([event()]).result()
    own = sqlite3.connect(file)
    assert own.execute("PRAGMA user_version").fetchone() == (77,)
    own.close()


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (sqlite_lanes.DUE, ("shop", 1.0), "hookcatch_event_due"),
        (sqlite_lanes.SOURCE, (), "hookcatch_event_due"),
        (sqlite_lanes.NEXT_SOURCE, ("shop",), "hookcatch_event_due"),
        (sqlite_ops.OVERDUE, (1.0, 10, None), "hookcatch_event_relayed"),
        (sqlite_ops.LOST, (1.0, 10, None), "hookcatch_event_running"),
        (sqlite_ops.ASTRAY, (1.0, 10, None), "hookcatch_event_running"),
        (sqlite_lanes.COUNT, (b"",), "hookcatch_event_lane"),
        (
            "SELECT seq FROM hookcatch_event WHERE kept = 1 AND finished_at < ? ORDER BY finished_at",
            (1.0,),
            "_ended",
        ),
    ],
)
def test_what_is_asked_all_the_time_is_answered_from_an_index(inbox, statement, values, index):
    plan = inbox._read(lambda c: [row[3] for row in c.execute(f"EXPLAIN QUERY PLAN {statement}", values)])
    assert index in plan[0]
    assert not any("TEMP B-TREE" in step for step in plan if index in {"_ended", "hookcatch_event_due"})


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (sqlite_lanes.IS_STOPPED, (b"", 1, True)),
        (sqlite_lanes.CALL_UP, (b"", 1)),
        (sqlite_lanes.STANDING, (b"", 1)),
    ],
)
def test_a_lane_is_looked_at_in_its_indexes_only(inbox, statement, values):
    plan = inbox._read(lambda c: [row[3] for row in c.execute(f"EXPLAIN QUERY PLAN {statement}", values)])
    assert not any("SCAN hookcatch_event" in step or "TEMP B-TREE" in step for step in plan)
    assert {step.split("INDEX ")[1].split()[0] for step in plan if "INDEX " in step} <= {
        "hookcatch_event_lane",
        "hookcatch_event_version",
    }


def test_parked_events_are_found_among_a_million_by_their_index(inbox):
    seen: list[str] = []
    inbox._read(lambda c: c.set_trace_callback(seen.append))
    inbox.find(Query(states=frozenset({"dead", "failed"})))
    (asked,) = [sql for sql in seen if sql.startswith("SELECT")]
    inbox._read(lambda c: c.set_trace_callback(None))
    plan = inbox._read(lambda c: [row[3] for row in c.execute(f"EXPLAIN QUERY PLAN {asked}")])
    assert "hookcatch_event_parked" in plan[0]
