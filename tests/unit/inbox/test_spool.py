"""A spool in front of a store: what is acknowledged while the store is away comes into it, in order, and once."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from lab.forwarder import Forwarder

from hookcatch import Hookcatch, Retention, Secret
from hookcatch.core.bridge import step
from hookcatch.core.errors import ConfigurationError, InboxUnavailable, InboxUnreachable
from hookcatch.core.flow import receive
from hookcatch.core.model import Accepted, Claim, Close, Duplicate, Duplicates, Lane, Run, Standing
from hookcatch.core.ports import Query
from hookcatch.inbox import behind_spool, forks, open_inbox, spool
from hookcatch.inbox.locks import Turn
from hookcatch.inbox.memory import MemoryInbox
from hookcatch.inbox.passing import Passing
from hookcatch.inbox.shared.inbox import ServerInbox
from hookcatch.inbox.spool import Mode, Spool, SpooledInbox
from hookcatch.inbox.spool_file import SpoolFile
from hookcatch.inbox.sqlite_file import SqliteOptions
from support.databases import MARIADB, POSTGRES
from support.senders import whsec

from .conftest import event

PATIENCE = 20.0


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


class Store(Passing):
    """A store that can be away, or not answer, or hate an event."""

    def __init__(self) -> None:
        super().__init__(MemoryInbox(clock=time.time))
        self.shared = self.durable = True
        self.away = False
        self.silent = False
        self.hated = ""
        self.asked: list[str] = []
        self.unanswered: list[Future[Any]] = []

    def open(self) -> None:
        if self.away:
            raise InboxUnreachable("the store is away")
        self.store.open()

    def accept(self, events, *, claim=None, duplicates=Duplicates()):
        self.asked += [one.id for one in events]
        future: Future[Any] = Future()
        if self.silent:
            self.unanswered.append(future)
            return future
        if self.away or self.hated in [one.id for one in events]:
            future.set_exception(InboxUnavailable("away"))
            return future
        return super().accept(events, claim=claim, duplicates=duplicates)

    @property
    def ids(self) -> list[str]:
        return [found.id for found in reversed(self.find(Query(limit=10_000)))]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "TICK", 0.02)
    monkeypatch.setattr(spool, "REST", 0.1)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., SpooledInbox]]:
    """Spools in front of stores, in one place."""
    made = []

    def one(store: Any, **options: Any) -> SpooledInbox:
        given = {"place": tmp_path, "patience": 0.2, "disk_floor": 0, **options}
        made.append(SpooledInbox(store, Spool(**given)))
        made[-1].open()
        return made[-1]

    yield one
    for inbox in made:
        inbox.close()


@pytest.fixture
def inbox(make, store: Store) -> SpooledInbox:
    return make(store)


def deliver(inbox: Any, *ids: str, **facts: Any) -> tuple[Accepted | Duplicate, ...]:
    return inbox.accept([event(id_, **facts) for id_ in ids]).result(PATIENCE)


SPOOLED = Accepted(0, spooled=True)


# what is promised


def test_while_the_store_is_there_nothing_is_spooled(inbox, store):
    assert deliver(inbox, "a") == (Accepted(1),)
    assert isinstance(deliver(inbox, "a")[0], Duplicate)
    assert inbox.spool.status().events == 0
    assert inbox.accept([]).result() == ()


def test_what_comes_while_the_store_is_away_is_kept_and_follows_in_order_before_what_comes_later(
    inbox, store, caplog
):
    caplog.set_level(logging.INFO)
    deliver(inbox, "a")
    store.away = True
    assert deliver(inbox, "b", "c") == (SPOOLED, SPOOLED)
    assert [deliver(inbox, id_) for id_ in "def"] == [(SPOOLED,)] * 3
    status = inbox.spool.status()
    assert (status.deliveries, status.events, status.bytes, status.since) == (4, 5, 10, 1000.0)
    assert "the store is away, deliveries are spooled" in caplog.text
    assert caplog.text.count("spooled") == 1
    store.away = False
    until(lambda: inbox.mode is Mode.DIRECT)
    assert deliver(inbox, "g") == (Accepted(7),)
    assert store.ids == list("abcdefg")
    assert "4 deliveries to the store, which knew 0 of" in caplog.text
    assert inbox.spool.status().events == 0


def test_an_event_comes_out_of_the_spool_as_it_went_in(inbox, store):
    store.away = True
    odd = event(
        "\ud800\x00",
        b"\x00\xff",
        tenant="t\udfff",
        type="x\x00",
        received_at=12.5,
        occurred_at=3.25,
        format="bytes",
        headers={"x": "\xff"},
        content_key=b"key",
        lane=Lane("\ud800", 2, ordered=False, blocks=True),
        due_at=99.5,
        version=4.0,
    )
    policy = Duplicates(7.5, refuse_replayed_content=True)
    for told in (
        odd,
        policy,
    ):  # a field that is new has to be kept as well: say something else than its default
        assert not [one.name for one in fields(told) if getattr(told, one.name) == one.default]
    inbox.accept([odd, event("plain")], duplicates=policy).result()
    (waiting,) = inbox.spool.oldest(10).result()
    assert waiting.events == (odd, event("plain"))
    assert waiting.duplicates == policy


def test_a_copy_in_the_spool_is_a_duplicate_in_the_store_and_conflicts_are_counted(inbox, store):
    store.away = True
    deliver(inbox, "a")
    deliver(inbox, "a")
    deliver(inbox, "a", body=b"other")
    store.away = False
    until(lambda: inbox.mode is Mode.DIRECT)
    (found,) = store.find(Query())
    assert (found.duplicates, found.conflicts) == (2, 1)


def test_what_a_policy_refuses_is_refused_when_it_is_drained_and_policies_are_not_mixed(inbox, store):
    store.away = True
    strict = Duplicates(refuse_replayed_content=True)
    for id_, policy in (("a", strict), ("b", strict), ("c", Duplicates()), ("d", Duplicates(1.0))):
        inbox.accept([event(id_, content_key=b"same")], duplicates=policy).result()
    assert [len(inbox.spool.oldest(9).result()), len(inbox.spool.oldest(9, after=2).result())] == [2, 1]
    store.away = False
    until(lambda: inbox.mode is Mode.DIRECT)
    assert store.ids == ["a", "c", "d"]


def test_whoever_waits_for_handlers_is_told_to_come_back(inbox, store):
    store.away = True
    claim = Claim("t", 2000.0, rescue=False)
    with pytest.raises(InboxUnavailable, match="away"):
        inbox.accept([event()], claim=claim).result()
    assert inbox.mode is Mode.DIRECT
    store.away = False
    (accepted,) = inbox.accept([event()], claim=claim).result()
    assert accepted.lease


def test_a_store_that_does_not_answer_is_not_waited_for_and_its_late_answer_does_no_harm(inbox, store):
    store.silent = True
    first, second = inbox.accept([event("a")]), inbox.accept([event("b")])
    assert not first.cancel()  # a caller that stops waiting changes nothing
    assert first.result(PATIENCE) == second.result(PATIENCE) == (SPOOLED,)
    store.silent = False
    for late in store.unanswered[:2]:
        late.set_exception(InboxUnavailable("late"))
    until(lambda: inbox.mode is Mode.DIRECT)
    assert store.ids == ["a", "b"]


def test_an_error_that_is_not_the_stores_absence_is_the_callers(inbox, store, monkeypatch):
    def broken(*_: object, **__: object) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(ValueError("a bug"))
        return future

    monkeypatch.setattr(store, "accept", broken)
    with pytest.raises(ValueError, match="a bug"):
        inbox.accept([event()]).result()
    assert inbox.mode is Mode.DIRECT


def test_deliveries_that_come_while_the_last_are_brought_wait_and_follow(make, store):
    """The moment between spooling and not: whatever the store does then, the order stays."""
    inbox = make(store)
    store.away = True
    deliver(inbox, "a")
    store.away, store.silent = False, True
    until(lambda: inbox.mode is Mode.HOLDING or bool(store.unanswered))
    store.silent = False
    held = []
    bring = inbox._bring_the_last

    def meanwhile(until: float) -> None:
        held.append(inbox.accept([event(f"held_{len(held)}")]))
        assert not held[-1].done()
        if len(held) == 1:
            raise TimeoutError("not in time")
        bring(until)

    inbox._bring_the_last = meanwhile
    for late in store.unanswered:
        late.set_exception(InboxUnavailable("late"))
    until(lambda: inbox.mode is Mode.DIRECT)
    assert held[0].result(PATIENCE) == (SPOOLED,)
    assert held[1].result(PATIENCE) == (Accepted(3),)
    assert store.ids == ["a", "held_0", "held_1"]


def test_the_last_ones_are_not_waited_for_for_ever(inbox, store):
    store.away = True
    deliver(inbox, "a")
    with pytest.raises(TimeoutError):
        inbox._bring_the_last(0.0)


def test_a_delivery_that_the_store_never_takes_does_not_stop_the_others(inbox, store, make, caplog):
    store.hated = "bad"
    store.away = True
    for id_ in ("a", "bad", "b", "c"):
        deliver(inbox, id_)
    store.away = False
    until(lambda: inbox.mode is Mode.DIRECT)
    assert store.ids == ["a", "b", "c"]
    assert inbox.spool.status().aside == (("bad", "away"),)
    assert "takes others and not this delivery" in caplog.text
    inbox.close()
    store.hated = ""
    again = make(store)
    until(lambda: again.mode is Mode.DIRECT)
    assert store.ids == ["a", "b", "c", "bad"]


def test_a_delivery_is_not_blamed_for_a_store_that_came_back_between_two_tries(inbox, store):
    store.away = True
    deliver(inbox, "a")
    deliver(inbox, "b")
    oldest = inbox.spool.oldest(1).result()[0]
    inbox._end.set()
    inbox._thread.join()
    store.away = False
    inbox._carrier._look_past(oldest, 1.0)
    assert store.ids == ["b", "a"]
    assert inbox.spool.status().aside == ()


def test_what_is_taken_out_at_once_has_bounds(inbox, store, monkeypatch):
    store.away = True
    for id_ in "abcd":
        deliver(inbox, id_, body=b"x" * 100)
    taken = inbox.spool.oldest
    assert len(taken(3).result()) == 3
    monkeypatch.setattr("hookcatch.inbox.spool_file.MOST_EVENTS", 2)
    assert len(taken(9).result()) == 2
    monkeypatch.setattr("hookcatch.inbox.spool_file.MOST_BYTES", 99)
    assert len(taken(9).result()) == 1  # one goes, however large


def test_a_process_that_only_receives_acknowledges_says_so_and_drains(store, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    hooks = Hookcatch(store, spool=Spool(tmp_path, disk_floor=0), worker=False)
    shop = hooks.source("shop", "standard_webhooks", whsec(0))
    runtime = hooks.runtime()
    store.away = True
    request = shop.sign("order.created", {}, id="msg_1")
    response = step(receive(request, shop.endpoint, runtime.app, runtime.blocking()))
    assert response.status == 200
    assert "shop 200 spooled order.created id=msg_1" in caplog.text
    store.away = False
    until(lambda: store.ids == ["msg_1"])
    runtime.close()


# what goes wrong


def test_a_spool_below_its_floor_refuses_and_the_sender_is_told_to_come_back(make, store):
    inbox = make(store, disk_floor=1 << 60)
    store.away = True
    with pytest.raises(InboxUnavailable, match=r"away, and the spool.*disk_floor=BYTES") as why:
        inbox.accept([event()]).result()
    assert why.value.retry_after == 30.0


def test_a_spool_that_is_broken_is_told_and_does_not_end_the_draining(inbox, store, caplog, monkeypatch):
    monkeypatch.setattr(spool, "TELL", 0.0)
    store.away = True
    deliver(inbox, "a")
    until(lambda: "1 deliveries wait in the spool" in caplog.text)
    inbox.spool._writer.submit(lambda db: db.execute("ALTER TABLE hookcatch_spool RENAME TO gone")).result()
    with pytest.raises(InboxUnavailable, match="the spool cannot take it: no such table"):
        deliver(inbox, "b")
    until(lambda: "is in trouble" in caplog.text)
    inbox.spool._writer.submit(lambda db: db.execute("ALTER TABLE gone RENAME TO hookcatch_spool")).result()
    store.away = False
    until(lambda: inbox.mode is Mode.DIRECT)
    assert store.ids == ["a"]


def test_a_place_that_cannot_hold_a_spool_is_an_error_at_the_start(tmp_path, store):
    for place, why in (
        (tmp_path / "none", "does not exist: create it"),
        (Path("/proc/self"), "cannot be created"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            behind_spool(store, place).open()
    (tmp_path / "spool.db").write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigurationError, match="the spool cannot be opened at"):
        behind_spool(store, str(tmp_path)).open()


def test_a_spool_of_a_newer_version_is_left_alone(make, store, tmp_path):
    inbox = make(store)
    inbox.spool._writer.submit(lambda db: db.execute("PRAGMA user_version = 2")).result()
    inbox.close()
    with pytest.raises(ConfigurationError, match="newer hookcatch"):
        make(store)


def test_a_spool_that_cannot_be_read_at_the_start_is_an_error(tmp_path, store, monkeypatch):
    def unreadable(self: SpoolFile) -> None:
        raise InboxUnavailable("disk I/O error")

    monkeypatch.setattr(SpoolFile, "status", unreadable)
    with pytest.raises(ConfigurationError, match="cannot be read: disk I/O error"):
        behind_spool(store, Spool(tmp_path, disk_floor=0)).open()


def test_a_store_in_memory_has_no_use_for_a_spool(tmp_path):
    with pytest.raises(ConfigurationError, match="outlives this process"):
        Hookcatch("memory:", spool=str(tmp_path)).inbox()


def test_the_file_shrinks_again_and_ballast_is_laid_by(make, store, tmp_path):
    inbox = make(store)
    store.away = True
    for number in range(40):
        deliver(inbox, f"evt_{number}", body=os.urandom(100_000))
    full = (tmp_path / "spool.db").stat().st_size
    store.away = False
    until(lambda: inbox.mode is Mode.DIRECT)
    inbox.close()
    assert full > 3_000_000
    assert (tmp_path / "spool.db").stat().st_size < 100_000
    assert (tmp_path / "spool.db-ballast").exists()
    inbox = SpooledInbox(store, Spool(tmp_path, disk_floor=0))
    inbox.spool._take_ballast()
    no_ballast = SpoolFile(tmp_path, SqliteOptions(disk_floor=0, ballast=0))
    no_ballast._take_ballast()


# several processes


def test_what_another_process_left_is_drained_by_those_that_run(make, store):
    one, other = make(store), make(Store())
    store.away = other.store.away = True
    deliver(other, "left")
    other._end.set()
    other._thread.join()  # as if it had died
    until(lambda: len(store.asked) > 2)  # nothing comes of looking now
    store.away = False
    until(lambda: store.ids == ["left"])
    assert one.mode is Mode.DIRECT


def test_a_spool_that_holds_many_is_drained_before_deliveries_are_held(make, store, monkeypatch):
    monkeypatch.setattr(spool, "FEW", 2)
    monkeypatch.setattr("hookcatch.inbox.carrier.MOST", 4)
    inbox = make(store)
    store.away = True
    ids = [f"evt_{number:02d}" for number in range(30)]
    for id_ in ids:
        deliver(inbox, id_)
    store.away = False
    until(lambda: inbox.mode is Mode.DIRECT)
    assert store.ids == ids


def test_one_process_drains_at_a_time_and_the_others_wait_for_it(make, store):
    inbox = make(store)
    others_turn = Turn(f"{inbox.spool.path}-drain")
    with others_turn.tried() as is_ours:
        assert is_ours
        store.away = True
        deliver(inbox, "a")
        store.away = False
        assert inbox._carrier.carry(1.0) is None
        with pytest.raises(TimeoutError):
            inbox._bring_the_last(time.monotonic() + 0.05)
        assert store.ids == []
    others_turn.close()
    until(lambda: inbox.mode is Mode.DIRECT)
    assert store.ids == ["a"]


def test_a_forked_child_starts_with_a_thread_of_its_own_and_nothing_under_way(make, store):
    inbox = make(store)
    store.silent = True
    waiting = inbox.accept([event("parents")])
    inbox._end.set()  # the same without a fork, so that it can be looked at
    inbox._thread.join()
    writer = inbox.spool._writer._thread
    forks.before()
    forks.after_in_child()
    assert inbox.spool._writer._thread is not writer
    assert not inbox._under_way
    assert inbox._thread is None
    store.silent = False
    inbox.open()
    inbox.open()
    assert isinstance(deliver(inbox, "childs")[0], Accepted)
    assert not waiting.done()


def test_parent_and_child_both_spool_after_a_fork(make, store):
    inbox = make(store)
    store.away = True
    deliver(inbox, "before")
    child = os.fork()
    if child == 0:
        inbox.open()
        os._exit(0 if deliver(inbox, "child") == (SPOOLED,) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    deliver(inbox, "after")
    store.away = False
    until(lambda: inbox.mode is Mode.DIRECT)
    assert store.ids == ["before", "child", "after"]


# a real server


DYING = """
import sys, time
from hashlib import sha256
from hookcatch.core.model import NewEvent
from hookcatch.inbox import open_inbox
from hookcatch.inbox.spool import Spool, SpooledInbox

