"""The inbox in NATS: servers that are refused, copies that fall behind, and what a kill leaves."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import NotFoundError

from hookcatch.core.errors import ConfigurationError, InboxUnavailable, MissingExtra
from hookcatch.core.model import Accepted, Claim, Close, Duplicate, Lane
from hookcatch.core.ports import Query, Retention
from hookcatch.core.secret import Secret
from hookcatch.inbox import forks, open_inbox
from hookcatch.inbox.jetstream import bodies, codec, commit, engine, follow, options, snapshots, streams
from hookcatch.inbox.jetstream.inbox import NatsInbox
from support.jetstream import NATS, NatsServer

from .conftest import event

DAY = 86400.0
NOW = 1000.0


@pytest.fixture
def make() -> Iterator[Callable[..., NatsInbox]]:
    """Opens inboxes, and closes them in the end."""
    made: list[NatsInbox] = []

    def one(url: str, *, clock: Callable[[], float] = lambda: NOW) -> NatsInbox:
        inbox = open_inbox(url, clock=clock)
        assert isinstance(inbox, NatsInbox)
        made.append(inbox)
        inbox.open()
        return inbox

    yield one
    for inbox in made:
        inbox.close()


@pytest.fixture
def own() -> Iterator[NatsServer]:
    """A server that the test may kill."""
    server = NatsServer()
    server.start()
    yield server
    server.stop()


def url(server: NatsServer = NATS, owner: object = None, more: str = "") -> str:
    return server.url(owner, f"fsync=always&server_clock=0{more}")


def accept(inbox: NatsInbox, key: str, body: bytes = b"{}", **facts: Any) -> Accepted | Duplicate:
    return inbox.accept([event(key, body, **facts)]).result()[0]


def lease(inbox: NatsInbox, now: float = NOW, limit: int = 10):
    return inbox.lease(token="w", limit=limit, now=now, until=now + 60).result()


def end_all(inbox: NatsInbox, limit: int = 10) -> None:
    for held in lease(inbox, limit=limit):
        inbox.settle(held, [], Close("succeeded")).result()


def tidy(inbox: NatsInbox) -> None:
    """Nothing is to be pruned: the log is made shorter."""
    assert inbox.prune(now=NOW, retention=Retention()).result() == 0


def publish(server: NatsServer, inbox: NatsInbox, data: bytes) -> None:
    """Somebody else writes to the log."""
    server.say(lambda js: js.publish(inbox._place.names.calls, data))


# what is refused


@pytest.mark.parametrize(
    "wrong", ["nats://", "nats://u:secret@", "nats://a,,b/x", "nats://a/b/c", "tls://a/b.c"]
)
def test_a_url_without_a_server_or_with_an_odd_bucket_is_refused_without_its_password(wrong):
    with pytest.raises(ConfigurationError, match="write nats://") as refused:
        open_inbox(wrong, clock=time.time)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong", ["fsync=never", "replicas=0", "snapshot_every=x", "durability=some", "nope=1"]
)
def test_options_that_make_no_sense_are_refused_without_the_password(wrong):
    with pytest.raises(ConfigurationError, match=wrong.partition("=")[0]) as refused:
        open_inbox(f"nats://u:secret@host/shop?{wrong}", clock=time.time)
    assert "secret" not in str(refused.value)


def test_several_servers_share_the_login_and_the_bucket_has_a_name_of_its_own():
    place = open_inbox("tls://u:p@a:1,b", clock=time.time)._place
    assert place.servers == ("tls://u:p@a:1", "tls://u:p@b")
    assert (place.shown, place.names.log) == ("tls://a:1,b/hookcatch", "hookcatch")


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch):
    name = "hookcatch.inbox.jetstream.inbox"
    for gone in ("hookcatch.inbox.jetstream.engine", name):
        monkeypatch.delitem(sys.modules, gone)
    monkeypatch.setitem(sys.modules, "nats.aio.client", None)
    for module in [one for one in sys.modules if one.startswith("hookcatch.inbox.jetstream.")]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(MissingExtra, match=r"hookcatch\[nats\]"):
        importlib.import_module(name)


def test_a_server_that_is_not_there_is_an_error_of_configuration(make):
    with pytest.raises(
        ConfigurationError, match=r"the inbox in nats://127.0.0.1:9/shop cannot be opened: .*[cC]onnect"
    ):
        make("nats://u:secret@127.0.0.1:9/shop")
    with pytest.raises(InboxUnavailable, match=r"cannot be opened: .*[cC]onnect"):
        accept(open_inbox("nats://127.0.0.1:9/shop", clock=time.time), "a")


def test_a_server_without_jetstream_or_with_other_users_is_refused_with_what_to_do(make):
    server = NatsServer(options=())
    with pytest.raises(ConfigurationError, match="start it with -js"):
        make(server.url())
    server.kill()
    server.options = ("--user", "me", "--pass", "right", "-js")
    server.start()
    with pytest.raises(ConfigurationError, match="Authorization Violation"):
        make(server.url())
    assert make(server.url().replace("//", "//me:right@")).durable
    server.stop()


def test_one_replica_is_refused_before_anything_is_made_unless_the_disk_is_synced_or_loss_is_all_right(
    make, caplog
):
    with pytest.raises(
        ConfigurationError, match=r"1 replica, .*\?replicas=3.*sync_interval: always.*best_effort"
    ):
        make(NATS.url("one", ""))
    inbox = make(NATS.url("one", "durability=best_effort"))
    assert not inbox.durable
    assert "can be lost when the power fails" in caplog.text
    assert make(NATS.url("one", "fsync=always")).durable
    assert streams._is_durable(3, options.NatsOptions())
    with pytest.raises(
        ConfigurationError, match=r"the streams t.* cannot be made ready .replicas > 1 not supported"
    ):
        make(NATS.url("three", "replicas=3"))


def test_a_stream_that_would_drop_what_is_acknowledged_is_refused(make):
    address = url(owner="elsewhere")
    bucket = address.rpartition("/")[2].partition("?")[0]
    config = StreamConfig(name=bucket, subjects=[f"{bucket}.>"], storage=StorageType.MEMORY, max_age=60)
    NATS.say(lambda js: js.add_stream(config))
    with pytest.raises(ConfigurationError) as refused:
        make(address)
    for word in ("subjects", "storage", "discard", "max_age"):
        assert f"{word} is" in str(refused.value)


def test_an_old_server_is_refused(make, monkeypatch):
    monkeypatch.setattr(streams, "OLDEST", (99, 0))
    with pytest.raises(ConfigurationError, match=r"needs 99\.0 or newer"):
        make(url())


# what is written


def test_a_delivery_that_fits_into_no_message_is_not_kept_and_says_why(make, monkeypatch):
    inbox = make(url())
    noise = os.urandom(1_100_000)
    with pytest.raises(InboxUnavailable, match="raise its max_payload"):
        accept(inbox, "big", noise)
    like = b"x" * 1_500_000
    big, small = inbox.accept([event("packed", like)]), inbox.accept([event("small", noise[:400_000])])
    assert [type(future.result()[0]) for future in (big, small)] == [Accepted, Accepted]
    assert inbox.get(1)[0].body == like
    assert inbox.get(2)[0].body == noise[:400_000]
    assert len(inbox.find(Query())) == 2
    many = [inbox.accept([event(f"{number}", noise[:100_000])]) for number in range(10)]
    assert [future.result()[0].seq for future in many] == list(range(3, 13))


def test_a_stream_that_is_full_keeps_what_it_has_and_refuses_the_rest(make):
    inbox = make(url())
    accept(inbox, "a")
    bucket = inbox._place.names.log
    config = NATS.say(lambda js: js.stream_info(bucket)).config
    NATS.say(lambda js: js.update_stream(config.evolve(max_bytes=1000)))
    with pytest.raises(InboxUnavailable, match="maximum bytes"):
        accept(inbox, "b", b"x" * 2000)
    assert [found.id for found in inbox.find(Query())] == ["a"]


def test_times_are_the_servers_where_this_machines_clock_is_off(make, caplog):
    address = NATS.url("clocks")
    early = make(address, clock=lambda: time.time() - 3600)
    accept(early, "a", received_at=time.time() - 3600)
    right = make(address, clock=time.time)
    assert abs(right.find(Query())[0].received_at - time.time()) < 60
    assert abs(early.find(Query())[0].received_at - (time.time() - 3600)) < 60
    assert early.counts() == {("shop", "pending"): 1}
    assert len(early.lease(token="w", limit=1, now=time.time() - 3600, until=time.time()).result()) == 1
    assert "set the clock" in caplog.text


def test_a_listener_that_fails_harms_nobody(make, caplog):
    inbox = make(url())
    inbox.listen(lambda: 1 / 0)
    accept(inbox, "a")
    assert isinstance(accept(inbox, "a"), Duplicate)
    assert "a listener of the inbox failed" in caplog.text


# copies, snapshots, and what others do to the stream


def test_a_snapshot_holds_all_that_was_and_lets_the_log_go(make, monkeypatch):
    monkeypatch.setattr(snapshots, "A_PIECE", 500)
    address = url(more="&snapshot_every=2")
    first = make(address)
    lane = Lane("k")
    for key in ("done", "work", "wait"):
        accept(
            first, key, key.encode() * 3, lane=lane, version=1.0, headers={"a": "b"}, content_key=b"k" * 32
        )
    first.learn("asana", "acme", Secret(b"s")).result()
    done, *rest = lease(first)
    assert rest == []
    first.settle(done, [], Close("succeeded")).result()
    (work,) = lease(first)
    assert lease(first) == ()
    tidy(first)
    tidy(first)
    second = make(address)
    assert second.find(Query()) == first.find(Query())
    assert [second.get(seq) for seq in (1, 2, 3)] == [first.get(seq) for seq in (1, 2, 3)]
    assert second.learned("asana", "acme").reveal() == b"s"
    assert second.standing(work).result() == first.standing(work).result()
    assert (
        second.lease(token="x", limit=9, now=NOW, until=NOW + 60).result() == ()
    )  # the last one is still behind
    second.settle(work, [], Close("succeeded")).result()
    assert [held.event.id for held in second.lease(token="x", limit=9, now=NOW, until=NOW + 60).result()] == [
        "wait"
    ]
    assert accept(second, "again", content_key=b"k" * 32).replayed_content
    log = first._place.names.log
    left = NATS.say(lambda js: js.stream_info(log)).state.messages
    assert left == 6  # three bodies, and three calls since
    second.prune(now=NOW + 20 * DAY, retention=Retention()).result()
    tidy(second)
    assert NATS.say(lambda js: js.stream_info(log)).state.messages == 2  # what waits and runs
    assert make(address).get(3)[0].body == b"wait" * 3


def test_of_two_snapshots_the_first_counts(make):
    address = url(more="&snapshot_every=1")
    first, second = make(address), make(address)
    accept(first, "a")
    second.counts()
    tidy(first)
    tidy(second)  # nothing came since
    accept(second, "b")
    theirs = second._running._follower.snapshots
    head, theirs.head = theirs.head, _fixed(second._running._follower.base)
    theirs._revision = 0
    tidy(second)  # as if the other one had not been seen
    theirs.head = head
    assert [found.id for found in make(address).find(Query())] == ["b", "a"]
    tidy(second)
    assert make(address).counts() == {("shop", "pending"): 2}


def _fixed(value):
    async def answer():
        return value

    return answer


def test_a_copy_that_fell_behind_a_snapshot_is_made_anew(make, monkeypatch, caplog):
    monkeypatch.setattr(follow, "SILENCE", 0.5)
    monkeypatch.setattr(follow, "HEARTBEAT", 0.2)
    address = url(more="&snapshot_every=1")
    behind = make(address)
    accept(behind, "a")
    log = behind._place.names.log

    async def cut_off(js):
        for consumer in await js.consumers_info(log):
            await js.delete_consumer(log, consumer.name)

    NATS.say(cut_off)
    other = make(address)
    accept(other, "b")
    with monkeypatch.context() as hurry:
        hurry.setattr(engine, "PATIENCE", 0.01)
        with pytest.raises(InboxUnavailable, match="does not keep anything now: TimeoutError"):
            behind.counts()
    end_all(other)
    other.prune(now=NOW + 20 * DAY, retention=Retention()).result()
    tidy(other)
    assert behind.counts() == {("shop", "succeeded"): 2}
    assert "is made anew" in caplog.text
    accept(behind, "c")
    tidy(behind)  # what the other one has deleted is gone already
    assert make(address).counts() == {("shop", "succeeded"): 2, ("shop", "pending"): 1}


class Once:
    """Fails the first time."""

    def __init__(self, what, error):
        self.what, self.errors = what, [error]

    async def __call__(self, *arguments, **named):
        if self.errors:
            raise self.errors.pop()
        return await self.what(*arguments, **named)


def test_a_server_that_does_not_answer_once_is_asked_again(make, monkeypatch, caplog):
    caplog.set_level("DEBUG", "hookcatch.inbox")
    monkeypatch.setattr(streams, "ENOUGH", 1)
    address = url(more="&snapshot_every=1")
    inbox = make(address)
    accept(inbox, "a")
    follower = inbox._running._follower
    follower.snapshots.head = Once(follower.snapshots.head, TimeoutError())
    tidy(inbox)
    assert "could not be made shorter" in caplog.text
    tidy(inbox)
    follower.snapshots.head = Once(follower.snapshots.head, TimeoutError())
    follower.snapshots._pieces = Once(follower.snapshots._pieces, NotFoundError())
    follower._tail = Once(follower._tail, TimeoutError())
    follower.replica.apply = 1 / 2  # so that the next message cannot be carried out
    assert accept(inbox, "b").seq == 2
    assert inbox.counts() == {("shop", "pending"): 2}
    for word in (
        "cannot be followed now",
        "is made anew: TypeError",
        "cannot be read now",
        "there is a newer one",
    ):
        assert word in caplog.text


def test_what_others_write_to_the_log_is_left_out_and_what_a_newer_version_writes_stops_this_one(
    make, caplog
):
    inbox = make(url())
    for nonsense in (
        b"",
        b"hello, nobody",
        follow.FILLER,
        b"hkct\x00\x00\x00\x00\x09[0,[],[[]]",
        b"hkct\x01\x00\x00\x00\x00x",
    ):
        publish(NATS, inbox, nonsense)
    publish(NATS, inbox, codec.encode([codec.written(codec.Call("explode", NOW, {}))], limit=1000))
    accept(inbox, "a")
    assert inbox.counts() == {("shop", "pending"): 1}
    assert caplog.text.count("it is left out") == 4
    publish(NATS, inbox, b"hkct\x00\x00\x00\x00\x0a[99,[],[]]")
    with pytest.raises(InboxUnavailable):
        _again_and_again(inbox)
    with pytest.raises(codec.Newer, match="bring all processes at the inbox to one version"):
        inbox.open()


def _again_and_again(inbox):
    while True:
        accept(inbox, "b")
        time.sleep(0.01)


def test_a_log_that_somebody_purged_is_refused_and_one_with_a_hole_too(make):
    address = url(owner="purged")
    inbox = make(address)
    for key in "abcd":
        accept(inbox, key)
    log = inbox._place.names.log
    inbox.close()
    NATS.say(lambda js: js.delete_msg(log, 2))
    with pytest.raises(InboxUnavailable, match=r"message 3 comes after 1\. Somebody deleted"):
        make(address)
    NATS.say(lambda js: js.purge_stream(log))
    with pytest.raises(InboxUnavailable, match="lacks its messages 1 to 4: somebody purged it"):
        make(address)


def test_bodies_that_are_not_at_hand_are_fetched_and_one_that_is_gone_says_so(make, monkeypatch):
    monkeypatch.setattr(bodies, "AT_HAND", 10)
    inbox = make(url())
    accept(inbox, "a", b"a" * 8)
    accept(inbox, "b", b"b" * 8)
    assert [inbox.get(seq)[0].body[:1] for seq in (1, 2, 1)] == [b"a", b"b", b"a"]
    log = inbox._place.names.log
    NATS.say(lambda js: js.delete_msg(log, 2))
    with pytest.raises(InboxUnavailable, match=r"message 2 of the stream .* is gone"):
        inbox.get(2)


# kills


def test_no_acknowledged_event_is_lost_when_the_server_is_killed_again_and_again(make, own):
    """The server's own sync cannot be cut off here, for there is no power to fail: what is killed is the server."""
    address = url(own, "kills")
    inbox = make(address)
    acked: set[str] = set()
    stop = threading.Event()

    def send(name: int) -> None:
        number = 0
        while not stop.is_set():
            key = f"{name}-{number}"
            with suppress(InboxUnavailable):
                accept(inbox, key)
                acked.add(key)
            number += 1

    with ThreadPoolExecutor(8) as senders:
        for name in range(8):
            senders.submit(send, name)
        for _ in range(3):
            before = len(acked)
            while len(acked) < before + 100:
                time.sleep(0.01)
            own.kill()
            own.start()
        before = len(acked)
        while len(acked) < before + 8:
            time.sleep(0.01)
        stop.set()
    kept = {found.id for found in inbox.find(Query(limit=10**6))}
    assert acked <= kept
    fresh = make(address)
    assert {found.id for found in fresh.find(Query(limit=10**6))} == kept
    assert all(isinstance(accept(fresh, key), Duplicate) for key in list(acked)[:20])


