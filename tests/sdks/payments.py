"""Senders that tell of money."""

from __future__ import annotations

import json
import warnings
from typing import Any

from hookcatch.core.wire import Request
from support.senders import URL

from .sdk import Author, Sdk, text


def stripe(request: Request, secret: str) -> object:
    from stripe import WebhookSignature

    return WebhookSignature.verify_header(
        request.body.decode(), text(request, "stripe-signature"), secret, 300
    )


def stripe_signs(request: Request, secret: str, now: float) -> Request:
    from stripe import WebhookSignature

    made = WebhookSignature.generate_signature_header(request.body.decode(), secret, timestamp=int(now))
    return request.with_header("stripe-signature", made)


def square(request: Request, secret: str) -> object:
    from square.utils.webhooks_helper import verify_signature

    return verify_signature(
        request_body=request.body.decode(),
        signature_header=text(request, "x-square-hmacsha256-signature"),
        signature_key=secret,
        notification_url=URL,
    )


def adyen_event() -> Request:
    """Their code wants the amount, and it is signed."""
    item = {
        "pspReference": "8815",
        "originalReference": "",
        "merchantAccountCode": "Shop",
        "merchantReference": "a:b",
        "amount": {"value": 12, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
    }
    body = {"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}
    return Request("POST", URL, [("content-type", "application/json")], json.dumps(body).encode())


def adyen(request: Request, secret: str) -> object:
    from Adyen.util import is_valid_hmac_notification

    return is_valid_hmac_notification(json.loads(request.body), secret)


def adyen_signs(request: Request, secret: str, now: float) -> Request:
    from Adyen.util import generate_notification_sig

    body = json.loads(request.body)
    item = body["notificationItems"][0]["NotificationRequestItem"]
    item["additionalData"] = {"hmacSignature": generate_notification_sig(item, secret).decode()}
    return request.replace(body=json.dumps(body).encode())


def adyen_platforms(request: Request, secret: str) -> object:
    from Adyen.util import is_valid_hmac_payload

    return is_valid_hmac_payload(text(request, "hmacsignature"), secret, request.body)


def adyen_platforms_signs(request: Request, secret: str, now: float) -> Request:
    from Adyen.util import generate_payload_sig

    return request.with_header("hmacsignature", generate_payload_sig(request.body, secret))


def paddle(request: Request, secret: str) -> object:
    from paddle_billing.Notifications import PaddleSignature, Secret

    header = text(request, "paddle-signature")
    return PaddleSignature().verify(header, request.body.decode(), Secret(secret))


def paddle_signs(request: Request, secret: str, now: float) -> Request:
    from paddle_billing.Notifications import PaddleSignature

    signed = f"{int(now)}:{request.body.decode()}".encode()
    made = PaddleSignature.calculate_hmac(secret, signed).hexdigest()
    return request.with_header("paddle-signature", f"ts={int(now)};h1={made}")


def braintree(request: Request, secret: str) -> object:
    from urllib.parse import parse_qs

    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    return braintree_gateway(secret).webhook_notification.parse(form["bt_signature"], form["bt_payload"])


def braintree_signs(request: Request, secret: str, now: float) -> Request:
    from urllib.parse import urlencode

    made = braintree_gateway(secret).webhook_testing.sample_notification("subscription_canceled", "12")
    return request.replace(body=urlencode(made).encode())


def braintree_gateway(secret: str) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?i)use protection_?level", DeprecationWarning)
        from braintree import BraintreeGateway, Configuration, Environment

        return BraintreeGateway(Configuration(Environment.Sandbox, "shop", *secret.split(":")))


def gocardless(request: Request, secret: str) -> object:
    from gocardless_pro.webhooks import parse

    return parse(request.body, secret, text(request, "webhook-signature"))


def razorpay(request: Request, secret: str) -> object:
    from razorpay.utility import Utility

    return Utility().verify_webhook_signature(
        request.body.decode(), text(request, "x-razorpay-signature"), secret
    )


def coinbase(request: Request, secret: str) -> object:
    from coinbase_commerce.webhook import WebhookSignature

    return WebhookSignature.verify_sig_header(
        request.body.decode(), text(request, "x-cc-webhook-signature"), secret
    )


def mollie(request: Request, secret: str) -> object:
    from mollie.utils.webhooks.signature_validator import SignatureValidator

    return SignatureValidator.validate(request.body.decode(), secret, text(request, "x-mollie-signature"))


def mollie_signs(request: Request, secret: str, now: float) -> Request:
    from mollie.utils.webhooks.signature_validator import SignatureValidator

    made = SignatureValidator.create_signature(request.body.decode(), secret)
    return request.with_header("x-mollie-signature", f"sha256={made}")


def paypal(request: Request, secret: str) -> object:
    """Their code for what is signed; for the signature itself it fetches a certificate."""
    from base64 import b64decode

    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from paypalrestsdk.notifications import WebhookEvent

    webhook, _, pem = secret.partition(":")
    said = [text(request, f"paypal-transmission-{name}") for name in ("id", "time", "sig")]
    signed = WebhookEvent._get_expected_sig(said[0], said[1], webhook, request.body.decode())
    public = load_pem_private_key(pem.encode(), None).public_key()
    public.verify(b64decode(said[2]), signed.encode(), PKCS1v15(), SHA256())
    return True


def quickbooks(request: Request, secret: str) -> object:
    from quickbooks import QuickBooks

    return QuickBooks(minorversion=75).validate_webhook_signature(
        request.body.decode(), text(request, "intuit-signature"), secret
    )


SDKS = (
    Sdk(row="adyen", package="Adyen", verifies=adyen, signs=adyen_signs, event=adyen_event),
    Sdk(row="adyen_platforms", package="Adyen", verifies=adyen_platforms, signs=adyen_platforms_signs),
    Sdk(row="braintree", package="braintree", verifies=braintree, signs=braintree_signs, tamper=b"PG5"),
    Sdk(row="coinbase_commerce", package="coinbase-commerce", verifies=coinbase),
    Sdk(row="gocardless", package="gocardless-pro", verifies=gocardless),
    Sdk(row="mollie", package="mollie-api-py", verifies=mollie, signs=mollie_signs),
    Sdk(row="paddle_billing", package="paddle-python-sdk", verifies=paddle, signs=paddle_signs),
    Sdk(row="paypal", package="paypalrestsdk", verifies=paypal),
    Sdk(row="quickbooks", package="python-quickbooks", author=Author.THIRD_PARTY, verifies=quickbooks),
    Sdk(row="razorpay", package="razorpay", verifies=razorpay),
    Sdk(row="square", package="squareup", verifies=square),
    Sdk(row="stripe", package="stripe", verifies=stripe, signs=stripe_signs),
)
