"""Senders that send the secret itself along, or nothing at all."""

from __future__ import annotations

from hookcatch.core.parse import parse_json
from hookcatch.signing import keys
from hookcatch.signing.fields import Field
from hookcatch.signing.json_path import compact
from hookcatch.signing.places import BasicCredentials, FirstOf, Header, Query
from hookcatch.signing.schemes import Token, Unsigned

from .bespoke_handshakes import CLOUDEVENTS, OKTA
from .row import Facts, Provider
from .shapes import AnyOf, Batch, Head, Joined, Occurred, OtherKey, Path, Shape

EVENTS = Shape(id=Path("id"), type=Path("type"))


def token(
    *,
    header: str = "authorization",
    prefix: str = "Bearer ",
    query: str = "",
    events: Shape = EVENTS,
    name: str = "token",
) -> Provider:
    """A sender of your own that sends a secret token in a header, or if it can do no better in the URL (`query`)."""
    return Provider(
        name=name,
        title="Token in the URL" if query else "Token in a header",
        scheme=Token(Query(query) if query else Header(header.lower(), prefix=prefix)),
        events=events,
        docs="https://www.rfc-editor.org/rfc/rfc6750",
        id_is_signed=False,
        body_is_signed=False,
    )


def without_passcode(body: bytes) -> bytes:
    """What of a body may be kept: credentials never are (ATTACKS A58)."""
    payload = parse_json(body)
    if not isinstance(payload, dict):
        return body
    return compact({key: value for key, value in payload.items() if key != "passcode"})


ROWS = (
    token(),
    Provider(
        name="basic_auth",
        title="HTTP Basic",
        scheme=Token(BasicCredentials(), key=keys.UserPassword()),
        events=EVENTS,
        docs="https://www.rfc-editor.org/rfc/rfc7617",
        id_is_signed=False,
        body_is_signed=False,
    ),
    Provider(
        name="auth0",
        title="Auth0 log and event streams",
        # The secret is the whole header: `Bearer ...`, `Basic ...` or a bare token, as it is configured there.
        scheme=Token(Header("authorization")),
        events=Shape(
            id=AnyOf((Path("log_id"), Path("id"))),
            type=AnyOf((Path("data.type"), Path("type"))),
            data="data",
            occurred_at=Occurred("data.date"),
            batch=Batch(lines=True),
        ),
        docs="https://auth0.com/docs/customize/log-streams/custom-log-streams",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            # Log streams start over until they get through; event streams give up after 1, 3 and 7 seconds, and at
            # once on a 4xx: https://auth0.com/docs/customize/events/events-best-practices
            retry_horizon=7 * 86400.0,
            id_survives_retry=True,
            disables="seven days of failures; an event stream, 500 failures in a row, 5000 in all, or fewer",
            source="https://auth0.com/docs/monitor-auth0/streams",
        ),
    ),
    Provider(
        name="chargebee",
        title="Chargebee",
        scheme=Token(BasicCredentials(), key=keys.UserPassword()),
        events=Shape(
            id=Path("id"), type=Path("event_type"), data="content", occurred_at=Occurred("occurred_at")
        ),
        docs="https://www.chargebee.com/docs/2.0/webhook_settings.html",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            ack_deadline=20.0,
            retry_horizon=3 * 86400.0,
            id_survives_retry=True,
            source="https://www.chargebee.com/docs/2.0/webhook_settings.html",
            unconfirmed=frozenset({"ack_deadline", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="cloudevents",
        title="CloudEvents over HTTP",
        # Structured, binary or batched; the token goes along as the specification of webhooks has it, section 3.
        scheme=Token(FirstOf((Header("authorization", prefix="Bearer "), Query("access_token")))),
        events=Shape(
            id=AnyOf(
                (Joined((Head("ce-source"), Head("ce-id")), "#"), Joined((Path("source"), Path("id")), "#"))
            ),
            type=AnyOf((Head("ce-type"), Path("type"))),
            data="data",
            occurred_at=Occurred("time"),
            batch=Batch(),
        ),
        docs="https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md",
        handshakes=(CLOUDEVENTS,),
        id_is_signed=False,
        body_is_signed=False,
        # What is sent again may have the same id, says the specification, not that it must.
        facts=Facts(
            id_survives_retry=True,
            disables="410",
            source="https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="figma",
        title="Figma",
        scheme=Token(Field("passcode")),
        events=Shape(type=Path("event_type"), occurred_at=Occurred("timestamp"), content=without_passcode),
        docs="https://developers.figma.com/docs/rest-api/webhooks-security/",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            retry_horizon=12_900.0,
            retry_schedule=(300.0, 2100.0, 12_900.0),
            source="https://developers.figma.com/docs/rest-api/webhooks",
        ),
    ),
    Provider(
        name="flutterwave_v3",
        title="Flutterwave (v3)",
        scheme=Token(Header("verif-hash")),
        events=Shape(type=Path("event"), data="data", occurred_at=Occurred("data.created_at")),
        docs="https://developer.flutterwave.com/v3.0.0/docs/webhooks",
        id_is_signed=False,
        body_is_signed=False,
        # https://github.com/Flutterwave/Flutterwave-WooCommerce compares the header like this.
        # It tries again only where that is switched on.
        facts=Facts(
            ack_deadline=60.0,
            retry_horizon=5400.0,
            retry_schedule=(1800.0, 3600.0, 5400.0),
            source="https://developer.flutterwave.com/v3.0.0/docs/webhooks",
        ),
    ),
    Provider(
        name="okta",
        title="Okta event hooks",
        scheme=Token(Header("authorization")),
        events=Shape(
            id=Path("uuid"),
            type=Path("eventType"),
            occurred_at=Occurred("published"),
            batch=Batch("data.events"),
        ),
        docs="https://developer.okta.com/docs/concepts/event-hooks/",
        handshakes=(OKTA,),
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            ack_deadline=3.0,
            id_survives_retry=True,
            success_status=204,
            disables="400,000 events in 24 hours; a 4xx is never tried again",
            source="https://developer.okta.com/docs/concepts/event-hooks/",
        ),
    ),
    Provider(
        name="telegram",
        title="Telegram Bot API",
        scheme=Token(Header("x-telegram-bot-api-secret-token")),
        events=Shape(id=Path("update_id", number=True), type=OtherKey(frozenset({"update_id"}))),
        docs="https://core.telegram.org/bots/api#setwebhook",
        id_is_signed=False,
        body_is_signed=False,
        # It tries again at once, then after 2, 4, 8 seconds and so on up to two minutes, and heeds Retry-After.
        facts=Facts(
            ack_deadline=60.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            disables="410 for 23 hours",
            source="https://github.com/tdlib/telegram-bot-api/blob/master/telegram-bot-api/WebhookActor.cpp",
        ),
    ),
    Provider(
        name="unsigned",
        title="No signature",
        scheme=Unsigned(),
        events=EVENTS,
        id_is_signed=False,
        body_is_signed=False,
    ),
    Provider(
        name="xendit",
        title="Xendit",
        scheme=Token(Header("x-callback-token")),
        events=Shape(id=Head("webhook-id"), type=Path("event"), data="data", occurred_at=Occurred("created")),
        docs="https://docs.xendit.co/webhook-behavior",
        id_is_signed=False,
        body_is_signed=False,
        # https://github.com/xendit/demo-store describes the header.
        facts=Facts(
            ack_deadline=30.0,
            retry_horizon=86400.0,
            retry_schedule=(900.0, 3600.0, 10_800.0, 21_600.0, 43_200.0, 86400.0),
            id_survives_retry=True,
            source="https://docs.xendit.co/webhook-behavior",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
)
