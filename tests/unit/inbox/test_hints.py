"""Workers hear of the events of other processes, and nothing hangs on it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from hookcatch.inbox import open_inbox
from hookcatch.inbox.shared import hints
from hookcatch.inbox.shared.ear import PsycopgEar
from hookcatch.inbox.shared.hints import Hints, Listener, Teller
from hookcatch.inbox.shared.inbox import ServerInbox
from support.databases import MARIADB, POSTGRES
from support.edges import wait_until

from .conftest import event

LISTENING = "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND query = 'LISTEN hookcatch'"


def opened(url: str) -> ServerInbox:
    made = open_inbox(url, clock=time.time)
    assert isinstance(made, ServerInbox)
    made.open()
    return made


@pytest.fixture
def url(tmp_path) -> str:
    POSTGRES.need()
    return POSTGRES.clean(tmp_path)


def listening() -> list[int]:
    database = POSTGRES.database()
    return [pid for (pid,) in POSTGRES.say(database, LISTENING.format(database))]


@contextmanager
def hearing(inbox: ServerInbox):
    """A listener that has begun to listen; how often it was called."""
    called = threading.Semaphore(0)
    stop = inbox.listen(lambda: (called.release(), None)[1])
    wait_until(listening)
    yield called
    stop()


def test_the_commit_of_another_process_is_heard_at_once(url):
    code = """
