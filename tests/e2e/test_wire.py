"""What senders do to a connection, under each server: nothing of it is a 5xx, and nothing unproven is kept."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator

import pytest
from lab.sender import as_bytes, message

from support.servers import Served, serve
from support.wire import Wire, body, head, whole

ASGI = ("uvicorn-h11", "uvicorn-httptools", "hypercorn", "granian")
OWN = ("aiohttp", "sanic", "tornado")
ASYNC = (*ASGI, *OWN)
WSGI = ("gunicorn-sync", "gunicorn-gthread", "granian-wsgi", "waitress", "flask", "django")
COUNT = itertools.count()


@pytest.fixture(scope="module", params=[*ASYNC, *WSGI])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    named = "" if request.param in ("flask", "django", *OWN) else "app:wsgi"
    app = "app:hooks" if request.param in ASGI else named
    served = serve(request.param, app, tmp_path_factory.mktemp(request.param))
    assert status(served, whole("evt_first")) == 200  # so that there is an inbox to look into
    yield served
    served.process.kill()
    assert "Traceback" not in served.log()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["server"])


@pytest.fixture
def id_() -> str:
    return f"evt_{next(COUNT)}"


def status(server: Served, *parts: bytes) -> int | None:
    with Wire(server.port) as wire:
        answer = wire.send(*parts).answer()
    return answer.status if answer else None


def test_a_signed_event_is_kept_and_handled(server, id_):
    assert status(server, whole(id_)) == 200
    server.wait_for(lambda: server.handled(id_) == 1, "the handler")
    assert server.stored(id_) == 1


def test_a_forged_one_is_refused(server, id_):
    assert status(server, whole(id_, forged=True)) == 401
    assert server.stored(id_) == 0


def test_http_1_0_is_spoken(server, id_):
    assert status(server, whole(id_, version="1.0")) == 200
    assert server.stored(id_) == 1


def test_a_chunked_body_is_read_to_its_end(server, id_, name):
    text = body(id_)
    chunks = b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (text[:5], len(text) - 5, text[5:])
    answer = status(server, head(id_, length=-1, extra=["transfer-encoding: chunked"]), chunks)
    # Django's own does not take the chunks apart: that is said, and no empty body is taken for theirs
    assert (answer, server.stored(id_)) == ((411, 0) if name == "django" else (200, 1))


def test_a_body_of_a_mebibyte_is_kept(server, id_):
    room = (1 << 20) - len(message(id_).body)
    large = message(id_, padding=room)
    assert len(large.body) == 1 << 20
    assert status(server, as_bytes(large)) == 200
    assert server.stored(id_) == 1


def test_an_empty_body_is_refused_like_any_forgery(server, id_):
    assert status(server, head(id_, length=0)) == 401
    assert status(server, head(id_, length=-1)) == 401
    assert server.stored(id_) == 0


def test_a_compressed_body_is_refused_and_so_is_one_that_only_says_so(server, id_):
    packed = gzip.compress(body(id_))
    assert status(server, head(id_, length=len(packed), extra=["content-encoding: gzip"]), packed) == 415
    assert status(server, whole(id_, extra=["content-encoding: gzip"])) == 415
    assert server.stored(id_) == 0


def test_a_body_that_ends_early_is_not_taken_for_a_whole_one(server, id_):
    with Wire(server.port) as wire:
        answer = wire.send(head(id_, length=len(body(id_)) + 10), body(id_)).end().answer()
    assert answer is None or answer.status == 400
    assert server.stored(id_) == 0
    assert status(server, whole(id_)) == 200


def test_a_signature_that_comes_twice_is_refused(server, id_, name):
    twice = head(id_, extra=["webhook-signature: v1,AAAA"])
    assert status(server, twice, body(id_)) == (400 if name in ASYNC else 401)
    assert server.stored(id_) == 0


def test_an_id_with_an_underscore_never_stands_in_for_the_real_one(server, id_, name):
    answer = status(server, head(id_, extra=["webhook_id: evt_other"]), body(id_))
    assert server.stored("evt_other") == 0
    if name in ASYNC:
        assert (answer, server.stored(id_)) == (400, 0)
    else:  # gunicorn drops such headers, so there is nothing ambiguous
        assert (answer, server.stored(id_)) == (200, 1)


def test_after_a_refusal_the_next_request_on_the_connection_is_answered(server, id_, name):
    with Wire(server.port) as wire:
        wire.send(whole(id_, forged=True), whole(id_))
        assert wire.answer().status == 401
        if name in ("gunicorn-sync", "flask"):  # one request a connection
            assert wire.answer() is None
        else:
            assert wire.answer().status == 200
            assert server.stored(id_) == 1


def test_a_promise_of_too_much_is_refused_unread(server, id_, name):
    if name == "waitress":
        pytest.skip(
            "it reads the whole body before it calls the app; its own max_request_body_size bounds it"
        )
    with Wire(server.port) as wire:
        answer = wire.send(head(id_, length=2 << 20), b"x" * 1000).answer()
        assert answer.status == 413
        assert wire.end().answer() is None
    assert status(server, whole(id_)) == 200


def test_too_much_in_chunks_is_refused(server, id_, name):
    chunk = b"10000\r\n%b\r\n" % (b"x" * 0x10000)
    with Wire(server.port) as wire:
        wire.send(head(id_, length=-1, extra=["transfer-encoding: chunked"]))
        try:
            for _ in range(32):
                wire.send(chunk)
            wire.send(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = wire.answer()
        assert answer is None or answer.status == (411 if name == "django" else 413)
    assert server.stored(id_) == 0
    assert status(server, whole(id_)) == 200


def test_a_body_that_does_not_come_is_not_waited_for(server, id_, name):
    if name in WSGI:
        pytest.skip("a blocking read is bounded by the server's own timeout")
    with Wire(server.port) as wire:
        assert wire.send(head(id_), body(id_)[:5]).answer().status == 408
    assert server.stored(id_) == 0


def test_a_sender_that_leaves_in_mid_body_hurts_nobody(server, id_):
    for _ in range(5):
        with Wire(server.port) as wire:
            wire.send(head(id_), body(id_)[:5])
    assert status(server, whole(id_)) == 200
    assert server.stored(id_) == 1


def test_an_event_is_kept_though_its_sender_left_before_the_answer(server, id_, name):
    if name.startswith("granian"):
        pytest.skip(
            "it may drop a request whose sender has hung up: not kept, not acknowledged, and so sent again"
        )
    with Wire(server.port) as wire:
        wire.send(whole(id_))
    server.wait_for(lambda: server.stored(id_) == 1, "the event")
    server.wait_for(lambda: server.handled(id_) == 1, "the handler")


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_other_methods_are_refused(server, method):
    request = f"{method} /shop HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
    with Wire(server.port) as wire:
        answer = wire.send(request).answer() if method != "HEAD" else None
        if method == "HEAD":
            wire.send(request)
            assert b" 405 " in wire._file.readline()
        else:
            assert answer.status == 405


def test_other_paths_are_not_found(server, id_):
    assert status(server, whole(id_, path="/nobody")) == 404
    assert status(server, whole(id_, path="/shop/../shop")) == 404
