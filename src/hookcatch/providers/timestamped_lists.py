"""Senders that list a time and the signatures over it and the body in one header."""

from __future__ import annotations

from hookcatch.core.wire import Request
from hookcatch.signing.encoding import BASE64URL, HEX, Encoding
from hookcatch.signing.freshness import MILLISECONDS, SECONDS, TOLERANCE, Digits, Timestamp
from hookcatch.signing.listed import First, Others
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, TIME
from hookcatch.signing.places import MAX_VALUE, Pair
from hookcatch.signing.respelt import Respelt
from hookcatch.signing.schemes import Signed

from .row import Facts, Provider
from .shapes import Head, Joined, Occurred, Path, Shape


def listed(
    header: str,
    *,
    between: bytes = b",",
    unit: Digits = SECONDS,
    tolerance: float | None = TOLERANCE,
    encoding: Encoding = HEX,
) -> Signed:
    """HMAC-SHA256 over `time.body`, in `t=...,v1=...` as Stripe writes it."""
    return Signed(
        algorithm=Hmac("sha256"),
        signature=Pair(header, "v1", between),
        encoding=encoding,
        time=Timestamp(Pair(header, "t", between), unit, tolerance),
        message=(TIME, b".", BODY),
    )


def persona_groups(request: Request) -> list[Request]:
    """While a secret is rotated Persona sends one whole `t=...,v1=...` for each, a space between."""
    value = request.header(b"persona-signature") or b""
    if len(value) > MAX_VALUE:
        return [request]
    return [request.with_header("persona-signature", group) for group in value.split(b" ") if group] or [
        request
    ]


