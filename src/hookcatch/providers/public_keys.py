"""Senders that sign with a private key, or with a token that vouches for the body."""

from __future__ import annotations

from hookcatch.core.secret import Secret
from hookcatch.signing import keys
from hookcatch.signing.encoding import BASE64
from hookcatch.signing.freshness import TOLERANCE, Timestamp
from hookcatch.signing.jwt import BodyClaim, Jwt
from hookcatch.signing.parts import BODY, TIME
from hookcatch.signing.places import Header, Place
from hookcatch.signing.public_key import Ecdsa, Ed25519, Rsa
from hookcatch.signing.schemes import Made, Signed

from .bespoke_handshakes import DISCORD_PING, MONDAY
from .row import Facts, Provider
from .shapes import AnyOf, Batch, Head, Joined, Occurred, Path, Shape


def jwt(
    *,
    algorithm: str = "HS256",
    token: Place = Header("authorization", prefix="Bearer "),
    body: BodyClaim | None = BodyClaim("request_body_sha256"),
    tolerance: float | None = TOLERANCE,
    events: Shape = Shape(id=Path("id"), type=Path("type")),
    name: str = "jwt",
) -> Provider:
    """A sender of your own that sends a JWT, of one algorithm, with a claim that binds the body."""
    return Provider(
        name=name,
        title=f"JWT ({algorithm})",
        scheme=Jwt(algorithm=algorithm, token=token, body=body, tolerance=tolerance),
        events=events,
        docs="https://www.rfc-editor.org/rfc/rfc7519",
        id_is_signed=body is not None,
        body_is_signed=body is not None,
    )


def livekit(secret: Secret) -> tuple[Jwt, Secret]:
    """The secret is `API_KEY:API_SECRET`: LiveKit's own receivers want the key as the issuer. The secret alone will
    do too: nobody else has it. The token is without an iat, and without Bearer before it:
    https://github.com/livekit/node-sdks packages/livekit-server-sdk/src/WebhookReceiver.ts."""
    issuer, mark, private = secret.reveal().partition(b":")
    scheme = Jwt(
        algorithm="HS256",
        token=Header("authorization"),
        body=BodyClaim("sha256", BASE64),
        issuer=issuer.decode("utf-8", "replace") if mark else None,
        tolerance=None,
        lifetime=300.0,
    )
    return scheme, Secret(private) if mark else secret


