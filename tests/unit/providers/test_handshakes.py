"""Each sender's handshake is answered exactly as it wants it, and safely."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.core.errors import Rejected
from hookcatch.core.greeting import Greeting
from hookcatch.core.wire import Request
from hookcatch.providers import names, provider
from hookcatch.providers.handshakes import MAX_CHALLENGE, Doorman, Wishes
from hookcatch.signing.keys import secrets_of
from support.senders import NOW, URL, secret

JSON = ("content-type", "application/json")
PLACE = URL.partition("?")[0]
TOPIC = "arn:aws:sns:eu-central-1:123456789012:orders"

WITH_TOKEN = Wishes(verify_token=secrets_of("the token that was agreed upon")[0], learn=True)
AGREED = "the token that was agreed upon"


def greet(name: str, request: Request, wishes: Wishes = Wishes(), known: str | bytes = "") -> Greeting | None:
    """What the endpoint says, the signature checked where the handshake carries one."""
    row = provider(name)
    known = known or secret(name)
    greeter = row.greeter(known, wishes)
    assert greeter is not None
    assert request.method in greeter.methods
    greeting = greeter.before(request, NOW)
    if greeting is None:
        greeting = greeter.after(request, row.verify(request, secret=known, now=NOW))
    return greeting


def called(method: str, query: dict[str, str], *headers: tuple[str, str]) -> Request:
    return Request(method, f"{PLACE}?{urlencode(query)}" if query else PLACE, headers)


def asked(query: dict[str, str], *headers: tuple[str, str]) -> Request:
    return called("GET", query, *headers)


def unsigned(body: bytes, *headers: tuple[str, str]) -> Request:
    return Request("POST", PLACE, headers or [JSON], body)


def posted(name: str, payload: Any, *headers: tuple[str, str]) -> Request:
    return provider(name).sign(
        Request("POST", URL, [JSON, *headers], json.dumps(payload)), secret=secret(name), now=NOW
    )


def mac(name: str, text: str, digest: str = "sha256") -> bytes:
    return hmac.digest(str(secret(name)).encode(), text.encode(), digest)


def wechat_signature(token: str, timestamp: str, nonce: str) -> str:
    return hashlib.sha1("".join(sorted([token, timestamp, nonce])).encode()).hexdigest()


def wechat(echo: str, **more: str) -> Request:
    signature = wechat_signature(str(secret("wechat")), "1700000000", "n1")
    said = {"signature": signature, "timestamp": "1700000000", "nonce": "n1", "echostr": echo, **more}
    return asked(said)


@dataclass(frozen=True)
class Case:
    """A handshake and its answer: text, JSON or nothing."""

    name: str
    request: Request
    text: str | None = None
    json: Any = None
    status: int = 200
    wishes: Wishes = field(default_factory=Wishes)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    learned: str = ""


GRID = {
    "id": "1",
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "data": {"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"},
    "eventTime": "2026-01-25T22:12:19.4556811Z",
}
ORIGIN = ("webhook-request-origin", "eventemitter.example.com")
WITH_ORIGIN = Wishes(origins=frozenset({"eventemitter.example.com"}))
WITH_TOPIC = Wishes(topics=frozenset({"https://blog.example.com/feed"}))
INTENT = {"hub.topic": "https://blog.example.com/feed", "hub.challenge": "4xQ", "hub.lease_seconds": "864000"}

CASES = [
    Case(
        "asana",
        unsigned(b"", ("x-hook-secret", "b537207f20cbfa02357cf448134da559")),
        headers={b"x-hook-secret": b"b537207f20cbfa02357cf448134da559"},
        wishes=Wishes(learn=True),
        learned="b537207f20cbfa02357cf448134da559",
    ),
    Case(
        "notion",
        unsigned(b'{"verification_token": "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"}'),
        wishes=Wishes(learn=True),
        learned="secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl",
    ),
    Case(
        "slack",
        posted("slack", {"type": "url_verification", "token": "t", "challenge": "3eZbrw1a"}),
        json={"challenge": "3eZbrw1a"},
    ),
    Case("slack", unsigned(b"ssl_check=1&token=t")),
    Case("slack", asked({"ssl_check": "1"})),
    Case(
        "meta",
        asked({"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": AGREED}),
        text="1158201444",
        wishes=WITH_TOKEN,
    ),
    Case("dropbox", asked({"challenge": "abc-1"}), text="abc-1"),
    Case(
        "x",
        asked({"crc_token": "NDM0ZTc2Yzgt"}),
        json={"response_token": "sha256=" + base64.b64encode(mac("x", "NDM0ZTc2Yzgt")).decode()},
    ),
    Case("discord", posted("discord", {"type": 1, "application_id": "1", "version": 1}), json={"type": 1}),
    Case(
        "discord",
        posted("discord", {"type": 0, "application_id": "1", "version": 1}),
        status=204,
        headers={b"content-type": b"application/json"},
    ),
    Case(
        "zoom",
        posted(
            "zoom", {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}
        ),
        json={
            "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
            "encryptedToken": mac("zoom", "qgg8vlvZRS6UYooatFL8Aw").hex(),
        },
    ),
    Case(
        "twitch",
        posted(
            "twitch",
            {"challenge": "pogchamp-kappa-360noscope-vohiyo", "subscription": {"type": "channel.follow"}},
            ("twitch-eventsub-message-type", "webhook_callback_verification"),
            ("twitch-eventsub-message-id", "m1"),
        ),
        text="pogchamp-kappa-360noscope-vohiyo",
    ),
    Case("okta", asked({}, ("x-okta-verification-challenge", "a1B2")), json={"verification": "a1B2"}),
    Case("trello", called("HEAD", {})),
    Case("bitbucket_server", unsigned(b'{"test": true}', ("x-event-key", "diagnostics:ping"), JSON)),
    Case("miro", unsigned(b'{"challenge":"3eZbrw1a"}'), json={"challenge": "3eZbrw1a"}),
    Case("ms_graph_rich", called("POST", {"validationToken": "Validation: a b"}), text="Validation: a b"),
    Case("zoho_desk", asked({})),
    Case(
        "youtube",
        asked({"hub.mode": "subscribe", **INTENT}),
        text="4xQ",
        wishes=WITH_TOPIC,
    ),
    Case(
        "lark_token",
        unsigned(json.dumps({"type": "url_verification", "token": AGREED, "challenge": "3eZb"}).encode()),
        json={"challenge": "3eZb"},
        wishes=WITH_TOKEN,
    ),
    Case("intercom", called("HEAD", {})),
    Case("mandrill", called("HEAD", {})),
    Case("mailchimp", asked({})),
    Case("mailchimp_url", asked({})),
    Case("mailgun_optimize", asked({})),
    Case(
        "ms_graph",
        called("POST", {"validationToken": "Validation: Testing client application Request-Id: 3a-1"}),
        text="Validation: Testing client application Request-Id: 3a-1",
    ),
    Case(
        "azure_eventgrid",
        posted("azure_eventgrid", [GRID]),
        json={"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"},
    ),
    Case(
        "azure_eventgrid",
        called("OPTIONS", {}, ORIGIN),
        wishes=WITH_ORIGIN,
        headers={
            b"webhook-allowed-origin": b"eventemitter.example.com",
            b"webhook-allowed-rate": b"*",
            b"allow": b"POST",
        },
    ),
    Case(
        "cloudevents",
        called("OPTIONS", {}, ORIGIN),
        wishes=WITH_ORIGIN,
        headers={
            b"webhook-allowed-origin": b"eventemitter.example.com",
            b"webhook-allowed-rate": b"*",
            b"allow": b"POST",
        },
    ),
    Case(
        "linkedin",
        asked({"challengeCode": "890e4665-4dfe-4ab1-b689-ed553bceeed0"}),
        json={
            "challengeCode": "890e4665-4dfe-4ab1-b689-ed553bceeed0",
            "challengeResponse": mac("linkedin", "890e4665-4dfe-4ab1-b689-ed553bceeed0").hex(),
        },
    ),
    Case(
        "smartsheet",
        unsigned(b'{"challenge":"c-1","webhookId":1}', JSON, ("smartsheet-hook-challenge", "c-1")),
        json={"smartsheetHookResponse": "c-1"},
        headers={b"smartsheet-hook-response": b"c-1"},
    ),
    Case("monday", unsigned(b'{"challenge": "3eZbrw1a"}'), json={"challenge": "3eZbrw1a"}),
    Case("woocommerce", unsigned(b"webhook_id=123")),
    Case("daily", unsigned(b'{"test":"test"}')),
    Case("wechat", wechat("5299342"), text="5299342"),
    Case(
        "lark",
        unsigned(json.dumps({"type": "url_verification", "token": AGREED, "challenge": "ajls384k"}).encode()),
        json={"challenge": "ajls384k"},
        wishes=WITH_TOKEN,
    ),
    Case("websub", asked({"hub.mode": "subscribe", **INTENT}), text="4xQ", wishes=WITH_TOPIC),
    Case("websub", asked({"hub.mode": "unsubscribe", **INTENT}), text="4xQ"),
    Case(
        "websub",
        asked({"hub.mode": "subscribe", **INTENT, "hub.verify_token": AGREED}),
        text="4xQ",
        wishes=Wishes(topics=WITH_TOPIC.topics, verify_token=WITH_TOKEN.verify_token),
    ),
    Case("websub", asked({"hub.mode": "denied", "hub.topic": "t", "hub.reason": "no"})),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.request.method}")
def test_a_handshake_gets_the_answer_that_its_sender_wants(case: Case) -> None:
    greeting = greet(case.name, case.request, case.wishes)
    assert greeting is not None
    headers = dict(greeting.response.headers)
    assert greeting.response.status == case.status
    assert headers.items() >= case.headers.items()
    if case.text is not None:
        assert greeting.response.body == case.text.encode()
        assert headers[b"content-type"] == b"text/plain; charset=utf-8"
    elif case.json is not None:
        assert json.loads(greeting.response.body) == case.json
        assert headers[b"content-type"] == b"application/json"
    else:
        assert greeting.response.body == b""
    if greeting.response.body:
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert headers[b"content-security-policy"] == b"sandbox"
    learned = greeting.learned.reveal().decode() if greeting.learned else ""
    assert (learned, greeting.visit) == (case.learned, "")


@pytest.mark.parametrize("case", [case for case in CASES if case.learned], ids=lambda case: case.name)
def test_a_secret_is_learned_only_where_that_is_wished(case: Case) -> None:
    assert provider(case.name).teaches
    assert provider(case.name).greeter(secret(case.name)) is None


def test_a_secret_that_no_sender_would_bring_is_not_learned() -> None:
    greeter = provider("asana").greeter(None, Wishes(learn=True))
    assert greeter is not None
    for brought in ("", "a b", "<script>", "a" * 300):
        with pytest.raises(Rejected, match="malformed_body"):
            greeter.before(unsigned(b"", ("x-hook-secret", brought)), NOW)


def test_without_a_secret_no_challenge_is_answered_that_needs_one() -> None:
    greeter = provider("x").greeter(None)
    assert greeter is not None
    with pytest.raises(Rejected, match="unknown_tenant"):
        greeter.before(asked({"crc_token": "abc"}), NOW)


def test_every_row_with_handshakes_has_all_of_them_tried() -> None:
    sealed = {"dingtalk", "wechat_safe", "wechat_work"}  # in test_sealed.py
    tried = {case.name for case in CASES} | {"braintree", "aws_sns"} | sealed
    assert tried == {name for name in names() if provider(name).handshakes}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.request.method}")
def test_a_handshake_that_carries_a_signature_is_answered_only_if_it_is_right(case: Case) -> None:
    row = provider(case.name)
    greeter = row.greeter(secret(case.name), case.wishes)
    assert greeter is not None
    if greeter.before(case.request, NOW) is None:
        with pytest.raises(Rejected, match="bad_signature"):
            row.verify(case.request, secret=secret(case.name, 1), now=NOW)


@pytest.mark.parametrize("name", [name for name in names() if provider(name).handshakes])
def test_an_ordinary_request_is_no_handshake(name: str) -> None:
    greeter = provider(name).greeter(secret(name), WITH_TOKEN)
    assert isinstance(greeter, Doorman)
    ordinary = provider(name).sign(
        provider(name).events.write(Request("POST", URL, []), id="1", type="order.created", data={}),
        secret=secret(name),
        now=NOW,
    )
    assert greeter.before(ordinary, NOW) is None
    delivery = provider(name).verify(ordinary, secret=secret(name), now=NOW)
    assert greeter.after(ordinary, delivery) is None


LOOKED_AT = {"mailchimp", "mailchimp_url", "mailgun_optimize", "zoho_desk"}  # whose sender looks in just so


@pytest.mark.parametrize(
    "name", [name for name in names() if provider(name).handshakes and name not in LOOKED_AT]
)
def test_somebody_who_only_looks_in_gets_no_answer(name: str) -> None:
    greeter = provider(name).greeter(secret(name), WITH_TOKEN)
    assert greeter is not None
    assert greeter.before(asked({}), NOW) is None
    assert greeter.before(unsigned(b'{"challenge": "test", '), NOW) is None
    assert greeter.before(unsigned(b'"url_verification" "test" "challenge"' * 1000), NOW) is None


def test_of_secrets_in_rotation_the_one_that_verified_answers() -> None:
    request = posted("zoom", {"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}})
    row, both = provider("zoom"), [secret("zoom", 1), secret("zoom")]
    greeter = row.greeter(both)
    assert greeter is not None
    greeting = greeter.after(request, row.verify(request, secret=both, now=NOW))
    assert greeting is not None
    assert json.loads(greeting.response.body)["encryptedToken"] == mac("zoom", "abc").hex()


# what is not sent back (ATTACKS A55)

ECHOES = [
    ("dropbox", lambda text: asked({"challenge": text}), Wishes()),
    ("meta", lambda text: asked({**META, "hub.challenge": text}), WITH_TOKEN),
    ("websub", lambda text: asked({**INTENT, "hub.mode": "unsubscribe", "hub.challenge": text}), Wishes()),
    ("ms_graph", lambda text: called("POST", {"validationToken": text}), Wishes()),
    ("wechat", lambda text: wechat(text), Wishes()),
    ("x", lambda text: asked({"crc_token": text}), Wishes()),
    ("linkedin", lambda text: asked({"challengeCode": text}), Wishes()),
    ("monday", lambda text: unsigned(json.dumps({"challenge": text}).encode()), Wishes()),
    ("slack", lambda text: posted("slack", {"type": "url_verification", "challenge": text}), Wishes()),
    (
        "lark",
        lambda text: unsigned(
            json.dumps({"type": "url_verification", "token": AGREED, "challenge": text}).encode()
        ),
        WITH_TOKEN,
    ),
]
META = {"hub.mode": "subscribe", "hub.verify_token": AGREED}
UNSAFE = ["<script>", "a\r\nset-cookie: a", "é", "x" * (MAX_CHALLENGE + 1), "", "a&b", 'a"b', "a\x00"]


@pytest.mark.parametrize("challenge", UNSAFE)
@pytest.mark.parametrize(("name", "request_with", "wishes"), ECHOES, ids=[one[0] for one in ECHOES])
def test_a_challenge_that_no_sender_would_make_is_not_sent_back(
    name: str, request_with: Any, wishes: Wishes, challenge: str
) -> None:
    with pytest.raises(Rejected, match="malformed_body"):
        greet(name, request_with(challenge), wishes)


@pytest.mark.parametrize("header", ["x-okta-verification-challenge", "smartsheet-hook-challenge"])
def test_a_header_that_no_sender_would_make_is_not_sent_back(header: str) -> None:
    name, method = ("okta", "GET") if "okta" in header else ("smartsheet", "POST")
    for challenge in ("<b>", "é", "x" * (MAX_CHALLENGE + 1), "a b"):
        with pytest.raises(Rejected, match="malformed_body"):
            greet(name, called(method, {}, (header, challenge)))


@pytest.mark.parametrize(
    "token", ["1700000000", "-1.5e3", "true", "false", "null", "{}", "[1]", '"a"', "a=b&c=d"]
)
def test_a_token_that_could_be_a_delivery_is_not_signed_with_the_key_of_the_deliveries(token: str) -> None:
    with pytest.raises(Rejected, match="malformed_body"):
        greet("x", asked({"crc_token": token}))


def test_the_answer_to_a_token_is_no_signature_of_a_delivery() -> None:
    token = "NDM0ZTc2Yzgt"
    greeting = greet("x", asked({"crc_token": token}))
    assert greeting is not None
    signature = json.loads(greeting.response.body)["response_token"]
    for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain", "application/xml"):
        forged = unsigned(token.encode(), ("content-type", kind), ("x-twitter-webhooks-signature", signature))
        with pytest.raises(Rejected, match="malformed_body"):
            provider("x").verify(forged, secret=secret("x"), now=NOW)


# tokens and allow-lists


@pytest.mark.parametrize("wishes", [WITH_TOKEN, Wishes()], ids=["wrong", "none agreed"])
@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("meta", asked({"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "é another"})),
        ("meta", asked({"hub.mode": "subscribe", "hub.challenge": "1"})),
        ("lark", unsigned(b'{"type":"url_verification","token":"another","challenge":"1"}')),
        ("lark", unsigned(b'{"type":"url_verification","token":1,"challenge":"1"}')),
    ],
)
def test_without_the_agreed_token_nothing_is_sent_back(name: str, request_: Request, wishes: Wishes) -> None:
    with pytest.raises(Rejected, match=r"bad_signature.*verify_token"):
        greet(name, request_, wishes)


def test_with_a_token_agreed_a_hub_has_to_bring_it() -> None:
    with pytest.raises(Rejected, match=r"hub\.verify_token is not the verify_token"):
        greet("websub", asked({"hub.mode": "unsubscribe", **INTENT}), WITH_TOKEN)


def test_a_hub_is_told_that_what_we_did_not_ask_for_is_not_wanted() -> None:
    for mode, wishes in (("subscribe", Wishes()), ("unsubscribe", WITH_TOPIC)):
        greeting = greet("websub", asked({"hub.mode": mode, **INTENT}), wishes)
        assert greeting is not None
        assert (greeting.response.status, greeting.response.body) == (404, b"Not Found\n")


def test_a_query_of_another_mode_is_no_intent() -> None:
    greeter = provider("websub").greeter(secret("websub"))
    assert greeter is not None
    for said in ({"hub.mode": "publish", **INTENT}, {"hub.mode": "subscribe"}, {}):
        assert greeter.before(asked(said), NOW) is None


def test_permission_to_send_is_given_to_known_origins_only() -> None:
    with pytest.raises(Rejected, match=r"eventemitter\.example\.com is not among the origins"):
        greet("azure_eventgrid", called("OPTIONS", {}, ORIGIN))
    anybody = greet("azure_eventgrid", called("OPTIONS", {}, ORIGIN), Wishes(origins=frozenset({"*"})))
    assert anybody is not None
    greeter = provider("azure_eventgrid").greeter(secret("azure_eventgrid"), WITH_ORIGIN)
    assert greeter is not None
    assert greeter.before(called("OPTIONS", {}), NOW) is None


def test_wechat_has_to_sign_its_echo() -> None:
    with pytest.raises(Rejected, match="bad_signature"):
        greet("wechat", wechat("5299342", nonce="n2"))


# Braintree: a public key and a private one


def test_braintree_gets_its_public_key_and_a_proof_of_the_private_one() -> None:
    public, _, private = str(secret("braintree")).partition(":")
    greeting = greet("braintree", asked({"bt_challenge": "20f9f8ed05f77439fe955c977e4c8a53"}))
    assert greeting is not None
    key = hashlib.sha1(private.encode()).digest()
    made = hmac.new(key, b"20f9f8ed05f77439fe955c977e4c8a53", "sha1").hexdigest()
    assert greeting.response.body == f"{public}|{made}".encode()
    for challenge in ("20F9F8ED05F77439FE95", "abc", "20f9f8ed05f77439fe955c977e4c8a533", "é"):
        with pytest.raises(Rejected, match="malformed_body"):
            greet("braintree", asked({"bt_challenge": challenge}))


# Amazon SNS: a subscription is confirmed by calling back


def confirmation(topic: str = TOPIC, token: object = "2336") -> tuple[Request, bytes]:
    key = topic.encode() + b"\n" + bytes(str(secret("aws_sns")).partition("\n")[2], "ascii")
    said = {
        "Type": "SubscriptionConfirmation",
        "MessageId": "m1",
        "Token": token,
        "Message": "You have chosen to subscribe",
        "SubscribeURL": "https://evil.example/?Action=ConfirmSubscription",
        "SignatureVersion": "2",
    }
    blank = Request("POST", URL, [("content-type", "text/plain")], json.dumps(said))
    return provider("aws_sns").sign(blank, secret=key, now=NOW), key


CONFIRMING = Wishes(confirm=True)


@pytest.mark.parametrize(
    ("topic", "host"),
    [
        (TOPIC, "sns.eu-central-1.amazonaws.com"),
        (
            TOPIC.replace("aws:", "aws-cn:").replace("eu-central-1", "cn-north-1"),
            "sns.cn-north-1.amazonaws.com.cn",
        ),
    ],
)
def test_a_subscription_is_confirmed_at_the_api_of_the_topic_s_region_where_that_is_wished(
    topic: str, host: str
) -> None:
    request, key = confirmation(topic)
    greeting = greet("aws_sns", request, CONFIRMING, key)
    assert greeting is not None
    assert greeting.visit == f"https://{host}/?Action=ConfirmSubscription&TopicArn={topic}&Token=2336"
    assert (greeting.response.status, greeting.response.body) == (200, b"")
    assert greet("aws_sns", request, Wishes(), key) is None  # an event like any other


@pytest.mark.parametrize(
    ("topic", "token"),
    [("arn:aws:sns:eu-central-1:1:orders", "2336"), (TOPIC, "2&b=3"), (TOPIC, ""), (TOPIC, "é")],
)
def test_nothing_else_is_ever_called_back(topic: str, token: str) -> None:
    request, key = confirmation(topic, token)
    with pytest.raises(Rejected, match="malformed_body"):
        greet("aws_sns", request, CONFIRMING, key)


# whatever comes


@given(
    name=st.sampled_from([name for name in names() if provider(name).handshakes]),
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST"]),
    words=st.dictionaries(
        st.sampled_from(
            [
                *("challenge", "challengeCode", "validationToken", "crc_token", "bt_challenge", "echostr"),
                *("hub.mode", "hub.challenge", "hub.topic", "hub.verify_token", "ssl_check", "signature"),
            ]
        ),
        st.text(max_size=20),
    ),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                ["x-okta-verification-challenge", "smartsheet-hook-challenge", "webhook-request-origin"]
            ),
            st.binary(max_size=20),
        )
    ),
    body=st.binary(max_size=50)
    | st.dictionaries(st.sampled_from(["challenge", "type", "token", "test"]), st.text()).map(
        lambda said: json.dumps(said).encode()
    ),
)
def test_only_a_refusal_escapes_whatever_is_asked(
    name: str, method: str, words: dict[str, str], headers: list[tuple[str, bytes]], body: bytes
) -> None:
    greeter = provider(name).greeter(secret(name), WITH_TOKEN)
    assert greeter is not None
    url = f"{PLACE}?{urlencode(words, errors='surrogatepass')}"
    try:
        greeting = greeter.before(Request(method, url, headers, body), NOW)
    except Rejected:
        return
    if greeting is not None:
        shown = greeting.response.body.decode("ascii")
        assert "<" not in shown
        assert len(shown) < 4 * MAX_CHALLENGE
        assert all(b"\n" not in value and b"\r" not in value for _, value in greeting.response.headers)
