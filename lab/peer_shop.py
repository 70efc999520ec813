"""What the webhook views and the tasks of other engines share: they verify with the official SDK, and note their
effects in a SQLite file of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from .options import SECRET

NAME = "HOOKCATCH_LAB_PEER"


@dataclass(frozen=True, slots=True)
class Shop:
    """How a peer is built: the URL of its broker, the name of its queue, the file of effects, and the seconds of work
    on either side of an effect."""

    broker: str
    queue: str
    effects: str
    before: float
    after: float

    def environ(self) -> dict[str, str]:
        """The environment of a process of it."""
        return {**os.environ, NAME: json.dumps(asdict(self))}


def shop() -> Shop:
    """What this process was started with."""
    return Shop(**json.loads(os.environ[NAME]))


def verified(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    """The event with its id, or None if it is not the sender's."""
    try:
        event = Webhook(SECRET).verify(body.decode(), dict(headers))
    except WebhookVerificationError:
        return None
    return {**event, "id": headers["webhook-id"]}


def prepare(effects: str) -> None:
    """Make the file."""
    with closing(sqlite3.connect(effects, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE effect (id TEXT NOT NULL)")


def work(event: dict[str, Any]) -> None:
    """Work, have the effect, work on."""
    here = shop()
    time.sleep(here.before)
    with closing(sqlite3.connect(here.effects, timeout=30, isolation_level=None)) as db:
        db.execute("INSERT INTO effect VALUES (?)", (event["id"],))
    time.sleep(here.after)


def times(effects: str) -> Counter[str]:
    """How often each event had its effect."""
    with closing(sqlite3.connect(effects, timeout=30)) as db:
        return Counter(dict(db.execute("SELECT id, count(*) FROM effect GROUP BY id").fetchall()))