ROWS = (
    jwt(),
    Provider(
        name="discord",
        title="Discord",
        scheme=Signed(
            algorithm=Ed25519(),
            signature=Header("x-signature-ed25519"),
            key=keys.Hex(),
            # Discord documents no tolerance; its last retry comes ten minutes after the first try.
            time=Timestamp(Header("x-signature-timestamp"), tolerance=None),
            message=(TIME, BODY),
        ),
        events=Shape(id=Path("id"), type=AnyOf((Path("event.type"), Path("type")))),
        docs="https://docs.discord.com/developers/events/webhook-events",
        handshakes=(DISCORD_PING,),
        facts=Facts(
            ack_deadline=3.0,
            retry_horizon=600.0,
            success_status=204,
            disables="it sends bad signatures on purpose, and stops unless they get 401",
            source="https://docs.discord.com/developers/events/webhook-events",
        ),
    ),
    Provider(
        name="netlify",
        title="Netlify",
        # The token says neither when it was made nor until when it holds.
        scheme=Jwt(
            algorithm="HS256",
            token=Header("x-webhook-signature"),
            body=BodyClaim("sha256"),
            issuer="netlify",
            tolerance=None,
        ),
        # `id` is that of the deploy, which has many states.
        events=Shape(
            type=AnyOf((Head("x-netlify-event"), Path("state"))), occurred_at=Occurred("updated_at")
        ),
        docs="https://docs.netlify.com/deploy/deploy-notifications/",
        facts=Facts(
            bad_signature_status=403,
            source="https://docs.netlify.com/deploy/deploy-notifications/",
        ),
    ),
    Provider(
        name="plaid",
        title="Plaid",
        # The keys are given as JWKs, all those in use: the sender's kid chooses none.
        scheme=Jwt(algorithm="ES256", token=Header("plaid-verification")),
        events=Shape(type=Joined((Path("webhook_type"), Path("webhook_code")))),
        docs="https://plaid.com/docs/api/webhooks/webhook-verification/",
        # Tried again after 30 seconds, then each time after four times as long.
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            disables="over 90 % of a day's webhooks rejected",
            source="https://plaid.com/docs/api/webhooks/",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="sendgrid",
        title="SendGrid Event Webhook",
        scheme=Signed(
            algorithm=Ecdsa("sha256"),
            signature=Header("x-twilio-email-event-webhook-signature"),
            encoding=BASE64,
            key=keys.PublicKey(),
            time=Timestamp(Header("x-twilio-email-event-webhook-timestamp"), tolerance=None),
            message=(TIME, BODY),
        ),
        events=Shape(
            id=Path("sg_event_id"), type=Path("event"), occurred_at=Occurred("timestamp"), batch=Batch()
        ),
        docs="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features",
        facts=Facts(
            retry_horizon=86400.0,
            id_survives_retry=True,
            source="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook",
        ),
    ),
    Provider(
        name="wise",
        title="Wise",
        scheme=Signed(
            algorithm=Rsa("sha256"),
            signature=Header("x-signature-sha256"),
            encoding=BASE64,
            key=keys.PublicKey(),
        ),
        events=Shape(
            id=Head("x-delivery-id"), type=Path("event_type"), data="data", occurred_at=Occurred("sent_at")
        ),
        docs="https://docs.wise.com/features/webhooks-notifications/event-handling",
        id_is_signed=False,
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=14 * 86400.0,
            id_survives_retry=True,
            source="https://docs.wise.com/features/webhooks-notifications/event-handling",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="telnyx",
        title="Telnyx",
        scheme=Signed(
            algorithm=Ed25519(),
            signature=Header("telnyx-signature-ed25519"),
            encoding=BASE64,
            key=keys.Base64(),
            time=Timestamp(Header("telnyx-timestamp")),
            message=(TIME, b"|", BODY),
        ),
        events=Shape(
            id=Path("data.id"),
            type=Path("data.event_type"),
            data="data.payload",
            occurred_at=Occurred("data.occurred_at"),
        ),
        docs="https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks",
        # Three tries for each of its URLs, at times it does not tell.
        facts=Facts(
            ack_deadline=2.0,
            id_survives_retry=True,
            source="https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="fireblocks_v1",
        title="Fireblocks (v1)",
        scheme=Signed(
            algorithm=Rsa("sha512"),
            signature=Header("fireblocks-signature"),
            encoding=BASE64,
            key=keys.PublicKey(),
        ),
        events=Shape(type=Path("type"), data="data", occurred_at=Occurred("timestamp", per_second=1000)),
        docs="https://developers.fireblocks.com/reference/verify-requests",
        facts=Facts(
            retry_horizon=15_345.0,
            retry_schedule=(15.0, 45.0, 105.0, 225.0, 465.0, 945.0, 1905.0, 3825.0, 7665.0, 15_345.0),
            source="https://developers.fireblocks.com/docs/webhooks-notifications",
        ),
    ),
    Provider(
        name="livekit",
        title="LiveKit",
        scheme=Made(livekit),
        events=Shape(id=Path("id"), type=Path("event"), occurred_at=Occurred("createdAt")),
        docs="https://docs.livekit.io/home/server/webhooks/",
        facts=Facts(
            # Its client is given no time to wait for.
            retry_horizon=15.0,
            retry_schedule=(1.0, 3.0, 7.0, 15.0),
            id_survives_retry=True,
            source="https://github.com/livekit/protocol/blob/main/webhook/url_notifier.go",
        ),
    ),
    Provider(
        name="monday",
        title="monday.com",
        scheme=Jwt(
            algorithm="HS256", token=Header("authorization"), body=None, tolerance=None, lifetime=300.0
        ),
        events=Shape(
            id=Path("event.triggerUuid"),
            type=Path("event.type"),
            data="event",
            occurred_at=Occurred("event.triggerTime"),
        ),
        docs="https://developer.monday.com/api-reference/docs/webhooks",
        handshakes=(MONDAY,),
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            # https://developer.monday.com/apps/changelog/webhook-integration-new-3-minute-timeout-policy
            ack_deadline=180.0,
            retry_horizon=1800.0,
            retry_schedule=tuple(60.0 * minute for minute in range(1, 31)),
            id_survives_retry=True,
            source="https://developer.monday.com/api-reference/docs/webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="vonage",
        title="Vonage",
        scheme=Jwt(algorithm="HS256", body=BodyClaim("payload_hash"), issuer="Vonage"),
        events=Shape(
            id=Joined((AnyOf((Path("message_uuid"), Path("uuid"))), Path("status")), ":"),
            type=AnyOf((Path("status"), Path("message_type"))),
            occurred_at=Occurred("timestamp"),
        ),
        docs="https://developer.vonage.com/en/messages/concepts/signed-webhooks",
        # The deadline is that of a call's answer; messages are tried again for a day.
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            source="https://github.com/Nexmo/nexmo-developer/blob/main/_documentation/en/messages/concepts/signed-webhooks.md",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
)
