from decimal import Decimal

from pydantic import BaseModel

from hookcatch import Retry
from hookcatch.django import on

from .models import Order


class NewOrder(BaseModel):
    id: str
    total: Decimal


class Invoice(BaseModel):
    metadata: dict[str, str]


@on("order.created", source="partner", atomic=True)
def create_order(order: NewOrder) -> None:
    """With `atomic` the order is there exactly once, whatever dies when: no get_or_create is needed."""
    Order.objects.create(number=order.id, total=order.total)


@on("invoice.paid", source="stripe", atomic=True)
def mark_paid(invoice: Invoice) -> None:
    if not Order.objects.filter(number=invoice.metadata["order"]).update(paid=True):
        raise Retry("the order is not here yet: events come in any order", after=5)
