"""Verification beside its floor and beside the senders' own libraries: V1, V2 and V3 of the targets.

`python -m benchmarks.verify [--quick] [--json FILE]`. Each pair is measured in turns (A B A B), in one process;
what counts is the ratio of the medians.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import standardwebhooks.webhooks
import stripe
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hookcatch.core.wire import Request
from hookcatch.providers import provider

from .figures import Effort
from .report import Result, ratio

Call = Callable[[], object]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SMALL, LARGE = 2048, 200_000
HEADERS = (
    ("host", "hooks.example.com"),
    ("user-agent", "Sender/1.0"),
    ("accept", "*/*"),
    ("content-type", "application/json"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two calls whose times are compared: `above / below`, which is to be at most, or at least, `target`."""

    name: str
    above: Call
    below: Call
    target: float
    at_most: bool


def compare(pair: Pair, rounds: int, seconds: float = 0.02) -> Result:
    """The ratio of the medians of `rounds` turns, each of about `seconds` a side."""
    counts = [max(1, int(seconds / _once(call))) for call in (pair.above, pair.below)]
    above: list[float] = []
    below: list[float] = []
    for _ in range(rounds):
        above.append(_timed(pair.above, counts[0]))
        below.append(_timed(pair.below, counts[1]))
    name, _, title = pair.name.partition(" ")
    figures = f"{median(above) * 1e6:.2f} us / {median(below) * 1e6:.2f} us"
    return Result(name, title, ratio(above, below), pair.target, pair.at_most, note=figures)


def _once(call: Call) -> float:
    return min(_timed(call, 3) for _ in range(3))


def _timed(call: Call, count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - began) / count


def pairs() -> Iterator[Pair]:
    """V1: ours above bare HMAC. V2: others above ours. V3: ours above the bare public-key operation."""
    yield from _v1()
    yield from _v2()
    yield from _v3()


def _v1() -> Iterator[Pair]:
    body, key = event(SMALL), SECRET.encode()
    made = hmac.digest(key, body, "sha256")

    def floor() -> object:
        return hmac.compare_digest(hmac.digest(key, body, "sha256"), made)

    for name in ("stripe", "github", "standard_webhooks", "slack"):
        yield Pair(f"V1 {name} / bare HMAC, 2 KB", _check(name, body), floor, 1.8, at_most=True)


def _v2() -> Iterator[Pair]:
    body, now = event(SMALL), time.time()
    request = signed("stripe", body, now)
    text, header = body.decode(), (request.header(b"stripe-signature") or b"").decode()
    ours = provider("stripe").bind(SECRET)
    yield Pair(
        "V2 stripe verify_header / ours, 2 KB",
        lambda: stripe.WebhookSignature.verify_header(text, header, SECRET, tolerance=300),
        lambda: ours.check(request, now),
        1.5,
        at_most=False,
    )
    yield Pair(
        "V2 stripe construct_event / ours with the event, 2 KB",
        lambda: stripe.Webhook.construct_event(text, header, SECRET),
        lambda: ours.verify(request, now),
        20,
        at_most=False,
    )
    yield _standardwebhooks(body, now, "V2 standardwebhooks / ours, 2 KB", 3)
    yield _standardwebhooks(event(LARGE, "é"), now, "V2 standardwebhooks / ours, 200 KB not ASCII", 6)


def _standardwebhooks(body: bytes, now: float, name: str, target: float) -> Pair:
    request = signed("standard_webhooks", body, now)
    headers = {key.decode(): value.decode() for key, value in request.headers}
    theirs, ours = standardwebhooks.webhooks.Webhook(SECRET), provider("standard_webhooks").bind(SECRET)
    return Pair(
        name, lambda: theirs.verify(body, headers), lambda: ours.check(request, now), target, at_most=False
    )


