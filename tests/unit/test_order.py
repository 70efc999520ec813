"""Configuring the order of a source's events."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from hookcatch import ConfigurationError, Event, Hookcatch
from hookcatch.core.order import Order
from support.senders import whsec


def order(**options: Any) -> Order:
    hooks = Hookcatch("memory:")
    return hooks.source("shop", "standard_webhooks", whsec(0), **options).endpoint.policy.order


def test_without_wishes_there_is_no_order():
    assert order() == Order()


def test_wishes_are_heard():
    wishes: dict[str, Any] = {
        "order_by": "data.id",
        "on_parked": "block",
        "concurrency": 5,
        "version": "timestamp",
        "stale": "refetch",
        "debounce": 2,
    }
    assert order(**wishes) == Order(**wishes)
    assert order(concurrency_key="data.shop", concurrency=2) == Order(
        concurrency_key="data.shop", concurrency=2
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"order_by": ""}, "order_by is a path in the payload"),
        ({"order_by": 7}, "order_by is a path in the payload"),
        ({"order_by": "data..id"}, "order_by is a path in the payload"),
        ({"concurrency_key": "data.", "concurrency": 2}, "concurrency_key is a path in the payload"),
        ({"order_by": "id", "version": ""}, "version is a path in the payload"),
        ({"concurrency": 0}, "concurrency is a number of events, 1 or more"),
        ({"concurrency": True}, "concurrency is a number of events, 1 or more"),
        ({"order_by": "id", "debounce": -1}, "debounce is a number of seconds, more than 0"),
        ({"order_by": "id", "debounce": float("nan")}, "debounce is a number of seconds, more than 0"),
        ({"order_by": "id", "debounce": "5"}, "debounce is a number of seconds, more than 0"),
        ({"order_by": "id", "concurrency_key": "id", "concurrency": 2}, "leave out concurrency_key"),
        ({"concurrency_key": "id"}, "say concurrency="),
        ({"on_parked": "block"}, "on_parked tells events of one key apart: say which key, with order_by="),
        ({"version": "v"}, "version tells events of one key apart"),
        ({"stale": "refetch"}, "stale tells events of one key apart"),
        (
            {"debounce": 5.0, "concurrency_key": "id", "concurrency": 2},
            "debounce tells events of one key apart",
        ),
        ({"order_by": "id", "stale": "skip"}, "with version="),
        ({"order_by": "id", "stale": "never"}, "stale is one of run, skip, refetch"),
        ({"order_by": "id", "on_parked": "wait"}, "on_parked is one of skip, block"),
        ({"order_by": "id", "ack": "handled"}, 'leave ack="stored" for order_by'),
        ({"concurrency": 2, "ack": "deadline"}, 'leave ack="stored" for concurrency'),
    ],
)
def test_wishes_that_cannot_be_kept_are_refused(options: dict[str, Any], why: str):
    with pytest.raises(ConfigurationError, match="source 'shop': ") as refusal:
        order(**options)
    assert why in str(refusal.value)


@pytest.mark.parametrize(
    "options", [{"order_by": "data.id"}, {"concurrency_key": "data.id", "concurrency": 2}]
)
def test_a_reply_cannot_wait_for_its_turn(options: dict[str, Any]):
    hooks = Hookcatch("memory:")
    hooks.source("shop", "standard_webhooks", whsec(0), **options)
    hooks.source("other", "standard_webhooks", whsec(0))
    hooks.on("*", source="other", reply=True)(lambda: "fine")
    hooks.on("order.created", name="answer", reply=True)(lambda: "no")
    with pytest.raises(ConfigurationError, match=r"handler answer replies before the ack.*source 'shop'"):
        hooks.build()


def test_a_name_that_no_index_holds_is_refused():
    with pytest.raises(ConfigurationError, match="a name has at most 200 characters"):
        Hookcatch("memory:").source("x" * 201, "standard_webhooks", whsec(0))


def test_the_page_on_order_can_be_taken_at_its_word(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STRIPE_SECRET", "whsec_0123456789")
    page = Path(__file__).parents[2].joinpath("docs/order.md").read_text()
    hooks = Hookcatch("memory:")
    names = {"hooks": hooks, "os": os, "Event": Event, "secret": whsec(0)}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    orders = {name: source.endpoint.policy.order for name, source in hooks.sources.items()}
    assert orders == {
        "stripe": Order(order_by="data.object.id"),
        "billing": Order(order_by="data.object.id", version="created", stale="refetch"),
        "stock": Order(order_by="data.sku", version="data.updated_at", stale="skip"),
    }
    assert [handler.types for handler in hooks.build().routes.handlers] == [("customer.subscription.*",)]
    assert set(re.findall(r"^\| `(\w+)=", page, re.MULTILINE)) == set(Order.__dataclass_fields__)
