"""Senders that sign a time and the body with a shared secret."""

from __future__ import annotations

from hookcatch.signing.fields import Field, FieldOrForm, Form
from hookcatch.signing.freshness import Timestamp
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, TIME, Nonce
from hookcatch.signing.places import Header, Pair
from hookcatch.signing.schemes import Signed

from .row import Facts, Provider
from .shapes import AnyOf, Occurred, Path, Shape

ROWS = (
    Provider(
        name="stripe",
        title="Stripe",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Pair("stripe-signature", "v1"),
            time=Timestamp(Pair("stripe-signature", "t")),
            message=(TIME, b".", BODY),
        ),
        events=Shape(id=Path("id"), type=Path("type"), data="data.object", occurred_at=Occurred("created")),
        docs="https://docs.stripe.com/webhooks/signature",
        facts=Facts(
            retry_horizon=3 * 86400.0,
            id_survives_retry=True,
            bad_signature_status=400,
            source="https://docs.stripe.com/webhooks",
            unconfirmed=frozenset({"retry_horizon", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="slack",
        title="Slack",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-slack-signature", prefix="v0="),
            time=Timestamp(Header("x-slack-request-timestamp")),
            message=(b"v0:", TIME, b":", BODY),
        ),
        events=Shape(
            id=AnyOf((Path("event_id"), Path("trigger_id"))),
            type=AnyOf((Path("event.type"), Path("command"), Path("type"))),
            data="event",
            occurred_at=Occurred("event_time"),
            form_payload=True,
        ),
        docs="https://docs.slack.dev/authentication/verifying-requests-from-slack",
        facts=Facts(
            ack_deadline=3.0,
            retry_horizon=600.0,
            id_survives_retry=True,
            source="https://docs.slack.dev/apis/events-api",
            unconfirmed=frozenset({"retry_horizon"}),
        ),
    ),
    Provider(
        name="mailgun",
        title="Mailgun",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=FieldOrForm(Field("signature.signature"), Form("signature")),
            # Mailgun keeps the time of the first try and documents no tolerance.
            time=Timestamp(FieldOrForm(Field("signature.timestamp"), Form("timestamp")), tolerance=None),
            message=(TIME, Nonce(FieldOrForm(Field("signature.token"), Form("token")))),
        ),
        events=Shape(
            id=AnyOf((Path("signature.token"), Path("token"))),
            type=AnyOf((Path("event-data.event"), Path("event"))),
            data="event-data",
            occurred_at=Occurred("event-data.timestamp"),
        ),
        docs="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
        body_is_signed=False,
        facts=Facts(
            retry_horizon=8 * 3600.0,
            id_survives_retry=False,
            bad_signature_status=406,
            disables="406 stops the retries of that delivery",
            source="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
)
