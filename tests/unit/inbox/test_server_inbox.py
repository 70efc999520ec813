"""What only a server can do to an inbox: break connections, serve several at once, tell another time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from hookcatch.core.errors import ConfigurationError, InboxUnavailable, LeaseLost
from hookcatch.core.model import Accepted, Claim, Close, Duplicate, Duplicates, Lane, Run
from hookcatch.inbox import open_inbox
from hookcatch.inbox.shared import front
from hookcatch.inbox.shared.dialect import RUNS
from hookcatch.inbox.shared.front import FIRST
from hookcatch.inbox.shared.link import Link
from support.databases import SERVERS, Server
from support.edges import wait_until

from .conftest import event

KILL = {
    "PostgreSQL": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{0}' AND pid <> "
    "pg_backend_pid()",
    "MariaDB": "SELECT concat('KILL ', id) FROM information_schema.processlist WHERE db = '{0}' AND id <> "
    "connection_id()",
}


@pytest.fixture(params=SERVERS)
def server(request) -> Server:
    found = SERVERS[request.param]
    found.need()
    return found


def kill_all(server: Server) -> None:
    killed = server.say(server.home, KILL[server.name].format(server.database()))
    for (word,) in killed if server.name == "MariaDB" else ():
        server.say(server.home, word)


def test_processes_that_start_at_once_make_the_tables_once(server):
    url = f"{server.bare()}?server_clock=0"
    inboxes = [open_inbox(url, clock=lambda: 1000.0) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda inbox: inbox.open(), inboxes))
    assert server.say(server.database(), "SELECT version FROM hookcatch_schema") == [(1,)]
    for inbox in inboxes:
        inbox.close()


def test_tables_of_a_newer_hookcatch_are_refused(server, tmp_path):
    url = server.bare()
    open_inbox(url, clock=time.time).open()
    server.say(server.database(), "INSERT INTO hookcatch_schema VALUES (99)")
    with pytest.raises(ConfigurationError, match="newer hookcatch \\(schema 99"):
        open_inbox(url, clock=time.time).open()
    server.bare()


def test_the_inbox_goes_on_when_its_connections_are_killed(server, tmp_path):
    inbox = open_inbox(f"{server.clean(tmp_path)}?server_clock=0", clock=lambda: 1000.0)
    inbox.open()
    acked = []
    for number in range(30):
        if number % 7 == 3:
            kill_all(server)
        try:
            inbox.accept([event(f"evt_{number}")]).result(10)
            acked.append(f"evt_{number}")
        except InboxUnavailable:
            continue
        assert inbox.get(1) is not None
    kept = {inbox.get(seq)[0].id for seq in range(1, 40) if inbox.get(seq)}
    assert len(acked) > 20
    assert set(acked) <= kept
    inbox.close()


def test_what_is_due_comes_in_the_order_of_an_index_before_the_server_knows_how_much_that_is(
    server, tmp_path, monkeypatch
):
    """A backlog that came since the last ANALYZE is not sorted, all of it, at every claim."""
    inbox = open_inbox(f"{server.clean(tmp_path)}?server_clock=0", clock=lambda: 1000.0)
    inbox.open()
    inbox.accept([event(f"evt_{number}") for number in range(500)]).result()
    said: list[tuple[str, Any]] = []
    execute = Link.execute
    monkeypatch.setattr(Link, "execute", lambda self, *what: (said.append(what), execute(self, *what))[1])
    assert inbox.lease(token="w", limit=1, now=2000.0, until=2060.0).result()
    ((due, values),) = [one for one in said if "'pending'" in one[0] and "ORDER BY" in one[0]]
    plan = str(inbox._writer.submit(lambda db: db.execute(f"EXPLAIN {due}", values).fetchall()).result())
    assert "hookcatch_event_due" in plan
    assert "Sort" not in plan
    assert "filesort" not in plan
    inbox.close()


def test_a_claim_begins_where_the_last_one_got_to_for_what_was_there_is_in_the_index_still(
    server, tmp_path, monkeypatch
):
    inbox = open_inbox(f"{server.clean(tmp_path)}?server_clock=0", clock=lambda: 2000.0)
    inbox.open()
    inbox.accept([event(f"evt_{number}", received_at=1000.0 + number) for number in range(9)]).result()
    said: list[tuple[str, Any]] = []
    execute = Link.execute
    monkeypatch.setattr(Link, "execute", lambda self, *what: (said.append(what), execute(self, *what))[1])
    for first in (0, 3, 6):
        leases = inbox.lease(token="w", limit=3, now=2000.0, until=2060.0).result()
        assert [lease.event.id for lease in leases] == [f"evt_{first + place}" for place in range(3)]
    starts = [told[0][0] for sql, *told in said if "'pending'" in sql and "ORDER BY" in sql]
    assert starts == [FIRST, 1000.0, 1003.0]
    inbox.accept([event("early", received_at=900.0)]).result()
    inbox.release(leases[:1]).result()
    found = inbox.lease(token="w", limit=3, now=2000.0, until=2060.0).result()
    assert [lease.event.id for lease in found] == ["early", "evt_6"]
    inbox.close()


def test_what_another_process_puts_behind_a_claims_back_is_known_at_once_and_claimed_at_the_next_look(
    server, tmp_path, monkeypatch
):
    url = f"{server.clean(tmp_path)}?server_clock=0"
    claiming, other = [open_inbox(url, clock=lambda: 2000.0) for _ in range(2)]
    claiming.open(), other.open()
    assert claiming.lease(token="w", limit=3, now=2000.0, until=2060.0).result() == ()
    other.accept([event("spooled", received_at=1000.0)]).result()
    assert claiming.next_due() == 1000.0, "whoever works until nothing waits must not leave"
    assert claiming.lease(token="w", limit=3, now=2000.0, until=2060.0).result() == ()
    monkeypatch.setattr(front, "LOOK", 0.0)
    (found,) = claiming.lease(token="w", limit=3, now=2000.0, until=2060.0).result()
    assert found.event.id == "spooled"
    claiming.close(), other.close()


def test_whom_another_process_calls_up_is_claimed_at_once_however_long_he_was_behind(server, tmp_path):
    """As with a relay: one process claims, and the engine's ends the events and calls the next of the lane up."""
    url = f"{server.clean(tmp_path)}?server_clock=0"
    claiming, ending = [open_inbox(url, clock=lambda: 2000.0) for _ in range(2)]
    claiming.open(), ending.open()
    lane = Lane("order_1", 1, ordered=True)
    ending.accept([event(f"evt_{n}", received_at=1000.0 + n, lane=lane) for n in range(4)]).result()
    for n in range(4):
        (lease,) = claiming.lease(token="w", limit=3, now=2000.0, until=2060.0).result()
        assert lease.event.id == f"evt_{n}"
        assert claiming.lease(token="w", limit=3, now=2000.0, until=2060.0).result() == ()
        ending.settle(lease, [], Close("succeeded")).result()
    claiming.close(), ending.close()


