"""The two shops among the examples: their own tests pass, and a SIGKILL in the middle loses and doubles nothing."""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab.processes import Process, free_port

from hookcatch import Hookcatch, Request

EXAMPLES = Path(__file__).parents[2] / "examples"
ORDERS = 60


@dataclass(frozen=True)
class Shop:
    """Where an example is, how it is served, and where its database comes to be."""

    folder: str
    argv: tuple[str, ...]
    database: str
    lease: tuple[str, str]
    """The text that sets its inbox up, and the same with a lease so short that a test can wait for it."""


SHOPS = {
    "flask": Shop(
        "flask_app",
        ("-m", "gunicorn", "-k", "gthread", "--threads", "4", "app:create_app()", "-b", "127.0.0.1:{port}"),
        "instance/shop.db",
        ("webhooks = Webhooks()", "webhooks = Webhooks(lease=2.0)"),
    ),
    "fastapi": Shop(
        "fastapi_app",
        ("-m", "uvicorn", "app:app", "--port", "{port}"),
        "shop.db",
        ('hooks = Hookcatch(f"sqlite:///{file}")', 'hooks = Hookcatch(f"sqlite:///{file}", lease=2.0)'),
    ),
}


@pytest.fixture(params=SHOPS)
def shop(request: pytest.FixtureRequest) -> Shop:
    return SHOPS[request.param]


@pytest.fixture
def folder(shop: Shop, tmp_path: Path) -> Path:
    copy = tmp_path / "shop"
    shutil.copytree(
        EXAMPLES / shop.folder, copy, ignore=shutil.ignore_patterns("*.db*", "instance", "__pycache__")
    )
    return copy


def test_its_own_tests_pass(folder: Path):
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "."],
        cwd=folder, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout


@pytest.fixture
def server(shop: Shop, folder: Path) -> Iterator[Process]:
    for name in ("app.py", "webhooks.py"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace(*shop.lease))
    assert shop.lease[1] in (folder / "app.py").read_text() + (folder / "webhooks.py").read_text()
    port = free_port()
    argv = [sys.executable, *[word.format(port=port) for word in shop.argv]]
    made = Process(["env", "-C", str(folder), *argv], dict(os.environ), folder / "log", port)
    made.start()
    asyncio.run(made.ready())
    yield made
    made.kill()


def letters() -> Iterator[tuple[str, Request]]:
    """What partner and Stripe send, signed as they sign; payments go first now and then."""
    hooks = Hookcatch("memory:", worker=False)
    partner = hooks.source("shop", "standard_webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    stripe = hooks.source("stripe", secret="whsec_one_that_only_you_and_stripe_know")
    for n in range(ORDERS):
        order = partner.sign("order.created", {"id": f"o_{n}", "total": "9.90"}, id=f"msg_{n}")
        paid = {"id": f"in_{n}", "amount_paid": 990, "metadata": {"order": f"o_{n}"}}
        pair = [("shop", order), ("stripe", stripe.sign("invoice.paid", paid, id=f"evt_{n}"))]
        yield from reversed(pair) if n % 10 == 0 else pair


def deliver(port: int, source: str, letter: Request) -> None:
    """As a sender does: again until it is acknowledged."""
    for _ in range(400):
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", port)) as to,
        ):
            to.timeout = 10
            to.request(
                "POST", f"/hooks/{source}", letter.body, {n.decode(): v.decode() for n, v in letter.headers}
            )
            if to.getresponse().status == 200:
                return
        time.sleep(0.05)
    raise AssertionError("never acknowledged")


def rows(folder: Path, shop: Shop, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / shop.database, timeout=10)) as db:
        return db.execute(query).fetchall()


def page(port: int) -> str:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as to:
        to.request("GET", "/")
        return to.getresponse().read().decode()


@pytest.mark.slow
def test_a_sigkill_in_the_middle_loses_no_order_and_places_none_twice(
    shop: Shop, folder: Path, server: Process
):
    with ThreadPoolExecutor(8) as senders:
        sent = [senders.submit(deliver, server.port, *one) for one in letters()]
        while sum(one.done() for one in sent) < ORDERS:
            time.sleep(0.005)
        server.kill()
        done = rows(folder, shop, "SELECT count(*) FROM hookcatch_event WHERE state = 'succeeded'")
        server.start()
        asyncio.run(server.ready())
        for one in sent:
            one.result()
    assert done < [(2 * ORDERS,)], "it was killed too late to show anything"
    end = time.monotonic() + 40
    open_ = "SELECT count(*) FROM hookcatch_event WHERE state IN ('pending', 'running')"
    while rows(folder, shop, open_) != [(0,)]:
        assert time.monotonic() < end, (folder / "log").read_text()
        time.sleep(0.05)
    states = rows(folder, shop, "SELECT state, count(*) FROM hookcatch_event GROUP BY state")
    assert states == [("succeeded", 2 * ORDERS)]
    shown = page(server.port)
    for n in range(ORDERS):
        assert shown.count(f"<td>o_{n}<td>9.90<td>9.90 (in_{n})") == 1
    assert "Traceback" not in (folder / "log").read_text()
