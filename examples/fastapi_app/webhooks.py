"""What the shop does when its partners call."""

import logging
from decimal import Decimal
from typing import Annotated

from models import Order
from pydantic import BaseModel

from hookcatch import At, Event, Retry, Router, Transaction
from hookcatch.sqlalchemy import session

handlers = Router()
log = logging.getLogger("uvicorn.error")


class Placed(BaseModel):
    id: str
    total: Decimal


class Invoice(BaseModel):
    id: str
    amount_paid: int


@handlers.on("order.created", source="shop")
def place(order: Placed, tx: Transaction) -> None:
    """The order and the mark that this event is done are one commit: it is written exactly once."""
    with session(tx) as db:
        db.add(Order(id=order.id, total=str(order.total)))
    log.info("order %s over %s", order.id, order.total)


@handlers.on("invoice.paid", source="stripe")
def pay(
    invoice: Invoice, order: Annotated[str, At("data.object.metadata.order")], event: Event, tx: Transaction
) -> None:
    """Events come in any order: a payment may be here before what it pays for."""
    with session(tx) as db:
        found = db.get(Order, order)
        if found is None:
            raise Retry(f"{event.id}: there is no order {order} yet", after=1)
        found.paid = f"{invoice.amount_paid / 100:.2f} ({invoice.id})"
