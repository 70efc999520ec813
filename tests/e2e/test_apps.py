"""In front of an app, or inside one: ours are taken, all else is the app's own and untouched."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.sync.client import connect

from support.servers import Served, serve
from support.wire import Wire, whole

SETUPS = {
    "before Starlette": ("uvicorn-httptools", "app:behind"),
    "inside Starlette, without a lifespan": ("uvicorn-without-lifespan", "app:mounted"),
    "before a WSGI app": ("gunicorn-gthread", "app:behind_wsgi"),
}


@pytest.fixture(scope="module", params=SETUPS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = serve(*SETUPS[request.param], tmp_path_factory.mktemp("app"))
    yield served
    served.process.kill()
    assert "Traceback" not in served.log()


def test_webhooks_are_kept_and_handled(server):
    with Wire(server.port) as wire:
        assert wire.send(whole("evt_1", path="/hooks/shop")).answer().status == 200
    server.wait_for(lambda: server.handled("evt_1") == 1, "the handler")


def test_a_megabyte_of_multipart_reaches_the_app_byte_for_byte(server):
    part = b'--cut\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
    upload = part + bytes(range(256)) * 4096 + b"\r\n--cut--\r\n"
    head = "POST /upload HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=cut\r\n"
    with Wire(server.port) as wire:
        wire.send(head.encode(), b"content-length: %d\r\n\r\n" % len(upload), upload)
        answer = wire.answer()
    assert (answer.status, answer.body) == (200, hashlib.sha256(upload).hexdigest().encode())


def test_the_app_streams_as_before(server):
    with Wire(server.port) as wire:
        answer = wire.send(b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n").answer()
    assert answer.headers[b"transfer-encoding"] == b"chunked"
    assert answer.body.splitlines() == [b"line %d" % n for n in range(50)]


def test_the_app_keeps_its_websockets(server, request):
    if "WSGI" in request.node.callspec.params["server"]:
        pytest.skip("WSGI has none")
    with connect(f"ws://127.0.0.1:{server.port}/ws") as socket:
        socket.send("hello")
        assert socket.recv() == "HELLO"


@pytest.mark.parametrize("path", ["/hooks/nobody", "/hooksshop", "/shop"])
def test_paths_that_are_not_ours_end_in_a_404(server, path):
    with Wire(server.port) as wire:
        assert wire.send(whole("evt_2", path=path)).answer().status == 404
    assert server.stored("evt_2") == 0


def test_a_polite_stop_ends_all_at_once_and_leaves_nothing_half_done(tmp_path: Path):
    served = serve("uvicorn-without-lifespan", "app:mounted", tmp_path)
    try:
        for n in range(20):
            with Wire(served.port) as wire:
                assert wire.send(whole(f"evt_{n}", path="/hooks/shop")).answer().status == 200
        served.process.signal_all(signal.SIGTERM)
        served.wait_for(lambda: not served.process.is_alive(), "the end")
    finally:
        served.process.kill()
    assert "Traceback" not in served.log()


def test_four_processes_share_one_file_and_each_event_is_kept_and_handled_once(tmp_path: Path):
    served = serve("gunicorn-prefork", "app:wsgi", tmp_path)

    def deliver(n: int) -> int:
        with Wire(served.port) as wire:
            return wire.send(whole(f"evt_{n % 200}")).answer().status

    try:
        with ThreadPoolExecutor(16) as senders:
            assert set(senders.map(deliver, range(400))) == {200}
        for n in range(200):
            assert served.stored(f"evt_{n}") == 1
            served.wait_for(lambda n=n: served.handled(f"evt_{n}") >= 1, "the handler")
        served.process.signal_all(signal.SIGTERM)
        served.wait_for(lambda: not served.process.is_alive(), "the end")
    finally:
        served.process.kill()
    assert len((tmp_path / "effects").read_text().splitlines()) == 200