ROWS = (
    Provider(
        name="calendly",
        title="Calendly",
        scheme=listed("calendly-webhook-signature", tolerance=180.0),
        events=Shape(type=Path("event"), data="payload", occurred_at=Occurred("created_at")),
        docs="https://developer.calendly.com/api-docs/overview/webhooks/webhook-signatures",
        facts=Facts(
            ack_deadline=15.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            disables="24 hours of failures",
            source="https://developer.calendly.com/api-docs/overview/webhooks/webhook-errors",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="mux",
        title="Mux",
        scheme=listed("mux-signature"),
        events=Shape(id=Path("id"), type=Path("type"), data="data", occurred_at=Occurred("created_at")),
        docs="https://www.mux.com/docs/core/verify-webhook-signatures",
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            source="https://www.mux.com/docs/core/listen-for-webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="paddle_billing",
        title="Paddle Billing",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Pair("paddle-signature", "h1", b";"),
            # What Paddle's libraries allow; a machine whose clock is off needs more.
            time=Timestamp(Pair("paddle-signature", "ts", b";"), tolerance=5.0),
            message=(TIME, b":", BODY),
        ),
        events=Shape(
            id=Path("event_id"), type=Path("event_type"), data="data", occurred_at=Occurred("occurred_at")
        ),
        docs="https://developer.paddle.com/webhooks/signature-verification",
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=3 * 86400.0,
            id_survives_retry=True,
            source="https://developer.paddle.com/webhooks/about/respond-to-webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="recurly",
        title="Recurly",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Others("recurly-signature"),
            time=Timestamp(First("recurly-signature"), MILLISECONDS),
            message=(TIME, b".", BODY),
        ),
        # Whether `id` is that of the notification or of the object is not said: the content is safe.
        events=Shape(
            type=Joined((Path("object_type"), Path("event_type"))), occurred_at=Occurred("event_time")
        ),
        docs="https://docs.recurly.com/recurly-subscriptions/docs/webhooks",
        facts=Facts(
            retry_horizon=262_308.0,
            retry_schedule=(
                10.0,
                84.0,
                350.0,
                1128.0,
                3186.0,
                8316.0,
                20_614.0,
                49_296.0,
                114_842.0,
                262_308.0,
            ),
            id_survives_retry=True,
            source="https://docs.recurly.com/recurly-subscriptions/docs/automatic-retries",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="sanity",
        title="Sanity",
        scheme=listed("sanity-webhook-signature", unit=MILLISECONDS, tolerance=None, encoding=BASE64URL),
        # The body is whatever the projection of the webhook makes of the document.
        events=Shape(id=Head("idempotency-key"), type=Head("sanity-operation")),
        docs="https://www.sanity.io/docs/content-lake/webhook-best-practices",
        id_is_signed=False,
        facts=Facts(
            ack_deadline=30.0,
            retry_horizon=60.0,
            retry_schedule=(30.0, 60.0),
            id_survives_retry=True,
            source="https://www.sanity.io/docs/changelog/50ec6abf-fe0c-475b-ae72-314148860132",
            unconfirmed=frozenset({"ack_deadline", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="stripe",
        title="Stripe",
        scheme=listed("stripe-signature"),
        events=Shape(id=Path("id"), type=Path("type"), data="data.object", occurred_at=Occurred("created")),
        docs="https://docs.stripe.com/webhooks/signature",
        facts=Facts(
            retry_horizon=3 * 86400.0,
            id_survives_retry=True,
            bad_signature_status=400,
            source="https://docs.stripe.com/webhooks",
        ),
    ),
    Provider(
        name="workos",
        title="WorkOS",
        scheme=listed("workos-signature", between=b", ", unit=MILLISECONDS, tolerance=180.0),
        events=Shape(id=Path("id"), type=Path("event"), data="data", occurred_at=Occurred("created_at")),
        docs="https://workos.com/docs/events/data-syncing/webhooks",
        facts=Facts(
            retry_horizon=3 * 86400.0,
            id_survives_retry=True,
            source="https://workos.com/docs/events/data-syncing/webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="cloudflare_stream",
        title="Cloudflare Stream",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Pair("webhook-signature", "sig1"),
            time=Timestamp(Pair("webhook-signature", "time")),
            message=(TIME, b".", BODY),
        ),
        events=Shape(
            id=Joined((Path("uid"), Path("status.state")), ":"),
            type=Path("status.state"),
            occurred_at=Occurred("modified"),
        ),
        docs="https://developers.cloudflare.com/stream/manage-video-library/using-webhooks/",
        facts=Facts(
            id_survives_retry=True,
            source="https://github.com/cloudflare/cloudflare-docs",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="ghost",
        title="Ghost",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Pair("x-ghost-signature", "sha256", b", "),
            time=Timestamp(Pair("x-ghost-signature", "t", b", "), MILLISECONDS),
            message=(BODY, TIME),
        ),
        # Nothing names the event: give each its own source.
        events=Shape(),
        docs="https://docs.ghost.org/webhooks",
        # It asks `got` for five retries, which makes none of a POST.
        facts=Facts(
            ack_deadline=2.0,
            retry_horizon=0.0,
            retry_schedule=(),
            disables="410",
            source="https://github.com/TryGhost/Ghost/blob/main/ghost/core/core/server/services/webhooks/webhook-trigger.js",
        ),
    ),
    Provider(
        name="tiktok",
        title="TikTok",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Pair("tiktok-signature", "s"),
            time=Timestamp(Pair("tiktok-signature", "t")),
            message=(TIME, b".", BODY),
        ),
        events=Shape(type=Path("event"), occurred_at=Occurred("create_time")),
        docs="https://developers.tiktok.com/doc/webhooks-verification",
        facts=Facts(
            retry_horizon=72 * 3600.0,
            id_survives_retry=True,
            source="https://developers.tiktok.com/doc/webhooks-overview",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="persona",
        title="Persona",
        scheme=Respelt(listed("persona-signature"), persona_groups),
        events=Shape(
            id=Path("data.id"),
            type=Path("data.attributes.name"),
            data="data.attributes.payload",
            occurred_at=Occurred("data.attributes.created-at"),
        ),
        docs="https://docs.withpersona.com/webhooks-best-practices",
        # It tries seven times more, ever later.
        facts=Facts(
            ack_deadline=5.0,
            id_survives_retry=True,
            source="https://docs.withpersona.com/webhooks-best-practices",
        ),
    ),
)
