"""Senders that use Standard Webhooks, or Svix, as it is; and Finch, that writes its headers in its own way."""

from __future__ import annotations

import re
from dataclasses import replace

from hookcatch.signing import keys
from hookcatch.signing.encoding import BASE64
from hookcatch.signing.freshness import Timestamp
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, TIME, Nonce
from hookcatch.signing.places import Header, Tagged
from hookcatch.signing.schemes import Signed

from .row import Facts, Provider
from .shapes import Head, Joined, Occurred, Path, Shape
from .standard import SVIX_FACTS, standard

# A dot in the id would move the border between id, time and body.
_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")


def user(
    name: str,
    title: str,
    docs: str,
    facts: Facts,
    events: Shape = Shape(),
    prefix: str = "webhook",
    confirmed: bool = True,
) -> Provider:
    """A row of a sender that uses the standard; its events have their id in the header, wherever `events` says."""
    return Provider(
        name=name,
        title=title,
        scheme=standard(prefix),
        events=replace(events, id=Head(f"{prefix}-id")),
        docs=docs,
        confirmed=confirmed,
        facts=facts,
    )


ROWS = (
    # Its documentation says that each secret in use signs, in webhook-signature; of what, others say.
    user(
        "brex",
        "Brex",
        "https://developer.brex.com/docs/webhooks/",
        Facts(source="https://developer.brex.com/docs/webhooks/"),
        Shape(type=Path("event_type")),
        confirmed=False,
    ),
    Provider(
        name="finch",
        title="Finch",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Tagged("finch-signature", "v1"),
            encoding=BASE64,
            key=keys.Base64(),
            time=Timestamp(Header("finch-timestamp")),
            message=(Nonce(Header("finch-event-id", only=_ID), "msg_"), b".", TIME, b".", BODY),
        ),
        events=Shape(id=Head("finch-event-id"), type=Path("event_type"), data="data"),
        docs="https://developer.tryfinch.com/docs/reference/webhooks",
        facts=Facts(
            id_survives_retry=True,
            source="https://developer.tryfinch.com/developer-resources/Webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    # It sends through Svix, with a schedule of its own.
    user(
        "incident_io",
        "incident.io",
        "https://docs.incident.io/api-reference/webhooks",
        Facts(
            ack_deadline=15.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            disables="five days of failures",
            source="https://docs.incident.io/api-reference/webhooks",
            unconfirmed=frozenset({"ack_deadline", "id_survives_retry"}),
        ),
        Shape(type=Path("event_type")),
    ),
    user(
        "loops",
        "Loops",
        "https://loops.so/docs/webhooks",
        Facts(
            retry_horizon=28 * 3600.0,
            id_survives_retry=True,
            source="https://loops.so/docs/webhooks",
            unconfirmed=frozenset({"retry_horizon"}),
        ),
        Shape(type=Path("eventName"), occurred_at=Occurred("eventTime")),
    ),
    user(
        "render",
        "Render",
        "https://render.com/docs/webhooks",
        Facts(
            ack_deadline=15.0,
            retry_horizon=33 * 3600.0,
            id_survives_retry=True,
            disables="eight failures of one event",
            source="https://render.com/docs/webhooks",
        ),
        Shape(type=Path("type"), data="data", occurred_at=Occurred("timestamp")),
    ),
    # It sends through Svix, to whose documentation it refers.
    user(
        "stytch",
        "Stytch",
        "https://stytch.com/docs/b2b/guides/webhooks",
        SVIX_FACTS,
        Shape(
            type=Joined((Path("source"), Path("object_type"), Path("action"))),
            occurred_at=Occurred("timestamp"),
        ),
        "svix",
    ),
)
