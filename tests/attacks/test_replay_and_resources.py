"""What a replayed, endless, lying or poisonous request gets, through every web edge.

The numbers are those of the attack list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel
from starlette import formparsers

from hookcatch import At, ConfigurationError, Event, Hookcatch, Request, Retention, Retry, Source
from hookcatch.core.admission import SMALL
from hookcatch.core.attempt import idempotency_key
from hookcatch.core.model import StoredEvent
from hookcatch.core.ports import Query
from hookcatch.core.rows import new_events
from hookcatch.inbox.memory import MemoryInbox
from hookcatch.providers import names, provider
from support.edges import EDGES, Edge, post, scope
from support.senders import NOW, URL, secret, signed, whsec
from support.world import Clock, World

SIGNED = [name for name in names() if provider(name).signed]


class Counting:
    """An inbox that counts every call of every method."""

    def __init__(self, inbox: MemoryInbox) -> None:
        self._inbox = inbox
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inbox, name)
        if callable(value):
            self.calls.append(name)
        return value


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inbox(clock: Clock) -> Counting:
    return Counting(MemoryInbox(clock=clock))


@pytest.fixture
def hooks(inbox: Counting, clock: Clock, caplog: pytest.LogCaptureFixture) -> Hookcatch:
    caplog.set_level("CRITICAL", "hookcatch")
    made = Hookcatch(inbox, worker=False, clock=clock)  # type: ignore[arg-type]
    made.source("shop", "standard_webhooks", whsec(0))
    return made


@pytest.fixture(params=EDGES)
def make_edge(request: pytest.FixtureRequest) -> Iterator[Callable[[Hookcatch], Edge]]:
    made: list[Edge] = []

    def make(hooks: Hookcatch) -> Edge:
        made.append(EDGES[request.param](hooks))
        return made[-1]

    yield make
    for edge in made:
        edge.close()


@pytest.fixture
def edge(make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch) -> Edge:
    return make_edge(hooks)


def letter(hooks: Hookcatch, id: str = "msg_1", data: Any = None, source: str = "shop") -> Request:
    return hooks.sources[source].sign("order.created", {} if data is None else data, id=id)


def accepted(hooks: Hookcatch, source: Source, request: Request) -> list[str]:
    """What the inbox makes of each event of a request."""
    rows = new_events(source.verify(request), request, source.endpoint, NOW)
    return [type(answer).__name__ for answer in hooks.inbox().accept(rows).result()]


def kept(hooks: Hookcatch) -> list[StoredEvent]:
    return list(hooks.inbox().find(Query(limit=10_000)))[::-1]


# --- replay and dedupe


def test_a22_ten_thousand_forged_requests_reach_no_store(hooks: Hookcatch, inbox: Counting) -> None:
    edge = EDGES["wsgi-app"](hooks)
    edge_asgi = EDGES["asgi-app"](hooks)
    hooks.runtime().blocking()
    genuine = letter(hooks)
    forged = genuine.with_header("webhook-signature", "v1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=")
    inbox.calls.clear()
    statuses = {post(edge, forged.with_header("webhook-id", f"msg_{n}")).status for n in range(9_000)}
    statuses |= {post(edge_asgi, forged.with_header("webhook-id", f"msg_{n}")).status for n in range(1_000)}
    assert statuses == {401}
    assert inbox.calls == []
    assert post(edge, genuine).status == 200
    assert "accept" in inbox.calls  # the count would have seen it
    edge_asgi.close()
    edge.close()


def test_a22_an_id_in_a_forged_request_does_not_poison_the_genuine_one(edge: Edge, hooks: Hookcatch) -> None:
    genuine = letter(hooks)
    assert post(edge, genuine.replace(body=b"{}")).status == 401
    assert post(edge, genuine).status == 200
    assert [(one.id, one.duplicates) for one in kept(hooks)] == [("msg_1", 0)]


def test_a23_a_replay_under_another_unsigned_id_is_flagged_or_refused(clock: Clock) -> None:
    for policy, statuses, flags in (("flag", [200, 200], [False, True]), ("reject", [200, 409], [False])):
        hooks = Hookcatch("memory:", worker=False, clock=clock)
        github = hooks.source("github", secret=secret("github"), on_replayed_content=policy)
        edge = EDGES["asgi-app"](hooks)
        genuine = github.sign("push", {"ref": "main"}, id="72d3162e-cc78-11e3-81ab-4c9367dc0958")
        replayed = genuine.with_header("x-github-delivery", "another")
        answers = [post(edge, one, path="/github").status for one in (genuine, replayed)]
        assert answers == statuses
        assert [one.replayed_content for one in kept(hooks)] == flags
        edge.close()


def test_a23_without_its_unsigned_id_the_content_is_the_id(edge: Edge, clock: Clock) -> None:
    hooks = Hookcatch("memory:", worker=False, clock=clock)
    github = hooks.source("github", secret=secret("github"))
    edge = EDGES["wsgi-app"](hooks)
    genuine = github.sign("push", {"ref": "main"}, id="1")
    bare = genuine.replace(headers=[pair for pair in genuine.headers if pair[0] != b"x-github-delivery"])
    assert [post(edge, bare, path="/github").status for _ in range(2)] == [200, 200]
    (event,) = kept(hooks)
    assert event.id.startswith("sha256:")
    assert event.duplicates == 1
    edge.close()


@pytest.mark.parametrize("name", SIGNED)
def test_a24_one_delivery_to_two_sources_is_two_events(name: str, clock: Clock) -> None:
    clock.now = NOW
    hooks = Hookcatch("memory:", worker=False, clock=clock, public_url="https://hooks.example.com")
    keys: dict[str, list[str]] = {}
    for source in ("one", "two"):
        made = hooks.source(source, name, secret(name), public_url=URL)
        events = made.verify(signed(name)).events
        keys[source] = [idempotency_key(source, "", event.id, "h") for event in events]
        assert set(accepted(hooks, made, signed(name))) == {"Accepted"}
    assert not set(keys["one"]) & set(keys["two"])


def test_a25_no_two_keys_run_together(clock: Clock) -> None:
    hooks = Hookcatch("memory:", worker=False, clock=clock)
    sources = {name: hooks.source(name, "hmac", secret("hmac")) for name in ("a", "ab", "a:b")}
    for source, event_id in (("a", "bc"), ("ab", "c"), ("a:b", "c"), ("a", "b:c")):
        assert accepted(hooks, sources[source], sources[source].sign("t", {}, id=event_id)) == ["Accepted"]
    parts = [("a", "", "bc"), ("ab", "", "c"), ("a", "b", "c"), ("", "a", "bc"), ("1:a", "", "bc")]
    assert len({idempotency_key(*three, "h") for three in parts}) == len(parts)


def test_a27_a_replay_within_the_tolerance_is_a_duplicate(edge: Edge, hooks: Hookcatch, clock: Clock) -> None:
    request = letter(hooks)
    for wait in (0, 150, 149):
        clock.now += wait
        assert post(edge, request).status == 200
    assert [(one.id, one.duplicates) for one in kept(hooks)] == [("msg_1", 2)]


def test_a27_the_window_of_dedupe_cannot_be_shorter_than_the_tolerance() -> None:
    hooks = Hookcatch("memory:", retention=Retention(key=5 * 86400.0))
    with pytest.raises(ConfigurationError, match="could be replayed for 518400 s, but ids are kept for only"):
        hooks.source("stripe", secret=secret("stripe"), tolerance=3 * 86400.0)


def test_a28_a_signature_for_the_future_is_refused_at_the_edge(
    edge: Edge, hooks: Hookcatch, clock: Clock
) -> None:
    clock.now += 10 * 365 * 86400
    request = letter(hooks)
    clock.now -= 10 * 365 * 86400
    assert post(edge, request).status == 401
    assert kept(hooks) == []


def test_a30_the_dedupe_in_memory_is_bounded_and_drops_only_what_is_ended(clock: Clock) -> None:
    hooks = Hookcatch("memory:?keep=100", worker=False, clock=clock)
    hooks.source("shop", "standard_webhooks", whsec(0), ack="handled")
    edge = EDGES["wsgi-app"](hooks)
    for n in range(500):
        assert post(edge, letter(hooks, f"msg_{n}")).status == 200
    assert len(kept(hooks)) == 100
    edge.close()


def test_a31_a_window_shorter_than_the_senders_retries_is_an_error() -> None:
    for name in SIGNED:
        horizon = provider(name).facts.retry_horizon
        if not horizon:
            continue
        hooks = Hookcatch("memory:", retention=Retention(key=horizon - 1))
        with pytest.raises(ConfigurationError, match="ids are kept for only"):
            hooks.source(name, secret=secret(name), public_url=URL)
    assert max(provider(name).facts.retry_horizon or 0 for name in SIGNED) <= Retention().key


@pytest.mark.parametrize("ack", ["handled", "stored"])
def test_a32_a_retry_of_what_failed_is_never_swallowed(
    make_edge: Callable[[Hookcatch], Edge], clock: Clock, ack: Any
) -> None:
    hooks, ran = Hookcatch("memory:", worker=False, clock=clock), []
    hooks.source("shop", "standard_webhooks", whsec(0), ack=ack)

    @hooks.on("*")
    def handler(event: Event) -> None:
        ran.append(event.attempt)
        if event.attempt < 3:
            raise Retry(after=0)

    edge, request = make_edge(hooks), letter(hooks)
    statuses = [post(edge, request).status for _ in range(3)]
    if ack == "handled":
        assert statuses == [503, 503, 200]
    else:
        assert statuses == [200, 200, 200]
        world = World("blocking", inbox=hooks.inbox(), clock=clock)
        world._app = hooks.build()
        while world.work():
            pass
    assert ran == [1, 2, 3]
    assert [one.state for one in kept(hooks)] == ["succeeded"]


# --- resources


def endless(chunk: bytes, taken: list[int]) -> Iterator[bytes]:
    while True:
        taken.append(len(chunk))
        yield chunk


def feed(edge: Any, headers: Any, chunk: bytes) -> tuple[int, int]:
    """Send a body without end; the status, and how many of its bytes were taken."""
    if "unread" in edge.lacks:
        pytest.skip("Django's ASGI handler reads a body to its end before it asks anybody: docs/django.md")
    taken: list[int] = []
    chunks = endless(chunk, taken)
    if hasattr(edge, "loop"):
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": next(chunks), "more_body": True}

        async def send(message: Any) -> None:
            sent.append(message)

        edge.run(edge.app(scope("POST", f"{edge.prefix}/shop", headers, b""), receive, send))
        return sent[0]["status"], sum(taken)

    class Endless:
        def read(self, size: int) -> bytes:
            return next(chunks)[:size]

        readline = read

    started: list[str] = []
    environ = edge.environ("POST", f"{edge.prefix}/shop", headers, b"", Endless())
    list(edge.app(environ, lambda status, *_: started.append(status)))
    return int(started[0][:3]), sum(taken)


def test_a34_a_body_without_end_is_413_and_no_more_than_the_limit_is_taken(
    edge: Edge, hooks: Hookcatch
) -> None:
    chunk = b"x" * 8192
    status, taken = feed(edge, letter(hooks).headers, chunk)
    assert status == 413
    assert taken <= (1 << 20) + 2 * len(chunk)


def test_a35_a_body_in_endless_crumbs_ends(edge: Edge, hooks: Hookcatch) -> None:
    status, taken = feed(edge, letter(hooks).headers, b"x")
    # ASGI counts the chunks; behind WSGI the server has put them together and the size alone counts
    assert (status, taken) in ((408, 16 << 10), (413, (1 << 20) + 1))


@pytest.mark.parametrize("name", ["telegram", "basic_auth", "standard_webhooks", "github", "stripe", "slack"])
def test_a36_a_large_body_whose_head_is_wrong_already_is_not_read(
    make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch, name: str
) -> None:
    hooks.source(f"other_{name}", name, secret(name), path=name)
    edge: Any = make_edge(hooks)
    for length in ([(b"content-length", str(SMALL + 1).encode())], [(b"transfer-encoding", b"chunked")]):
        answer = edge.call("POST", f"{edge.prefix}/{name}", length, [b"x" * 1000] * 17)
        assert answer.status == provider(name).facts.bad_signature_status
        assert "unread" in edge.lacks or edge.unread == 17


def test_a36_a_wrong_token_is_enough(make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch) -> None:
    hooks.source("telegram", secret=secret("telegram"))
    edge: Any = make_edge(hooks)
    headers = [(b"x-telegram-bot-api-secret-token", b"wrong"), (b"content-length", b"500000")]
    answer = edge.call("POST", f"{edge.prefix}/telegram", headers, [b"x" * 1000] * 500)
    assert answer.status == 401
    assert "unread" in edge.lacks or edge.unread == 500


@pytest.mark.parametrize(
    "encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip", "x-gzip", "compress"]
)
def test_a37_a_compressed_body_is_415_and_never_unpacked(edge: Any, hooks: Hookcatch, encoding: str) -> None:
    request = letter(hooks).with_header("content-encoding", encoding)
    assert post(edge, request).status == 415
    assert "unread" in edge.lacks or edge.unread == 1


def test_a38_a_body_that_ends_early_is_400_even_if_what_came_is_signed(edge: Edge, hooks: Hookcatch) -> None:
    request = letter(hooks)
    longer = [*request.headers, (b"content-length", str(len(request.body) + 8).encode())]
    assert post(edge, request, headers=longer).status == 400
    assert kept(hooks) == []


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a46_a_doubled_security_header_gets_through_no_edge(edge: Edge, hooks: Hookcatch, name: str) -> None:
    request = letter(hooks)
    value = request.header(name.encode())
    for second in (value, b"x", b""):
        doubled = request.replace(headers=[*request.headers, (name, second or b"")])
        assert post(edge, doubled).status in (400, 401)
    assert kept(hooks) == []


@pytest.mark.parametrize("name", ["webhook_id", "webhook_timestamp", "webhook_signature", "Webhook_Id"])
def test_a47_an_underscore_twin_decides_nothing(edge: Any, hooks: Hookcatch, name: str) -> None:
    request = letter(hooks)
    answer = post(edge, request.replace(headers=[*request.headers, (name, b"evil")]))
    if hasattr(edge, "loop"):
        assert answer.status == 400
    else:  # the server drops it, so it is as if it had not been sent
        assert answer.status == 200
        assert [one.id for one in kept(hooks)] == ["msg_1"]


def test_a48_a_folded_signature_header_is_refused(edge: Edge, hooks: Hookcatch) -> None:
    request = letter(hooks)
    value = request.header(b"webhook-signature") or b""
    for folded in (value[:10] + b"\r\n " + value[10:], value[:10] + b" " + value[10:], value + b"\x00"):
        assert post(edge, request.with_header("webhook-signature", folded)).status == 401


def test_a49_no_form_parser_ever_sees_a_body(
    hooks: Hookcatch, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    for parser in (formparsers.MultiPartParser, formparsers.FormParser):
        monkeypatch.setattr(parser, "__init__", lambda *given, **_: seen.append(given))
    hooks.source("forms", "hmac", secret("hmac"))
    edge = EDGES["asgi-app"](hooks)
    body = b'--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n'
    blank = Request("POST", "", [("content-type", "multipart/form-data; boundary=b")], body)
    request = provider("hmac").sign(blank, secret=secret("hmac"), now=clock.now)
    assert post(edge, request, path="/forms").status == 200
    (event,) = kept(hooks)
    assert event.format == "bytes"
    assert seen == []
    edge.close()


def test_a51_types_that_look_like_patterns_match_nothing_and_long_ones_are_cut(
    edge: Edge, hooks: Hookcatch
) -> None:
    shop = hooks.sources["shop"]
    for n, type_ in enumerate(("*", "order.*", "(a+)+$", "a" * 100_000)):
        assert post(edge, shop.sign(type_, {}, id=f"msg_{n}")).status == 200
    assert [len(one.type) for one in kept(hooks)] == [1, 7, 6, 255]
    routes = hooks.build().routes
    assert [routes.find("shop", one.type) for one in kept(hooks)] == [()] * 4


class Item(BaseModel):
    id: int
    kind: Annotated[str, At()]


def test_a52_a_bomb_of_errors_is_told_in_twenty_lines(clock: Clock) -> None:
    world = World("blocking", clock=clock)

    @world.on(name="h")
    def handler(items: list[Item]) -> None: ...

    world.deliver(data=[{"id": "x"}] * 5000)
    (close,) = world.work()
    assert close.state == "invalid"
    assert "10000 validation errors" in close.error
    assert len(close.error.split("\n")) == 22
    world.close()


def test_a53_no_words_of_a_handler_or_a_schema_reach_the_sender(
    make_edge: Callable[[Hookcatch], Edge], clock: Clock
) -> None:
    hooks = Hookcatch("memory:", worker=False, clock=clock)
    options: Any = {"ack": "handled", "path": "/shop"}
    hooks.source("shop", "standard_webhooks", whsec(0), **options)
    hooks.source("strict", "standard_webhooks", whsec(1), on_invalid="reject")

    @hooks.on("*", source="shop")
    def fails(event: Event) -> None:
        raise ValueError("canary /srv/app/secret.py")

    @hooks.on("*", source="strict")
    def strict(canary_field: dict[str, int]) -> None: ...

    edge = make_edge(hooks)
    answers = [
        post(edge, letter(hooks)),
        post(
            edge, letter(hooks, data={"canary": "no number"}, source="strict"), path=f"{edge.prefix}/strict"
        ),
        post(edge, letter(hooks).replace(body=b"canary")),
    ]
    assert [(one.status, one.body) for one in answers] == [
        (503, b"Service Unavailable\n"),
        (422, b"Unprocessable Entity\n"),
        (401, b"Unauthorized\n"),
    ]
    for one in answers:
        assert "canary" not in str(one.headers)


def test_a54_an_event_that_kills_every_worker_is_parked_and_the_others_are_handled(clock: Clock) -> None:
    world, handled = World("blocking", clock=clock), []

    class Killed(BaseException):
        pass

    @world.on()
    def handler(event: Event) -> None:
        if event.id == "poison":
            raise Killed
        handled.append(event.id)

    for event_id in ("poison", "a", "b"):
        world.deliver(event_id)
    deaths = 0
    for _ in range(6):
        try:
            world.work()
        except Killed:
            deaths += 1
        clock.now += 61
    assert deaths == 3
    assert (world.event("poison").state, world.event("poison").error) == ("dead", "worker_lost")
    assert sorted(handled) == ["a", "b"]
    world.close()