def event(key, body=b"{}"):
    return NewEvent("shop", "", key, "t", 1000.0, body, sha256(body).digest())

inbox = SpooledInbox(open_inbox(sys.argv[1], clock=time.time), Spool(sys.argv[2], disk_floor=0))
inbox.open()
print("open", flush=True)
for line in sys.stdin:
    inbox.accept([event(line.strip())]).result()
    print(line.strip(), flush=True)
"""


def through(way: Forwarder, server: Any) -> str:
    return server.url(server.database()).replace(f":{server.port}/", f":{way.port}/")


def test_a_server_that_goes_away_and_comes_back_has_everything_in_order_and_once(make, tmp_path):
    POSTGRES.need()
    url = POSTGRES.clean(tmp_path)
    way = Forwarder(POSTGRES.port)
    inbox = make(open_inbox(f"{through(way, POSTGRES)}?connect_timeout=2", clock=time.time), patience=0.5)
    ids = [f"evt_{number:02d}" for number in range(60)]
    try:
        for number, id_ in enumerate(ids):
            if number == 20:
                way.block()  # it does not answer: a commit of unknown outcome
            if number == 30:
                way.cut()  # it is gone
            if number == 50:
                way.mend()
            deliver(inbox, id_)
        until(lambda: inbox.mode is Mode.DIRECT)
        deliver(inbox, "last")
    finally:
        way.cut()
    store = open_inbox(url, clock=time.time)
    found = [one.id for one in reversed(store.find(Query(limit=1000)))]
    store.close()
    assert found == [*ids, "last"]


def test_a_process_that_starts_without_its_server_receives_and_what_a_killed_one_left_is_recovered(
    make, tmp_path
):
    POSTGRES.need()
    url = POSTGRES.bare()
    way = Forwarder(POSTGRES.port)
    way.cut()
    argv = [sys.executable, "-c", DYING, through(way, POSTGRES), str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as dying:
        assert dying.stdin
        assert dying.stdout
        for id_ in ("a", "b", "a", "c"):
            dying.stdin.write(f"{id_}\n")
            dying.stdin.flush()
        assert [dying.stdout.readline().strip() for _ in range(5)] == ["open", "a", "b", "a", "c"]
        dying.send_signal(signal.SIGKILL)
    inbox = make(open_inbox(through(way, POSTGRES), clock=time.time))
    assert inbox.durable
    with pytest.raises(InboxUnavailable, match="not reached yet"):
        inbox.accept([event()], claim=Claim("t", 2000.0, rescue=True)).result()
    deliver(inbox, "d")
    way.mend()
    until(lambda: inbox.mode is Mode.DIRECT)
    store = open_inbox(url, clock=time.time)
    found = [(one.id, one.duplicates) for one in reversed(store.find(Query(limit=1000)))]
    store.close()
    way.cut()
    assert found == [("a", 1), ("b", 0), ("c", 0), ("d", 0)]


@pytest.mark.parametrize(
    ("server", "old", "new"),
    [(POSTGRES, "hookcatch_test", "no_such_database"), (MARIADB, "hookcatch_test", "no_such_database")],
    ids=["postgres", "mariadb"],
)
def test_a_server_that_says_no_is_told_from_one_that_is_away(tmp_path, server, old, new):
    server.need()
    url = server.url(server.database())
    with pytest.raises(ConfigurationError, match="no_such_database") as why:
        behind_spool(open_inbox(url.replace(old, new), clock=time.time), tmp_path).open()
    assert not isinstance(why.value, InboxUnreachable)
    with pytest.raises(InboxUnreachable):
        open_inbox(url.replace(f":{server.port}/", ":9/"), clock=time.time).open()


def test_a_server_that_says_no_when_it_comes_back_is_an_error_in_the_log(make, caplog, store, monkeypatch):
    store.away = True
    inbox = make(store)

    def refuses() -> None:
        raise ConfigurationError("wrong password")

    monkeypatch.setattr(store, "open", refuses)
    until(lambda: ("ERROR", "wrong password") in _said(caplog))
    assert deliver(inbox, "a") == (SPOOLED,)


def _said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(one.levelname, one.getMessage().rpartition(": ")[2]) for one in caplog.records]


# everything else is the store's


def test_all_else_is_handed_on(inbox, store):
    now = time.time()
    called = threading.Event()
    silence = inbox.listen(called.set)
    deliver(inbox, "a", received_at=now - 1)
    assert called.is_set()
    silence()
    assert inbox.next_due() == now - 1
    assert inbox.lease(token="w", limit=1, now=now, until=now + 60, caps={"shop": 0}).result() == ()
    assert inbox.lease(token="w", limit=1, now=now, until=now + 60, only="other").result() == ()
    (lease,) = inbox.lease(token="w", limit=1, now=now, until=now + 60).result()
    assert inbox.standing(lease).result() == Standing(None, False)
    assert inbox.heartbeat([lease], until=now + 90).result() == (True,)
    inbox.settle(lease, [Run("h", "succeeded", 1)], None).result()
    inbox.release([lease]).result()
    now += 1
    (lease,) = inbox.lease(token="w", limit=1, now=now, until=now + 60).result()
    inbox.settle(lease, [], Close("relayed", now + 60)).result()
    taken = inbox.take("shop", "", "a", of="", token="x", now=now, until=now + 60).result()
    inbox.settle(taken, [], Close("dead")).result()
    assert inbox.state_of(1) == ("dead", None)
    assert inbox.counts() == {("shop", "dead"): 1}
    assert inbox.get(1)[0].id == "a"
    assert inbox.replay([1], now=now).result() == 1
    assert inbox.discard([1], now=now, why="").result() == 1
    assert inbox.prune(now=now + 99, retention=Retention(1.0, 1.0)).result() == 1
    assert inbox.learn("shop", "t", Secret(b"s")).result()
    assert inbox.learners() == [("shop", "t")]
    assert inbox.learned("shop", "t").reveal() == b"s"
    assert inbox.forget("shop", "t").result()
    assert not inbox.transactional
    with pytest.raises(ConfigurationError):
        inbox.transaction(lease, Run("h", "succeeded", 1))


def test_the_durability_that_a_server_shows_when_it_is_opened_is_the_spools_too(tmp_path, monkeypatch):
    store = open_inbox("postgresql:///nowhere", clock=time.time)
    assert isinstance(store, ServerInbox)
    inbox = behind_spool(store, Spool(tmp_path, disk_floor=0))
    assert inbox.durable

    def opened() -> None:
        store.durable = False

    monkeypatch.setattr(store, "open", opened)
    inbox.open()
    assert not inbox.durable
    inbox.close()
