"""The catalogue, and what is particular to one sender."""

from __future__ import annotations

import json
from importlib import import_module
from pkgutil import iter_modules

import pytest

import hookcatch.providers
from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.wire import Request
from hookcatch.providers import Provider, names, provider
from hookcatch.providers.bespoke import MAX_ITEMS, ports
from hookcatch.providers.shapes import Head, Shape
from hookcatch.signing.encoding import BASE64
from support.senders import NOW, URL, ecdsa, secret, signed, whsec, whsk

PACKAGE = hookcatch.providers
JSON = ("content-type", "application/json")


def test_names_are_sorted_and_each_is_a_row() -> None:
    assert list(names()) == sorted(names())
    assert [provider(name).name for name in names()] == list(names())


def test_no_two_rows_have_one_name() -> None:
    files = [import_module(f"hookcatch.providers.{file.name}") for file in iter_modules(PACKAGE.__path__)]
    listed = [row.name for file in files for row in getattr(file, "ROWS", ())]
    assert sorted(listed) == list(names())


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="no provider 'strpe': did you mean stripe"):
        provider("strpe")
    with pytest.raises(ConfigurationError, match="did you mean standard_webhooks"):
        provider("Standard-Webhooks")
    with pytest.raises(ConfigurationError, match="known are adyen"):
        provider("zzzzzz")


def round_trip(row: Provider, key: str, request: Request) -> str:
    delivery = row.verify(row.sign(request, secret=key, now=NOW), secret=key, now=NOW)
    return delivery.events[0].id


def test_a_row_of_ones_own_is_a_call() -> None:
    request = Request("POST", URL, [JSON, ("x-id", "7")], b'{"id":"1","type":"t"}')
    mine = hookcatch.providers.hmac(
        header="X-Mine",
        prefix="v1=",
        digest="sha512",
        encoding=BASE64,
        events=Shape(id=Head("x-id")),
        name="mine",
    )
    assert round_trip(mine, "a secret of my own", request) == "7"
    assert round_trip(hookcatch.providers.token(header="X-Token", prefix=""), "a token", request) == "1"
    assert round_trip(hookcatch.providers.jwt(algorithm="ES256"), ecdsa(0), request) == "1"


def test_signing_what_cannot_be_signed_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="cannot be signed for square"):
        provider("square").sign(Request("POST", "", [], b"{}"), secret=secret("square"), now=NOW)
    with pytest.raises(ConfigurationError, match="cannot be signed for mailgun"):
        provider("mailgun").sign(Request("POST", "", [], b"text"), secret=secret("mailgun"), now=NOW)


def test_a_standard_webhooks_source_may_go_from_a_shared_secret_to_a_public_key() -> None:
    row, request = provider("standard_webhooks"), Request("POST", URL, [JSON], b"{}")
    both = row.bind([whsec(0), whsk(1)])
    for key, position in ((whsec(0), 0), (whsk(1), 1)):
        made = row.sign(request, secret=key, now=NOW)
        assert both.check(made, NOW).key == position
        both.precheck(made, NOW)
    row.check_secrets([whsec(0), whsk(1)])


def test_svix_headers_count_before_the_general_ones() -> None:
    request = signed("svix")
    general = [(name.replace(b"svix-", b"webhook-"), value) for name, value in request.headers]
    row = provider("svix")
    assert (
        row.verify(request.replace(headers=general), secret=secret("svix"), now=NOW).events[0].id == "evt_1"
    )
    mixed = request.replace(headers=[*request.headers, ("webhook-id", "evt_2")])
    assert row.verify(mixed, secret=secret("svix"), now=NOW).events[0].id == "evt_1"


def test_an_openai_secret_without_the_prefix_is_its_own_key() -> None:
    assert round_trip(provider("openai"), "a plain secret of openai", Request("POST", URL, [JSON], b"{}"))