def test_a_server_that_is_away_makes_the_inbox_unavailable_and_late_leases_are_given_back(
    make, own, monkeypatch
):
    monkeypatch.setattr(commit, "TRIES", (0.2, 0.2))
    address = url(own, "away")
    inbox = make(address)
    accept(inbox, "a")
    accept(inbox, "known", received_at=5000.0)
    own.pause()
    claim = Claim("me", NOW + 60, rescue=False)
    claimed = inbox.accept([event("known"), event("claimed")], claim=claim)
    with pytest.raises(InboxUnavailable, match="does not keep anything now"):
        lease(inbox)
    with pytest.raises(InboxUnavailable):
        claimed.result()
    own.resume()
    end = time.monotonic() + 20
    given_back = [("failed", 0), ("pending", 0), ("pending", 0)]
    while [(one.state, one.attempt) for one in inbox.find(Query())] != given_back:
        assert time.monotonic() < end
        time.sleep(0.05)
    (held,) = lease(inbox)
    inbox.settle(held, [], Close("succeeded")).result()
    own.kill()
    with pytest.raises(InboxUnavailable):
        accept(inbox, "b")
    own.start()
    while True:
        with suppress(InboxUnavailable):
            accept(inbox, "b")
            break
    assert inbox.counts() == {("shop", "succeeded"): 1, ("shop", "failed"): 1, ("shop", "pending"): 2}


