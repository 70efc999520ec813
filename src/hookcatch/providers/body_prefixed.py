"""Senders that sign the body, in hexadecimal after a prefix: `sha256=...`."""

from __future__ import annotations

from .body import of_body
from .row import Facts, Provider
from .shapes import Head, Joined, Path, Shape

GITHUB_EVENTS = Shape(
    id=Head("x-github-delivery"),
    type=Joined((Head("x-github-event"), Path("action"))),
    form_payload=True,
)
GITHUB_FACTS = Facts(
    ack_deadline=10.0,
    retry_horizon=0.0,
    id_survives_retry=True,
    max_body=25 * 1024 * 1024,
    source="https://docs.github.com/en/webhooks",
    unconfirmed=frozenset({"max_body"}),
)


ROWS = (
    Provider(
        name="github",
        title="GitHub",
        scheme=of_body("x-hub-signature-256", prefix="sha256="),
        events=GITHUB_EVENTS,
        docs="https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        id_is_signed=False,
        facts=GITHUB_FACTS,
    ),
    Provider(
        name="github_sha1",
        title="GitHub (legacy SHA-1)",
        scheme=of_body("x-hub-signature", prefix="sha1=", digest="sha1"),
        events=GITHUB_EVENTS,
        docs="https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers",
        id_is_signed=False,
        facts=GITHUB_FACTS,
    ),
)
