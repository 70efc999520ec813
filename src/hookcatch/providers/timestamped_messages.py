"""Senders of messages and of media that sign a time and the body, the time in a header of its own."""

from __future__ import annotations

import re

from hookcatch.signing.encoding import BASE64
from hookcatch.signing.freshness import MILLISECONDS, RFC3339, Timestamp
from hookcatch.signing.keys import Base64
from hookcatch.signing.mac import Hash, Hmac
from hookcatch.signing.parts import BODY, TIME, Nonce
from hookcatch.signing.places import Header
from hookcatch.signing.schemes import Signed

from .bespoke_handshakes import DAILY_TEST, TWITCH, ZOOM
from .row import Facts, Provider
from .shapes import AnyOf, Head, Joined, Occurred, OtherKey, Path, Shape

# Nothing that could move the border to what is signed beside it.
_PLAIN = re.compile(rb"[A-Za-z0-9_-]{1,255}")


def cloudinary(name: str, digest: str) -> Provider:
    """The digest is a setting of the account."""
    return Provider(
        name=name,
        title=f"Cloudinary ({digest.upper()})",
        scheme=Signed(
            algorithm=Hash(digest),
            signature=Header("x-cld-signature"),
            time=Timestamp(Header("x-cld-timestamp"), tolerance=7200.0),
            message=(BODY, TIME),
        ),
        events=Shape(type=Path("notification_type"), occurred_at=Occurred("timestamp")),
        docs="https://cloudinary.com/documentation/notification_signatures",
        # Three tries more, as its receivers tell: 3, 6 and 9 minutes, each after the one before at worst.
        facts=Facts(
            retry_horizon=18 * 60.0,
            source="https://cloudinary.com/documentation/notification_signatures",
            unconfirmed=frozenset({"retry_horizon"}),
        ),
    )


ROWS = (
    cloudinary("cloudinary", "sha1"),
    cloudinary("cloudinary_sha256", "sha256"),
    Provider(
        name="daily",
        title="Daily.co",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-webhook-signature"),
            encoding=BASE64,
            key=Base64(),
            time=Timestamp(Header("x-webhook-timestamp")),
            message=(TIME, b".", BODY),
        ),
        events=Shape(id=Path("id"), type=Path("type"), data="payload", occurred_at=Occurred("event_ts")),
        docs="https://docs.daily.co/reference/rest-api/webhooks",
        handshakes=(DAILY_TEST,),
        confirmed=False,
        facts=Facts(
            # With that type: five tries more, at most 15 minutes apart.
            id_survives_retry=True,
            disables="three failures in a row, unless its retry type is exponential",
            source="https://docs.daily.co/reference/rest-api/webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="quicknode",
        title="QuickNode Streams",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-qn-signature"),
            time=Timestamp(Header("x-qn-timestamp"), tolerance=None),
            message=(Nonce(Header("x-qn-nonce", only=_PLAIN)), TIME, BODY),
        ),
        # The body is whatever the filter of the stream makes; compression has to be off.
        events=Shape(),
        docs="https://www.quicknode.com/docs/streams/destinations/webhooks",
        # The next batch waits until the last one is taken; how often it tries again is a setting.
        facts=Facts(
            order_guaranteed=True, source="https://www.quicknode.com/docs/streams/destinations/webhooks"
        ),
    ),
    Provider(
        name="sinch",
        title="Sinch Conversation and SMS",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-sinch-webhook-signature"),
            encoding=BASE64,
            time=Timestamp(Header("x-sinch-webhook-signature-timestamp")),
            message=(BODY, b".", Nonce(Header("x-sinch-webhook-signature-nonce", only=_PLAIN)), b".", TIME),
        ),
        events=Shape(
            type=AnyOf(
                (
                    Path("type"),
                    OtherKey(
                        frozenset(
                            {
                                "app_id",
                                "accepted_time",
                                "event_time",
                                "project_id",
                                "message_metadata",
                                "correlation_id",
                            }
                        )
                    ),
                )
            ),
            occurred_at=Occurred("event_time"),
        ),
        docs="https://developers.sinch.com/docs/conversation/callbacks/",
        # The schedule is that of SMS.
        facts=Facts(
            retry_horizon=81_920.0,
            retry_schedule=tuple(5.0 * 2**doubled for doubled in range(15)),
            refusal_is_final=True,
            disables="a 4xx but 429 ends the retries of that callback",
            source="https://developers.sinch.com/docs/sms/api-reference/sms/tag/Webhooks/",
        ),
    ),
    Provider(
        name="twitch",
        title="Twitch EventSub",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("twitch-eventsub-message-signature", prefix="sha256="),
            time=Timestamp(Header("twitch-eventsub-message-timestamp"), RFC3339, 600.0),
            message=(Nonce(Header("twitch-eventsub-message-id", only=_PLAIN)), TIME, BODY),
        ),
        # A revocation names the same subscription as its notifications.
        events=Shape(
            id=Head("twitch-eventsub-message-id"),
            type=Joined((Head("twitch-eventsub-message-type"), Path("subscription.type"))),
            data="event",
        ),
        docs="https://dev.twitch.tv/docs/eventsub/handling-webhook-events/",
        handshakes=(TWITCH,),
        facts=Facts(
            id_survives_retry=True,
            bad_signature_status=403,
            disables="too many answers that took longer than a few seconds",
            source="https://dev.twitch.tv/docs/eventsub/handling-webhook-events",
        ),
    ),
    Provider(
        name="webflow",
        title="Webflow",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-webflow-signature"),
            time=Timestamp(Header("x-webflow-timestamp"), MILLISECONDS),
            message=(TIME, b":", BODY),
        ),
        events=Shape(type=Path("triggerType"), data="payload"),
        docs="https://developers.webflow.com/data/docs/working-with-webhooks",
        facts=Facts(
            ack_deadline=30.0,
            retry_horizon=1800.0,
            retry_schedule=(600.0, 1200.0, 1800.0),
            id_survives_retry=True,
            source="https://developers.webflow.com/data/v1.0.0/docs/limits-and-retries",
            unconfirmed=frozenset({"ack_deadline", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="zoom",
        title="Zoom",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-zm-signature", prefix="v0="),
            time=Timestamp(Header("x-zm-request-timestamp")),
            message=(b"v0:", TIME, b":", BODY),
        ),
        events=Shape(type=Path("event"), data="payload", occurred_at=Occurred("event_ts", per_second=1000)),
        docs="https://developers.zoom.us/docs/api/webhooks/",
        handshakes=(ZOOM,),
        facts=Facts(
            ack_deadline=3.0,
            retry_horizon=5100.0,
            retry_schedule=(300.0, 1500.0, 5100.0),
            id_survives_retry=True,
            disables="a validation, made every 72 hours, that fails",
            source="https://developers.zoom.us/blog/webhook-delays",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
)
