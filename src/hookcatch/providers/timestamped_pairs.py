"""More senders that sign the time and the body."""

from __future__ import annotations

from hookcatch.signing import keys
from hookcatch.signing.encoding import BASE64
from hookcatch.signing.freshness import MILLISECONDS, Timestamp
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, TIME
from hookcatch.signing.places import Header, Pair
from hookcatch.signing.public_key import Ecdsa
from hookcatch.signing.schemes import Signed

from .row import Facts, Provider
from .shapes import Occurred, Path, Shape

ROWS = (
    Provider(
        name="sendgrid_inbound",
        title="SendGrid Inbound Parse",
        # With a security policy that signs; the body is multipart and stays as it is.
        scheme=Signed(
            algorithm=Ecdsa("sha256"),
            signature=Header("x-twilio-email-event-webhook-signature"),
            encoding=BASE64,
            key=keys.PublicKey(),
            time=Timestamp(Header("x-twilio-email-event-webhook-timestamp"), tolerance=None),
            message=(TIME, BODY),
        ),
        docs="https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks",
        confirmed=False,
        facts=Facts(
            checked=None,
            source="https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks",
        ),
    ),
    Provider(
        name="zoho_payments",
        title="Zoho Payments",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Pair("x-zoho-webhook-signature", "v"),
            time=Timestamp(Pair("x-zoho-webhook-signature", "t"), MILLISECONDS),
            message=(TIME, b".", BODY),
        ),
        events=Shape(
            id=Path("event_id", number=True),
            type=Path("event_type"),
            data="event_object",
            occurred_at=Occurred("event_time", per_second=1000),
        ),
        docs="https://www.zoho.com/in/payments/developerdocs/webhooks/verification",
        facts=Facts(
            ack_deadline=15.0,
            id_survives_retry=True,
            source="https://www.zoho.com/in/payments/developerdocs/webhooks/verification",
        ),
    ),
)