def test_times_that_are_whole_numbers_and_times_that_are_not_come_together(server, tmp_path):
    inbox = opened(server, tmp_path)
    several = [event("a", received_at=1000, version=1), event("b", received_at=1000.5, version=None)]
    inbox.accept(several).result()
    assert [(inbox.get(seq)[0].received_at, inbox.get(seq)[0].version) for seq in (2, 3)] == [
        (1000.0, 1.0),
        (1000.5, None),
    ]
    inbox.close()


def test_what_handlers_did_is_looked_up_by_its_key_whatever_the_server_takes_for_cheaper(server, tmp_path):
    """Nor are the runs of all events read at every claim, for a server that thinks of them as few."""
    inbox = open_inbox(f"{server.clean(tmp_path)}?server_clock=0", clock=lambda: 1000.0)
    inbox.open()
    inbox.accept([event("evt_1")]).result()
    (lease,) = inbox.lease(token="w", limit=1, now=1000.0, until=1060.0).result()
    inbox.settle(lease, [Run("handle", "succeeded", 1)], None).result()
    runs = f"EXPLAIN SELECT * FROM {RUNS} WHERE event_id IN (1, 2, 3)"
    plan = str(inbox._writer.submit(lambda db: db.execute(runs).fetchall()).result())
    assert "hookcatch_run_pkey" in plan or "'PRIMARY'" in plan
    inbox.close()


