"""A session of SQLAlchemy is the handler's transaction, on every database that an inbox can be in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import JSON, Numeric, String, create_engine, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from hookcatch import Event, Hookcatch, Retry, Transaction
from hookcatch.core.errors import ConfigurationError
from hookcatch.core.ports import Query
from hookcatch.inbox.block import Block
from hookcatch.sqlalchemy import async_session, session
from support.databases import SERVERS
from support.edges import AsgiCaller, WsgiCaller, post
from support.senders import whsec

ENGINES = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mariadb": "mysql+pymysql"}
"""By the scheme of an inbox, that of an application of its own in the same database."""


class Base(DeclarativeBase): ...


class Line(Base):
    __tablename__ = "line"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    notes: Mapped[dict[str, str] | None] = mapped_column(JSON)


@pytest.fixture(params=["sqlite", *SERVERS])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param in SERVERS:
        return SERVERS[request.param].clean(tmp_path)
    return f"sqlite:///{tmp_path}/shop.db?disk_floor=0&ballast=0"


@pytest.fixture
def lines(store: str) -> Iterator[Callable[[], list[str]]]:
    """What an application of its own finds in the table."""
    scheme, _, place = store.partition("?")[0].partition(":")
    engine = create_engine(f"{ENGINES[scheme]}:{place}")
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)

    def ids() -> list[str]:
        with Session(engine) as db:
            return list(db.scalars(select(Line.id).order_by(Line.id)))

    yield ids
    Base.metadata.drop_all(engine)
    engine.dispose()


def delivered(hooks: Hookcatch, caller: WsgiCaller | AsgiCaller) -> tuple[int, list[str]]:
    status = post(caller, hooks.sources["shop"].sign("t", {}, id="msg_1")).status
    found = [one.state for one in hooks.inbox().find(Query())]
    caller.close()
    return status, found


def swallow(db: Session) -> None:
    """A savepoint goes wrong and is rolled back; what was committed before stays in the transaction."""
    db.add(Line(id="kept", price=Decimal("9.90"), notes={"a": "é"}))
    db.commit()
    db.add(Line(id="kept"))
    with pytest.raises(IntegrityError):
        db.flush()
    db.rollback()
    kept = db.scalars(select(Line)).one()
    assert (kept.price, kept.notes) == (Decimal("9.90"), {"a": "é"})
    db.add_all([Line(id=f"more_{number}") for number in range(3)])


def fail(db: Session) -> None:
    db.add(Line(id="lost"))
    db.commit()
    raise Retry("not today")


KEPT = ["kept", "more_0", "more_1", "more_2"]
SLEEPS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 500000) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(0.3)",
    "mariadb": "SELECT sleep(0.3)",
}
"""Statements that take a while."""
CASES = pytest.mark.parametrize(
    ("work", "status", "left", "state"), [(swallow, 200, KEPT, "succeeded"), (fail, 503, [], "failed")]
)


@CASES
def test_a_session_is_committed_with_the_mark_of_the_run_or_not_at_all(
    store: str, lines: Callable[[], list[str]], work, status, left, state
):
    hooks = Hookcatch(store, worker=False)

    @hooks.source("shop", "standard_webhooks", whsec(0), ack="handled").on("*")
    def handler(event: Event, tx: Transaction) -> None:
        with session(tx) as db:
            work(db)

    assert delivered(hooks, WsgiCaller(hooks)) == (status, [state])
    assert lines() == left


@CASES
def test_so_is_an_async_one_whose_statements_run_in_threads(
    store: str, lines: Callable[[], list[str]], work, status, left, state
):
    hooks = Hookcatch(store, worker=False)
    counted: list[int] = []

    async def count() -> None:
        while True:
            counted.append(1)
            await asyncio.sleep(0.01)

    @hooks.source("shop", "standard_webhooks", whsec(0), ack="handled").on("*")
    async def handler(event: Event, tx: Transaction) -> None:
        async with async_session(tx) as db:
            await db.run_sync(work)
            ticks = asyncio.create_task(count())
            await db.execute(text(SLEEPS[store.partition(":")[0]]))
            ticks.cancel()
            assert len(counted) > 5

    assert delivered(hooks, AsgiCaller(hooks)) == (status, [state])
    assert lines() == left


def test_a_connection_that_is_not_known_is_an_error_that_says_which_are():
    class Other(Block[object]):
        def begin(self) -> object:
            return object()

        def end(self, error: BaseException | None) -> None: ...

    said = "object is not known: only over sqlite3, psycopg, pymysql"
    with pytest.raises(ConfigurationError, match=said), session(Other()):
        pass
