"""What gets out: answers, logs, reprs, tracebacks, stored headers. No secret and no forged line is in any of them.

The numbers are those of the attack list.
"""

from __future__ import annotations

import base64
import io
import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from hookcatch import ConfigurationError, Event, Hookcatch, Rejected, Request, Secret
from hookcatch.core.ports import Query
from hookcatch.providers import names, provider
from support.edges import EDGES, Answer, Edge, post
from support.senders import NOW, URL, secret, signed, whsec
from support.world import Clock

SIGNED = [name for name in names() if provider(name).signed]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a plain log file holds, with everything that structured logs would add."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(Everything())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


class Everything(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extra = {key: value for key, value in vars(record).items() if key.startswith("hookcatch_")}
        return f"{super().format(record)} {extra!r}"


def canaries(given: Any) -> list[str]:
    """A secret, and the forms in which it might turn up."""
    text = given.decode() if isinstance(given, bytes) else given
    inside = text.removeprefix("v1,").removeprefix("whsec_")
    found = {text, inside, text.encode().hex(), base64.b64encode(text.encode()).decode()}
    if "BEGIN" in text:
        found |= set(text.strip().splitlines()[1:-1])
    try:
        decoded = base64.b64decode(inside, validate=True)
        found |= {decoded.hex(), decoded.decode()}
    except ValueError:
        pass
    return sorted(one for one in found if len(one) >= 8)


def assert_hidden(shown: str, given: Any) -> None:
    for canary in canaries(given):
        assert canary not in shown


# --- answers


def test_a55_a_reply_in_text_is_never_markup() -> None:
    hooks = Hookcatch("memory:", worker=False, clock=Clock())
    shop = hooks.source("shop", "standard_webhooks", whsec(0))

    @hooks.on("*", reply=True)
    def reply(event: Event) -> str:
        return f"<script>{event.data}</script>"

    edge = EDGES["wsgi-app"](hooks)
    answer = post(edge, shop.sign("t", "x", id="msg_1"))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    edge.close()


# --- logs

EVIL = "evil\r\n2026-11-21 INFO shop 200 stored \x1b[2J\x00\u2028\u202e"


@pytest.mark.parametrize("name", EDGES)
def test_a56_nothing_that_is_sent_can_forge_a_line_of_the_log(name: str, log: io.StringIO) -> None:
    hooks = Hookcatch("memory:", clock=Clock())
    shop = hooks.source("shop", "hmac", secret("hmac"))
    hooks.on("*", name="fails")(fails)
    edge = EDGES[name](hooks)
    forged = [
        Request("POST", "", [("x-signature", EVIL.encode())], EVIL),
        Request("POST", "", [("content-encoding", EVIL.encode())]),
        shop.sign(EVIL, {"canary": "payload"}, id=EVIL),
        shop.sign("t" * 255, {}, id="x" * 255),
        shop.sign("t", {}, id="\u202eevil\u2028"),
    ]
    answers = [post(edge, one).status for one in forged]
    answers.append(post(edge, forged[0], path=f"{edge.prefix}/{EVIL}").status)
    answers.append(post(edge, forged[0], method=EVIL).status)
    edge.close()
    assert answers == [401, 415, 200, 200, 200, 404, 405]
    lines = [line for line in log.getvalue().split("\n") if "hookcatch_" in line or "shop" in line]
    assert len(lines) >= 6
    for line in log.getvalue().split("\n"):
        assert line.isprintable(), line
        assert not line.startswith("2026-11-21")
        assert "payload" not in line
    assert max(len(line) for line in lines if "fails" not in line) < 2000


def query(request: Request) -> bytes:
    return request.url.partition("?")[2].encode()


def without_proof(request: Request) -> Request:
    """What is left when everything is replaced in which a proof may stand."""
    return Request(
        "POST", request.url.partition("?")[0], [(name, b"x" * 40) for name, _ in request.headers], b"{}"
    )


def fails(event: Event) -> None:
    raise ValueError(event.type)


@pytest.mark.parametrize("name", SIGNED)
def test_a57_a_secret_is_in_no_log_no_repr_no_traceback_no_pickle_and_no_answer(
    name: str, log: io.StringIO
) -> None:
    given, shown = secret(name), []
    hooks = Hookcatch("memory:", worker=False, clock=Clock(NOW))
    source = hooks.source("shop", name, [given, Secret(secret(name, 1).encode())], public_url=URL)
    genuine = signed(name)
    forged = [Request("POST", URL, []), Request("POST", URL, [], genuine.body[:-2]), without_proof(genuine)]

    edge: Edge = EDGES["wsgi-app"](hooks)
    answers: list[Answer] = [post(edge, one, query=query(one)) for one in (genuine, *forged)]
    assert answers[0].status < 300
    assert answers[1].status >= 400
    shown += [f"{one.headers} {one.body!r}" for one in answers]
    edge.close()

    for held in (hooks, source, source.endpoint, source.endpoint.verifier, vars(hooks), hooks.build()):
        shown += [repr(held), str(held)]
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(held)
    for one, answer in zip(forged, answers[1:], strict=True):
        if answer.status < 300:  # a sender that signs no more than a part of the body
            continue
        with pytest.raises(Rejected) as refused:
            source.verify(one)
        told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
        # the frames of this test hold what they must not find; those of hookcatch must not
        told.stack = traceback.StackSummary.from_list(
            [frame for frame in told.stack if "src/hookcatch" in frame.filename]
        )
        assert len(told.stack) >= 2
        shown.append("".join(told.format()))
    shown.append(log.getvalue())
    assert "shop" in log.getvalue()
    for text in shown:
        assert_hidden(text, given)
        assert_hidden(text, secret(name, 1))


@pytest.mark.parametrize("name", SIGNED)
def test_a57_an_error_of_configuration_does_not_quote_the_secret(name: str) -> None:
    given = secret(name)
    for wrong in (given[: len(given) // 2], given + "ü", "x" + given, [given, given], [given, None]):
        try:
            Hookcatch("memory:").source("shop", name, wrong, public_url=URL)  # type: ignore[arg-type]
        except ConfigurationError as error:
            assert_hidden(str(error), given)
            assert_hidden(str(error), given[: len(given) // 2])


def test_a57_the_search_finds_a_secret_that_does_get_out() -> None:
    for name in SIGNED:
        with pytest.raises(AssertionError):
            assert_hidden(f"... {secret(name)} ...", secret(name))


# --- what is kept

CREDENTIALS = {
    "authorization": "Bearer canary",
    "proxy-authorization": "canary",
    "cookie": "session=canary",
    "x-github-encoded-secret": base64.b64encode(b"canary").decode(),
    "x-hub-signature-256": "sha256=canary",
    "x-api-key": "canary",
    "x-amz-security-token": "canary",
    "x-forwarded-authorization": "canary",
    "x-my-password": "canary",
}


@pytest.mark.parametrize("name", EDGES)
def test_a58_of_the_headers_only_the_named_ones_are_kept_and_no_credential_even_if_named(name: str) -> None:
    hooks = Hookcatch("memory:", worker=False, clock=Clock())
    github = hooks.source(
        "github", secret=secret("github"), keep_headers=["x-request-id", *CREDENTIALS], path="/shop"
    )
    edge = EDGES[name](hooks)
    request = github.sign("push", {}, id="1")
    genuine = dict(request.headers)
    more = {name: value for name, value in {**CREDENTIALS, "x-request-id": "r1", "x-other": "canary"}.items()
            if name.encode() not in genuine}  # fmt: skip
    answer = post(edge, request.replace(headers=[*request.headers, *more.items()]))
    assert answer.status < 300
    (event,) = hooks.inbox().find(Query())
    assert set(event.headers) == {"content-type", "x-github-event", "x-github-delivery", "x-request-id"}
    assert "canary" not in str(event.headers)
    edge.close()


@pytest.mark.parametrize("name", SIGNED)
def test_a58_what_proves_the_sender_is_never_kept(name: str) -> None:
    hooks = Hookcatch("memory:", worker=False, clock=Clock(NOW))
    hooks.source("shop", name, secret(name), public_url=URL)
    edge, request = EDGES["wsgi-app"](hooks), signed(name)
    assert post(edge, request, query=query(request)).status < 300
    unsigned = {
        name for name, _ in provider(name).events.write(Request("POST", URL, ()), "1", "t", {}).headers
    }
    added = {key: value for key, value in request.headers if key not in unsigned | {b"host", b"user-agent"}}
    for event in hooks.inbox().find(Query()):
        kept = {value.encode("latin-1") for value in event.headers.values()}
        proofs = {value for key, value in added.items() if b"sign" in key.lower() or b"auth" in key.lower()}
        assert not kept & proofs
        assert not [key for key in event.headers if "signature" in key or "token" in key or "auth" in key]
    edge.close()