def test_a_server_that_lost_the_end_of_its_log_is_followed_from_there(make, own, caplog):
    address = url(own, "tail", "&snapshot_every=1")
    inbox = make(address)
    accept(inbox, "kept")
    own.kill()
    shutil.copytree(own.directory, f"{own.directory}-copy")
    own.start()
    for key in ("x", "y", "z"):
        _patiently(lambda key=key: accept(inbox, key))
    own.kill()
    shutil.rmtree(own.directory)
    shutil.move(f"{own.directory}-copy", own.directory)
    own.start()
    assert _patiently(lambda: accept(inbox, "new")).seq == 2
    assert [found.id for found in inbox.find(Query())] == ["new", "kept"]
    assert "is made anew: the log goes from 1 to " in caplog.text


def test_numbers_that_a_snapshot_covers_do_not_come_twice(make, own):
    address = url(own, "covered", "&snapshot_every=1")
    inbox = make(address)
    accept(inbox, "a")
    log = inbox._place.names.log
    own.kill()
    shutil.copytree(own.directory / "jetstream" / "$G" / "streams" / log, f"{own.directory}-log")
    own.start()
    for key in ("b", "c"):
        _patiently(lambda key=key: accept(inbox, key))
    tidy(inbox)
    inbox.close()
    own.kill()
    shutil.rmtree(own.directory / "jetstream" / "$G" / "streams" / log)
    shutil.move(f"{own.directory}-log", own.directory / "jetstream" / "$G" / "streams" / log)
    own.start()
    again = make(address)
    assert [found.id for found in again.find(Query())] == ["c", "b", "a"]
    assert accept(again, "d").seq == 4
    assert make(address).counts() == {("shop", "pending"): 4}


