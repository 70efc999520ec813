"""Tokens by keys that a sender publishes, each for one receiver alone."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.keyring import KeyNeeded, KeyRef
from hookcatch.core.wire import Request
from hookcatch.providers import provider
from support.senders import NOW, rsa

APP, TENANT, STATE = "11111111-2222-3333-4444-555555555555", "84bd8158", "a-client-state-0123456789"
GRAPH = {
    "iss": f"https://sts.windows.net/{TENANT}/",
    "aud": APP,
    "appid": "0bf30f3b-4a52-48df-9a82-234910c4a086",
    "exp": int(NOW) + 60,
}
ITEM = {"id": "n1", "changeType": "created", "clientState": STATE, "encryptedContent": {"data": "AAAA"}}
JSON = ("content-type", "application/json")


class Shelf:
    """The keys there are, by the URL of their set; whatever else is asked for would have to be fetched."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, ref: KeyRef) -> bytes | None:
        key: Any = load_pem_private_key(rsa(0).encode(), None)
        if (ref.url, ref.kid) != (self.url, "k1"):
            return None
        return jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()).encode()


def token(claims: dict[str, Any], kid: str = "k1") -> str:
    return jwt.encode(claims, rsa(0), "RS256", headers={"kid": kid})


def rich(tokens: object, **item: object) -> Request:
    said = {"value": [{**ITEM, **item}], "validationTokens": tokens}
    return Request("POST", "", [JSON], json.dumps(said))


def verified(name: str, secret: str, keys: str, request: Request) -> Any:
    return provider(name).bind(secret, None, Shelf(keys)).verify(request, NOW)


def rich_verified(request: Request) -> Any:
    keys = "https://login.microsoftonline.com/common/discovery/keys"
    return verified("ms_graph_rich", f"{APP} {TENANT} {STATE}", keys, request)


def test_a_rich_notification_is_kept_without_what_proves_it_and_with_what_is_encrypted() -> None:
    [event] = rich_verified(rich([token(GRAPH), token(GRAPH)])).events
    assert (event.id, event.type) == ("n1", "created")
    assert event.payload["encryptedContent"] == {"data": "AAAA"}
    assert STATE.encode() not in event.body
    assert b"eyJ" not in event.body


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (rich([]), "missing_signature: validationTokens"),
        (rich("text"), "missing_signature: validationTokens"),
        (rich([7]), "no short list of tokens"),
        (rich(["a"] * 17), "no short list of tokens"),
        (rich(["é"]), "malformed_signature"),
        (rich([token(GRAPH), token({**GRAPH, "aud": "other"})]), "for another audience"),
        (rich([token({**GRAPH, "iss": "https://sts.windows.net/other/"})]), "another issuer"),
        (rich([token({**GRAPH, "appid": "other"})]), "the claim appid"),
        (rich([token(GRAPH)], clientState="another"), "bad_signature"),
    ],
)
def test_each_token_and_the_state_have_to_be_right(request_: Request, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        rich_verified(request_)


def test_a_key_that_is_not_there_yet_is_asked_for_at_microsoft_alone() -> None:
    with pytest.raises(KeyNeeded) as need:
        rich_verified(rich([token(GRAPH, "k2")]))
    assert need.value.ref.url == "https://login.microsoftonline.com/common/discovery/keys"


BOT = {"iss": "https://api.botframework.com", "aud": APP, "serviceurl": "https://smba.example.net/"}


def message(claims: dict[str, Any], service: object = "https://smba.example.net/") -> Request:
    headers = [JSON, ("authorization", f"Bearer {token(claims)}")]
    return Request("POST", "", headers, json.dumps({"type": "message", "id": "1", "serviceUrl": service}))


def test_a_message_to_a_bot_is_of_the_service_that_its_token_names() -> None:
    keys = "https://login.botframework.com/v1/.well-known/keys"
    assert verified("ms_bot", APP, keys, message(BOT)).events[0].type == "message"
    for service in ("https://evil.example/", None):
        with pytest.raises(Rejected, match="the claim serviceurl"):
            verified("ms_bot", APP, keys, message(BOT, service))


def test_zoho_publishes_its_keys_in_each_data_centre() -> None:
    claims = {"iss": "orgId:1", "aud": "webhookId:2", "exp": int(NOW) + 60}
    body = json.dumps([{"eventType": "Ticket_Add", "payload": {"id": "1"}}])
    request = Request("POST", "", [JSON, ("x-zdesk-jwt", token(claims))], body)
    for secret, host in (("1 2", "desk.zoho.com"), ("1 2 desk.zoho.com.au", "desk.zoho.com.au")):
        keys = f"https://{host}/.well-known/jwks.json"
        assert verified("zoho_desk", secret, keys, request).events[0].type == "Ticket_Add"


def test_the_url_for_zoho_is_tried_by_get() -> None:
    greeter = provider("zoho_desk").greeter("1 2")
    assert greeter is not None
    greeting = greeter.before(Request("GET", "", ()), NOW)
    assert greeting is not None
    assert greeting.response.status == 200


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("ms_graph_rich", f"{APP} {TENANT}"),
        ("ms_bot", "my-bot"),
        ("zoho_desk", "1"),
        ("zoho_desk", "1 2 evil.example"),
        ("zoho_desk", "1 2 desk.zoho.evil.example"),
    ],
)
def test_a_secret_that_does_not_say_for_whom_a_token_is_is_refused(name: str, given: str) -> None:
    with pytest.raises(ConfigurationError, match="the secret for"):
        provider(name).bind(given)
