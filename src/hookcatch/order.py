"""Configuring the order of a source's events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .core.endpoint import Ack
from .core.errors import ConfigurationError
from .core.handler import Handler
from .core.order import Order


def order_of(name: str, wishes: Mapping[str, Any], ack: Ack) -> Order:
    """A source's order, checked. Raises ConfigurationError with what to change."""
    order = Order(**wishes)
    for why in (*_misspelt(wishes, order), *_contradictions(wishes, order)):
        raise ConfigurationError(f"source {name!r}: {why}")
    if wishes and ack != "stored":
        raise ConfigurationError(
            f'source {name!r}: with ack="{ack}" an event is handled when it comes, whatever is in work; leave '
            f'ack="stored" for {", ".join(sorted(wishes))}'
        )
    return order


def check_replies(name: str, order: Order, handlers: tuple[Handler, ...]) -> None:
    """Raises ConfigurationError for a handler that cannot wait for its turn."""
    for handler in handlers:
        if handler.reply and order.has_lanes:
            raise ConfigurationError(
                f"handler {handler.name} replies before the ack, and events of source {name!r} have to wait for "
                "others: take order_by or concurrency_key from the source, or reply=True from the handler"
            )


def _misspelt(wishes: Mapping[str, Any], order: Order) -> Iterator[str]:
    """What is wrong with each wish by itself."""
    for path in ("order_by", "concurrency_key", "version"):
        if path in wishes and not _is_path(wishes[path]):
            yield f'{path} is a path in the payload, as "data.object.id", not {wishes[path]!r}'
    if order.concurrency is not None and (type(order.concurrency) is not int or order.concurrency < 1):
        yield f"concurrency is a number of events, 1 or more, not {order.concurrency!r}"
    if "debounce" in wishes and not (
        type(order.debounce) in (int, float) and 0 < order.debounce < float("inf")
    ):
        yield f"debounce is a number of seconds, more than 0, not {order.debounce!r}"


def _is_path(wish: object) -> bool:
    """One with a step that is empty would be found in no payload, and so order nothing without a word."""
    return isinstance(wish, str) and all(wish.split("."))


def _contradictions(wishes: Mapping[str, Any], order: Order) -> Iterator[str]:
    """What two wishes say together."""
    if order.concurrency_key and order.order_by:
        yield "order_by has one event of a key in work at a time already: leave out concurrency_key"
    if order.concurrency_key and order.concurrency is None:
        yield "concurrency_key needs to know how many: say concurrency=..."
    for wish in ("on_parked", "version", "stale", "debounce"):
        if wish in wishes and not order.order_by:
            yield f"{wish} tells events of one key apart: say which key, with order_by=..."
    if order.stale == "skip" and not order.version:
        yield 'stale="skip" has to know which event is newer: say where that stands, with version=...'
