"""Senders that sign the URL they call: it has to be configured (`public_url`), proxies rewrite it."""

from __future__ import annotations

from hookcatch.signing.encoding import BASE64
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, URL
from hookcatch.signing.places import Header
from hookcatch.signing.schemes import Signed

from .row import Facts, Provider
from .shapes import Occurred, Path, Shape

ROWS = (
    Provider(
        name="square",
        title="Square",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-square-hmacsha256-signature"),
            encoding=BASE64,
            message=(URL, BODY),
        ),
        events=Shape(
            id=Path("event_id"), type=Path("type"), data="data.object", occurred_at=Occurred("created_at")
        ),
        docs="https://developer.squareup.com/docs/webhooks/step3validate",
        url_is_signed=True,
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            bad_signature_status=403,
            source="https://developer.squareup.com/docs/webhooks/overview",
            unconfirmed=frozenset({"ack_deadline", "retry_horizon", "id_survives_retry"}),
        ),
    ),
)
