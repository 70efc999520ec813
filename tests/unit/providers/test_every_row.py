"""What holds for every provider, whatever its scheme."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import date

import pytest

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.payload import data_of
from hookcatch.core.wire import Request
from hookcatch.providers import names, provider
from hookcatch.providers.row import CHECKED, Facts
from hookcatch.providers.shapes import NOWHERE
from hookcatch.signing.keys import MIN_BYTES
from support.senders import IDS, NOW, TYPES, URL, event, secret, signed

ALL = names()
PROVEN = [name for name in ALL if name != "unsigned"]


def is_timed(name: str) -> bool:
    return provider(name).verify(signed(name), secret=secret(name), now=NOW).signed_at is not None


TIMED = [name for name in PROVEN if is_timed(name)]


def refused(name: str, request: Request, number: int = 0, now: float = NOW, **more: float) -> str:
    with pytest.raises(Rejected) as refusal:
        provider(name).verify(request, secret=secret(name, number), now=now, **more)
    return refusal.value.reason


@pytest.mark.parametrize("name", ALL)
def test_what_it_signs_it_verifies(name: str) -> None:
    delivery = provider(name).verify(signed(name), secret=secret(name), now=NOW)
    assert delivery.provider == name
    assert len(delivery.events) == 1
    assert delivery.key == (None if name == "unsigned" else 0)


@pytest.mark.parametrize("name", ALL)
def test_an_event_that_is_written_is_read_again(name: str) -> None:
    row = provider(name)
    [read] = row.verify(signed(name), secret=secret(name), now=NOW).events
    wanted = IDS.get(name, "evt_1"), TYPES.get(name, "order.created")
    assert (read.id, read.type) == (
        "sha256:" + hashlib.sha256(read.body).hexdigest() if row.events.id == NOWHERE else wanted[0],
        "" if row.events.type == NOWHERE else wanted[1],
    )
    data = data_of(read.payload, row.events.data)
    found = data.get("message", data)
    assert (found["amount"], found["name"]) == ("12", "Zoë")


@pytest.mark.parametrize("name", ALL)
def test_reading_twice_gives_the_same(name: str) -> None:
    row, request = provider(name), signed(name)
    assert row.events.read(request) == row.events.read(request)


@pytest.mark.parametrize("name", PROVEN)
def test_another_secret_does_not_verify(name: str) -> None:
    assert refused(name, signed(name), number=1) == "bad_signature"


@pytest.mark.parametrize("name", PROVEN)
def test_the_position_of_the_secret_that_verified_is_told(name: str) -> None:
    secrets = [secret(name, number) for number in range(3)]
    keys = [provider(name).verify(signed(name, n), secret=secrets, now=NOW).key for n in range(3)]
    assert keys == [0, 1, 2]


@pytest.mark.parametrize("name", PROVEN)
def test_an_unsigned_request_is_refused(name: str) -> None:
    request = event(provider(name)).replace(body=b"{}") if name == "itsdangerous" else event(provider(name))
    assert refused(name, request) == "missing_signature"


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize(("off", "reason"), [(-61, "stale_timestamp"), (61, "future_timestamp")])
def test_a_time_too_far_from_now_is_refused_either_way(name: str, off: int, reason: str) -> None:
    assert refused(name, signed(name, now=NOW + off), tolerance=60) == reason


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("off", [-60, 60])
def test_the_border_of_the_tolerance_is_inside(name: str, off: int) -> None:
    row = provider(name)
    assert (
        row.verify(signed(name, now=NOW + off), secret=secret(name), now=NOW, tolerance=60).signed_at
        == NOW + off
    )


@pytest.mark.parametrize("name", [name for name in PROVEN if provider(name).body_is_signed])
def test_every_byte_of_the_body_is_covered(name: str) -> None:
    request = signed(name)
    verifier = provider(name).bind(secret(name))
    for at in range(len(request.body)):
        changed = request.body[:at] + bytes([request.body[at] ^ 1]) + request.body[at + 1 :]
        with pytest.raises(Rejected):
            verifier.check(request.replace(body=changed), NOW)


@pytest.mark.parametrize("name", PROVEN)
def test_no_other_value_of_a_header_that_signing_wrote_passes(name: str) -> None:
    request, before = signed(name), set(event(provider(name)).headers)
    verifier = provider(name).bind(secret(name))
    for position, (header, value) in enumerate(request.headers):
        if (header, value) in before:
            continue
        for at in range(len(value)):
            changed = value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
            headers = [*request.headers]
            headers[position] = (header, changed)
            spelt_otherwise = header == b"authorization" and value.lower() == changed.lower()
            if not spelt_otherwise:
                with pytest.raises(Rejected):
                    verifier.check(request.replace(headers=headers), NOW)


@pytest.mark.parametrize("name", PROVEN)
def test_the_head_alone_passes_the_precheck_of_a_good_request(name: str) -> None:
    provider(name).bind(secret(name)).precheck(signed(name).replace(body=b""), NOW)


@pytest.mark.parametrize("name", ALL)
def test_nothing_shows_a_secret(name: str) -> None:
    row = provider(name)
    shown = f"{row!r} {row.bind(secret(name))!r} {row.verify(signed(name), secret=secret(name), now=NOW)!r}"
    assert secret(name) not in shown
    assert "canary" not in shown


@pytest.mark.parametrize("name", ALL)
def test_a_row_is_a_frozen_value(name: str) -> None:
    row = provider(name)
    assert row == dataclasses.replace(row)
    assert hash(row.facts)
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.name = "other"  # type: ignore[misc]


FORMS = {
    "api_key", "basic_auth", "hmac", "itsdangerous", "jws", "jwt", "mtls", "rfc9421", "secret_in_url", "token",
    "unsigned",
}  # fmt: skip
"""Rows that say how to sign, and of no sender how it behaves."""


@pytest.mark.parametrize("name", ALL)
def test_a_row_says_how_its_sender_behaves(name: str) -> None:
    row, facts = provider(name), provider(name).facts
    assert row.title
    assert row.docs.startswith("https://") or name == "unsigned"
    assert facts.unconfirmed <= {field.name for field in dataclasses.fields(facts)}
    assert facts.source.startswith("https://") or name in FORMS
    assert 200 <= facts.success_status < 300
    assert 400 <= facts.bad_signature_status < 500
    assert facts.source or facts.checked is None, "what has no source was read on no day"
    assert not facts.refusal_is_final or facts.disables, "which answers are final is told in words"
    assert facts.checked is None or date(2026, 11, 1) <= facts.checked <= CHECKED
    assert facts.source or facts == Facts(checked=None), "nobody's facts are our defaults, read on no day"


@pytest.mark.parametrize("name", ALL)
def test_the_retry_schedule_agrees_with_the_horizon(name: str) -> None:
    facts = provider(name).facts
    if facts.retry_horizon == 0:
        assert facts.retry_schedule == ()
    if facts.retry_schedule is not None:
        assert list(facts.retry_schedule) == sorted(set(facts.retry_schedule))
        assert facts.retry_horizon == max(facts.retry_schedule, default=0.0)


@pytest.mark.parametrize("name", PROVEN)
@pytest.mark.parametrize(
    "given",
    [None, "", "  ", b"", [], [None], ["x" * 40, None], " " + "x" * 40, ["x" * 40] * 2, 7, "\ud800" * 20],
    ids=repr,
)
def test_a_secret_that_cannot_be_meant_is_a_configuration_error(name: str, given: object) -> None:
    with pytest.raises(ConfigurationError):
        provider(name).bind(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PROVEN)
def test_more_secrets_than_can_be_tried_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="at most 8"):
        provider(name).bind([f"secret number {number}" for number in range(9)])


@pytest.mark.parametrize("name", ALL)
def test_a_good_secret_is_strong_enough(name: str) -> None:
    provider(name).check_secrets([secret(name, 0), secret(name, 1)])


WEAK = {
    "adyen": "44782DEF",
    "adyen_platforms": "44782DEF",
    "airtable": "QUJD",
    "anthropic": "whsec_QUJD",
    "basic_auth": "a:b",
    "braintree": "a:b",
    "chargebee": "a:b",
    "clerk": "whsec_QUJD",
    "gitlab": "whsec_QUJD",
    "openai": "whsec_QUJD",
    "resend": "whsec_QUJD",
    "standard_webhooks": "whsec_QUJD",
    "supabase": "v1,whsec_QUJD",
    "svix": "whsec_QUJD",
    "discord": None,
    "paddle_classic": None,
    "paypal": None,
    "plaid": None,
    "sendgrid": None,
    "daily": "QUJD",
    "ms_teams": "QUJD",
    "replicate": "whsec_QUJD",
    "telnyx": None,
    "wise": None,
    "aws_eventbridge": "a:b",
    "datadog": "a:b",
    "postmark": "a:b",
    "sparkpost": "a:b",
    "fireblocks_v1": None,
    "aws_sns": None,
    "fireblocks": None,
    "google_chat": None,
    "google_pubsub": None,
    "jws": None,
    "sinch_voice": "key:QUJD",
    "tiktok_shop": "a:b",
    "brex": "QUJD",
    "finch": "QUJD",
    "incident_io": "whsec_QUJD",
    "loops": "whsec_QUJD",
    "render": "whsec_QUJD",
    "sendgrid_inbound": None,
    "stytch": "whsec_QUJD",
    "ms_bot": None,
    "ms_graph_rich": "app tenant state",
    "vonage_sms": "sha256:short",
    "zoho_desk": None,
    "mtls": f"a sha256:{'0' * 64}",
    "dingtalk": f"a:{'k' * 43}:b",
    "wechat_safe": f"a:{'k' * 43}:b",
    "wechat_work": f"a:{'k' * 43}:b",
}


@pytest.mark.parametrize("name", [name for name in PROVEN if WEAK.get(name, "short")])
def test_a_short_secret_is_refused_in_a_configured_source_only(name: str) -> None:
    weak = WEAK.get(name) or "short"
    provider(name).bind(weak)
    with pytest.raises(ConfigurationError, match=f"at least {MIN_BYTES}"):
        provider(name).check_secrets(weak)


@pytest.mark.parametrize("name", PROVEN)
def test_a_tolerance_that_refuses_everything_is_refused_itself(name: str) -> None:
    if name in TIMED:
        for tolerance in (0, -1, float("nan")):
            with pytest.raises(ConfigurationError, match="tolerance"):
                provider(name).bind(secret(name), tolerance)


@pytest.mark.parametrize("name", [name for name in PROVEN if provider(name).url_is_signed])
def test_the_url_is_signed_where_the_sender_signs_it(name: str) -> None:
    assert refused(name, signed(name).replace(url=URL.replace("/in", "/out"))) == "bad_signature"
    if name not in {"sinch_voice", "plivo_v2"}:  # without the query
        assert refused(name, signed(name).replace(url=URL + "&b=2")) == "bad_signature"
    assert refused(name, signed(name).replace(url="")) == "bad_signature"
