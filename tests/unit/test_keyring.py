"""The keys that senders publish are fetched once, safely, and kept for a while: from a real TLS server."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from hookcatch import keyring
from hookcatch.core.errors import KeysUnavailable, Rejected
from hookcatch.core.keyring import KeyRef
from hookcatch.keyring import AGAIN, FRESH, LEAST, MAX_DOCUMENT, MAX_URLS, MOST, STALE, Published, dial_public
from support.tls import TlsServer
from support.world import Clock

HOST = "keys.example.com"
SET = {"keys": [{"kid": "a", "kty": "oct", "k": "AAAA"}, {"kid": "b", "kty": "oct", "k": "BBBB"}]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    made = TlsServer(HOST, tmp_path)
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def published(server: TlsServer, clock: Clock) -> Iterator[Published]:
    made = Published(clock, server.dial, server.trust)
    yield made
    made.close()


def ref(path: str = "/keys", kid: str = "a", form: Any = "jwks", host: str = HOST) -> KeyRef:
    return KeyRef(f"https://{host}{path}", re.compile(re.escape(HOST)), kid, form)


def fetched(published: Published, one: KeyRef) -> bytes | None:
    published.fetch(one).result(10)
    return published.get(one)


def why_not(published: Published, one: KeyRef) -> str:
    with pytest.raises(KeysUnavailable) as why:
        published.fetch(one).result(10)
    return str(why.value)


# what is fetched


def test_a_key_of_a_set_is_known_once_the_set_is_fetched(published: Published, server: TlsServer):
    server.pages["/keys"] = json.dumps(SET).encode()
    assert published.get(ref()) is None
    assert json.loads(fetched(published, ref()) or b"") == SET["keys"][0]
    assert json.loads(published.get(ref(kid="b")) or b"") == SET["keys"][1]
    assert server.asked == ["/keys"]


def test_a_certificate_is_known_by_its_url_and_several_by_their_kids(published: Published, server: TlsServer):
    server.pages["/one.pem"] = b"-----BEGIN CERTIFICATE-----\n"
    server.pages["/many"] = b'{"a": "-----BEGIN A", "b": "-----BEGIN B"}'
    assert fetched(published, ref("/one.pem", "", "pem")) == b"-----BEGIN CERTIFICATE-----"
    assert fetched(published, ref("/many", "b", "certificates")) == b"-----BEGIN B"


def test_all_who_ask_at_the_same_time_wait_for_one_fetch(published: Published, server: TlsServer):
    gate = threading.Event()

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        gate.wait(5)
        answer(handler, json.dumps(SET).encode())

    server.pages["/keys"] = slowly
    waiting: list[Future[None]] = [published.fetch(ref()) for _ in range(50)]
    gate.set()
    assert [one.result(10) for one in waiting] == [None] * 50
    assert server.asked == ["/keys"]


# how long it is good for


@pytest.mark.parametrize(
    ("control", "good"),
    [
        ("", FRESH),
        ("public, max-age=1800", 1800),
        ("max-age=1", LEAST),
        ("max-age=999999999", MOST),
        ("no-store", FRESH),
    ],
)
def test_a_document_is_good_for_as_long_as_its_server_says_within_bounds(
    published: Published, server: TlsServer, clock: Clock, control: str, good: float
):
    server.pages["/keys"] = json.dumps(SET).encode()
    server.headers["cache-control"] = control
    fetched(published, ref())
    clock.now += good - 1
    assert published.get(ref()) is not None
    clock.now += 1
    assert published.get(ref()) is None


def test_an_unknown_kid_makes_it_be_fetched_again_but_not_more_often_than_once_a_minute(
    published: Published, server: TlsServer, clock: Clock
):
    server.pages["/keys"] = json.dumps(SET).encode()
    fetched(published, ref())
    with pytest.raises(Rejected, match="unknown_key"):
        published.get(ref(kid="new"))
    clock.now += AGAIN
    assert published.get(ref(kid="new")) is None  # fetch it
    server.pages["/keys"] = json.dumps({"keys": [{"kid": "new", "kty": "oct", "k": "CCCC"}]}).encode()
    assert fetched(published, ref(kid="new")) is not None
    with pytest.raises(Rejected, match="unknown_key"):
        published.get(ref())  # rotated away
    assert len(server.asked) == 2


def test_keys_are_used_on_for_a_day_if_they_cannot_be_fetched_again(
    published: Published, server: TlsServer, clock: Clock
):
    server.pages["/keys"] = json.dumps(SET).encode()
    fetched(published, ref())
    del server.pages["/keys"]
    clock.now += FRESH
    assert fetched(published, ref()) is not None
    clock.now += AGAIN - 1
    assert published.get(ref()) is not None
    clock.now += STALE + AGAIN
    assert "answers 404" in why_not(published, ref())


def test_what_could_not_be_fetched_is_not_asked_for_again_at_once(
    published: Published, server: TlsServer, clock: Clock
):
    assert "answers 404" in why_not(published, ref())
    server.pages["/keys"] = json.dumps(SET).encode()
    clock.now += AGAIN - 20
    with pytest.raises(KeysUnavailable) as why:
        published.fetch(ref()).result(10)
    assert why.value.retry_after == 20
    assert len(server.asked) == 1
    clock.now += 20
    assert fetched(published, ref()) is not None


def test_only_so_many_documents_are_kept(published: Published, server: TlsServer):
    for number in range(MAX_URLS + 1):
        server.pages[f"/{number}"] = b"-----BEGIN"
        fetched(published, ref(f"/{number}", "", "pem"))
        assert published.get(ref("/0", "", "pem")) is not None  # used all the time
    assert published.get(ref("/1", "", "pem")) is None
    assert published.get(ref("/2", "", "pem")) is not None


def test_only_so_many_failures_are_remembered(published: Published, server: TlsServer):
    for number in range(MAX_URLS + 1):
        why_not(published, ref(f"/{number}"))
    why_not(published, ref("/0"))
    assert server.asked.count("/0") == 2
    why_not(published, ref(f"/{MAX_URLS}"))
    assert server.asked.count(f"/{MAX_URLS}") == 1


def test_whoever_names_ever_new_documents_is_told_to_come_back(
    published: Published, server: TlsServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(keyring, "MAX_UNDER_WAY", 2)
    gate = threading.Event()
    for number in range(2):
        server.pages[f"/{number}"] = lambda handler: (gate.wait(5), answer(handler, b"-----BEGIN"))[1]
    first = [published.fetch(ref(f"/{number}", "", "pem")) for number in range(2)]
    assert "too many keys" in why_not(published, ref("/2", "", "pem"))
    gate.set()
    assert [one.result(10) for one in first] == [None, None]


# what is refused


def answer(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"content-length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def redirect(handler: BaseHTTPRequestHandler) -> None:
    answer(handler, b"", 302, location=f"https://{HOST}/other")


def too_much(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        handler.wfile.write(b" " * (MAX_DOCUMENT + 1))
    except OSError:
        """It hung up, as it should."""


def breaks_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"keys": []}')


PAGES: dict[str, tuple[bytes | Callable[[BaseHTTPRequestHandler], None], str]] = {
    "a redirect": (redirect, "answers 302"),
    "too much": (too_much, "more than"),
    "a part": (breaks_off, "broke off|IncompleteRead"),
    "no JSON": (b"<html>", "no document of jwks"),
    "another JSON": (b'{"keys": {"a": 1}}', "no document of jwks"),
    "a list": (b"[1]", "no document of jwks"),
}


@pytest.mark.parametrize("page", PAGES)
def test_anything_but_the_document_is_a_failure(published: Published, server: TlsServer, page: str):
    server.pages["/keys"], why = PAGES[page]
    assert re.search(why, why_not(published, ref()))
    assert server.asked == ["/keys"]


def test_a_server_that_dawdles_is_left(
    published: Published, server: TlsServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(keyring, "MAX_SECONDS", 0.3)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    server.pages["/keys"] = drip
    started = time.monotonic()
    assert "cannot be fetched" in why_not(published, ref())
    assert time.monotonic() - started < 4


def test_a_certificate_of_another_name_or_of_nobody_known_is_a_failure(server: TlsServer, clock: Clock):
    server.pages["/keys"] = json.dumps(SET).encode()
    other = Published(clock, server.dial, server.trust)
    assert "CERTIFICATE_VERIFY_FAILED" in why_not(other, ref(host="keys.example.org"))
    unknown = Published(clock, server.dial)
    assert "CERTIFICATE_VERIFY_FAILED" in why_not(unknown, ref())
    other.close()
    unknown.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "0.0.0.0"])
def test_an_address_that_is_not_public_is_not_called(host: str):
    with pytest.raises(OSError, match="not public"):
        dial_public(host)


def test_a_host_none_of_whose_addresses_answers_is_a_failure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keyring, "MAX_SECONDS", 0.2)
    public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("198.41.0.4", 9))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: [public])
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(OSError, match="none of the addresses"):
        dial_public(HOST)


def test_the_address_that_was_looked_at_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch):
    public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("198.41.0.4", 443))
    called = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: [public])
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: called.append(address))
    dial_public(HOST).close()
    assert called == [("198.41.0.4", 443)]


def refuse(self: socket.socket, address: Any) -> None:
    raise ConnectionRefusedError


# visits


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_visit_calls_the_url_with_its_query_and_says_so(
    published: Published, server: TlsServer, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO", "hookcatch")
    server.pages["/?Action=Confirm&Token=1"] = b"<ok/>"
    published.visit(f"https://{HOST}/?Action=Confirm&Token=1")
    until(lambda: caplog.messages)
    assert server.asked == ["/?Action=Confirm&Token=1"]
    assert caplog.messages == [f"confirmed at https://{HOST}/"]


def test_a_visit_that_fails_is_told_without_its_token(published: Published, caplog: pytest.LogCaptureFixture):
    published.visit(f"https://{HOST}/?Token=1")
    until(lambda: caplog.messages)
    assert "nothing is confirmed" in caplog.text
    assert "Token" not in caplog.text


def test_too_many_visits_are_not_made(
    published: Published, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(keyring, "MAX_VISITS", 0)
    published.visit(f"https://{HOST}/?Token=1")
    assert "too many confirmations" in caplog.text


def test_it_can_be_used_again_after_it_was_closed(published: Published, server: TlsServer):
    server.pages["/keys"] = json.dumps(SET).encode()
    published.close()
    assert fetched(published, ref()) is not None
    published.close()
    published.close()
