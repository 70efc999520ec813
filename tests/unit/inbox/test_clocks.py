"""One clock for all machines at an inbox: none takes what another holds, whatever its own clock says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hookcatch.inbox import open_inbox
from hookcatch.inbox.shared.clock import ServerClock
from support.databases import SERVERS
from support.jetstream import NatsServer
from support.redis_server import OWN_REDIS

from .conftest import event

HOUR = 3600.0
NATS = NatsServer()


class Machine:
    """A machine's clock and timer; somebody sets the clock by `off` seconds."""

    def __init__(self) -> None:
        self.off = 0.0

    def __call__(self) -> float:
        return time.time() + self.off


@pytest.fixture(params=[*SERVERS, "redis", "nats"])
def url(request, tmp_path) -> str:
    if request.param == "redis":
        OWN_REDIS.clean(object())
        return OWN_REDIS.url("")
    if request.param == "nats":
        return NATS.url(tmp_path)
    SERVERS[request.param].need()
    return SERVERS[request.param].clean(tmp_path)


@pytest.fixture
def join(url) -> Iterator[Callable[[Machine], Any]]:
    """Opens the inbox on a machine."""
    made: list[Any] = []

    def join(machine: Machine) -> Any:
        made.append(open_inbox(url, clock=machine))
        made[-1].open()
        return made[-1]

    yield join
    for inbox in made:
        inbox.close()


def take(inbox: Any, machine: Machine, token: str) -> Any:
    """As a worker does."""
    return inbox.lease(token=token, limit=9, now=machine(), until=machine() + 60).result(30)


def bring(inbox: Any, machine: Machine, *ids: str) -> None:
    inbox.accept([event(id_, received_at=machine() - 1) for id_ in ids]).result(30)


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_who_comes_with_a_wrong_clock_takes_nothing_that_another_holds(join, off):
    right, wrong = Machine(), Machine()
    one = join(right)
    bring(one, right, "a")
    (held,) = take(one, right, "one")
    wrong.off = off
    other = join(wrong)
    assert take(other, wrong, "other") == ()
    assert one.heartbeat([held], until=right() + 60).result(30) == (True,)


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_whose_clock_is_set_while_it_works_takes_nothing_and_loses_nothing(join, off):
    right, wrong = Machine(), Machine()
    one, other = join(right), join(wrong)
    bring(one, right, "a")
    (of_one,) = take(one, right, "one")
    bring(other, wrong, "b")
    (of_other,) = take(other, wrong, "other")
    wrong.off = off
    assert take(other, wrong, "other again") == ()
    assert other.heartbeat([of_other], until=wrong() + 60).result(30) == (True,)
    assert take(one, right, "one again") == ()
    assert one.heartbeat([of_one], until=right() + 60).result(30) == (True,)


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_what_is_brought_after_the_clock_was_set_is_due_at_once(join, off):
    machine = Machine()
    inbox = join(machine)
    bring(inbox, machine, "a")
    machine.off = off
    bring(inbox, machine, "b")
    assert [held.event.id for held in take(inbox, machine, "w")] == ["a", "b"]
    machine.off = 0.0
    assert inbox.next_due() == pytest.approx(machine() + 60, abs=5)


# the clock itself


def clock(machine: list[float], *, wanted: bool = True) -> ServerClock:
    """Of a machine whose clock and timer are these two numbers."""
    return ServerClock(lambda: machine[0], timer=lambda: machine[1], wanted=wanted)


def test_a_clock_that_is_set_is_seen_at_once_and_asked_about():
    machine = [1000.0, 7.0]
    server = clock(machine)
    server.measure(lambda: 1000.0)
    machine[0] += HOUR
    assert (server(), server.is_due()) == (1000.0, True)
    server.measure(lambda: 1000.0)
    assert (server(), server.is_due()) == (1000.0, False)


def test_a_clock_that_only_goes_on_is_asked_about_after_a_minute():
    machine = [1000.0, 7.0]
    server = clock(machine)
    assert server.is_due()
    server.measure(lambda: 5000.0)
    machine[:] = [1059.0, 66.0]
    assert (server(), server.is_due()) == (5059.0, False)
    machine[:] = [1060.0, 67.0]
    assert (server(), server.is_due()) == (5060.0, True)


@pytest.mark.parametrize("little", [1.9, -1.9])
def test_what_harms_nobody_is_left_as_it_is(little):
    machine = [1000.0, 7.0]
    server = clock(machine)
    server.measure(lambda: 1000.0 + little)
    machine[0] += little
    assert (server(), server.is_due()) == (machine[0], False)


def test_who_wants_its_own_clock_has_it():
    machine = [1000.0, 7.0]
    server = clock(machine, wanted=False)
    machine[0] += HOUR
    assert (server(), server.is_due()) == (1000.0 + HOUR, False)