def test_two_inboxes_never_lease_the_same_event(server, tmp_path):
    url = f"{server.clean(tmp_path)}?server_clock=0"
    inboxes = [open_inbox(url, clock=lambda: 1000.0) for _ in range(2)]
    for inbox in inboxes:
        inbox.open()
    inboxes[0].accept([event(f"evt_{number}") for number in range(200)]).result()

    def work(inbox) -> list[int]:
        seqs: list[int] = []
        while leases := inbox.lease(token="w", limit=5, now=1000.0, until=1060.0).result():
            seqs += [lease.event.seq for lease in leases]
        return seqs

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(work, inboxes)
    assert sorted(one + other) == sorted({*one, *other})
    assert len(one + other) == 200
    for inbox in inboxes:
        inbox.close()


def test_copies_that_cross_are_kept_once(server, tmp_path):
    """Deliveries of many events, the same in opposite orders: their locks are taken in one order."""
    url = f"{server.clean(tmp_path)}?server_clock=0"
    inboxes = [open_inbox(url, clock=lambda: 1000.0) for _ in range(4)]
    try:
        for inbox in inboxes:
            inbox.open()
        events = [event(f"evt_{number}") for number in range(20)]
        futures = [
            (place, inbox.accept(events[:: 1 if place % 2 else -1]))
            for _ in range(10)
            for place, inbox in enumerate(inboxes)
        ]
        answers = [future.result(60)[:: 1 if place % 2 else -1] for place, future in futures]
        seqs = {tuple(answer.seq for answer in those) for those in answers}
        assert len(seqs) == 1, "each answer belongs to its event"
        (once,) = seqs
        assert len(set(once)) == 20
        assert {inboxes[0].get(seq)[0].duplicates for seq in once} == {39}
    finally:
        for inbox in inboxes:
            inbox.close()


def test_who_works_on_events_and_who_gets_copies_of_them_do_not_meet_in_a_deadlock(server, tmp_path):
    url = f"{server.clean(tmp_path)}?server_clock=0"
    inboxes = [open_inbox(url, clock=lambda: 1000.0) for _ in range(2)]
    try:
        for inbox in inboxes:
            inbox.open()
        events = [event(f"evt_{number}") for number in range(20)]
        inboxes[0].accept(events).result()
        leases = inboxes[0].lease(token="w", limit=20, now=1000.0, until=1060.0).result()
        beats = [inboxes[0].heartbeat(leases[::way], until=1060.0) for way in (1, -1) * 10]
        copies = [inboxes[1].accept(events[::way]) for way in (1, -1) * 10]
        assert all(all(beat.result(60)) for beat in beats)
        assert all(len(copy.result(60)) == 20 for copy in copies)
        inboxes[0].release(leases).result(60)
        assert inboxes[1].counts() == {("shop", "pending"): 20}
    finally:
        for inbox in inboxes:
            inbox.close()


def test_machines_whose_clocks_differ_go_by_the_servers(server, tmp_path, caplog):
    url = server.clean(tmp_path)
    right = open_inbox(url, clock=time.time)
    fast = open_inbox(url, clock=lambda: time.time() + 100)
    for inbox in (right, fast):
        inbox.open()
        inbox.accept([event("first", received_at=time.time() - 9)]).result()  # the clocks are compared now
    assert "100.0 s ahead of the database's" in caplog.text
    now = time.time() + 100
    (held,) = fast.lease(token="w", limit=1, now=now, until=now + 60).result()
    assert held.until == pytest.approx(now + 60, abs=1)
    assert right.lease(token="v", limit=1, now=time.time(), until=time.time() + 60).result() == ()
    assert right.next_due() == pytest.approx(time.time() + 60, abs=5)
    right.close()
    fast.close()


@contextmanager
def at_once(inbox):
    """Whatever is submitted in the block is written in one batch; answers what the server is told."""
    said = []
    run = Link._run

    def noted(self, sql, values=()):
        said.append(sql.split()[0])
        return run(self, sql, values)

    with pytest.MonkeyPatch.context() as patch:
        with inbox._writer._gate:
            inbox._writer.submit(lambda db: None)  # the thread has taken it, and waits at the gate
            wait_until(inbox._writer._queue.empty)
            patch.setattr(Link, "_run", noted)
            yield said
        inbox.release([]).result()


def opened(server, tmp_path):
    inbox = open_inbox(f"{server.clean(tmp_path)}?server_clock=0", clock=lambda: 1000.0)
    inbox.open()
    inbox.accept([event("known")]).result()
    return inbox


