"""Behind a real nginx, configured as docs/proxies.md says: TLS ends there, a prefix is taken away."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import itertools
import os
import re
import shutil
import sqlite3
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from lab.processes import free_port
from lab.sender import message

from hookcatch import Hookcatch
from hookcatch.core.wire import Request
from hookcatch.providers import provider
from support.servers import Served, serve
from support.tls import certificate, pem_of, private_key

DOCS = Path(__file__).parents[2] / "docs/proxies.md"
NAME = "hooks.example.com"
SECRET = "a secret that only the tests know"
COUNT = itertools.count()

pytestmark = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")


class Nginx:
    """nginx before one app, in a directory of its own."""

    def __init__(self, place: Path, app: int) -> None:
        self.port = free_port()
        [server] = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(), re.DOTALL)
        key = private_key(7)
        (place / "cert.pem").write_bytes(certificate(NAME, key))
        (place / "key.pem").write_text(pem_of(key) + "\n")
        for documented, here in (
            ("listen 443", f"listen 127.0.0.1:{self.port}"),
            ("127.0.0.1:8000", f"127.0.0.1:{app}"),
            (f"/etc/ssl/{NAME}.pem", f"{place}/cert.pem"),
            (f"/etc/ssl/{NAME}.key", f"{place}/key.pem"),
        ):
            assert documented in server
            server = server.replace(documented, here)
        temporary = "".join(
            f"{kind}_temp_path {place}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""  # its workers have to reach this directory
        config = (
            f"{user}daemon off; pid {place}/nginx.pid; error_log {place}/error.log warn; worker_processes 1;\n"
            f"events {{}}\nhttp {{ access_log off;\n{temporary}{server}}}\n"
        )
        (place / "nginx.conf").write_text(config)
        self.context = ssl.create_default_context(cafile=str(place / "cert.pem"))
        self.process = subprocess.Popen(["nginx", "-p", str(place), "-c", str(place / "nginx.conf")])
        end = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < end:
            try:
                with closing(self._connect()):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError((place / "error.log").read_text())

    def _connect(self) -> http.client.HTTPConnection:
        plain = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        plain.connect()
        plain.sock = self.context.wrap_socket(plain.sock, server_hostname=NAME)
        return plain

    def post(
        self, path: str, headers: Iterable[tuple[str, str]], body: bytes, *, chunked: bool = False
    ) -> tuple[int, bytes]:
        with closing(self._connect()) as line:
            line.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
            length = ("transfer-encoding", "chunked") if chunked else ("content-length", str(len(body)))
            for name, value in (("host", NAME), *headers, length):
                line.putheader(name, value)
            line.endheaders()
            with suppress(OSError):  # it may answer before it has read everything
                line.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body)
            answer = line.getresponse()
            return answer.status, answer.read()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module", params=["uvicorn-httptools", "gunicorn-gthread"])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    target = "hooks" if request.param.startswith("uvicorn") else "wsgi"
    served = serve(request.param, f"behind_proxy:{target}", tmp_path_factory.mktemp(request.param))
    yield served
    served.process.kill()
    assert "Traceback" not in served.log()


@pytest.fixture(scope="module")
def nginx(app: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    made = Nginx(tmp_path_factory.mktemp("nginx"), app.port)
    yield made
    made.stop()


@pytest.fixture
def id_() -> str:
    return f"evt_{next(COUNT)}"


def mac(body: bytes) -> tuple[str, str]:
    return ("x-mac", hmac.digest(SECRET.encode(), body, hashlib.sha256).hex())


def bodies(app: Served) -> list[bytes]:
    with closing(sqlite3.connect(app.place / "inbox.db", timeout=10)) as db:
        return [body for (body,) in db.execute("SELECT body FROM hookcatch_body ORDER BY seq")]


@pytest.mark.parametrize("chunked", [False, True])
def test_an_event_comes_through_with_its_prefix_taken_away(app, nginx, id_, chunked):
    order = message(id_)
    assert nginx.post("/hooks/shop", order.headers, order.body, chunked=chunked)[0] == 200
    assert app.stored(id_) == 1


def test_a_forged_one_is_refused_by_the_app(app, nginx, id_):
    order = message(id_)
    assert nginx.post("/hooks/shop", order.headers, order.body + b" ") == (401, b"Unauthorized\n")


def test_a_signed_url_is_that_which_the_sender_called_whatever_is_forwarded(app, nginx):
    url = "https://hooks.example.com/hooks/square"
    written = Request("POST", url, [("content-type", "application/json")], b'{"event_id": "e1", "type": "a"}')
    request = provider("square").sign(written, secret=SECRET, now=0)
    headers = [(name.decode(), value.decode()) for name, value in request.headers]
    lies = [("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "http"), ("x-forwarded-prefix", "/x")]
    assert nginx.post("/hooks/square", [*headers, *lies], request.body)[0] == 200
    assert app.stored("e1") == 1
    elsewhere = provider("square").sign(
        written.replace(url="https://evil.example/hooks/square"), secret=SECRET, now=0
    )
    forged = [(name.decode(), value.decode()) for name, value in elsewhere.headers]
    lies = [("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example;proto=https")]
    assert nginx.post("/hooks/square", [*forged, *lies], elsewhere.body)[0] == 403  # as Square wants it


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe\x00 not UTF-8", b"\xef\xbb\xbf with a mark", b"a\r\nb\nc\r", b"", bytes(range(256)) * 4000],
    ids=["not-utf-8", "byte-order-mark", "line-ends", "empty", "megabyte"],
)
def test_bytes_arrive_as_they_were_sent(app, nginx, body):
    headers = [mac(body), ("content-type", "application/octet-stream")]
    assert nginx.post("/hooks/bytes", headers, body)[0] == 200
    assert body in bodies(app)


@pytest.mark.parametrize("chunked", [False, True])
def test_what_is_too_large_is_refused_by_nginx(app, nginx, chunked):
    before = len(bodies(app))
    body = b"x" * (1 << 20) + b"x"
    status, page = nginx.post("/hooks/bytes", [mac(body)], body, chunked=chunked)
    assert (status, b"nginx" in page) == (413, True)
    assert len(bodies(app)) == before


def test_a_name_with_an_underscore_does_not_arrive(app, nginx, id_):
    order = message(id_)
    assert nginx.post("/hooks/shop", [*order.headers, ("webhook_id", "evt_other")], order.body)[0] == 200
    assert (app.stored(id_), app.stored("evt_other")) == (1, 0)


def test_a_signature_that_comes_twice_is_refused(app, nginx, id_):
    order = message(id_)
    twice = [*order.headers, ("webhook-signature", "v1," + b64encode(b"x" * 32).decode())]
    assert nginx.post("/hooks/shop", twice, order.body)[0] in (400, 401)
    assert app.stored(id_) == 0


def test_other_paths_are_not_the_apps(nginx):
    status, page = nginx.post("/shop", [], b"{}")
    assert (status // 100, b"nginx" in page) == (4, True)
    assert nginx.post("/hooks/nothing", [], b"{}") == (404, b"Not Found\n")


def test_while_the_app_is_down_the_event_stays_with_its_sender(tmp_path):
    broken = Nginx(tmp_path, free_port())
    try:
        order = message("evt_down")
        assert broken.post("/hooks/shop", order.headers, order.body)[0] == 502
    finally:
        broken.stop()


def test_the_app_of_the_page_is_configured_as_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    known: dict[str, Any] = {"Hookcatch": Hookcatch, "square_key": SECRET}
    exec(code, known)
    assert known["hooks"].sources["square"].url() == "https://hooks.example.com/hooks/square"
