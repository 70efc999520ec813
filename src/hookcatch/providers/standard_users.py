"""Senders that use Standard Webhooks, or Svix, as it is; and Finch, that writes its headers in its own way."""

from __future__ import annotations

import re

from hookcatch.signing import keys
from hookcatch.signing.encoding import BASE64
from hookcatch.signing.freshness import Timestamp
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, TIME, Nonce
from hookcatch.signing.places import Header, Tagged
from hookcatch.signing.schemes import Signed

from .row import Facts, Provider
from .shapes import Head, Path, Shape
from .standard import standard

# A dot in the id would move the border between id, time and body.
_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")


def user(
    name: str, title: str, docs: str, type: str = "type", data: str = "data", prefix: str = "webhook"
) -> Provider:
    """A row of a sender that says no more than whose standard it uses."""
    return Provider(
        name=name,
        title=title,
        scheme=standard(prefix),
        events=Shape(id=Head(f"{prefix}-id"), type=Path(type), data=data),
        docs=docs,
        confirmed=False,
        facts=Facts(
            id_survives_retry=True, source=docs, checked=None, unconfirmed=frozenset({"id_survives_retry"})
        ),
    )


ROWS = (
    user("brex", "Brex", "https://developer.brex.com/docs/webhooks/", "event_type", ""),
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
            source="https://github.com/Finch-API/finch-api-go",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    user("incident_io", "incident.io", "https://api-docs.incident.io/tag/Webhooks", "event_type", ""),
    user("loops", "Loops", "https://loops.so/docs/webhooks", "eventName", ""),
    user("render", "Render", "https://render.com/docs/webhooks"),
    user("stytch", "Stytch", "https://stytch.com/docs/guides/dashboard/webhooks", "action", "", "svix"),
)