def test_deliveries_that_come_together_are_one_statement_where_the_server_has_one(server, tmp_path):
    inbox = opened(server, tmp_path)
    with at_once(inbox) as said:
        futures = [
            inbox.accept([event("a"), event("b")]),
            inbox.accept([event("known", b"2")]),
            inbox.accept([]),
        ]
        futures.append(inbox.accept([event("c")]))
    first, second, none, last = [one.result() for one in futures]
    assert [answer.seq for answer in first] == sorted(answer.seq for answer in (*first, *last))[:2]
    assert none == ()
    assert isinstance(second[0], Duplicate)
    assert (second[0].seq, second[0].conflict) == (1, True)
    assert [inbox.get(answer.seq)[0].id for answer in (*first, *last)] == ["a", "b", "c"]
    assert said.count("INSERT") == (1 if server.name == "PostgreSQL" else 4)
    inbox.close()


def test_leases_that_end_together_are_one_statement_and_their_runs_are(server, tmp_path):
    inbox = opened(server, tmp_path)
    inbox.accept([event("a"), event("b")]).result()
    leases = inbox.lease(token="w", limit=9, now=1000.0, until=1060.0).result()
    with at_once(inbox) as said:
        ends = [inbox.settle(lease, [Run("handle", "succeeded", 1)], Close("succeeded")) for lease in leases]
    assert [end.result() for end in ends] == [None] * 3
    assert said.count("UPDATE") == 1
    assert said.count("INSERT") == 1
    inbox.close()


def test_leases_that_were_all_taken_over_end_nothing(server, tmp_path):
    inbox = opened(server, tmp_path)
    inbox.accept([event("a")]).result()
    late = inbox.lease(token="w", limit=9, now=1000.0, until=1060.0).result()
    inbox.lease(token="v", limit=9, now=1061.0, until=1120.0).result()
    with at_once(inbox):
        ends = [inbox.settle(lease, [Run("handle", "succeeded", 1)], Close("succeeded")) for lease in late]
    assert [type(end.exception()) for end in ends] == [LeaseLost, LeaseLost]
    assert inbox.counts() == {("shop", "running"): 2}
    assert [inbox.get(lease.event.seq)[1] for lease in late] == [[], []]
    inbox.close()


def test_what_is_said_twice_about_one_lease_is_said_in_its_order(server, tmp_path):
    inbox = opened(server, tmp_path)
    inbox.accept([event("a")]).result()
    one, other = inbox.lease(token="w", limit=9, now=1000.0, until=1060.0).result()
    with at_once(inbox):
        ends = [
            inbox.settle(one, [Run("first", "succeeded", 1)], Close("pending", run_at=2000.0)),
            inbox.settle(other, [], Close("succeeded")),
            inbox.settle(one, [Run("second", "succeeded", 1)], Close("succeeded")),
        ]
    assert [type(end.exception()) for end in ends] == [type(None), type(None), LeaseLost]
    assert [run.handler for run in inbox.get(one.event.seq)[1]] == ["first"]
    inbox.close()


@pytest.mark.parametrize("other", ["a copy", "a claim", "another policy", "content"])
def test_deliveries_of_another_kind_are_told_one_by_one_and_in_their_order(server, tmp_path, other):
    inbox = opened(server, tmp_path)
    with at_once(inbox) as said:
        first = inbox.accept([event("a")])
        second = {
            "a copy": lambda: inbox.accept([event("a")]),
            "a claim": lambda: inbox.accept([event("b")], claim=Claim("me", 1060.0, rescue=True)),
            "another policy": lambda: inbox.accept([event("b")], duplicates=Duplicates(revive_before=1.0)),
            "content": lambda: inbox.accept([event("b", content_key=b"1" * 32)]),
        }[other]()
    assert isinstance(first.result()[0], Accepted)
    assert isinstance(second.result()[0], Duplicate if other == "a copy" else Accepted)
    assert said.count("INSERT") == 2
    inbox.close()


def test_what_is_between_deliveries_stays_between_them(server, tmp_path):
    inbox = opened(server, tmp_path)
    with at_once(inbox):
        before = inbox.accept([event("known")], claim=Claim("late", 1060.0, rescue=True))
        discarded = inbox.discard([1], now=1000.0, why="no")
        after = inbox.accept([event("known")])
    assert (before.result()[0].state, discarded.result(), after.result()[0].state) == (
        "pending",
        1,
        "discarded",
    )
    inbox.close()
