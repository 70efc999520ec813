"""Senders that encrypt: what a handler gets, and what they get back."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import urlencode

import pytest

from hookcatch import Hookcatch
from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.greeting import Greeting
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.providers import provider
from hookcatch.providers.handshakes import Wishes
from hookcatch.providers.sealed import lark_box, three_of
from hookcatch.signing.keys import secrets_of
from support.edges import EDGES, post
from support.senders import NOW, secret

PLACE = "https://hooks.example.com/in"
JSON = ("content-type", "application/json")


def greet(name: str, request: Request, wishes: Wishes = Wishes()) -> Greeting | None:
    row = provider(name)
    greeter = row.greeter([secret(name, 1), secret(name)], wishes)
    assert greeter is not None
    greeting = greeter.before(request, NOW)
    if greeting is None:
        delivery = row.verify(request, secret=[secret(name, 1), secret(name)], now=NOW)
        greeting = greeter.after(request, delivery)
    return greeting


def sorted_hash(*texts: str) -> str:
    return hashlib.sha1("".join(sorted(texts)).encode()).hexdigest()


def dingtalk(payload: object) -> Request:
    blank = Request("POST", PLACE, [JSON], json.dumps(payload))
    return provider("dingtalk").sign(blank, secret=secret("dingtalk"), now=NOW)


def opened(answer: bytes) -> str:
    """The text of an answer to DingTalk, as DingTalk reads it."""
    said = json.loads(answer)
    token, box = three_of(Secret(secret("dingtalk").encode()))
    assert said["msg_signature"] == sorted_hash(
        token.decode(), said["timeStamp"], said["nonce"], said["encrypt"]
    )
    return box.open(said["encrypt"].encode()).decode()


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"EventType": "check_url"}, "success"),
        ({"EventType": "check_create_suite_url", "Random": "LPIdSnlF"}, "LPIdSnlF"),
        ({"EventType": "check_update_suite_url", "Random": "LPIdSnlF"}, "LPIdSnlF"),
    ],
)
def test_dingtalk_tries_an_endpoint_and_gets_a_sealed_answer(payload: object, text: str) -> None:
    greeting = greet("dingtalk", dingtalk(payload))
    assert greeting is not None
    assert opened(greeting.response.body) == text
    assert (b"content-type", b"application/json") in greeting.response.headers


def test_any_other_event_of_dingtalk_is_no_handshake() -> None:
    assert greet("dingtalk", dingtalk({"EventType": "user_add_org"})) is None


@pytest.mark.parametrize("edge", ["asgi-app", "wsgi-app"])
def test_dingtalk_gets_a_sealed_success_for_every_event_that_is_kept(edge: str) -> None:
    hooks = Hookcatch("memory:", worker=False, clock=lambda: NOW)
    hooks.source("shop", "dingtalk", secret("dingtalk"))
    caller = EDGES[edge](hooks)
    request = dingtalk({"EventType": "user_add_org", "TimeStamp": "1"})
    for _ in range(2):
        answer = post(caller, request, query=request.url.partition("?")[2].encode())
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert opened(answer.body) == "success"
    [(stored, _)] = [hooks.inbox().get(1)]  # type: ignore[misc]
    assert stored.body == b'{"EventType": "user_add_org", "TimeStamp": "1"}'
    caller.close()


def wecom(echo: bytes, **more: str) -> Request:
    token, box = three_of(Secret(secret("wechat_work").encode()))
    said = {"timestamp": "1700000000", "nonce": "n1", "echostr": box.close(echo).decode()}
    signature = sorted_hash(token.decode(), *said.values())
    return Request("GET", f"{PLACE}?{urlencode({**said, 'msg_signature': signature, **more})}", [])


def test_wecom_gets_its_echo_decrypted() -> None:
    greeting = greet("wechat_work", wecom(b"5927782489442352469"))
    assert greeting is not None
    assert greeting.response.body == b"5927782489442352469"


@pytest.mark.parametrize("request_", [wecom(b"59", nonce="n2"), wecom(b"59", msg_signature="é")])
def test_an_echo_that_is_not_signed_is_not_decrypted(request_: Request) -> None:
    with pytest.raises(Rejected, match="bad_signature"):
        greet("wechat_work", request_)


def test_an_echo_is_plain_text() -> None:
    with pytest.raises(Rejected, match="malformed_body"):
        greet("wechat_work", wecom(b"<script>"))


@pytest.mark.parametrize("name", ["wechat_work", "wechat_safe"])
def test_a_get_without_an_echo_is_no_handshake(name: str) -> None:
    greeter = provider(name).greeter(secret(name))
    assert greeter is not None
    assert greeter.before(Request("GET", PLACE, []), NOW) is None


def test_wechat_signs_its_echo_but_does_not_encrypt_it() -> None:
    token = three_of(Secret(secret("wechat_safe").encode()))[0].decode()
    said = {"timestamp": "1700000000", "nonce": "n1", "signature": sorted_hash(token, "1700000000", "n1")}
    greeting = greet("wechat_safe", Request("GET", f"{PLACE}?{urlencode({**said, 'echostr': '52'})}", []))
    assert greeting is not None
    assert greeting.response.body == b"52"


def lark(payload: object, key: str = secret("lark")) -> Request:
    sealed = lark_box(Secret(key.encode())).close(json.dumps(payload).encode())
    return Request("POST", PLACE, [JSON], json.dumps({"encrypt": sealed.decode()}))


QUESTION = {"type": "url_verification", "token": "agreed", "challenge": "ajls384k"}


def test_lark_asks_encrypted_and_is_answered_in_plain_text() -> None:
    for wishes in (Wishes(), Wishes(verify_token=secrets_of("agreed")[0])):
        greeting = greet("lark", lark(QUESTION), wishes)
        assert greeting is not None
        assert json.loads(greeting.response.body) == {"challenge": "ajls384k"}


def test_a_token_that_was_agreed_upon_has_to_be_right_inside_too() -> None:
    for token in ("another", 7):
        with pytest.raises(Rejected, match="bad_signature"):
            greet("lark", lark({**QUESTION, "token": token}), Wishes(verify_token=secrets_of("agreed")[0]))


@pytest.mark.parametrize(
    "request_",
    [
        lark(QUESTION, "the key of somebody else"),
        lark({"type": "event"}),
        lark("text"),
        Request("POST", PLACE, [JSON], '{"encrypt": 7}'),
        Request("POST", PLACE, [JSON], '{"encrypt": "AAAA"}'),
        Request("POST", PLACE, [JSON], '{"encrypt": "é"}'),
    ],
)
def test_whatever_else_is_inside_nobody_learns_from_the_answer(request_: Request) -> None:
    with pytest.raises(Rejected, match="missing_signature: x-lark-signature"):
        greet("lark", request_)


@pytest.mark.parametrize("given", ["token", f"token:{'k' * 42}:id", f"token:{'k' * 43}:", f":{'k' * 43}:id"])
def test_a_secret_of_three_parts_is_written_with_colons(given: str) -> None:
    with pytest.raises(ConfigurationError, match="TOKEN:ENCODING_AES_KEY:RECEIVER_ID"):
        provider("wechat_work").bind(given)