def _v3() -> Iterator[Pair]:
    body, now = event(SMALL), time.time()
    stamp = str(int(now)).encode()
    ed = ed25519.Ed25519PrivateKey.generate()
    made = ed.sign(stamp + body)
    request = Request(
        "POST", "", [*HEADERS, ("x-signature-ed25519", made.hex()), ("x-signature-timestamp", stamp)], body
    )
    discord = provider("discord").bind(ed.public_key().public_bytes_raw().hex())
    verify_ed = ed.public_key().verify
    message = stamp + body
    yield _beside("Ed25519", lambda: discord.check(request, now), lambda: verify_ed(made, message))

    curve = ec.generate_private_key(ec.SECP256R1())
    der, algorithm = curve.sign(message, ec.ECDSA(SHA256())), ec.ECDSA(SHA256())
    head = "x-twilio-email-event-webhook-"
    mail = Request(
        "POST", "", [*HEADERS, (head + "signature", base64.b64encode(der)), (head + "timestamp", stamp)], body
    )
    sendgrid = provider("sendgrid").bind(_spki(curve.public_key()))
    verify_ec = curve.public_key().verify
    yield _beside(
        "ECDSA P-256", lambda: sendgrid.check(mail, now), lambda: verify_ec(der, message, algorithm)
    )

    private = rsa.generate_private_key(65537, 2048)
    scheme, digest = padding.PKCS1v15(), SHA256()
    proof = private.sign(body, scheme, digest)
    transfer = Request("POST", "", [*HEADERS, ("x-signature-sha256", base64.b64encode(proof))], body)
    wise = provider("wise").bind(_spki(private.public_key()))
    verify_rsa = private.public_key().verify
    yield _beside(
        "RSA 2048", lambda: wise.check(transfer, now), lambda: verify_rsa(proof, body, scheme, digest)
    )


def _beside(name: str, ours: Call, bare: Call) -> Pair:
    return Pair(f"V3 {name} / the bare operation, 2 KB", ours, bare, 1.1, at_most=True)


def _spki(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _check(name: str, body: bytes) -> Call:
    now = time.time()
    request, verifier = signed(name, body, now), provider(name).bind(SECRET)
    return lambda: verifier.check(request, now)


def signed(name: str, body: bytes, now: float) -> Request:
    """A request as the sender would send it, with a body that is an event."""
    return provider(name).sign(
        Request("POST", "https://hooks.example.com/in", HEADERS, body), secret=SECRET, now=now
    )


def event(size: int, letter: str = "a") -> bytes:
    """The body of an event in Stripe's form, of about `size` bytes, filled up with metadata."""
    charge = {
        "id": "ch_3MmlLrLkdIwHu7ix0snN0B15",
        "object": "charge",
        "amount": 1099,
        "amount_refunded": 0,
        "balance_transaction": None,
        "billing_details": {
            "address": {"city": None, "country": "DE", "line1": None, "line2": None, "postal_code": "10115"},
            "email": None,
            "name": None,
            "phone": None,
        },
        "captured": True,
        "currency": "eur",
        "outcome": {"network_status": "approved_by_network", "risk_level": "normal", "risk_score": 32},
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "checks": {"address_line1_check": None, "cvc_check": "pass"},
                "exp_month": 8,
                "exp_year": 2029,
                "last4": "4242",
            },
            "type": "card",
        },
        "refunds": {"object": "list", "data": [], "has_more": False, "url": "/v1/charges/ch_3Mml/refunds"},
        "status": "succeeded",
    }
    payload = {
        "id": "evt_1NirD82eZvKYlo2CIvbtLWuY",
        "object": "event",
        "api_version": "2026-01-01",
        "created": 1_686_089_970,
        "type": "charge.succeeded",
        "data": {"object": charge},
        "request": {"id": None, "idempotency_key": "b2f0b2f0-0000-4000-8000-000000000000"},
    }
    line, number = letter * 20, 0
    metadata: dict[str, str] = {}
    charge["metadata"] = metadata
    body = json.dumps(payload, ensure_ascii=False).encode()
    missing = size - len(body)
    while missing > 0:
        metadata[f"note_{number}"] = line
        missing -= len(f'"note_{number}": "", ') + len(line.encode())
        number += 1
    return json.dumps(payload, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the report."""

    name: str
    pair: Pair

    def measure(self, effort: Effort) -> Result:
        """More turns than the servers take: they are short."""
        return compare(self.pair, rounds=4 * effort.rounds)


FIGURES = tuple(Figure(pair.name.partition(" ")[0], pair) for pair in pairs())
