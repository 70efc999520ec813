"""The Django example over real HTTP, under real servers, on real databases; and killed in the middle."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from lab.processes import Process, free_port

from hookcatch import Hookcatch, Request

EXAMPLE = Path(__file__).parents[2] / "examples" / "django_app"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SERVERS = {
    "gunicorn": [
        "gunicorn",
        "shop.wsgi",
        "-w",
        "2",
        "-k",
        "gthread",
        "--threads",
        "4",
        "--log-level",
        "warning",
    ],
    "uvicorn": ["uvicorn", "shop.asgi:application", "--log-level", "warning"],
}
LIVE = """
from django.test import AsyncClient, LiveServerTestCase, TestCase, TransactionTestCase
import asyncio, http.client, threading
from urllib.parse import urlsplit
from asgiref.sync import sync_to_async
from hookcatch.django import hooks
from hookcatch.django.testing import deliver, work
from .models import Order

class Live(LiveServerTestCase):
    def test_over_http(self):
        request = hooks().sources["partner"].sign("order.created", {"id": "o_1", "total": "1"}, id="evt_1")
        connection = http.client.HTTPConnection(urlsplit(self.live_server_url).netloc)
        headers = {name.decode(): value.decode() for name, value in request.headers}
        connection.request("POST", "/hooks/partner", request.body, headers)
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        self.assertEqual([close.state for close in work()], ["succeeded"])
        self.assertEqual(Order.objects.get().number, "o_1")

class Committed(TransactionTestCase):
    def test_without_a_transaction_round_it(self):
        deliver(self.client, "partner", "order.created", {"id": "o_2", "total": "1"})
        work()
        self.assertEqual(Order.objects.get().number, "o_2")
        self.assertFalse([one for one in threading.enumerate() if one.name.startswith("hookcatch-writer")])

class Async(TestCase):
    async def test_through_the_async_client(self):
        request = hooks().sources["partner"].sign("order.created", {"id": "o_3", "total": "1"}, id="evt_3")
        headers = {name.decode(): value.decode() for name, value in request.headers}
        kind = headers.pop("content-type")
        answer = await self.async_client.generic(
            "POST", "/hooks/partner", request.body, content_type=kind, headers=headers)
        self.assertEqual(answer.status_code, 200)
        await sync_to_async(work)()
        self.assertEqual((await Order.objects.aget()).number, "o_3")
"""


def environment(place: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKCATCH")}
    return {
        **kept,
        "DATABASE": str(place / "shop.sqlite3"),
        "PYTHONPATH": f"{place / 'app'}:{os.environ.get('PYTHONPATH', '')}",
        "DEBUG": "0",
        **more,
    }


class Shop:
    """A copy of the example, its database, and one server at a time."""

    def __init__(self, place: Path, server: str, **environ: str) -> None:
        self.place = place
        self.app = place / "app"
        shutil.copytree(EXAMPLE, self.app, ignore=shutil.ignore_patterns("*.sqlite3*", "__pycache__"))
        self.environ = environment(place, **environ)
        self.server = server
        self.port = free_port()
        self.process: Process | None = None
        self.source = Hookcatch("memory:").source("partner", "standard_webhooks", SECRET)
        self.manage("migrate", "--verbosity", "0")

    def manage(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", "manage.py", *words],
            cwd=self.app, env=self.environ, capture_output=True, text=True, timeout=100, check=check,
        )  # fmt: skip

    def start(self) -> None:
        if self.server == "runserver":
            words = [sys.executable, str(self.app / "manage.py"), "runserver", str(self.port)]
        else:
            where = (
                ["--port", str(self.port)] if self.server == "uvicorn" else ["-b", f"127.0.0.1:{self.port}"]
            )
            words = [sys.executable, "-m", *SERVERS[self.server], *where]
        self.process = Process(words, self.environ, self.place / "log", self.port)
        self.process.start()
        asyncio.run(self.process.ready())

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()

    def post(self, request: Request) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest("POST", "/hooks/partner")
            for name, value in (*request.headers, (b"content-length", str(len(request.body)).encode())):
                connection.putheader(name.decode(), value)
            connection.endheaders(request.body)
            return connection.getresponse().status
        finally:
            connection.close()

    def order(self, number: str) -> Request:
        return self.source.sign("order.created", {"id": number, "total": "9.90"}, id=f"evt_{number}")

    def orders(self) -> Counter[str]:
        """What the page shows."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/")
        page = connection.getresponse().read().decode()
        connection.close()
        return Counter(re.findall(r"<tr><td>([^<]*)</td><td>", page))

    def wait_for(self, holds: Callable[[], Any]) -> None:
        end = time.monotonic() + 40
        while not holds():
            assert time.monotonic() < end, (self.place / "log").read_text()
            time.sleep(0.05)


