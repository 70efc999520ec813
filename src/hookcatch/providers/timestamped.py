"""Senders that sign a time and the body with a shared secret, the time in a place of its own."""

from __future__ import annotations

from hookcatch.signing.encoding import BASE64
from hookcatch.signing.fields import Field, FieldOrForm, Form
from hookcatch.signing.freshness import MILLISECONDS, RFC3339, Timestamp
from hookcatch.signing.listed import AnyHeader
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, TIME, Nonce
from hookcatch.signing.places import Header
from hookcatch.signing.respelt import Respelt
from hookcatch.signing.schemes import Signed

from .bespoke import box_spellings
from .bespoke_handshakes import SLACK_SSL_CHECK
from .handshakes import echo_field
from .row import Facts, Provider
from .shapes import AnyOf, Head, Joined, Occurred, Path, Shape

ROWS = (
    Provider(
        name="box",
        title="Box",
        scheme=Respelt(
            Signed(
                algorithm=Hmac("sha256"),
                signature=AnyHeader(("box-signature-primary", "box-signature-secondary")),
                encoding=BASE64,
                time=Timestamp(Header("box-delivery-timestamp"), RFC3339, 600.0),
                message=(BODY, TIME),
            ),
            box_spellings,
        ),
        # box-delivery-id is another one at each attempt.
        events=Shape(id=Path("id"), type=Path("trigger"), data="source", occurred_at=Occurred("created_at")),
        docs="https://developer.box.com/guides/webhooks/v2/signatures-v2/",
        facts=Facts(
            ack_deadline=30.0,
            retry_horizon=2 * 3600.0,
            id_survives_retry=True,
            disables="failures only for 14 days, the last success 30 days ago",
            source="https://developer.box.com/guides/webhooks/v2/",
        ),
    ),
    Provider(
        name="customer_io",
        title="Customer.io reporting webhooks",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-cio-signature"),
            time=Timestamp(Header("x-cio-timestamp"), tolerance=None),
            message=(b"v0:", TIME, b":", BODY),
        ),
        events=Shape(
            id=Path("event_id"),
            type=Joined((Path("object_type"), Path("metric"))),
            data="data",
            occurred_at=Occurred("timestamp"),
        ),
        docs="https://docs.customer.io/integrations/data-out/connections/webhooks/",
        confirmed=False,
        # Whatever comes after a failed delivery waits until that is taken or given up.
        facts=Facts(
            ack_deadline=4.0,
            retry_horizon=7 * 86400.0,
            id_survives_retry=True,
            source="https://docs.customer.io/api/webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="linear",
        title="Linear",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("linear-signature"),
            # Linear does not say whether a retry, an hour later, carries a new time.
            time=Timestamp(Field("webhookTimestamp", number=True), MILLISECONDS, 60.0),
        ),
        events=Shape(
            id=Head("linear-delivery"),
            type=Joined((Path("type"), Path("action"))),
            data="data",
            occurred_at=Occurred("createdAt"),
        ),
        docs="https://linear.app/developers/webhooks",
        id_is_signed=False,
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=25_260.0,
            retry_schedule=(60.0, 3660.0, 25_260.0),
            id_survives_retry=True,
            disables="no answer after the last retry",
            source="https://linear.app/developers/webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
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
        handshakes=(SLACK_SSL_CHECK, echo_field("challenge", type="url_verification")),
        facts=Facts(
            ack_deadline=3.0,
            retry_horizon=360.0,
            retry_schedule=(0.0, 60.0, 360.0),
            id_survives_retry=True,
            disables="success for under 5 % of more than 1,000 events an hour",
            source="https://docs.slack.dev/apis/events-api",
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
            retry_horizon=27_000.0,
            retry_schedule=(300.0, 900.0, 1800.0, 5400.0, 12_600.0, 27_000.0),
            id_survives_retry=False,
            bad_signature_status=406,
            disables="406 stops the retries of that delivery",
            source="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-retries",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="zendesk",
        title="Zendesk",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-zendesk-webhook-signature"),
            encoding=BASE64,
            time=Timestamp(Header("x-zendesk-webhook-signature-timestamp"), RFC3339),
            message=(TIME, BODY),
        ),
        events=Shape(
            id=AnyOf((Head("x-zendesk-webhook-invocation-id"), Path("id"))),
            type=Path("type"),
            data="detail",
            occurred_at=Occurred("time"),
        ),
        docs="https://developer.zendesk.com/documentation/webhooks/verifying/",
        id_is_signed=False,
        facts=Facts(
            ack_deadline=12.0,
            disables="70 % errors within five minutes, for a moment",
            source="https://developer.zendesk.com/api-reference/webhooks/introduction",
            unconfirmed=frozenset({"ack_deadline", "disables"}),
        ),
    ),
)
