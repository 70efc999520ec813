"""Forks, crowds, kills and full disks: with real processes and real file systems."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hookcatch.core.errors import InboxUnavailable
from hookcatch.core.model import Accepted, Close, Duplicate, Run
from hookcatch.core.ports import Query, Retention
from hookcatch.inbox import forks
from hookcatch.inbox.locks import WriteLock
from hookcatch.inbox.sqlite_file import SqliteOptions

from .conftest import event

PRELUDE = """
import sys, time
from hashlib import sha256
from pathlib import Path
from hookcatch.core.model import NewEvent
from hookcatch.inbox.sqlite import SqliteInbox
from hookcatch.inbox.sqlite_file import SqliteOptions

def event(key, body=b"{}"):
    return NewEvent("shop", "", key, "t", 1000.0, body, sha256(body).digest())

inbox = SqliteInbox(Path(sys.argv[1]), clock=time.time, options=SqliteOptions(disk_floor=0, ballast=0))
inbox.open()
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    script = PRELUDE + textwrap.dedent(code)
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def in_child(work: Callable[[], object]) -> None:
    """Run in a fork; it must say OK."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_parent_and_child_both_go_on_after_a_fork(inbox):
    inbox.accept([event("before")]).result()
    inbox.get(1)

    def child() -> bool:
        (known,) = inbox.accept([event("before")]).result(timeout=20)
        (new,) = inbox.accept([event("child")]).result(timeout=20)
        found = len(inbox.find(Query()))
        inbox.close()
        return isinstance(known, Duplicate) and isinstance(new, Accepted) and found == 2

    in_child(child)
    assert isinstance(inbox.accept([event("child")]).result()[0], Duplicate)
    assert isinstance(inbox.accept([event("parent")]).result()[0], Accepted)
    assert len(inbox.find(Query())) == 3


def test_a_fork_in_the_middle_of_writing_loses_nothing(inbox):
    futures = [inbox.accept([event(f"evt_{number}")]) for number in range(300)]

    def child() -> bool:
        (answer,) = inbox.accept([event("child")]).result(timeout=20)
        return isinstance(answer, Accepted)

    in_child(child)
    assert all(isinstance(future.result()[0], Accepted) for future in futures)
    assert len(inbox.find(Query(limit=1000))) == 301


def test_a_child_inherits_no_handle_on_the_file(inbox, file):
    inbox.accept([event("before")]).result()
    inbox.get(1)

    def child() -> bool:
        gc.collect()
        targets = []
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                targets.append(os.readlink(f"/proc/self/fd/{name}"))
        return not any(target.startswith(str(file)) and not target.endswith("-here") for target in targets)

    in_child(child)


def test_the_childs_side_of_a_fork_starts_with_an_empty_queue_and_no_connection(inbox):
    """The same hooks without a fork, so that what they do can be looked at."""
    inbox.accept([event("before")]).result()
    inbox.get(1)
    thread, queue = inbox._writer._thread, inbox._writer._queue
    forks.before()
    assert inbox._writer._connection is None
    assert inbox._readers == []
    forks.after_in_child()
    assert inbox._writer._thread is None
    assert inbox._writer._queue is not queue
    assert isinstance(inbox.accept([event("after")]).result()[0], Accepted)
    assert inbox._writer._thread is not thread
    queue.put(None)
    thread.join()


def test_a_fork_inside_a_transaction_only_discards_what_it_inherits(inbox, monkeypatch):
    monkeypatch.setattr("hookcatch.inbox.writer._FORK_PATIENCE", 0.05)
    inbox.accept([event("a")]).result()
    (lease,) = inbox.lease(token="w", limit=1, now=1000.0, until=1060.0).result()
    with inbox.transaction(lease, Run("h", "succeeded", 1)):
        waiting = inbox.accept([event("b")])  # the writer is at the lock, and has the gate
        while not inbox._writer._gate.locked():
            pass
        in_child(lambda: inbox._writer._connection is None and inbox._writer._thread is None)
    assert isinstance(waiting.result()[0], Accepted)


def test_a_writer_killed_with_a_forked_child_alive_leaves_no_lock(file, make):
    code = """
    import os, signal
    from hookcatch.inbox.locks import WriteLock
    inbox.accept([event("a")]).result()
    lock = inbox._writer._lock
    child = os.fork()
    if child == 0:
        time.sleep(20)
        os._exit(0)
    print(child, flush=True)
    lock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)
    """
    writer = start(code, file)
    assert writer.stdout is not None
    child = int(writer.stdout.readline())
    writer.wait(20)
    writer.stdout.close()
    try:
        assert isinstance(make().accept([event("b")]).result(timeout=10)[0], Accepted)
    finally:
        os.kill(child, signal.SIGKILL)


def test_processes_that_write_at_once_take_turns(file, make):
    """SQLite's own busy handler gave one of six processes 11,983 commits and another 1."""
    code = """
    print("ready", flush=True)
    while not Path(sys.argv[2]).exists():
        time.sleep(0.001)
    end, number = time.monotonic() + 1.0, 0
    while time.monotonic() < end:
        inbox.accept([event(f"{sys.argv[3]}_{number}")]).result()
        number += 1
    print(number, flush=True)
    """
    go = file.with_name("go")
    writers = [start(code, file, go, name) for name in range(3)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    go.touch()
    commits = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    assert min(commits) > 0
    assert min(commits) / max(commits) > 0.25
    assert sum(make().counts().values()) == sum(commits)


def test_a_writer_that_is_killed_loses_nothing_it_acked(file, make):
    code = """
    for number in range(100_000):
        inbox.accept([event(f"evt_{number}", b"x" * 3000)]).result()
        print(number, flush=True)
    """
    acked = -1
    for _ in range(3):
        writer = start(code, file)
        assert writer.stdout is not None
        for line in writer.stdout:
            acked = max(acked, int(line))
            if int(line) >= acked and int(line) % 100 == 99:
                break
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
        acked = max([acked, *map(int, rest[:-1])])
        writer.wait(20)
        writer.stdout.close()
    inbox = make()
    known = {found.id for found in inbox.find(Query(limit=1_000_000))}
    assert acked > 90
    assert known >= {f"evt_{number}" for number in range(acked + 1)}


def test_threads_of_one_process_take_turns_at_the_lock(file):
    order: list[int] = []
    first = WriteLock(str(file))
    first.acquire()

    def enter(number: int) -> None:
        lock = WriteLock(str(file))
        with lock.held():
            order.append(number)
        lock.close()

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    assert order == []
    first.release()
    for thread in threads:
        thread.join()
    assert sorted(order) == [0, 1, 2, 3, 4]
    first.close()
    first.release()


# a disk that is really full


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", place], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("needs to be root to mount a small disk")
    yield place
    subprocess.run(["umount", place], check=False)


def test_a_full_disk_loses_nothing_acked_and_is_survived(small_disk, make):
    ballast = 512 * 1024
    path = small_disk / "inbox.db"
    inbox = make(SqliteOptions(disk_floor=0, ballast=ballast), path=path)
    acked, refused = [], 0
    for number in range(3000):
        try:
            inbox.accept([event(f"evt_{number}", b"x" * 3000)]).result()
            acked.append(f"evt_{number}")
        except InboxUnavailable:
            refused += 1
            if refused > 20:
                break
    assert refused > 20
    assert len(acked) > 300
    assert not path.with_name("inbox.db-ballast").exists()
    assert {found.id for found in inbox.find(Query(limit=10_000))} == set(acked)
    subprocess.run(["mount", "-o", "remount,size=32m", small_disk], check=True)
    assert isinstance(inbox.accept([event("after")]).result()[0], Accepted)
    inbox.close()
    again = make(SqliteOptions(disk_floor=0, ballast=ballast), path=path)
    assert {found.id for found in again.find(Query(limit=10_000))} == {*acked, "after"}
    assert again._read(lambda c: c.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
    assert path.with_name("inbox.db-ballast").stat().st_size == ballast
    again.close()


def test_above_the_floor_a_full_disk_is_never_reached_and_work_is_finished(small_disk, make):
    path = small_disk / "inbox.db"
    inbox = make(SqliteOptions(disk_floor=1024 * 1024, ballast=0), path=path)
    inbox.floor._timer = iter(range(10_000_000)).__next__  # look every time
    acked = 0
    with pytest.raises(InboxUnavailable, match="have to stay free"):  # noqa: PT012
        for number in range(3000):
            inbox.accept([event(f"evt_{number}", b"x" * 3000)]).result()
            acked += 1
    while leases := inbox.lease(token="w", limit=100, now=1000.0, until=1060.0).result():
        for lease in leases:
            inbox.settle(lease, [Run("h", "succeeded", 1)], Close("succeeded")).result()
    assert inbox.counts() == {("shop", "succeeded"): acked}
    assert inbox.prune(now=9e9, retention=Retention()).result() > 0


def test_a_file_that_may_not_grow_is_an_unavailable_inbox(tmp_path):
    """RLIMIT_FSIZE makes every write beyond it fail: EFBIG, an I/O error to SQLite."""
    code = """
    import resource, signal
    from hookcatch.core.errors import InboxUnavailable
    from hookcatch.core.ports import Query
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
    acked = set()
    for number in range(500):
        try:
            inbox.accept([event(f"evt_{number}", b"x" * 3000)]).result()
            acked.add(f"evt_{number}")
        except InboxUnavailable:
            break
    else:
        sys.exit("was never refused")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    inbox.accept([event("after")]).result()
    assert {found.id for found in inbox.find(Query(limit=1000))} >= acked | {"after"}
    inbox.close()
    """
    limited = start(code, tmp_path / "inbox.db")
    limited.communicate(timeout=60)
    assert limited.returncode == 0
