"""Senders that sign the URL they call: it has to be configured (`public_url`), proxies rewrite it."""

from __future__ import annotations

from hookcatch.signing.encoding import BASE64
from hookcatch.signing.freshness import MILLISECONDS, Timestamp
from hookcatch.signing.mac import Hash, Hmac, Side
from hookcatch.signing.parts import BODY, METHOD, TIME, URL, BodyHash
from hookcatch.signing.places import Header
from hookcatch.signing.schemes import Signed

from .body_hex import HUBSPOT_EVENTS, HUBSPOT_FACTS
from .handshakes import probe
from .row import Facts, Provider
from .shapes import Occurred, Path, Shape

ROWS = (
    Provider(
        name="square",
        title="Square",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-square-hmacsha256-signature"),
            encoding=BASE64,
            message=(URL, BODY),
        ),
        events=Shape(
            id=Path("event_id"), type=Path("type"), data="data.object", occurred_at=Occurred("created_at")
        ),
        docs="https://developer.squareup.com/docs/webhooks/step3validate",
        url_is_signed=True,
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            bad_signature_status=403,
            source="https://developer.squareup.com/docs/webhooks/overview",
            unconfirmed=frozenset({"ack_deadline", "retry_horizon", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="hubspot_v2",
        title="HubSpot (signature v2)",
        scheme=Signed(
            algorithm=Hash("sha256", Side.BEFORE),
            signature=Header("x-hubspot-signature"),
            message=(METHOD, URL, BODY),
        ),
        events=HUBSPOT_EVENTS,
        docs="https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
        url_is_signed=True,
        facts=HUBSPOT_FACTS,
    ),
    Provider(
        name="hubspot_v3",
        title="HubSpot (signature v3)",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-hubspot-signature-v3"),
            encoding=BASE64,
            time=Timestamp(Header("x-hubspot-request-timestamp"), MILLISECONDS),
            message=(METHOD, URL, BODY, TIME),
        ),
        events=HUBSPOT_EVENTS,
        docs="https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
        url_is_signed=True,
        facts=HUBSPOT_FACTS,
    ),
    Provider(
        name="trello",
        title="Trello",
        scheme=Signed(
            algorithm=Hmac("sha1"),
            signature=Header("x-trello-webhook"),
            encoding=BASE64,
            message=(BODY, URL),
        ),
        events=Shape(
            id=Path("action.id"),
            type=Path("action.type"),
            data="action.data",
            occurred_at=Occurred("action.date"),
        ),
        docs="https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/",
        handshakes=(probe("reachable"),),
        url_is_signed=True,
        facts=Facts(
            retry_horizon=210.0,
            id_survives_retry=True,
            disables="410; long failure",
            source="https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/",
            unconfirmed=frozenset({"retry_horizon", "id_survives_retry", "disables"}),
        ),
    ),
    Provider(
        name="bird",
        title="Bird",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("messagebird-signature"),
            encoding=BASE64,
            time=Timestamp(Header("messagebird-request-timestamp"), tolerance=None),
            message=(TIME, b"\n", URL, b"\n", BodyHash("sha256")),
        ),
        events=Shape(type=Path("event"), data="payload"),
        docs="https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions/verifying-a-webhook",
        url_is_signed=True,
        facts=Facts(
            id_survives_retry=True,
            source="https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions/verifying-a-webhook",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
)
