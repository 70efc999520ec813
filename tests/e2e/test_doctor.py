"""The doctor knocks at real doors: uvicorn, gunicorn and nginx, straight ones and such as are broken in one way."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab.processes import ROOT, Process, free_port

from hookcatch.cli.knock import knock
from hookcatch.doctor.catalogue import DOOR
from hookcatch.doctor.door import Checked, visit
from support.servers import APPS, Served, serve
from support.tls import certificate, pem_of, private_key

NGINX = shutil.which("nginx")
needs_nginx = pytest.mark.skipif(
    NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx)"
)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The module that the servers serve, for its sources; its own inbox stays closed."""
    place = tmp_path_factory.mktemp("doors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("E2E_PLACE", str(place))
        patch.syspath_prepend(str(APPS))
        import doors as module

        yield module
        sys.modules.pop("doors")


def served(server: str, app: str, place: Path) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests"), str(ROOT)]))
        running = serve(server, app, place)
    yield running
    running.process.kill()


@pytest.fixture(scope="module")
def uvicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from served("uvicorn-h11", "doors:asgi", tmp_path_factory.mktemp("uvicorn"))


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from served("gunicorn-gthread", "doors:wsgi", tmp_path_factory.mktemp("gunicorn"))


def look(doors: Any, port: int, door: str, source: str = "shop", scheme: str = "http") -> list[Checked]:
    url = f"{scheme}://127.0.0.1:{port}/{door}/{source}"
    return list(visit(doors.hooks.sources[source].door(url, knock, secrets.token_hex(4))))


def found(checked: list[Checked]) -> dict[str, str]:
    return {one.found.name: one.found.what for one in checked if one.found is not None}


@dataclass(frozen=True)
class Case:
    """A door, what is found there, and what is said of it."""

    door: str
    findings: tuple[str, ...]
    source: str = "shop"
    says: str = ""


ASGI = [
    Case("straight", ()),
    Case("straight", (), "chat"),
    Case("straight", (), "under"),
    Case("eater", ("body_lost", "chunked_refused", "size_limit", "signature_refused")),
    Case("rewriter", ("body_rewritten", "signature_refused"), says="parsed as JSON and written again"),
    Case("unpacker", ("body_unpacked",), says="is unpacked"),
    Case("labelless", ("body_unpacked",), says="loses its label"),
    Case("slash", ("slash_redirect",), says="after which a POST becomes a GET"),
    Case("elsewhere", ("redirected",), says="to https://"),
    Case("login", ("auth_wall",), says="/accounts/login"),
    Case("wall", ("auth_wall",), says="401 by uvicorn with an HTML page"),
    Case("csrf", ("csrf",), says="403"),
    Case("firewall", ("auth_wall",), says="403 by uvicorn"),
    Case("nothing", ("not_served",), says="404 by uvicorn with an HTML page"),
    Case("straight/else", ("not_served",), says="none of its sources is at this path"),
    Case("getonly", ("method_refused",)),
    Case("upstream", ("layer_error",), says="502 by a-proxy with an HTML page"),
    Case("yes", ("always_ok",), says="200 by uvicorn"),
    Case("renamer", ("header_respelt", "signature_refused"), says="arrives as http_webhook_"),
    Case("dropper", ("header_dropped", "signature_refused"), says="webhook-signature"),
    Case("deaf", ("probe_refused",)),
    Case("stranger", ("probe_refused",)),
    Case("limit", ("size_limit",), says="413 by a-proxy"),
    Case("validator", ("body_refused",), says="400"),
    Case("unchunked", ("chunked_refused",), says="411"),
    Case("accepted", ("status_changed",), says="comes back as 202"),
    Case("slow", ("slow",), "hasty"),
    Case("unasked", ("query_changed",)),
    Case(
        "straight", ("wrong_url", "signature_refused"), "till", says="verifies over https://till.example.com"
    ),
    Case("late", ("clock_off", "signature_refused"), says="4000 s behind ours"),
]

WSGI = [
    Case("straight", ()),
    Case("straight", (), "chat"),
    Case("eater", ("body_lost", "chunked_refused", "size_limit", "signature_refused")),
    Case("rewriter", ("body_rewritten", "signature_refused")),
    Case("csrf", ("csrf",), says="403 by gunicorn"),
    Case("yes", ("always_ok",), says="200 by gunicorn"),
    Case("limit", ("size_limit",), says="413 by gunicorn"),
    Case("straight", ("header_dropped", "signature_refused"), "under", says="x_shop_signature"),
]


def is_as_told(checked: list[Checked], case: Case) -> None:
    said = found(checked)
    assert tuple(said) == case.findings
    assert case.says in "; ".join(said.values())


@pytest.mark.parametrize("case", ASGI, ids=lambda case: f"{case.door}-{case.source}")
def test_what_is_wrong_before_an_asgi_app_is_found(doors: Any, uvicorn: Served, case: Case) -> None:
    is_as_told(look(doors, uvicorn.port, case.door, case.source), case)


@pytest.mark.parametrize("case", WSGI, ids=lambda case: f"{case.door}-{case.source}")
def test_what_is_wrong_before_a_wsgi_app_is_found(doors: Any, gunicorn: Served, case: Case) -> None:
    is_as_told(look(doors, gunicorn.port, case.door, case.source), case)


def test_the_size_that_still_arrives_is_found(doors: Any, uvicorn: Served) -> None:
    what = found(look(doors, uvicorn.port, "limit"))["size_limit"]
    about = int(what.split("about ")[1].split()[0])
    assert abs(about - doors.LIMIT) < doors.LIMIT // 10
    assert str(doors.MAX_BODY) in what


def test_no_probe_becomes_an_event(doors: Any, uvicorn: Served, gunicorn: Served) -> None:
    for server in (uvicorn, gunicorn):
        assert found(look(doors, server.port, "straight")) == {}
        found(look(doors, server.port, "rewriter"))
        look_at = doors.hooks.sources["shop"].sign("order.created", {}, id="evt_1")
        answer = knock(look_at.replace(url=f"http://127.0.0.1:{server.port}/straight/shop"), False)
        assert (answer.status, server.stored("evt_1"), events(server)) == (200, 1, 1)


def events(server: Served) -> int:
    with closing(sqlite3.connect(server.place / "inbox.db", timeout=10)) as db:
        return int(db.execute("SELECT count(*) FROM hookcatch_event").fetchone()[0])


# nginx

CONF = """
user root;
worker_processes 1;
error_log stderr;
pid {place}/pid;
daemon off;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  server {{
    listen 127.0.0.1:{port};
    {settings}
    location / {{ proxy_pass http://127.0.0.1:{upstream}; proxy_set_header Host $host; }}
    location /gone/ {{ proxy_pass http://127.0.0.1:1; }}
  }}
}}
"""


@pytest.fixture
def nginx(tmp_path: Path, uvicorn: Served) -> Iterator[Callable[[str], int]]:
    """Start an nginx with these settings before uvicorn; answers its port."""
    started: list[Process] = []

    def start(settings: str) -> int:
        port = free_port()
        conf = tmp_path / "nginx.conf"
        conf.write_text(CONF.format(place=tmp_path, port=port, upstream=uvicorn.port, settings=settings))
        process = Process(
            [str(NGINX), "-p", str(tmp_path), "-c", str(conf)], dict(os.environ), tmp_path / "log", port
        )
        started.append(process)
        process.start()
        asyncio.run(process.ready())
        return port

    yield start
    for process in started:
        process.kill()


@needs_nginx
def test_a_plain_nginx_lets_everything_pass(doors: Any, nginx: Callable[[str], int]) -> None:
    assert found(look(doors, nginx(""), "straight")) == {}


@needs_nginx
def test_its_limit_for_bodies_is_found(doors: Any, nginx: Callable[[str], int]) -> None:
    said = found(look(doors, nginx("client_max_body_size 8k;"), "straight"))
    assert tuple(said) == ("size_limit",)
    assert "413 by nginx" in said["size_limit"]
    assert abs(int(said["size_limit"].split("about ")[1].split()[0]) - 8192) < 2100


@needs_nginx
def test_that_it_drops_headers_with_underscores_is_found(doors: Any, nginx: Callable[[str], int]) -> None:
    said = found(look(doors, nginx(""), "straight", "under"))
    assert tuple(said) == ("header_dropped", "signature_refused")
    assert "x_shop_signature" in said["header_dropped"]
    assert "underscores_in_headers on" in DOOR["header_dropped"].remedy
    assert found(look(doors, nginx("underscores_in_headers on;"), "straight", "under")) == {}


@needs_nginx
def test_that_nobody_is_behind_it_is_found(doors: Any, nginx: Callable[[str], int]) -> None:
    said = found(look(doors, nginx(""), "gone"))
    assert tuple(said) == ("layer_error",)
    assert "502 by nginx" in said["layer_error"]


# nobody there


def test_a_port_where_nobody_listens(doors: Any) -> None:
    said = found(look(doors, free_port(), "straight"))
    assert tuple(said) == ("unreachable",)
    assert "refused" in said["unreachable"]


def test_a_name_that_there_is_not(doors: Any) -> None:
    shop = doors.hooks.sources["shop"]
    assert (
        "no such name"
        in found(list(visit(shop.door("http://nowhere.invalid/shop", knock, "n"))))["unreachable"]
    )


@pytest.fixture
def rude(tmp_path: Path) -> Iterator[int]:
    """A server that takes one call, over TLS with a certificate of its own making."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = certificate("localhost", private_key(0))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            plain, _ = listener.accept()
            with plain, suppress(OSError):
                context.wrap_socket(plain, server_side=True).close()

        (tmp_path / "chain.pem").write_bytes(pem_of(private_key(0)).encode() + b"\n" + pem)
        context.load_cert_chain(tmp_path / "chain.pem")
        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_certificate_that_nobody_trusts(doors: Any, rude: int) -> None:
    said = found(look(doors, rude, "straight", scheme="https"))
    assert tuple(said) == ("certificate",)


def test_who_speaks_no_http_is_nobody(doors: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        said = found(look(doors, listener.getsockname()[1], "straight"))
        thread.join()
    assert tuple(said) == ("unreachable",)


# the command line

APP = """
import os
os.environ["E2E_PLACE"] = {place!r}
from doors import hooks
from hookcatch import Hookcatch
open_ = Hookcatch("memory:")
open_.source("shop", unsigned=True)
"""


def doctor(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (place / "app.py").write_text(APP.format(place=str(place)))
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests"), str(ROOT), str(APPS)])
    return subprocess.run(
        [sys.executable, "-m", "hookcatch", "doctor", *words],
        cwd=place, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_command_says_a_line_for_each_check(tmp_path: Path, uvicorn: Served) -> None:
    url = f"http://127.0.0.1:{uvicorn.port}"
    good = doctor(tmp_path, "--url", f"{url}/straight/shop", "app:hooks", "--source", "shop")
    assert (good.returncode, good.stderr) == (0, "")
    lines = good.stdout.splitlines()
    assert lines[0] == "OK     stranger: an unsigned request is refused with 401"
    assert {line[:2] for line in lines} == {"OK"}
    assert len(lines) == 13
    bad = doctor(tmp_path, "endpoint", "app:hooks", "--url", f"{url}/rewriter/shop")
    assert bad.returncode == 1
    assert "WRONG  JSON body: body_rewritten: " in bad.stdout
    assert "whsec_" not in bad.stdout + bad.stderr


def test_of_a_sender_that_brings_nothing_again_it_says_what_a_wrong_secret_costs(
    doors: Any, uvicorn: Served
) -> None:
    [refusal] = [one for one in look(doors, uvicorn.port, "straight", "once") if one.what == "stranger"]
    assert refusal.found is None
    assert "refused with 401, and Sinch Conversation and SMS never sends again what got that" in refusal.note


def test_the_command_speaks_json(tmp_path: Path, uvicorn: Served) -> None:
    ended = doctor(tmp_path, "--url", f"http://127.0.0.1:{uvicorn.port}/csrf/shop", "app:hooks", "--json")
    said = json.loads(ended.stdout)
    assert (ended.returncode, said["ok"]) == (1, False)
    [check] = said["checks"]
    assert (check["check"], check["ok"], check["finding"]["name"]) == ("stranger", False, "csrf")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--url", "http://127.0.0.1:1/x", "app:open_"], "is unsigned"),
        (["--url", "ftp://x", "app:hooks"], "is no URL"),
        (["--url", "http://127.0.0.1:1/x", "app:hooks", "--source", "shopp"], "did you mean 'shop'?"),
        (["app:hooks"], "--url"),
    ],
)
def test_what_is_no_question_is_status_2(tmp_path: Path, words: list[str], said: str) -> None:
    ended = doctor(tmp_path, *words)
    assert (ended.returncode, said in ended.stderr) == (2, True), ended.stderr