def test_a_livekit_secret_with_its_key_wants_that_key_as_the_issuer_and_one_without_takes_any() -> None:
    row, request = provider("livekit"), signed("livekit")
    key, _, private = secret("livekit").partition(":")
    assert row.verify(request, secret=f"{key}:{private}", now=NOW).key == 0
    assert row.verify(request, secret=private, now=NOW).key == 0
    with pytest.raises(Rejected, match="another issuer"):
        row.verify(request, secret=f"APIother:{private}", now=NOW)


def test_the_secret_of_gitlab_says_which_of_its_two_ways_counts() -> None:
    row, request = provider("gitlab"), Request("POST", URL, [JSON], b'{"object_kind":"push"}')
    token, signing = "an older secret token", whsec(0)
    assert row.sign(request, secret=token, now=NOW).header(b"x-gitlab-token") == token.encode()
    assert row.sign(request, secret=signing, now=NOW).header(b"webhook-signature")
    leaked = request.with_header("x-gitlab-token", signing)
    with pytest.raises(Rejected, match="missing_signature"):
        row.verify(leaked, secret=signing, now=NOW)


def slack(body: bytes, kind: str) -> tuple[str, str]:
    row = provider("slack")
    made = row.sign(Request("POST", URL, [("content-type", kind)], body), secret=secret("slack"), now=NOW)
    [event] = row.verify(made, secret=secret("slack"), now=NOW).events
    return event.id, event.type


def test_slack_speaks_in_events_commands_and_interactions() -> None:
    form = "application/x-www-form-urlencoded"
    callback = b'{"type":"event_callback","event_id":"Ev1","event":{"type":"app_mention"}}'
    assert slack(callback, JSON[1]) == ("Ev1", "app_mention")
    assert slack(b'{"type":"url_verification","challenge":"x"}', JSON[1])[1] == "url_verification"
    assert slack(b"command=%2Fweather&trigger_id=1.2.a", form) == ("1.2.a", "/weather")
    interaction = b"payload=%7B%22type%22%3A%22block_actions%22%2C%22trigger_id%22%3A%223.4%22%7D"
    assert slack(interaction, form) == ("3.4", "block_actions")


def test_github_says_what_happened_in_a_header_and_the_action() -> None:
    row = provider("github")
    request = Request(
        "POST",
        URL,
        [JSON, ("X-GitHub-Event", "issues"), ("X-GitHub-Delivery", "g-1")],
        b'{"action":"opened"}',
    )
    [event] = row.verify(row.sign(request, secret="x", now=NOW), secret="x", now=NOW).events
    assert (event.id, event.type) == ("g-1", "issues.opened")


def adyen(payload: object) -> Request:
    return Request("POST", URL, [JSON], json.dumps(payload).encode())


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"notificationItems": []}, "missing_signature"),
        ({"notificationItems": [{"NotificationRequestItem": {}}]}, "missing_signature"),
        ({"notificationItems": [{}]}, "malformed_body"),
        ({"notificationItems": [7]}, "malformed_body"),
        ({"notificationItems": {}}, "malformed_body"),
        ({"additionalData": {"hmacSignature": 7}}, "missing_signature"),
        ({"additionalData": {"hmacSignature": "short"}}, "malformed_signature"),
        ({"additionalData": {"hmacSignature": "é" * 44}}, "bad_signature"),
        ({"additionalData": {"hmacSignature": "x" * 44}, "pspReference": []}, "malformed_body"),
        ({"notificationItems": [{"NotificationRequestItem": {}}] * (MAX_ITEMS + 1)}, "malformed_signature"),
        ([], "malformed_body"),
    ],
)
def test_an_adyen_batch_that_proves_nothing_is_refused(payload: object, reason: str) -> None:
    with pytest.raises(Rejected) as refusal:
        provider("adyen").verify(adyen(payload), secret=secret("adyen"), now=NOW)
    assert refusal.value.reason == reason


def test_adyen_signs_truth_values_as_words_and_numbers_as_digits() -> None:
    row = provider("adyen")
    for success in (True, False, "true"):
        item = {
            "pspReference": "1",
            "eventCode": "X",
            "success": success,
            "amount": {"value": 10, "currency": "EUR"},
        }
        made = row.sign(adyen(item), secret=secret("adyen"), now=NOW)
        assert row.verify(made, secret=secret("adyen"), now=NOW).key == 0