@pytest.fixture
def postgres() -> Iterator[str]:
    server = os.environ.get("HOOKCATCH_TEST_POSTGRES", "postgres@127.0.0.1:5432")
    user, _, address = server.rpartition("@")
    host, _, port = address.partition(":")
    name = f"hookcatch_shop_{os.getpid()}"
    try:
        given = {"user": user.strip(":"), "host": host, "port": port or "5432", "dbname": "postgres"}
        connection = psycopg.connect(**given, autocommit=True)
    except psycopg.OperationalError as why:
        pytest.skip(f"no PostgreSQL: {why}")
    connection.execute(f"CREATE DATABASE {name}")
    yield f"{user.strip(':')}@{host}:{port}/{name}"
    connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    connection.close()


@pytest.fixture(params=["gunicorn-sqlite", "uvicorn-sqlite", "gunicorn-postgres", "uvicorn-postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    server, _, store = request.param.partition("-")
    environ = {"LEASE": "2", "ASYNCHRONOUS": "1" if server == "uvicorn" else "0"}
    if store == "postgres":
        environ["POSTGRES"] = request.getfixturevalue("postgres")
    made = Shop(tmp_path, server, **environ)
    yield made
    made.kill()


def test_killed_in_the_middle_nothing_is_lost_and_nothing_doubled(shop: Shop):
    """A sender that brings an event again until it hears 2xx, and a server that is killed under it."""
    shop.start()
    numbers = [f"o_{number}" for number in range(60)]
    for position, number in enumerate(numbers):
        if position % 20 == 10:
            shop.kill()
            shop.start()
        request = shop.order(number)
        shop.wait_for(lambda request=request: told(shop, request) == 200)
    shop.kill()  # with what is acknowledged and not yet handled
    shop.start()
    shop.wait_for(lambda: told(shop, shop.order("o_last")) == 200)
    wanted = Counter([*numbers, "o_last"])
    shop.wait_for(lambda: shop.orders() == wanted)
    assert shop.manage("hookcatch", "events", "list", "--state", "pending").stdout.count("evt_") == 0


def told(shop: Shop, request: Request) -> int:
    try:
        return shop.post(request)
    except OSError:
        return 0


TASKS = """
INSTALLED_APPS += ["django_tasks", "django_tasks_db"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
HOOKCATCH["RELAY"] = {"engine": "hookcatch.django.tasks.engine", "secret": "a secret of the relay's", "patience": 5}
"""


def test_the_projects_own_tasks_run_the_handlers_and_one_that_is_killed_loses_nothing(tmp_path: Path):
    shop = Shop(tmp_path, "gunicorn", LEASE="2")
    settings = shop.app / "shop" / "settings.py"
    settings.write_text(settings.read_text() + TASKS)
    shop.manage("migrate", "--verbosity", "0")
    words = [sys.executable, str(shop.app / "manage.py"), "db_worker", "--interval", "0.1"]
    worker = Process(words, shop.environ, tmp_path / "worker.log")
    try:
        shop.start()
        for number in range(20):
            assert shop.post(shop.order(f"o_{number}")) == 200
        time.sleep(1)
        assert shop.orders() == Counter()  # the server runs no handler
        worker.start()
        shop.wait_for(lambda: len(shop.orders()) > 3)
        worker.kill()
        worker.start()
        shop.wait_for(lambda: shop.orders() == Counter([f"o_{number}" for number in range(20)]))
    finally:
        worker.kill()
        shop.kill()


def test_a_forgery_is_refused_over_the_wire(tmp_path: Path):
    shop = Shop(tmp_path, "gunicorn")
    try:
        shop.start()
        forged = shop.order("o_1").replace(body=b"{}")
        assert shop.post(forged) == 401
        assert shop.post(shop.order("o_1")) == 200
        shop.wait_for(lambda: shop.orders() == Counter(["o_1"]))
    finally:
        shop.kill()


@pytest.mark.parametrize("asynchronous", ["0", "1"])
def test_runserver_handles_what_comes_before_and_after_it_has_loaded_changed_code(
    tmp_path: Path, asynchronous: str
):
    shop = Shop(tmp_path, "runserver", ASYNCHRONOUS=asynchronous, PYTHONUNBUFFERED="1")
    try:
        shop.start()
        assert shop.post(shop.order("o_1")) == 200
        shop.wait_for(lambda: shop.orders() == Counter(["o_1"]))
        shop.wait_for(lambda: touched(shop.app / "orders" / "webhooks.py") and has_started_again(shop))
        shop.wait_for(lambda: told(shop, shop.order("o_2")) == 200)
        shop.wait_for(lambda: answered(shop) == Counter(["o_1", "o_2"]))
    finally:
        shop.kill()


def touched(file: Path) -> bool:
    os.utime(file, (time.time() + 5, time.time() + 5))
    return True


def has_started_again(shop: Shop) -> bool:
    return (shop.place / "log").read_text().count("Performing system checks") > 1


def answered(shop: Shop) -> Counter[str]:
    try:
        return shop.orders()
    except OSError:
        return Counter()


def commands() -> list[list[str]]:
    lines = re.findall(
        r"^\$ python manage.py hookcatch (.*)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE
    )
    return [words for words in map(shlex.split, lines) if words != ["worker"]]


def test_the_example_does_what_its_readme_says(tmp_path: Path):
    shop = Shop(tmp_path, "gunicorn")
    shop.environ["HOOKCATCH_URL"] = f"http://127.0.0.1:{shop.port}/hooks"
    said = {}
    try:
        shop.start()
        for words in commands():
            ended = shop.manage("hookcatch", *words, check=False)
            assert ended.returncode == 0, (words, ended.stdout, ended.stderr)
            said[" ".join(words)] = ended.stdout
            shop.wait_for(lambda: "pending" not in shop.manage("hookcatch", "events", "list").stdout)
        assert shop.orders() == Counter(["o_1"])
    finally:
        shop.kill()
    assert len(said["events list"].splitlines()) > len(said["events list --state invalid"].splitlines()) > 1


def test_the_one_command_that_starts_it_starts_it(tmp_path: Path):
    shop = Shop(tmp_path, "gunicorn")
    environ = {**shop.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DEBUG": "1"}
    process = Process([str(shop.app / "start"), str(shop.port)], environ, tmp_path / "log", shop.port)
    shop.process = process
    try:
        process.start()
        asyncio.run(process.ready())
        assert shop.post(shop.order("o_1")) == 200
        shop.wait_for(lambda: shop.orders() == Counter(["o_1"]))
    finally:
        shop.kill()


@pytest.mark.parametrize("asynchronous", ["0", "1"])
def test_its_own_tests_pass_and_so_do_the_other_kinds_of_test_case(tmp_path: Path, asynchronous: str):
    shop = Shop(tmp_path, "gunicorn", ASYNCHRONOUS=asynchronous)
    (shop.app / "orders" / "test_live.py").write_text(LIVE)
    ended = shop.manage("test", check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Ran 8 tests" in ended.stderr


def test_a_worker_of_its_own_handles_what_the_servers_only_keep(tmp_path: Path):
    shop = Shop(tmp_path, "gunicorn", WORKER="0")
    try:
        shop.start()
        assert shop.post(shop.order("o_1")) == 200
        assert shop.orders() == Counter()
        ended = shop.manage("hookcatch", "worker", "--until-idle")
        assert "create_order succeeded" in ended.stderr
        assert shop.orders() == Counter(["o_1"])
    finally:
        shop.kill()


PLAIN = """
from hookcatch import Event, Hookcatch

hooks = Hookcatch("postgresql://{place}")
hooks.source("partner", "standard_webhooks", "{secret}")

@hooks.on("order.created")
def tell(event: Event) -> None:
    print("told of", event.data["id"])
"""


def test_a_worker_without_django_handles_what_the_project_keeps(tmp_path: Path, postgres: str):
    shop = Shop(tmp_path, "gunicorn", WORKER="0", POSTGRES=postgres)
    (tmp_path / "plain.py").write_text(PLAIN.format(place=postgres, secret=SECRET))
    try:
        shop.start()
        assert shop.post(shop.order("o_1")) == 200
        words = [sys.executable, "-m", "hookcatch", "worker", "plain:hooks", "--until-idle"]
        ended = subprocess.run(
            words, cwd=tmp_path, env=shop.environ, capture_output=True, text=True, timeout=60, check=True
        )
        assert "told of o_1" in ended.stdout
        assert "evt_o_1" in shop.manage("hookcatch", "events", "list", "--state", "succeeded").stdout
    finally:
        shop.kill()
