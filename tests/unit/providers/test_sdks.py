"""What we sign, the senders' own libraries verify; what they sign, we verify."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs

import gidgethub.sansio
import itsdangerous
import jwt
import nacl.signing
import pytest
import standardwebhooks.webhooks
import stripe
import svix.webhooks
from Adyen.util import generate_notification_sig, is_valid_hmac_notification
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sendgrid.helpers.eventwebhook import EventWebhook
from slack_sdk.signature import SignatureVerifier
from square.utils.webhooks_helper import verify_signature as square_verify
from twilio.request_validator import RequestValidator

from hookcatch.core.wire import Request
from hookcatch.providers import provider
from support.senders import NOW, URL, ed25519, event, secret, signed


def text(request: Request, name: str) -> str:
    value = request.header(name.encode())
    assert value is not None
    return value.decode()


def verified(name: str, request: Request) -> bool:
    return provider(name).verify(request, secret=secret(name), now=NOW).key == 0


def test_stripe() -> None:
    request, body = signed("stripe"), signed("stripe").body.decode()
    stripe.WebhookSignature.verify_header(
        body, text(request, "stripe-signature"), secret("stripe"), tolerance=None
    )
    made = stripe.WebhookSignature.generate_signature_header(body, secret("stripe"), timestamp=int(NOW))
    assert verified("stripe", request.with_header("stripe-signature", made))


@pytest.mark.parametrize(
    ("name", "prefix", "library"),
    [
        ("standard_webhooks", "webhook", standardwebhooks.webhooks.Webhook),
        ("svix", "svix", svix.webhooks.Webhook),
    ],
)
def test_standard_webhooks_and_svix(name: str, prefix: str, library: type) -> None:
    row, now = provider(name), time.time()  # their clock is the machine's
    request = row.sign(event(row), secret=secret(name), now=now)
    theirs, headers = library(secret(name)), {key.decode(): value.decode() for key, value in request.headers}
    theirs.verify(request.body.decode(), headers)
    when = datetime.fromtimestamp(int(now), UTC)
    made = theirs.sign(text(request, f"{prefix}-id"), when, request.body.decode())
    assert made == text(request, f"{prefix}-signature")


def test_slack() -> None:
    request = signed("slack")
    theirs = SignatureVerifier(secret("slack"))
    stamp = text(request, "x-slack-request-timestamp")
    made = theirs.generate_signature(timestamp=stamp, body=request.body)
    assert made == text(request, "x-slack-signature")


def test_github() -> None:
    request = signed("github")
    made = text(request, "x-hub-signature-256")
    gidgethub.sansio.validate_event(request.body, signature=made, secret=secret("github"))
    legacy = text(signed("github_sha1"), "x-hub-signature")
    gidgethub.sansio.validate_event(
        signed("github_sha1").body, signature=legacy, secret=secret("github_sha1")
    )


def test_twilio_form() -> None:
    request, theirs = signed("twilio"), RequestValidator(secret("twilio"))
    params = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
    assert theirs.validate(URL, params, text(request, "x-twilio-signature"))
    assert verified(
        "twilio", request.with_header("x-twilio-signature", theirs.compute_signature(URL, params))
    )


def test_twilio_json() -> None:
    request = Request("POST", URL, [("content-type", "application/json")], b'{"a":1}')
    request = provider("twilio").sign(request, secret=secret("twilio"), now=NOW)
    theirs = RequestValidator(secret("twilio"))
    assert theirs.validate(request.url, request.body.decode(), text(request, "x-twilio-signature"))


def test_square() -> None:
    request = signed("square")
    assert square_verify(
        request_body=request.body.decode(),
        signature_header=text(request, "x-square-hmacsha256-signature"),
        signature_key=secret("square"),
        notification_url=URL,
    )


def test_adyen() -> None:
    request = signed("adyen")
    [wrapped] = json.loads(request.body)["notificationItems"]
    item = wrapped["NotificationRequestItem"]
    full = {**item, "amount": {"value": 1, "currency": "EUR"}, "merchantReference": "a:b"}
    full["additionalData"] = {"hmacSignature": generate_notification_sig(full, secret("adyen")).decode()}
    body = json.dumps({"notificationItems": [{"NotificationRequestItem": full}]}).encode()
    assert verified("adyen", Request("POST", URL, [], body))
    assert is_valid_hmac_notification(json.loads(body), secret("adyen"))


def test_sendgrid() -> None:
    request, theirs = signed("sendgrid"), EventWebhook()
    public = load_pem_private_key(secret("sendgrid").encode(), None).public_key()
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    head = "x-twilio-email-event-webhook-"
    ok = theirs.verify_signature(
        request.body.decode(),
        text(request, head + "signature"),
        text(request, head + "timestamp"),
        theirs.convert_public_key_to_ecdsa(der),
    )
    assert ok
    assert provider("sendgrid").verify(request, secret=der, now=NOW).key == 0


def test_discord() -> None:
    request, private = signed("discord"), nacl.signing.SigningKey(ed25519(0)[:32])
    stamp = text(request, "x-signature-timestamp").encode()
    made = bytes.fromhex(text(request, "x-signature-ed25519"))
    assert private.verify_key.verify(stamp + request.body, made)
    theirs = private.sign(stamp + request.body).signature.hex()
    public = private.verify_key.encode().hex()
    by_them = request.with_header("x-signature-ed25519", theirs)
    assert provider("discord").verify(by_them, secret=public, now=NOW).key == 0


def test_itsdangerous() -> None:
    request = signed("itsdangerous")
    theirs = itsdangerous.TimestampSigner(
        [b"another", secret("itsdangerous")], key_derivation="hmac", digest_method=hashlib.sha256
    )
    value, when = theirs.unsign(request.body, return_timestamp=True)
    assert value == event(provider("itsdangerous")).body
    assert when.timestamp() == NOW


def test_jwt() -> None:
    request = signed("jwt")
    token = text(request, "authorization").removeprefix("Bearer ")
    claims = jwt.decode(token, secret("jwt"), algorithms=["HS256"])
    assert claims == {"iat": int(NOW), "request_body_sha256": hashlib.sha256(request.body).hexdigest()}
