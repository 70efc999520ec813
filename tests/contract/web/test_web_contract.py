"""What every web edge does alike: as an app and as a middleware, over ASGI and over WSGI."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hookcatch import Event, Hookcatch, Request, Response, Retry
from hookcatch.core.admission import MAX_HEADER_BYTES, MAX_HEADERS, SMALL
from hookcatch.core.model import StoredEvent
from hookcatch.core.ports import Query
from support.edges import Edge, WsgiCaller, post
from support.senders import whsec


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "hookcatch")


def letter(hooks: Hookcatch, id: str = "msg_1", data: Any = None) -> Request:
    return hooks.sources["shop"].sign("order.created", {"total": "9.90"} if data is None else data, id=id)


def kept(hooks: Hookcatch) -> list[StoredEvent]:
    inbox = hooks.inbox()
    found = [inbox.get(one.seq) for one in inbox.find(Query())]
    return [one[0] for one in found if one is not None][::-1]


# who calls: the callers of the tests call from 192.0.2.1, or over a socket of this machine


def test_a_request_from_elsewhere_is_refused_however_well_it_is_signed(
    make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch
):
    hooks.source("near", "standard_webhooks", whsec(0), networks=["192.0.2.0/24", "127.0.0.1"])
    hooks.source("far", "standard_webhooks", whsec(0), networks=["198.51.100.0/24"])
    hooks.source("behind", "standard_webhooks", whsec(0), networks=["198.51.100.0/24"], proxies=1)
    edge, request = make_edge(hooks), letter(hooks)
    told = "peer" not in edge.lacks
    assert post(edge, request, f"{edge.prefix}/near").status == (200 if told else 403)
    assert post(edge, request, f"{edge.prefix}/far").status == 403
    claimed = request.with_header("x-forwarded-for", "198.51.100.7")
    assert post(edge, claimed, f"{edge.prefix}/far").status == 403
    assert post(edge, claimed, f"{edge.prefix}/behind").status == 200
    spoofed = request.with_header("x-forwarded-for", "198.51.100.7, 203.0.113.9")
    assert post(edge, spoofed, f"{edge.prefix}/behind").status == 403
    assert len(kept(hooks)) == 1 + told


# what comes in


def test_a_signed_event_is_kept_byte_for_byte_and_acknowledged(edge: Edge, hooks: Hookcatch):
    request = letter(hooks, data={"name": "Zoë", "bytes": "\u0000\u2028"})
    answer = post(edge, request)
    assert (answer.status, answer.body) == (200, b"ok\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == "3"
    (event,) = kept(hooks)
    assert (event.id, event.type, event.source) == ("msg_1", "order.created", "shop")
    assert event.body == request.body
    assert event.headers == {"content-type": "application/json", "webhook-id": "msg_1"}


def test_a_body_in_chunks_without_a_length_is_the_same_event(edge: Edge, hooks: Hookcatch):
    request = letter(hooks)
    chunks = [request.body[:1], b"", request.body[1:7], request.body[7:]]
    headers = [*request.headers, (b"transfer-encoding", b"chunked")]
    assert post(edge, request, headers=headers, chunks=chunks).status == 200
    assert kept(hooks)[0].body == request.body


def test_a_body_in_chunks_with_a_length_is_the_same_event(edge: Edge, hooks: Hookcatch):
    request = letter(hooks)
    assert post(edge, request, chunks=[request.body[:5], request.body[5:], b""]).status == 200
    assert kept(hooks)[0].body == request.body


def test_a_body_as_large_as_allowed_is_kept(edge: Edge, hooks: Hookcatch):
    room = (1 << 20) - len(letter(hooks, data={"x": ""}).body)
    request = letter(hooks, data={"x": "x" * room})
    assert len(request.body) == 1 << 20
    assert post(edge, request).status == 200
    assert kept(hooks)[0].body == request.body


ODD = {
    "invalid UTF-8": b"\xff\xfe\x00",
    "CRLF": b'{"a":\r\n1}\r\n',
    "a BOM": b'\xef\xbb\xbf{"a": 1}',
    "a form": b"b=1&a=%FF&b=2&c=%2b+",
    "a line separator": b'"\xe2\x80\xa8"',
    "emoji and escapes": '{"😀": "\\u001B"}'.encode(),
}


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "text/plain; charset=utf-16"]
)
@pytest.mark.parametrize("name", ODD)
def test_the_signature_is_checked_over_the_bytes_of_the_wire_whatever_they_are(
    make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch, name: str, kind: str
):
    """Nothing decodes, parses or tidies them first: what is signed and no event is a 400, and not a 401."""
    source = hooks.source("raw", "hmac", "a secret that is long enough")
    edge = make_edge(hooks)
    blank = Request("POST", "", [("content-type", kind)], ODD[name])
    signed = source.provider.sign(blank, secret="a secret that is long enough", now=hooks.clock())
    assert signed.body == ODD[name]
    assert post(edge, signed, path=f"{edge.prefix}/raw").status in (200, 400)
    assert post(edge, signed.replace(body=ODD[name] + b"\n"), path=f"{edge.prefix}/raw").status == 401
    assert [one.body for one in kept(hooks)] in ([], [ODD[name]])


def test_a_duplicate_is_acknowledged_and_kept_once(edge: Edge, hooks: Hookcatch):
    request = letter(hooks)
    assert [post(edge, request).status for _ in range(3)] == [200, 200, 200]
    assert kept(hooks)[0].duplicates == 2


def test_a_slash_at_the_end_is_the_same_path(edge: Edge, hooks: Hookcatch):
    assert post(edge, letter(hooks), path=f"{edge.prefix}/shop/").status == 200


def test_a_path_may_be_in_any_script(make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch):
    hooks.source("café", "standard_webhooks", whsec(1), path="/laden/käse")
    edge = make_edge(hooks)
    request = hooks.sources["café"].sign("t", {}, id="msg_1")
    assert post(edge, request, path=f"{edge.prefix}/laden/käse").status == 200
    assert kept(hooks)[0].source == "café"


def test_a_source_may_be_served_at_the_root(make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch):
    hooks.source("root", "standard_webhooks", whsec(1), path="/")
    edge = make_edge(hooks)
    bare = f"{edge.prefix}/" if "bare prefix" in edge.lacks else edge.prefix or "/"
    for path in {f"{edge.prefix}/", bare}:
        assert post(edge, hooks.sources["root"].sign("t", {}, id="msg_1"), path=path).status == 200


@pytest.mark.parametrize("query", ["", "?tenant=7"])
def test_the_signed_url_is_the_configured_one_with_the_query_that_came(
    make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch, query: str
):
    square = hooks.source("square", secret="0123456789abcdef", public_url=f"https://example.org/in{query}")
    edge = make_edge(hooks)
    request = square.sign("payment.created", {"a": 1}, id="e1", url="https://example.org/in?tenant=7")
    headers = [*request.headers, (b"host", b"evil.org"), (b"x-forwarded-host", b"evil.org")]
    assert post(edge, request, path=f"{edge.prefix}/square", headers=headers, query=b"tenant=7").status == 200
    assert post(edge, request, path=f"{edge.prefix}/square", headers=headers, query=b"tenant=8").status == 403


# what is refused, each with its status and one fixed text


def refused(answer: Any, status: int, text: str) -> None:
    assert (answer.status, answer.body) == (status, f"{text}\n".encode())
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_forged_signature_is_401(edge: Edge, hooks: Hookcatch):
    request = letter(hooks)
    refused(post(edge, request.replace(body=request.body + b" ")), 401, "Unauthorized")
    refused(post(edge, Request("POST", "", [], b"{}")), 401, "Unauthorized")
    assert kept(hooks) == []


def test_a_sender_without_its_http_credentials_is_asked_for_them(
    make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch
):
    hooks.source("till", "basic_auth", "shop:correct-horse-battery-staple")
    edge = make_edge(hooks)
    bare = Request("POST", "", [], b"{}")
    answer = post(edge, bare, f"{edge.prefix}/till")
    refused(answer, 401, "Unauthorized")
    assert answer.headers["www-authenticate"] == 'Basic realm="webhooks", charset="UTF-8"'
    assert "www-authenticate" not in post(edge, bare).headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_than_post_is_405_and_says_what_is_allowed(edge: Edge, hooks: Hookcatch, method: str):
    answer = post(edge, letter(hooks), method=method)
    if method == "HEAD" and "head bodies" in edge.lacks:
        answer = replace(answer, body=b"Method Not Allowed\n")
    refused(answer, 405, "Method Not Allowed")
    assert answer.headers["allow"] == "POST"


def test_a_body_that_is_said_to_be_too_large_is_413_and_not_read(edge: Any, hooks: Hookcatch):
    request = letter(hooks)
    headers = [*request.headers, (b"content-length", b"1048577")]
    refused(post(edge, request, headers=headers), 413, "Request Entity Too Large")
    assert "unread" in edge.lacks or edge.unread == 1


def test_a_body_that_grows_too_large_is_413_and_read_no_further(edge: Any, hooks: Hookcatch):
    request = letter(hooks)
    chunks = [b"x" * 65536] * 40
    refused(post(edge, request, headers=request.headers, chunks=chunks), 413, "Request Entity Too Large")
    assert "unread" in edge.lacks or edge.unread >= 22


def test_a_compressed_body_is_415(edge: Edge, hooks: Hookcatch):
    request = letter(hooks).with_header("content-encoding", "gzip")
    refused(post(edge, request), 415, "Unsupported Media Type")


def test_too_many_or_too_large_headers_are_431(edge: Edge, hooks: Hookcatch):
    request = letter(hooks)
    many = [*request.headers, *[(b"x-%d" % n, b"1") for n in range(MAX_HEADERS)]]
    large = [*request.headers, (b"x-large", b"x" * MAX_HEADER_BYTES)]
    for headers in (many, large):
        answer = edge.call("POST", f"{edge.prefix}/shop", headers, [request.body])
        if "heads" in edge.lacks and (answer is None or answer.status in (400, 413)):
            continue
        refused(answer, 431, "Request Header Fields Too Large")


def test_a_body_that_ends_before_its_length_is_400(edge: Edge, hooks: Hookcatch):
    request = letter(hooks)
    headers = [*request.headers, (b"content-length", str(len(request.body) + 1).encode())]
    answer = edge.call("POST", f"{edge.prefix}/shop", headers, [request.body])
    if answer is not None or "lengths" not in edge.lacks:
        refused(answer, 400, "Bad Request")
    assert kept(hooks) == []


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"0x10", b"9" * 20, b"1_0"])
def test_a_length_that_is_no_number_is_400(edge: Edge, hooks: Hookcatch, length: bytes):
    request = letter(hooks)
    answer = edge.call(
        "POST", f"{edge.prefix}/shop", [*request.headers, (b"content-length", length)], [request.body]
    )
    if "lengths" in edge.lacks:
        assert answer is None or answer.status == 400
    else:
        refused(answer, 400, "Bad Request")


@pytest.mark.parametrize(
    "name", [b"webhook-id", b"webhook-signature", b"webhook-timestamp", b"content-length"]
)
def test_a_deciding_header_that_comes_twice_is_refused(edge: Edge, hooks: Hookcatch, name: bytes):
    request = letter(hooks)
    headers = [*request.headers, (b"content-length", str(len(request.body)).encode())]
    doubled = [*headers, *[pair for pair in headers if pair[0].lower() == name]]
    answer = post(edge, request, headers=doubled)
    # some servers have joined them by then: what is left is a malformed header or a bad signature
    assert answer.status in ((400, 401) if "twins" in edge.lacks else (400,))
    assert kept(hooks) == []


def test_an_empty_body_is_refused_like_any_forgery(edge: Edge, hooks: Hookcatch):
    request = letter(hooks)
    refused(post(edge, request.replace(body=b"")), 401, "Unauthorized")
    refused(post(edge, request, headers=request.headers, chunks=[b""]), 401, "Unauthorized")


def test_a_large_body_with_no_signature_is_refused_before_it_is_read(edge: Any, hooks: Hookcatch):
    headers = [(b"content-length", str(SMALL + 1).encode())]
    refused(post(edge, letter(hooks), headers=headers, chunks=[b"x"] * 100), 401, "Unauthorized")
    assert "unread" in edge.lacks or edge.unread == 100


def test_a_body_that_is_too_slow_is_408(edge: Any, hooks: Hookcatch, monkeypatch: pytest.MonkeyPatch):
    request = letter(hooks)
    if "pause" in edge.lacks:
        pytest.skip("no body comes slowly here")
    if isinstance(edge, WsgiCaller):
        import hookcatch.wsgi

        monkeypatch.setattr(hookcatch.wsgi, "READ_DEADLINE", -1.0)
        answer = post(edge, request, chunks=[request.body[:1], request.body[1:]])
    else:
        import hookcatch.asgi

        monkeypatch.setattr(hookcatch.asgi, "READ_DEADLINE", 0.01)
        edge.pause = 5.0
        answer = post(edge, request)
    refused(answer, 408, "Request Timeout")
    assert kept(hooks) == []


def test_an_unknown_path_is_404_whatever_is_sent_there(edge: Any, hooks: Hookcatch):
    request = letter(hooks)
    paths = ["/", "/sho", "/shopp", "/shop/x", "/SHOP", "/other", "/shop%00", "/../shop"]
    paths += [] if "exact paths" in edge.lacks else ["//shop"]
    answers = {(post(edge, request, path=edge.prefix + path).status) for path in paths}
    assert answers == {404}
    assert kept(hooks) == []


def test_beside_the_prefix_nothing_is_ours(edge: Edge, hooks: Hookcatch):
    if not edge.prefix:
        assert post(edge, letter(hooks), path="/hooks/shop").status == 404
        return
    for path in ("/shop", "/hooksshop", "/hook/shop", *["/hooks"] * ("bare prefix" not in edge.lacks)):
        assert post(edge, letter(hooks), path=path).status == 404
    assert kept(hooks) == []


# what is answered


def test_a_reply_handlers_response_goes_out_as_it_is_and_again_to_a_duplicate(
    make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch
):
    @hooks.on("*", reply=True)
    def reply(event: Event) -> Response:
        return Response(202, b"<Say>hi</Say>", ((b"content-type", b"text/xml"), (b"x-mine", b"1")))

    edge = make_edge(hooks)
    first, second = post(edge, letter(hooks)), post(edge, letter(hooks))
    assert first == second
    assert (first.status, first.body) == (202, b"<Say>hi</Say>")
    assert (first.headers["content-type"], first.headers["x-mine"]) == ("text/xml", "1")


def test_an_ack_after_the_handlers_waits_for_them_and_fails_with_them(
    make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch
):
    source = hooks.source("patient", "standard_webhooks", whsec(1), ack="handled", path="/patient")
    ran = []

    @source.on("*")
    def handler(event: Event) -> None:
        ran.append(event.attempt)
        if event.attempt == 1:
            raise Retry

    edge = make_edge(hooks)
    request = source.sign("t", {}, id="msg_1")
    first = post(edge, request, path=f"{edge.prefix}/patient")
    assert (first.status, first.headers["retry-after"]) == (503, "5")
    assert post(edge, request, path=f"{edge.prefix}/patient").status == 200
    assert ran == [1, 2]


def test_an_ack_at_the_deadline_is_handled_by_then_or_later(
    make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch
):
    source = hooks.source("eager", "standard_webhooks", whsec(1), ack="deadline")
    ran = []
    source.on("*")(lambda: ran.append(1))
    edge = make_edge(hooks)
    assert post(edge, source.sign("t", {}, id="msg_1"), path=f"{edge.prefix}/eager").status == 200
    assert ran == [1]


def test_too_many_requests_at_once_are_told_to_come_back(edge: Edge, hooks: Hookcatch):
    runtime = hooks.runtime()
    for _ in range(runtime.settings.max_requests):
        assert runtime.enter()
    answer = post(edge, letter(hooks))
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    runtime.leave()
    assert post(edge, letter(hooks)).status == 200
    assert post(edge, letter(hooks), method="GET").status == 405
    assert post(edge, letter(hooks)).status == 200  # each request that ended counts out again


def test_every_edge_gives_the_same_answers_and_keeps_the_same_events(edge: Edge, hooks: Hookcatch):
    batch = [letter(hooks, f"msg_{n}", {"n": n}) for n in range(3)]
    story = [
        post(edge, batch[0]),
        post(edge, batch[1], method="PUT"),
        post(edge, batch[1].replace(body=b"x")),
        post(edge, batch[1].with_header("content-encoding", "gzip")),
        post(edge, batch[0]),
        post(edge, batch[2]),
    ]
    assert [one.status for one in story] == [200, 405, 401, 415, 200, 200]
    assert [(one.id, one.duplicates, json.loads(one.body or b"")["data"]) for one in kept(hooks)] == [
        ("msg_0", 1, {"n": 0}),
        ("msg_2", 0, {"n": 2}),
    ]
