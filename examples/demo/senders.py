"""The senders: requests made and signed by the providers' own SDKs, none of them by hookcatch."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import standardwebhooks
import stripe
import svix.webhooks
from accounts import PUBLIC_URL
from slack_sdk.signature import SignatureVerifier
from twilio.request_validator import RequestValidator

JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent as often as one likes."""

    source: str
    id: str
    headers: dict[str, str]
    body: bytes


Sender = Callable[..., Request]
"""`(id, type, data, secret, age=0.0)`; `age` is how many seconds ago it was signed."""


def _standard(sdk: Any, source: str, prefix: str) -> Sender:
    def send(id: str, type: str, data: Any, secret: str, age: float = 0.0) -> Request:
        body = data if isinstance(data, str) else json.dumps({"type": type, "data": data})
        signed_at = datetime.fromtimestamp(time.time() - age, UTC)
        headers = {
            f"{prefix}-id": id,
            f"{prefix}-timestamp": str(int(signed_at.timestamp())),
            f"{prefix}-signature": sdk(secret).sign(id, signed_at, body),
        }
        return Request(source, id, JSON | headers, body.encode())

    return send


def _stripe(id: str, type: str, data: Any, secret: str, age: float = 0.0) -> Request:
    signed_at = int(time.time() - age)
    content = {"id": id, "type": type, "created": signed_at, "data": {"object": data}}
    body = data if isinstance(data, str) else json.dumps(content)
    signature = stripe.WebhookSignature._compute_signature(f"{signed_at}.{body}", secret)
    return Request("stripe", id, JSON | {"stripe-signature": f"t={signed_at},v1={signature}"}, body.encode())


def _slack(id: str, type: str, data: Any, secret: str, age: float = 0.0) -> Request:
    signed_at = str(int(time.time() - age))
    content = {"type": "event_callback", "event_id": id, "event": {**data, "type": type}}
    body = json.dumps(content)
    signature = SignatureVerifier(secret).generate_signature(timestamp=signed_at, body=body)
    headers = {"x-slack-request-timestamp": signed_at, "x-slack-signature": signature or ""}
    return Request("slack", id, JSON | headers, body.encode())


def _twilio(id: str, type: str, data: Any, secret: str) -> Request:
    form = {"MessageSid": id, "SmsStatus": type, **data}
    signature = RequestValidator(secret).compute_signature(f"{PUBLIC_URL}/twilio", form)
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
    return Request("twilio", f"{id}:{type}", headers, urlencode(form).encode())


SENDERS: dict[str, Sender] = {
    "standard_webhooks": _standard(standardwebhooks.Webhook, "standard_webhooks", "webhook"),
    "svix": _standard(svix.webhooks.Webhook, "svix", "svix"),
    "stripe": _stripe,
    "slack": _slack,
    "twilio": _twilio,
}

USUAL: dict[str, tuple[str, dict[str, Any]]] = {
    "standard_webhooks": ("order.created", {"id": "o_1", "total": "9.90"}),
    "svix": ("order.shipped", {"id": "o_2", "total": "7.50"}),
    "stripe": ("charge.succeeded", {"id": "ch_1", "object": "charge", "amount": 990}),
    "slack": ("app_mention", {"text": "where is my order?"}),
    "twilio": ("received", {"From": "+15550100", "Body": "thank you"}),
}
"""What each of them usually has to tell: type and data."""