import sys, time
from hashlib import sha256
from hookcatch.core.model import NewEvent
from hookcatch.inbox import open_inbox
inbox = open_inbox(sys.argv[1], clock=time.time)
inbox.accept([NewEvent("shop", "", "evt_1", "t", time.time(), b"{}", sha256(b"{}").digest())]).result()
inbox.close()
"""
    with closing(opened(url)) as inbox, hearing(inbox) as called:
        subprocess.run([sys.executable, "-c", code, url], check=True)
        assert called.acquire(timeout=20)
        assert inbox.counts() == {("shop", "pending"): 1}


def test_one_hint_is_given_for_all_that_comes_together(url, monkeypatch):
    monkeypatch.setattr(hints, "PAUSE", 3600.0)
    inbox = opened(url)
    say, said = inbox._hints._say, []
    monkeypatch.setattr(inbox._hints, "_say", lambda who: (said.append(who), say(who)))
    inbox.accept([event("evt_0")]).result()
    wait_until(lambda: said)
    for number in range(20):
        inbox.accept([event(f"evt_{number}")]).result()
    assert len(said) == 1
    inbox.close()
    assert len(said) == 2, "and the last is not forgotten"


def test_nobody_listens_before_the_first_wish_and_after_the_last(url):
    with closing(opened(url)) as inbox:
        inbox.accept([event()]).result()
        assert listening() == []
        stops = [inbox.listen(lambda: None), inbox.listen(lambda: None)]
        wait_until(listening)
        stops[0]()
        assert len(listening()) == 1
        stops[1]()
        wait_until(lambda: not listening())
        inbox.listen(lambda: None)
        wait_until(listening)
        inbox.close()
        wait_until(lambda: not listening())
        inbox.open()
        wait_until(listening)


def test_hints_can_be_left_off_on_either_side(url):
    with closing(opened(f"{url}?notify=0")) as deaf, closing(opened(url)) as inbox, hearing(inbox) as called:
        deaf.listen(lambda: None)
        deaf.accept([event()]).result()
        deaf.close()
        assert len(listening()) == 1
        assert not called.acquire(blocking=False)


def test_where_there_are_no_hints_the_option_changes_nothing(tmp_path):
    MARIADB.need()
    inbox = opened(f"{MARIADB.clean(tmp_path)}?notify=1")
    called = threading.Event()
    inbox.listen(called.set)
    inbox.accept([event()]).result()
    assert called.wait(20)
    inbox.close()


def test_who_listens_connects_again_and_looks_whether_it_missed_something(url, monkeypatch):
    monkeypatch.setattr(hints, "REST", (0.01, 0.02))
    with closing(opened(url)) as here, closing(opened(url)) as there, hearing(there) as called:
        (before,) = listening()
        POSTGRES.say("postgres", f"SELECT pg_terminate_backend({before})")
        assert called.acquire(timeout=20)
        wait_until(lambda: listening() not in ([], [before]))
        here.accept([event()]).result()
        assert called.acquire(timeout=20)


def test_who_listens_can_ask_whether_the_server_is_there(url):
    ear = opened(url).driver.ear()
    assert ear.listen()
    ear.prove()
    assert ear.heard() == []
    ear.close()
    with pytest.raises(psycopg.OperationalError):
        ear.prove()


def test_parent_and_child_both_listen_after_a_fork_each_by_itself(url):
    with closing(opened(url)) as inbox, hearing(inbox):
        (before,) = listening()
        child = os.fork()
        if child == 0:  # pragma: no cover - coverage does not see the child
            alone = inbox._hints._listener is None
            heard = threading.Event()
            inbox.listen(heard.set)
            wait_until(lambda: len(listening()) == 2)
            inbox.close()
            os._exit(0 if alone else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        wait_until(lambda: len(listening()) == 1)
        assert listening() != [before]


def test_a_fork_of_who_does_not_listen_makes_nobody_listen(url):
    with closing(opened(url)) as inbox:
        inbox.before_fork()
        inbox.after_fork_in_parent()
        assert inbox._hints._listener is None


def test_a_backend_by_another_number_is_a_poolers():
    said = []
    answer = SimpleNamespace(fetchone=lambda: (1,))
    connection = SimpleNamespace(
        execute=lambda sql: (said.append(sql), answer)[1], info=SimpleNamespace(backend_pid=2)
    )
    assert not PsycopgEar(connection, lambda: None).listen()
    assert said == ["SELECT pg_backend_pid()"]


# without a server


class FakeEar:
    """An ear that hears what it is told, one thing at a time."""

    def __init__(self, *said: str, pooled: bool = False) -> None:
        self.said = list(said)
        self.pooled = pooled
        self.proven = threading.Event()
        self.closed = threading.Event()
        self.reader, self.writer = os.pipe()
        os.write(self.writer, b"." * len(said))

    def fileno(self) -> int:
        return self.reader

    def listen(self) -> bool:
        return not self.pooled

    def heard(self) -> list[str]:
        return [self.said.pop(0)] if self.said and os.read(self.reader, 1) else []

    def prove(self) -> None:
        self.proven.set()

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)
        self.closed.set()


def nobody() -> None:
    pytest.fail("nobody said anything")


def test_behind_a_pooler_it_says_so_once_and_gives_the_connection_back(caplog):
    caplog.set_level("INFO", "hookcatch.inbox")
    ear = FakeEar(pooled=True)
    listener = Listener(lambda: ear, "me", nobody)
    assert ear.closed.wait(10)
    listener.join(10)
    listener.stop()
    (told,) = caplog.records
    assert told.message.startswith("a pooler stands between this process and PostgreSQL: hints")


def test_what_one_said_oneself_is_not_followed(monkeypatch):
    monkeypatch.setattr(hints, "PAUSE", 0.0)
    ear = FakeEar("me", "you", "me", "you")
    called = threading.Semaphore(0)
    listener = Listener(lambda: ear, "me", called.release)
    assert called.acquire(timeout=10)
    assert called.acquire(timeout=10)
    assert ear.said == []
    assert not called.acquire(blocking=False)
    listener.stop()
    listener.join(10)


def test_a_long_silence_is_proven_to_be_one(monkeypatch):
    monkeypatch.setattr(hints, "PROVE", 0.01)
    ear = FakeEar()
    listener = Listener(lambda: ear, "me", nobody)
    assert ear.proven.wait(10)
    listener.stop()
    listener.join(10)
    assert ear.closed.is_set()


def test_a_server_that_stays_away_is_tried_ever_more_seldom_and_told_of_once(monkeypatch, caplog):
    caplog.set_level("DEBUG", "hookcatch.inbox")
    monkeypatch.setattr(hints, "REST", (0.01, 0.05))
    tries = threading.Semaphore(0)

    def connect() -> Any:
        tries.release()
        raise OSError("nobody there")

    listener = Listener(connect, "me", nobody)
    for _ in range(5):
        assert tries.acquire(timeout=10)
    listener.stop()
    listener.join(10)
    told = [record.levelno for record in caplog.records]
    assert told[:4] == [logging.DEBUG, logging.INFO, logging.DEBUG, logging.DEBUG]
    assert listener._rest == 0.05


def test_what_cannot_be_said_is_let_go_and_what_comes_later_is_said(monkeypatch):
    monkeypatch.setattr(hints, "PAUSE", 0.0)
    said = threading.Semaphore(0)
    fails = [True]

    def say() -> None:
        said.release()
        if fails.pop():
            raise OSError("nobody there")

    fails.append(True)
    teller = Teller(say)
    teller.ring()
    assert said.acquire(timeout=10)
    fails.append(False)
    teller.ring()
    teller.close()
    assert said.acquire(timeout=10)


def test_what_was_not_said_yet_is_said_before_the_end():
    said: list[str] = []
    both = Hints(said.append, None, nobody)
    both.hear(True)
    both.tell()
    both.tell()
    both.close()
    both.close()
    assert len(said) in (1, 2)
