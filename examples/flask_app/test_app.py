"""What you would test of your own shop: signed requests go in, orders come out."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from app import create_app
from flask import Flask

from hookcatch import Request


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    made = create_app(tmp_path)
    made.testing = True
    yield made
    made.extensions["hookcatch"].runtime().close()


def send(app: Flask, source: str, request: Request) -> int:
    headers = [(name.decode(), value.decode()) for name, value in request.headers]
    return app.test_client().post(f"/hooks/{source}", data=request.body, headers=headers).status_code


def work(app: Flask) -> None:
    """Wait for the worker; it runs in this process."""
    inbox, deadline = app.extensions["hookcatch"].inbox(), time.monotonic() + 10
    while inbox.next_due() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_order_is_placed_once_and_paid(app: Flask) -> None:
    shop, stripe = app.extensions["hookcatch"].sources.values()
    order = shop.sign("order.created", {"id": "o_1", "total": "9.90"}, id="msg_1")
    invoice = {"id": "in_1", "amount_paid": 990, "metadata": {"order": "o_1"}}
    assert send(app, "shop", order) == 200
    assert send(app, "shop", order) == 200
    assert send(app, "stripe", stripe.sign("invoice.paid", invoice, id="evt_1")) == 200
    work(app)
    page = app.test_client().get("/").text
    assert page.count("<td>o_1") == 1
    assert "<td>9.90 (in_1)" in page


def test_a_stranger_places_nothing(app: Flask) -> None:
    order = (
        app.extensions["hookcatch"].sources["shop"].sign("order.created", {"id": "o_2", "total": "1"}, id="x")
    )
    assert send(app, "shop", order.replace(body=order.body.replace(b"1", b"2"))) == 401
    work(app)
    assert "o_2" not in app.test_client().get("/").text
