"""Effects in the inbox's own database: the effect and the mark of its run are one commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hookcatch.core.errors import Discard, LeaseLost, Retry
from hookcatch.core.model import Event
from hookcatch.core.ports import Transaction
from hookcatch.inbox.sqlite import SqliteInbox
from hookcatch.inbox.sqlite_file import SqliteOptions
from support.world import Clock, World


@pytest.fixture(params=["blocking", "threads", "awaited"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    clock, path = Clock(), tmp_path / "shop.db"
    made = World(request.param, SqliteInbox(path, clock=clock, options=SqliteOptions(disk_floor=0)), clock)
    made.path = path
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE paid (id TEXT)")
    db.close()
    yield made
    made.close()


def paid(world: Any) -> int:
    db = sqlite3.connect(world.path)
    try:
        return db.execute("SELECT count(*) FROM paid").fetchone()[0]
    finally:
        db.close()


def pay(tx: Transaction) -> None:
    with tx as db:
        db.execute("INSERT INTO paid VALUES ('o1')")


def test_the_effect_and_the_mark_are_there_together(world: World):
    @world.on(name="a")
    def handler(tx: Transaction) -> None:
        pay(tx)
        assert world.runs()["a"].state == "succeeded"

    world.deliver()
    assert world.work()[0].state == "succeeded"
    assert paid(world) == 1
    assert world.runs()["a"].attempts == 1


def test_an_error_inside_takes_both_back_and_it_is_tried_again(world: World):
    @world.on(name="a")
    def handler(event: Event, tx: Transaction) -> None:
        with tx as db:
            db.execute("INSERT INTO paid VALUES ('o1')")
            if event.attempt == 1:
                raise Retry(after=1)

    world.deliver()
    assert world.work()[0].state == "pending"
    assert (paid(world), world.runs()["a"].state) == (0, "retry")
    world.clock.now += 1
    assert world.work()[0].state == "succeeded"
    assert (paid(world), world.runs()["a"].attempts) == (1, 2)


@pytest.mark.parametrize("error", [ValueError("too late"), Retry(after=1), Discard()])
def test_what_happens_after_the_commit_cannot_undo_it(world: World, error: Exception):
    @world.on(name="a")
    def handler(tx: Transaction) -> None:
        pay(tx)
        raise error

    world.deliver()
    assert world.work()[0].state == "succeeded"
    assert world.work() == []
    assert (paid(world), world.runs()["a"].state) == (1, "succeeded")


def test_a_worker_that_dies_after_the_commit_has_done_it_and_nobody_does_it_again(world: World):
    class Killed(BaseException):
        pass

    @world.on(name="a")
    def handler(tx: Transaction) -> None:
        pay(tx)
        raise Killed

    world.deliver()
    with pytest.raises(Killed):
        world.work()
    world.clock.now += 61
    assert world.work()[0].state == "succeeded"
    assert paid(world) == 1


def test_whoever_lost_the_lease_can_write_nothing_through_it(world: World):
    @world.on(name="a")
    def handler(event: Event, tx: Transaction) -> None:
        if not world.event().lost:
            world.lose_the_lease_of()
        pay(tx)

    world.deliver()
    with pytest.raises(LeaseLost):
        world.work()
    assert paid(world) == 0
    world.clock.now += 61
    assert world.work()[0].state == "succeeded"
    assert paid(world) == 1


def test_a_transaction_that_was_never_opened_is_a_plain_success(world: World):
    @world.on(name="a")
    def handler(tx: Transaction) -> None: ...

    world.deliver()
    assert world.work()[0].state == "succeeded"


@pytest.mark.parametrize("world", ["awaited"], indirect=True)
def test_an_async_handler_opens_it_with_async_with(world: World):
    @world.on(name="a")
    async def handler(tx: Transaction) -> None:
        async with tx as db:
            db.execute("INSERT INTO paid VALUES ('o1')")

    world.deliver()
    assert world.work()[0].state == "succeeded"
    assert paid(world) == 1


def test_before_the_ack_it_works_as_after_it(world: World):
    world.source(ack="handled")
    world.on(name="a")(pay)
    assert world.deliver().status == 200
    assert world.deliver().status == 200
    assert paid(world) == 1
