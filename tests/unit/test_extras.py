"""What needs an extra says which, and a session of SQLAlchemy is the handler's transaction."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from hookcatch import Event, Hookcatch, Retry, Transaction
from hookcatch.core.ports import Query
from hookcatch.sqlalchemy import session
from support.edges import WsgiCaller, post
from support.senders import whsec

EXTRAS = {
    "flask": ("flask", "flask"),
    "fastapi": ("fastapi", "fastapi"),
    "aiohttp": ("aiohttp", "aiohttp"),
    "sanic": ("sanic", "sanic"),
    "tornado": ("tornado", "tornado"),
    "sqlalchemy": ("sqlalchemy", "sqlalchemy"),
    "google_functions": ("flask", "google-functions"),
    "relay.streams.nats": ("nats", "nats"),
    "relay.streams.rabbitmq": ("aio_pika", "rabbitmq"),
    "relay.streams.redis": ("redis", "redis"),
}


@pytest.mark.parametrize("module", EXTRAS)
def test_a_framework_that_is_not_there_is_an_error_that_names_the_extra(module: str):
    library, extra = EXTRAS[module]
    code = f"import sys; sys.modules[{library!r}] = None; import hookcatch.{module}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = ended.stderr.splitlines()[-1]
    assert f"is needed here: pip install 'hookcatch[{extra}]'" in last


class Base(DeclarativeBase): ...


class Line(Base):
    __tablename__ = "line"

    id: Mapped[str] = mapped_column(primary_key=True)


def swallow(db: Session) -> None:
    """A savepoint goes wrong and is rolled back; what was committed before stays in the transaction."""
    db.add(Line(id="kept"))
    db.commit()
    db.add(Line(id="kept"))
    with pytest.raises(IntegrityError):
        db.flush()
    db.rollback()


def fail(db: Session) -> None:
    db.add(Line(id="lost"))
    db.commit()
    raise Retry("not today")


@pytest.mark.parametrize(
    ("work", "status", "lines", "state"),
    [(swallow, 200, [("kept",)], "succeeded"), (fail, 503, [], "failed")],
)
def test_the_session_is_committed_with_the_mark_of_the_run_or_not_at_all(
    tmp_path: Path, work, status, lines, state
):
    hooks = Hookcatch(f"sqlite:///{tmp_path}/shop.db?disk_floor=0&ballast=0", worker=False)
    source = hooks.source("shop", "standard_webhooks", whsec(0), ack="handled")

    @source.on("*")
    def handler(event: Event, tx: Transaction) -> None:
        with session(tx) as db:
            Base.metadata.create_all(db.connection())
            work(db)

    caller = WsgiCaller(hooks)
    assert post(caller, source.sign("t", {}, id="msg_1")).status == status
    assert [one.state for one in hooks.inbox().find(Query())] == [state]
    caller.close()
    import sqlite3

    with sqlite3.connect(tmp_path / "shop.db") as db:
        known = db.execute("SELECT name FROM sqlite_master WHERE name = 'line'").fetchall()
        assert (db.execute("SELECT id FROM line").fetchall() if known else []) == lines
    db.close()
