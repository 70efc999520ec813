"""A webhook receiver in one file: `hookcatch run app:hooks`."""

import os
from decimal import Decimal

from pydantic import BaseModel

from hookcatch import Event, Hookcatch, Retry

hooks = Hookcatch("sqlite:///hookcatch.db")
shop = hooks.source(
    "shop",
    provider="standard_webhooks",
    secret=os.environ.get("SHOP_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
)
# two secrets while one of them is being rotated: the first signs, both verify
hooks.source("stripe", secret=["whsec_the_new_one_of_the_two", "whsec_the_old_one_of_the_two"])


class Order(BaseModel):
    id: str
    total: Decimal


@hooks.on("order.created")
async def fulfil(order: Order, event: Event) -> None:
    """The event's data, validated as Order; a payload that breaks it is parked, not lost."""
    print(f"{event.id}: order {order.id} over {order.total}", flush=True)


@shop.on("order.cancelled", max_attempts=5)
def refund(event: Event[Order]) -> None:
    """A plain function runs in a thread. It fails the first time, to show what a retry looks like."""
    if event.attempt == 1:
        raise Retry("the bank is closed", after=1)
    print(f"{event.id}: refunded {event.data.id} at attempt {event.attempt}", flush=True)
