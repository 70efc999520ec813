"""The spool of a machine, looked at and drained by hand."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from hashlib import sha256

import pytest

from hookcatch.core.errors import InboxUnavailable
from hookcatch.core.model import Duplicates, NewEvent
from hookcatch.core.ports import Query
from hookcatch.inbox import open_inbox
from hookcatch.inbox.locks import Turn
from hookcatch.inbox.rules import failed
from hookcatch.inbox.spool_file import SpoolFile
from hookcatch.inbox.sqlite import SqliteInbox
from hookcatch.inbox.sqlite_file import SqliteOptions


@pytest.fixture
def place(tmp_path):
    """A spool with three deliveries, of which the last is a copy."""
    file = SpoolFile(tmp_path, SqliteOptions(disk_floor=0, ballast=0))
    file.open()
    for ids in (["a", "b"], ["c"], ["a"]):
        events = [NewEvent("shop", "", id_, "t", 1000.0, b"{}", sha256(b"{}").digest()) for id_ in ids]
        file.append(events, Duplicates()).result()
    file.close()
    return tmp_path


def test_a_spool_is_told_of_drained_and_empty(hookcatch, place):
    told = "3 deliveries wait, of 4 events and 8 bytes, since 1970-01-01 00:16:40+00:00\n"
    assert hookcatch("spool", "status", str(place)).output == told
    url = f"sqlite:///{place}/inbox.db?disk_floor=0"
    drained = hookcatch("spool", "drain", str(place), url)
    assert drained.output == "3 deliveries brought, 1 of their events were known there\n"
    inbox = open_inbox(url, clock=time.time)
    assert [found.id for found in inbox.find(Query())] == ["c", "b", "a"]
    inbox.close()
    assert hookcatch("spool", "status", str(place)).output == "nothing waits\n"


def test_what_the_store_does_not_take_is_named_and_a_store_that_takes_nothing_is_given_up(
    hookcatch, place, monkeypatch
):
    accept = SqliteInbox.accept

    def refuses(self, events, **options):
        if any(one.id in hated for one in events):
            return failed(InboxUnavailable("too large"))
        return accept(self, events, **options)

    monkeypatch.setattr(SqliteInbox, "accept", refuses)
    url = f"sqlite:///{place}/inbox.db?disk_floor=0"
    hated = {"a", "b", "c"}
    ended = hookcatch("spool", "drain", str(place), url)
    assert (ended.exit_code, ended.stderr) == (1, "Error: too large\n")
    hated = {"c"}
    ended = hookcatch("spool", "drain", str(place), url)
    assert (ended.exit_code, "1 deliveries were not taken" in ended.stderr) == (1, True)
    assert hookcatch("spool", "status", str(place)).output == "nothing waits\nnot taken: c: too large\n"


def test_it_waits_while_a_process_drains(hookcatch, place):
    turn = Turn(f"{place}/spool.db-drain")
    with ExitStack() as stack:
        assert stack.enter_context(turn.tried())
        threading.Timer(0.2, stack.pop_all().close).start()
    drained = hookcatch("spool", "drain", str(place), f"sqlite:///{place}/inbox.db?disk_floor=0")
    turn.close()
    assert "3 deliveries brought" in drained.output


def test_a_place_without_a_spool_is_an_error_and_stays_empty(hookcatch, tmp_path):
    ended = hookcatch("spool", "status", str(tmp_path))
    assert (ended.exit_code, f"there is no spool in {tmp_path}" in ended.stderr) == (1, True)
    assert not list(tmp_path.iterdir())
