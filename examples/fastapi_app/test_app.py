"""What you would test of your own shop: signed requests go in, orders come out."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from app import create_app
from fastapi.testclient import TestClient

from hookcatch import Hookcatch, Request


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(tmp_path / "test.db")) as made:  # `with` runs the lifespan, and so the worker
        yield made


@pytest.fixture
def hooks(client: TestClient) -> Hookcatch:
    return client.app.state.hooks


def send(client: TestClient, source: str, request: Request) -> int:
    return client.post(f"/hooks/{source}", content=request.body, headers=list(request.headers)).status_code


def work(hooks: Hookcatch) -> None:
    """Wait for the worker; it runs in this process."""
    inbox, deadline = hooks.inbox(), time.monotonic() + 10
    while inbox.next_due() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_order_is_placed_once_and_paid(client: TestClient, hooks: Hookcatch) -> None:
    shop, stripe = hooks.sources.values()
    order = shop.sign("order.created", {"id": "o_1", "total": "9.90"}, id="msg_1")
    invoice = {"id": "in_1", "amount_paid": 990, "metadata": {"order": "o_1"}}
    assert send(client, "shop", order) == 200
    assert send(client, "shop", order) == 200
    assert send(client, "stripe", stripe.sign("invoice.paid", invoice, id="evt_1")) == 200
    work(hooks)
    page = client.get("/").text
    assert page.count("<td>o_1") == 1
    assert "<td>9.90 (in_1)" in page


def test_a_stranger_places_nothing(client: TestClient, hooks: Hookcatch) -> None:
    order = hooks.sources["shop"].sign("order.created", {"id": "o_2", "total": "1"}, id="msg_2")
    assert send(client, "shop", order.replace(body=order.body.replace(b"1", b"2"))) == 401
    work(hooks)
    assert "o_2" not in client.get("/").text


def test_the_docs_say_what_may_come(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert "post" in document["paths"]["/hooks/shop"]
    assert document["webhooks"]["order.created"]["post"]["requestBody"]
