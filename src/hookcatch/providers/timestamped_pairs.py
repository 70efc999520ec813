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

from .handshakes import GET, probe
from .row import Facts, Provider
from .shapes import Joined, Occurred, Path, Shape

MAILCHIMP_DOCS = "https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/"
MAILCHIMP_EVENTS = Shape(
    # Nothing else tells an event from another, says its agent-skills/subscribe-to-webhooks beside the source.
    id=Joined((Path("type"), Path("data[id]"), Path("fired_at")), "|"),
    type=Path("type"),
    form=True,
)
MAILCHIMP_FACTS = Facts(
    ack_deadline=10.0,
    retry_horizon=4500.0,
    id_survives_retry=True,
    disables="too many failures, at its discretion",
    source="https://github.com/mailchimp/fern-marketing-api-docs/blob/main/fern/docs/pages/api-concepts/webhooks.mdx",
)

ROWS = (
    Provider(
        name="mailchimp",
        title="Mailchimp Marketing",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Pair("x-mailchimp-signature", "v1"),
            time=Timestamp(Pair("x-mailchimp-signature", "t")),
            message=(TIME, b".", BODY),
        ),
        events=MAILCHIMP_EVENTS,
        docs=MAILCHIMP_DOCS,
        handshakes=(probe("reachable", GET),),
        facts=MAILCHIMP_FACTS,
    ),
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
        # That it is ECDSA is documented, but not in which headers.
        confirmed=False,
        # With a 5xx it comes again every 5 to 10 minutes for an hour, then about every three hours.
        facts=Facts(
            retry_horizon=72 * 3600.0,
            refusal_is_final=True,
            max_body=30_000_000,
            disables="a 3xx or 4xx, 401 too, drops that mail for good, and tells nobody",
            source="https://support.sendgrid.com/hc/en-us/articles/46513815674395-Understanding-Inbound-Parse-Webhook-Retry-Logic",
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
            retry_horizon=2 * 86400.0,
            id_survives_retry=True,
            disables="two days of failures",
            source="https://www.zoho.com/in/payments/developerdocs/webhooks/configure",
        ),
    ),
)
