"""Senders that sign the body, in base64."""

from __future__ import annotations

from hookcatch.signing.encoding import BASE64
from hookcatch.signing.mac import Hmac
from hookcatch.signing.places import FirstOf, Header
from hookcatch.signing.schemes import Signed

from .row import Facts, Provider
from .shapes import AnyOf, Head, Occurred, Path, Shape

ROWS = (
    Provider(
        name="shopify",
        title="Shopify",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=FirstOf((Header("x-shopify-hmac-sha256"), Header("shopify-hmac-sha256"))),
            encoding=BASE64,
        ),
        events=Shape(
            id=AnyOf((Head("x-shopify-webhook-id"), Head("shopify-webhook-id"))),
            type=AnyOf((Head("x-shopify-topic"), Head("shopify-topic"))),
            occurred_at=Occurred("updated_at"),
        ),
        docs="https://shopify.dev/docs/apps/build/webhooks/subscribe/https",
        id_is_signed=False,
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=4 * 3600.0,
            id_survives_retry=True,
            disables="8 failed tries in a row remove a subscription made through the API",
            source="https://shopify.dev/changelog/updates-to-webhook-retry-mechanism",
        ),
    ),
)