def _patiently(what):
    while True:
        with suppress(InboxUnavailable):
            return what()


# processes


LEASES = """
import sys, time
from hookcatch.inbox import forks, open_inbox
inbox = open_inbox(sys.argv[1], clock=time.time)
inbox.open()
print("ready", flush=True)
sys.stdin.readline()
mine = []
while held := inbox.lease(token=sys.argv[2], limit=7, now=1000.0, until=1e10).result():
    mine += [one.event.id for one in held]
print(*mine)
inbox.close()
"""


def test_processes_that_lease_at_once_never_share_an_event(make):
    address = url(owner="shared")
    inbox = make(address)
    inbox.accept([event(f"{number}") for number in range(200)]).result()
    command = [sys.executable, "-c", LEASES, address]
    workers = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in ("a", "b", "c")
    ]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    shares = [worker.communicate(timeout=60)[0].split() for worker in workers]
    assert sorted(key for share in shares for key in share) == sorted(str(number) for number in range(200))
    assert sum(bool(share) for share in shares) > 1


def test_what_is_asked_before_and_after_it_is_open_is_answered(make):
    inbox = open_inbox(url(), clock=lambda: NOW)
    assert accept(inbox, "a").seq == 1  # it opens by itself
    first = inbox._running
    writes = [inbox.accept([event(f"{number}")]) for number in range(1000)]
    looks = [first.look(lambda replica: replica.state_of(1)) for _ in range(3)]
    inbox.close()
    assert looks[0].result() == ("pending", None)
    assert [future.result()[0].seq for future in writes] == list(range(2, 1002))
    with pytest.raises(InboxUnavailable, match="the inbox is closed"):
        first.write(codec.Call("forget", NOW, {"source": "", "tenant": ""})).result()
    assert isinstance(accept(inbox, "a"), Duplicate)
    inbox.close()


def test_what_is_written_at_the_last_moment_is_written(make):
    inbox = make(url())
    writes = [inbox.accept([event(f"{number}")]) for number in range(1000)]
    inbox.close()
    assert [future.result()[0].seq for future in writes] == list(range(1, 1001))


def test_a_connection_that_is_closed_for_good_is_made_anew(make):
    inbox = make(url())
    first = inbox._running
    asyncio.run_coroutine_threadsafe(first._follower._client.close(), first._loop).result()
    first._thread.join(20)
    assert accept(inbox, "a").seq == 1
    assert inbox._running is not first


def test_a_fork_begins_afresh_and_leaves_its_parent_alone(make):
    inbox = make(url())
    accept(inbox, "parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if accept(inbox, "child").seq == 2 and inbox.next_due() == NOW else 2
            inbox.close()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert accept(inbox, "again").seq == 3
    assert inbox.counts() == {("shop", "pending"): 3}
    forks.after_in_child()  # what the child did, here
    assert accept(inbox, "a").seq == 4
    inbox._inherited[0].close()