def test_every_item_of_an_adyen_batch_becomes_an_event() -> None:
    row = provider("adyen")
    items = [
        {"NotificationRequestItem": {"pspReference": str(n), "eventCode": "X", "success": "true"}}
        for n in range(3)
    ]
    made = row.sign(adyen({"live": "false", "notificationItems": items}), secret=secret("adyen"), now=NOW)
    delivery = row.verify(made, secret=secret("adyen"), now=NOW)
    assert [event.id for event in delivery.events] == ["0:X:true", "1:X:true", "2:X:true"]


@pytest.mark.parametrize(
    ("url", "tried"),
    [
        ("https://a.example/x", ["https://a.example/x", "https://a.example:443/x"]),
        ("http://a.example/x", ["http://a.example/x", "http://a.example:80/x"]),
        ("https://a.example:8443/x?y=1", ["https://a.example:8443/x?y=1", "https://a.example/x?y=1"]),
        ("https://u:p@a.example/", ["https://u:p@a.example/", "https://u:p@a.example:443/"]),
        ("https://[::1]:99/", ["https://[::1]:99/", "https://[::1]/"]),
        ("ftp://a.example/", ["ftp://a.example/"]),
        ("https://a.example:bad/", ["https://a.example:bad/"]),
        ("https://[bad/", ["https://[bad/"]),
        ("", [""]),
    ],
)
def test_a_url_is_tried_with_and_without_its_port(url: str, tried: list[str]) -> None:
    assert ports(url) == tried


def test_a_twilio_url_that_has_no_query_yet_gets_one_to_bind_a_body() -> None:
    row = provider("twilio")
    request = Request("POST", "https://a.example/in", [JSON], b"{}")
    made = row.sign(request, secret=secret("twilio"), now=NOW)
    assert made.url.startswith("https://a.example/in?bodySHA256=")
    assert row.sign(made, secret=secret("twilio"), now=NOW) == made
    assert row.verify(made, secret=secret("twilio"), now=NOW).key == 0


def test_unsigned_needs_no_secret_and_takes_any() -> None:
    row, request = provider("unsigned"), Request("POST", URL, [], b"x")
    for given in (None, "", "secret", []):
        assert row.verify(row.sign(request, secret=given, now=NOW), secret=given, now=NOW).key is None
        row.check_secrets(given)


def test_a_row_says_whether_it_proves_anything() -> None:
    assert [name for name in names() if not provider(name).signed] == ["unsigned"]


def twilio(url: str, kind: str, body: bytes) -> Request:
    return Request("POST", url, [("content-type", kind)], body)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (twilio("", "application/x-www-form-urlencoded", b"a=1"), "bad_signature"),
        (twilio(URL, "application/json", b"{}"), "bad_signature"),
        (twilio(URL + "&bodySHA256=00", "application/json", b"{}"), "bad_signature"),
        (twilio(URL, "application/x-www-form-urlencoded", b"bodyFrom=1"), "malformed_body"),
        (twilio(URL, "application/x-www-form-urlencoded", b"=1"), "malformed_body"),
        (twilio(URL, "application/x-www-form-urlencoded", b"a=%ff"), "malformed_body"),
    ],
)
def test_a_twilio_request_that_is_not_whole_is_refused(request_: Request, reason: str) -> None:
    request_ = request_.with_header("x-twilio-signature", "A" * 27 + "=")
    with pytest.raises(Rejected) as refusal:
        provider("twilio").verify(request_, secret=secret("twilio"), now=NOW)
    assert refusal.value.reason == reason


def test_what_makes_a_row_is_looked_up_by_its_name_and_nothing_else_is_made_up() -> None:
    assert hookcatch.providers.token().name == "token"
    with pytest.raises(AttributeError, match="no attribute 'tokken'"):
        _ = hookcatch.providers.tokken
