"""What the shop does when its partners call."""

from decimal import Decimal
from typing import Annotated

from flask import current_app
from models import Order
from pydantic import BaseModel

from hookcatch import At, Event, Retry, Transaction
from hookcatch.flask import Webhooks
from hookcatch.sqlalchemy import session

webhooks = Webhooks()
webhooks.source("shop", "standard_webhooks")  # the secrets are in the app's config
webhooks.source("stripe")


class Placed(BaseModel):
    id: str
    total: Decimal


class Invoice(BaseModel):
    id: str
    amount_paid: int


@webhooks.on("order.created", source="shop")
def place(order: Placed, tx: Transaction) -> None:
    """The order and the mark that this event is done are one commit: it is written exactly once."""
    with session(tx) as db:
        db.add(Order(id=order.id, total=str(order.total)))
    current_app.logger.info("order %s over %s", order.id, order.total)


@webhooks.on("invoice.paid", source="stripe")
def pay(
    invoice: Invoice, order: Annotated[str, At("data.object.metadata.order")], event: Event, tx: Transaction
) -> None:
    """Events come in any order: a payment may be here before what it pays for."""
    with session(tx) as db:
        found = db.get(Order, order)
        if found is None:
            raise Retry(f"{event.id}: there is no order {order} yet", after=1)
        found.paid = f"{invoice.amount_paid / 100:.2f} ({invoice.id})"
