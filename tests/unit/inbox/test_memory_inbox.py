from __future__ import annotations

from hookcatch.core.model import Accepted, Close, Duplicate
from hookcatch.core.ports import Query
from hookcatch.inbox.memory import MemoryInbox

from .conftest import event


def work_off(inbox: MemoryInbox, now: float = 9e9) -> None:
    for lease in inbox.lease(token="w", limit=100, now=now, until=now + 60).result():
        inbox.settle(lease, [], Close("succeeded")).result()


def test_beyond_the_cap_the_oldest_ended_events_go_and_the_live_ones_never_do():
    inbox = MemoryInbox(clock=lambda: 1.0, keep=3)
    for number in range(5):
        inbox.accept([event(f"done{number}", content_key=bytes([number]))]).result()
        work_off(inbox)
    for number in range(10):
        inbox.accept([event(f"live{number}")]).result()
    assert [found.id for found in inbox.find(Query())][10:] == ["done4", "done3", "done2"]
    assert len(inbox.find(Query())) == 13
    assert isinstance(inbox.accept([event("done4")]).result()[0], Duplicate)
    (again,) = inbox.accept([event("done0", content_key=b"\x00")]).result()
    assert again == Accepted(again.seq)


def test_an_event_that_is_leased_and_dropped_later_leaves_nothing_behind():
    inbox = MemoryInbox(clock=lambda: 1.0, keep=0)
    inbox.accept([event("a"), event("b", content_key=b"k"), event("c", content_key=b"k")]).result()
    work_off(inbox)
    assert inbox.counts() == {}
    assert inbox.next_due() is None
    assert inbox.lease(token="w", limit=9, now=9e9, until=9e9 + 60).result() == ()


def test_an_event_that_was_due_and_replaced_by_a_lost_one_stays_due():
    inbox = MemoryInbox(clock=lambda: 1.0)
    inbox.accept([event("lost", received_at=10.0)]).result()
    inbox.lease(token="w", limit=1, now=10.0, until=20.0).result()
    inbox.accept([event("due", received_at=30.0)]).result()
    first = inbox.lease(token="w", limit=1, now=40.0, until=100.0).result()
    second = inbox.lease(token="w", limit=1, now=40.0, until=100.0).result()
    assert [lease.event.id for lease in (*first, *second)] == ["lost", "due"]
