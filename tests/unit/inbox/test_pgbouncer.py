"""A pooler that hands out connections by the transaction: whatever an inbox says goes through it, and hints go beside
it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from hookcatch.core.errors import InboxUnavailable
from hookcatch.core.model import Accepted, Close, Duplicate, Run
from hookcatch.core.ports import Query, Retention
from hookcatch.core.secret import Secret
from hookcatch.inbox import open_inbox
from hookcatch.inbox.shared.inbox import ServerInbox
from support.databases import POSTGRES, Bouncer
from support.edges import wait_until

from .conftest import event

DONE = Run("h", "succeeded", 1, started_at=1.0, finished_at=1.0)
LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND query = 'LISTEN hookcatch'"


@pytest.fixture(scope="module")
def bouncer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bouncer]:
    made = Bouncer(tmp_path_factory.mktemp("pgbouncer"))
    made.need()
    yield made
    made.process.kill()


@pytest.fixture
def url(bouncer: Bouncer, tmp_path) -> str:
    """An empty inbox, by way of the pooler."""
    POSTGRES.clean(tmp_path)
    return bouncer.url(POSTGRES.database())


def opened(url: str) -> ServerInbox:
    made = open_inbox(url, clock=time.time)
    assert isinstance(made, ServerInbox)
    made.open()
    return made


def new(key: str):
    return event(key, received_at=time.time() - 1)


def leased(inbox: ServerInbox, limit: int = 1):
    now = time.time()
    return inbox.lease(token="w", limit=limit, now=now, until=now + 60).result(30)


def test_an_inbox_makes_its_tables_and_keeps_the_contract(bouncer):
    POSTGRES.bare()
    url = bouncer.url(POSTGRES.database())
    with closing(opened(url)) as inbox, closing(opened(url)) as other:
        answers = inbox.accept([new("a"), new("b"), new("c")]).result(30)
        assert [type(answer) for answer in answers] == [Accepted] * 3
        assert isinstance(other.accept([new("a")]).result(30)[0], Duplicate)
        first, second = leased(inbox, 2)
        (third,) = leased(other, 2)
        assert inbox.heartbeat([first, second], until=time.time() + 60).result(30) == (True, True)
        with inbox.transaction(first, DONE) as db:
            db.execute("CREATE TABLE effect (id int)")
        inbox.settle(first, [], Close("succeeded")).result(30)
        inbox.settle(second, [DONE], Close("dead", error="no")).result(30)
        other.release([third]).result(30)
        assert {found.id: found.state for found in other.find(Query())} == {
            "a": "succeeded",
            "b": "dead",
            "c": "pending",
        }
        assert other.get(first.event.seq)[1] == [DONE]
        assert inbox.replay([second.event.seq], now=time.time()).result(30) == 1
        assert inbox.learn("shop", "", Secret(b"1")).result(30)
        assert other.learned("shop", "").reveal() == b"1"
        assert inbox.prune(now=9e9, retention=Retention()).result(30) == 1
    assert POSTGRES.say(POSTGRES.database(), "SELECT count(*) FROM effect") == [(0,)]
    POSTGRES.say(POSTGRES.database(), "DROP TABLE effect")


PROCESS = """
import sys, time
from hashlib import sha256
from hookcatch.core.model import Close, NewEvent, Run
from hookcatch.inbox import open_inbox

url, own = sys.argv[1:]
inbox = open_inbox(url, clock=time.time)
inbox.open()
body = b"{}"
def new(key):
    return NewEvent("shop", "", key, "t", time.time() - 1, body, sha256(body).digest())
kept = [inbox.accept([new(f"evt_{number}"), new(f"{own}_{number}")]) for number in range(40)]
assert all(len(one.result(60)) == 2 for one in kept)
while True:
    now = time.time()
    leases = inbox.lease(token=own, limit=5, now=now, until=now + 60).result(60)
    if not leases:
        break
    for lease in leases:
        with inbox.transaction(lease, Run("h", "succeeded", 1, started_at=1.0, finished_at=1.0)) as db:
            db.execute("INSERT INTO effect VALUES (%s)", (lease.event.id,))
        inbox.settle(lease, [], Close("succeeded"))
inbox.close()
"""


def test_several_processes_share_two_connections_and_do_everything_once(url):
    say, database = POSTGRES.say, POSTGRES.database()
    say(database, "CREATE TABLE effect (id text)")
    try:
        working = [subprocess.Popen([sys.executable, "-c", PROCESS, url, f"own_{n}"]) for n in range(3)]
        assert [process.wait(100) for process in working] == [0, 0, 0]
        assert say(database, "SELECT count(*), count(DISTINCT id) FROM effect") == [(160, 160)]
    finally:
        say(database, "DROP TABLE effect")
    with closing(opened(url)) as inbox:
        assert inbox.counts() == {("shop", "succeeded"): 160}
        assert sum(found.duplicates for found in inbox.find(Query(limit=200))) == 80


def test_the_inbox_goes_on_when_the_pooler_is_killed_and_started(bouncer, url):
    acked = []
    with closing(opened(url)) as inbox:
        for number in range(12):
            if number % 5 == 3:
                bouncer.restart()
            try:
                inbox.accept([new(f"evt_{number}")]).result(30)
                acked.append(f"evt_{number}")
            except InboxUnavailable:
                continue
            assert inbox.get(1) is not None
        assert len(acked) >= 10
        (lease,) = leased(inbox)
        with pytest.raises(InboxUnavailable), inbox.transaction(lease, DONE):
            bouncer.restart()
        assert inbox.heartbeat([lease], until=time.time() + 60).result(30) == (True,)
        assert inbox.get(lease.event.seq)[1] == []
        assert {found.id for found in inbox.find(Query())} >= set(acked)


def test_nobody_listens_through_it_but_hints_are_given(url, tmp_path, caplog):
    caplog.set_level("INFO", "hookcatch.inbox")
    heard = threading.Event()
    direct = POSTGRES.url(POSTGRES.database())
    listening = LISTENING.format(POSTGRES.database())
    with closing(opened(url)) as pooled, closing(opened(direct)) as inbox:
        pooled.listen(lambda: None)
        wait_until(lambda: "a pooler stands between" in caplog.text)
        assert POSTGRES.say(POSTGRES.database(), listening) == [(0,)]
        inbox.listen(heard.set)
        wait_until(lambda: POSTGRES.say(POSTGRES.database(), listening) == [(1,)])
        pooled.accept([new("evt_1")]).result(30)
        assert heard.wait(20)
