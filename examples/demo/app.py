"""The receiver of the demo: five senders, handlers of every kind. `hookcatch run app:hooks`, in $DEMO_DIR."""

import asyncio
import os
import time
from decimal import Decimal
from pathlib import Path

from accounts import PUBLIC_URL, SECRETS
from pydantic import BaseModel

from hookcatch import Backoff, Event, Hookcatch, Transaction

PLACE = Path(os.environ["DEMO_DIR"])

# The lease is short only so that nobody has to wait a minute for the demo to get over its SIGKILL.
hooks = Hookcatch(f"sqlite:///{PLACE / 'inbox.db'}", public_url=PUBLIC_URL, lease=5.0)
for name, secret in SECRETS.items():
    hooks.source(name, secret=secret)


class Order(BaseModel):
    id: str
    total: Decimal


class Charge(BaseModel):
    id: str
    amount: int


@hooks.on("order.created")
def book(order: Order, event: Event, tx: Transaction) -> None:
    """The effect and our mark are one commit; no unique key here hides it if this is done twice."""
    time.sleep(0.004)
    with tx as db:
        db.execute("CREATE TABLE IF NOT EXISTS orders (event TEXT, thing TEXT, total TEXT)")
        db.execute("INSERT INTO orders VALUES (?, ?, ?)", (event.id, order.id, str(order.total)))


@hooks.on("charge.succeeded", source="stripe")
async def enter(charge: Charge, event: Event, tx: Transaction) -> None:
    await asyncio.sleep(0.004)
    async with tx as db:
        db.execute("CREATE TABLE IF NOT EXISTS orders (event TEXT, thing TEXT, total TEXT)")
        db.execute("INSERT INTO orders VALUES (?, ?, ?)", (event.id, charge.id, str(charge.amount)))


@hooks.on(["order.shipped", "app_mention"])
async def tell(event: Event) -> None:
    await asyncio.sleep(0.002)
    note("tell", event)


@hooks.on(["order.packed", "received"])
def print_label(event: Event) -> None:
    note("print_label", event)


@hooks.on("order.refunded", max_attempts=5, backoff=Backoff(base=0.5, factor=1.0))
def refund(event: Event[Order]) -> None:
    if event.attempt < 3:
        raise ConnectionError("the bank does not answer")
    note("refund", event)


@hooks.on("order.audited", max_attempts=3, backoff=Backoff(base=0.5, factor=1.0))
async def audit(event: Event) -> None:
    raise RuntimeError("there is no auditor")


def note(handler: str, event: Event) -> None:
    """A line in a file: an effect outside any transaction."""
    with (PLACE / "effects.log").open("a") as log:
        log.write(f"{handler} {event.id}\n")
