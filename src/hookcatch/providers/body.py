"""Senders that sign the body and nothing else: nothing says when, so only dedupe stands against a replay."""

from __future__ import annotations

from hookcatch.signing.encoding import BASE64, HEX, Encoding
from hookcatch.signing.mac import Hmac
from hookcatch.signing.places import FirstOf, Header
from hookcatch.signing.schemes import Signed

from .row import Facts, Provider
from .shapes import AnyOf, Head, Joined, Occurred, Path, Shape

GITHUB_EVENTS = Shape(
    id=Head("x-github-delivery"),
    type=Joined((Head("x-github-event"), Path("action"))),
    form_payload=True,
)
GITHUB_FACTS = Facts(
    ack_deadline=10.0,
    retry_horizon=0.0,
    id_survives_retry=True,
    max_body=25 * 1024 * 1024,
    source="https://docs.github.com/en/webhooks",
    unconfirmed=frozenset({"max_body"}),
)


def hmac(
    *,
    header: str = "x-signature",
    prefix: str = "",
    digest: str = "sha256",
    encoding: Encoding = HEX,
    events: Shape = Shape(id=Path("id"), type=Path("type")),
    name: str = "hmac",
) -> Provider:
    """A sender of your own that signs the body with HMAC and puts the signature in a header."""
    return Provider(
        name=name,
        title="HMAC over the body",
        scheme=Signed(
            algorithm=Hmac(digest), signature=Header(header.lower(), prefix=prefix), encoding=encoding
        ),
        events=events,
        docs="https://www.rfc-editor.org/rfc/rfc2104",
    )


ROWS = (
    hmac(),
    Provider(
        name="github",
        title="GitHub",
        scheme=Signed(algorithm=Hmac("sha256"), signature=Header("x-hub-signature-256", prefix="sha256=")),
        events=GITHUB_EVENTS,
        docs="https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        id_is_signed=False,
        facts=GITHUB_FACTS,
    ),
    Provider(
        name="github_sha1",
        title="GitHub (legacy SHA-1)",
        scheme=Signed(algorithm=Hmac("sha1"), signature=Header("x-hub-signature", prefix="sha1=")),
        events=GITHUB_EVENTS,
        docs="https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers",
        id_is_signed=False,
        facts=GITHUB_FACTS,
    ),
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
