"""Looking up senders."""

from __future__ import annotations

import json

import pytest

from hookcatch.providers import names, provider
from hookcatch.providers.describe import signing

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
    assert "for 3 days" in shown
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


def test_a_sender_that_is_not_confirmed_says_so(hookcatch):
    assert "not confirmed first-hand" in hookcatch("providers", "show", "brevo").stdout
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


def test_a_sender_that_cannot_be_checked_is_explained(hookcatch):
    shown = hookcatch("providers", "show", "kakao")
    assert shown.exit_code == 1
    assert "without a signature: put a secret into the URL" in shown.stderr
    assert "secret in the query = secret" in hookcatch("providers", "show", "docker_hub").stdout
