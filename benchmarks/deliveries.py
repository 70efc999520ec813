"""Requests as Stripe would send them: 2 KB, signed, each with an id of its own, ready for the socket."""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator

SECRET = "whsec_a_secret_of_the_benchmark_only_0"
PATH = "/stripe"
HEAD = (
    f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*; q=0.5, application/xml\r\n"
    "cache-control: no-cache\r\nuser-agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n"
    "content-type: application/json; charset=utf-8\r\nstripe-signature: t=%d,v1=%s\r\ncontent-length: %d\r\n\r\n"
)
SIZE = 2048

Ids = Callable[[], Iterator[str]]
"""An endless supply of event ids."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def random_ids() -> Iterator[str]:
    """`evt_` and 24 random digits: each lands anywhere in an index."""
    while True:
        yield f"evt_{secrets.token_hex(12)}"


def ordered_ids() -> Iterator[str]:
    """As Stripe's: they begin with the time, so that the next one stands beside the last in an index."""
    count = time.time_ns() // 1000
    while True:
        count += 1
        yield f"evt_1N{_base62(count)}{secrets.token_hex(6)}"


def signed(count: int, ids: Ids = random_ids, *, secret: str = SECRET) -> list[bytes]:
    """`count` requests. With another `secret` they are forged."""
    now = int(time.time())
    before, after = around_the_id()
    keyed = hmac.new(secret.encode(), f"{now}.".encode(), "sha256")
    made = []
    for _, id_ in zip(range(count), ids(), strict=False):
        body = before + id_.encode() + after
        mac = keyed.copy()
        mac.update(body)
        made.append((HEAD % (now, mac.hexdigest(), len(body))).encode() + body)
    return made


def around_the_id() -> tuple[bytes, bytes]:
    """The body of every event: what stands before its id, and after it."""
    before, after = _event().split(b"THE_ID")
    return before, after


def _event() -> bytes:
    charge = {
        "id": "ch_3N0000000000000000000000",
        "object": "charge",
        "amount": 2500,
        "currency": "eur",
        "paid": True,
        "billing_details": {
            "email": "jenny@example.com",
            "name": "Jenny Rosen",
            "address": {"city": "Berlin", "country": "DE", "line1": "Strasse 1", "postal_code": "10115"},
        },
        "metadata": {},
        "outcome": {"network_status": "approved_by_network", "risk_level": "normal", "risk_score": 17},
        "refunds": {"data": [], "has_more": False, "object": "list", "total_count": 0},
    }
    event = {
        "id": "THE_ID",
        "object": "event",
        "api_version": "2026-10-28",
        "created": 1795000000,
        "data": {"object": charge},
        "livemode": True,
        "pending_webhooks": 1,
        "request": {"id": "req_000000000000", "idempotency_key": None},
        "type": "charge.succeeded",
    }
    missing = SIZE - len(json.dumps(event)) - 40
    charge["metadata"] = {f"order_{n:02d}": f"a value {n:04d}" for n in range(missing // 30)}
    return json.dumps(event).encode()


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
