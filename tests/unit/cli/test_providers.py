"""Looking up senders."""

from __future__ import annotations

import json

import pytest

from hookcatch.providers import Facts, Provider, hmac, names, provider
from hookcatch.providers.describe import retries, schedule, signing, span

WITH_KEY = ", with a secret whpk_... or whsk_..."
STANDARD = "{webhook-id}.{webhook-timestamp}.{body}"


def test_all_senders_are_listed(hookcatch):
    lines = hookcatch("providers", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(names())


def test_a_search_finds_by_header_by_algorithm_and_by_name(hookcatch):
    assert hookcatch("providers", "search", "X-Hub-Signature-256").stdout.splitlines()[0].startswith("github")
    assert "terraform" in hookcatch("providers", "search", "hmac", "sha512").stdout
    assert hookcatch("providers", "search", "Stripe", "t= in stripe").stdout == "stripe  Stripe\n"
    nothing = hookcatch("providers", "search", "carrier pigeon")
    assert nothing.exit_code == 1
    assert "no sender has carrier pigeon" in nothing.stderr


def test_one_sender_is_shown_with_how_it_signs_and_what_it_expects(hookcatch):
    shown = hookcatch("providers", "show", "stripe").stdout
    assert 'v1= in stripe-signature = hex(HMAC-SHA256(secret, "{t= in stripe-signature}.{body}"))' in shown
    assert "event type:     type\n" in shown
    assert "for 3 d\n" in shown
    assert "https://docs.stripe.com" in shown
    assert 'hooks.source("stripe", secret=...)' in shown


@pytest.mark.parametrize("name", names())
def test_every_sender_can_be_shown_and_says_the_same_as_json(hookcatch, name: str):
    shown = hookcatch("providers", "show", name)
    assert provider(name).title in shown.stdout
    said = json.loads(hookcatch("providers", "show", name, "--json").stdout)
    assert said["name"] == name
    assert said["signing"]
    assert all(line in shown.stdout for line in said["signing"])


def test_a_sender_that_brings_nothing_again_once_it_was_refused_says_so(hookcatch):
    assert "is final: it never sends that again" in hookcatch("providers", "show", "sendgrid_inbound").stdout
    assert "is final" not in hookcatch("providers", "show", "sendgrid").stdout


def test_a_sender_that_is_not_confirmed_says_so(hookcatch):
    assert "not confirmed first-hand" in hookcatch("providers", "show", "flutterwave").stdout
    assert "not confirmed" not in hookcatch("providers", "show", "github").stdout


def test_a_name_that_is_mistyped_gets_the_nearest(hookcatch):
    wrong = hookcatch("providers", "show", "strpie")
    assert wrong.exit_code == 1
    assert "did you mean stripe" in wrong.stderr


def test_the_list_as_json_is_a_line_a_sender(hookcatch):
    lines = hookcatch("providers", "list", "--json").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == list(names())


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("hubspot_v2", ['x-hubspot-signature = hex(SHA256(secret + "{method}{url}{body}"))']),
        ("cloudinary", ['x-cld-signature = hex(SHA1("{body}{x-cld-timestamp}" + secret))']),
        ("alertmanager", ["authorization: Bearer = secret"]),
        ("basic_auth", ["authorization: Basic = secret"]),
        ("wise", ['x-signature-sha256 = base64(RSA-SHA256 PKCS1V15(private key, "{body}"))']),
        ("jws", ["x-jws-signature = detached JWS(RS256, body)"]),
        ("fireblocks", ["fireblocks-webhook-signature = detached JWS(RS512, base64url(body))"]),
        ("monday", ["authorization = JWT(HS256, the body not bound)"]),
        ("plaid", ["plaid-verification = JWT(ES256, with the claim request_body_sha256 over the request)"]),
        ("unsigned", ["nothing: everybody is believed"]),
        (
            "standard_webhooks",
            [
                f'webhook-signature: v1a, = base64(Ed25519(private key, "{STANDARD}")){WITH_KEY}',
                f'webhook-signature: v1, = base64(HMAC-SHA256(secret, "{STANDARD}"))',
            ],
        ),
    ],
)
def test_how_a_sender_signs_is_a_template(name: str, ways: list[str]):
    assert list(signing(provider(name))) == ways


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.5, "0.5 s"), (90, "90 s"), (300, "5 min"), (3600, "1 h"), (5400, "1 h 30 min"), (86400, "24 h"),
        (47 * 3600, "47 h"), (172_800, "2 d"), (272_105, "3 d 4 h"), (3 * 86400 - 60, "3 d"), (2_592_000, "30 d"),
    ],
)  # fmt: skip
def test_a_span_of_time_is_said_in_two_units_at_most(seconds: float, said: str):
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("horizon", "times", "said", "listed"),
    [
        (None, None, "", ""),
        (0.0, (), "never", ""),
        (7200.0, None, "for 2 h", ""),
        (60.0, (60.0,), "once, after 60 s", ""),
        (7200.0, (5.0, 7200.0), "2 times in 2 h", "5 s, 2 h"),
    ],
)
def test_retries_are_said_as_exactly_as_they_are_known(
    horizon: float | None, times: tuple[float, ...] | None, said: str, listed: str
):
    facts = Facts(retry_horizon=horizon, retry_schedule=times)
    row = Provider(name="x", title="X", scheme=hmac(header="x-x").scheme, facts=facts)
    assert (retries(row), schedule(row)) == (said, listed)


def test_a_sender_that_cannot_be_checked_is_explained(hookcatch):
    shown = hookcatch("providers", "show", "kakao")
    assert shown.exit_code == 1
    assert "without a signature: put a secret into the URL" in shown.stderr
    assert "secret in the query = secret" in hookcatch("providers", "show", "docker_hub").stdout
