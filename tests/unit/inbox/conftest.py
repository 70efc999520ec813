from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hookcatch.core.model import NewEvent
from hookcatch.inbox.sqlite import SqliteInbox
from hookcatch.inbox.sqlite_file import SqliteOptions

FREE = SqliteOptions(disk_floor=0, ballast=0)


def event(key: str = "evt_1", body: bytes = b"{}", **facts: Any) -> NewEvent:
    given = {"source": "shop", "tenant": "", "type": "order.created", "received_at": 1000.0}
    return NewEvent(id=key, body=body, body_hash=sha256(body).digest(), **{**given, **facts})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "inbox.db"


@pytest.fixture
def make(file: Path) -> Iterator[Callable[..., SqliteInbox]]:
    """Opens inboxes on one file, and closes them in the end."""
    made: list[SqliteInbox] = []

    def one(options: SqliteOptions = FREE, *, path: Path = file) -> SqliteInbox:
        inbox = SqliteInbox(path, clock=lambda: 1000.0, options=options)
        made.append(inbox)
        inbox.open()
        return inbox

    yield one
    for inbox in made:
        inbox.close()


@pytest.fixture
def inbox(make: Callable[..., SqliteInbox]) -> SqliteInbox:
    return make()
