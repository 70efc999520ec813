"""Senders that sign something taken out of the body: fields of a form, a payload in base64, a part of JSON."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from hookcatch.core.errors import Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.parse import form_pairs
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing import keys
from hookcatch.signing.encoding import BASE64, HEX
from hookcatch.signing.fields import Field, FirstItem, Form
from hookcatch.signing.freshness import Timestamp
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import TIME, At, Render
from hookcatch.signing.public_key import Rsa
from hookcatch.signing.scheme import Bound, Match
from hookcatch.signing.schemes import Signed

from .bespoke_handshakes import BRAINTREE
from .body import of_body
from .row import Facts, Provider
from .shapes import Batch, Occurred, Path, Shape

MAX_PAIRS = 16
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class BraintreeForm:
    """`bt_signature` lists `public_key|signature` pairs over `bt_payload`, base64 in lines. The HMAC key is the SHA-1
    of the private key. The line feed at the end may have got lost on the way to the form."""

    key: keys.KeyFormat = keys.UserPassword()

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        known = [self._pair(secret) for secret in secrets]

        def check(request: Request, now: float) -> Match:
            pairs, payload = _braintree(request)
            right = [
                at
                for at, (public, key) in enumerate(known)
                for name, given in pairs
                for message in (payload, payload + b"\n")
                if name == public and hmac.compare_digest(_sha1_hmac(key, message), given)
            ]
            if not right:
                raise Rejected("bad_signature")
            return Match(right[0])

        return Bound(check)

    def _pair(self, secret: Secret) -> tuple[bytes, bytes]:
        public, _, private = self.key.decode(secret)[0].partition(b":")
        return public, hashlib.sha1(private, usedforsecurity=False).digest()

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        public, key = self._pair(secret)
        payload = encodebytes(request.body)
        pairs = {"bt_signature": public + b"|" + _sha1_hmac(key, payload), "bt_payload": payload}
        return request.replace(body=urlencode(pairs).encode())

    def check_strength(self, secret: Secret) -> None:
        keys.check_strength(self.key.decode(secret)[0].partition(b":")[2])


def _sha1_hmac(key: bytes, message: bytes) -> bytes:
    return HEX.encode(hmac.digest(key, message, "sha1"))


def _braintree(request: Request) -> tuple[list[tuple[bytes, bytes]], bytes]:
    listed, payload = (Form(name).reader()(request) for name in ("bt_signature", "bt_payload"))
    if not listed or not payload:
        raise Rejected("missing_signature", "bt_signature and bt_payload in the form")
    if len(form_pairs(request.body)) > 2:
        raise Rejected("malformed_body", "there is more in the form than is signed")
    pairs = [pair.partition(b"|") for pair in listed.split(b"&", MAX_PAIRS)]
    if len(pairs) > MAX_PAIRS:
        raise Rejected("malformed_signature", f"more than {MAX_PAIRS} signatures")
    return [(name, given) for name, _, given in pairs], payload


def braintree_notification(body: bytes) -> bytes:
    """The XML in a form of Braintree."""
    payload = next((value for name, value in form_pairs(body) if name == "bt_payload"), "")
    try:
        return binascii.a2b_base64(payload.replace("\n", ""), strict_mode=True)
    except ValueError:
        raise Rejected("malformed_body", "bt_payload is not base64") from None


@dataclass(frozen=True, slots=True)
class PhpSerialized:
    """All fields of the form but one, sorted, as PHP's `serialize` writes them."""

    without: str

    def render(self) -> Render:
        def render(request: Request, _: bytes) -> bytes:
            pairs = sorted(pair for pair in form_pairs(request.body) if pair[0] != self.without)
            if len({name for name, _ in pairs}) < len(pairs):
                raise Rejected("malformed_body", "a field is there twice")
            texts = b"".join(_php_text(text) for pair in pairs for text in pair)
            return b"a:%d:{%b}" % (len(pairs), texts)

        return render


def _php_text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return b's:%d:"%b";' % (len(raw), raw)


_BOUNDARY = re.compile(rb"--[!-~]{1,70}\r\n")
_JSON_PART = b'content-disposition: form-data; name="json"'


def json_part(body: bytes) -> bytes | None:
    """The field `json` of a multipart body, there exactly once; the boundary is how the body begins."""
    begun = _BOUNDARY.match(body)
    if begun is None:
        return None
    boundary = b"\r\n" + begun[0][:-2]
    parts = (b"\r\n" + body).split(boundary, MAX_PAIRS + 1)[1:]
    found = [part.partition(b"\r\n\r\n") for part in parts[:-1]]
    values = [value for head, _, value in found if _JSON_PART in head.lower().split(b"\r\n")]
    ended = parts[-1] in {b"--", b"--\r\n"}
    return values[0] if ended and len(values) == 1 else None


def dropbox_sign_event(body: bytes) -> bytes:
    """The JSON in a callback of Dropbox Sign."""
    event = json_part(body)
    if event is None:
        raise Rejected("malformed_body", "not a multipart body with one field `json`")
    return event


@dataclass(frozen=True, slots=True)
class InJsonPart:
    """A scheme over the JSON inside a multipart body."""

    scheme: Signed

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        bound = self.scheme.bind(secrets, tolerance, published)

        def check(request: Request, now: float) -> Match:
            event = json_part(request.body)
            if event is None:
                raise Rejected("missing_signature", "the field `json` of a multipart body")
            return bound.check(request.replace(body=event), now)

        return Bound(check)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        event = self.scheme.sign(request, secret, now).body
        head = b'--hookcatch\r\nContent-Disposition: form-data; name="json"\r\n\r\n'
        return request.replace(body=head + event + b"\r\n--hookcatch--\r\n")

    def check_strength(self, secret: Secret) -> None:
        self.scheme.check_strength(secret)


ROWS = (
    Provider(
        name="braintree",
        title="Braintree",
        # The secret is `public_key:private_key`.
        scheme=BraintreeForm(),
        events=Shape(
            type=Path("notification.kind"),
            data="notification.subject",
            occurred_at=Occurred("notification.timestamp.#text"),
            format="xml",
            kind=FORM,
            content=braintree_notification,
        ),
        docs="https://developer.paypal.com/braintree/docs/guides/webhooks/parse",
        handshakes=(BRAINTREE,),
        facts=Facts(
            ack_deadline=30.0,
            retry_horizon=86400.0,
            retry_schedule=tuple(3600.0 * hour for hour in range(1, 25)),
            id_survives_retry=True,
            source="https://developers.braintreepayments.com/guides/webhooks/parse/java",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="dropbox_sign",
        title="Dropbox Sign",
        # Nothing but the time and the type of the event is signed.
        scheme=InJsonPart(
            Signed(
                algorithm=Hmac("sha256"),
                signature=Field("event.event_hash"),
                time=Timestamp(Field("event.event_time"), tolerance=None),
                message=(TIME, At(Field("event.event_type"))),
            )
        ),
        events=Shape(
            type=Path("event.event_type"),
            occurred_at=Occurred("event.event_time"),
            format="json",
            kind="multipart/form-data; boundary=hookcatch",
            content=dropbox_sign_event,
        ),
        docs="https://developers.hellosign.com/docs/events/walkthrough/",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            ack_deadline=30.0,
            retry_horizon=3 * 86400.0,
            id_survives_retry=True,
            success_body="Hello API Event Received",
            source="https://developers.hellosign.com/api/manual-reference-pages/glossary/callbacks-events",
            unconfirmed=frozenset({"ack_deadline", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="paddle_classic",
        title="Paddle Classic",
        scheme=Signed(
            algorithm=Rsa("sha1"),
            signature=Form("p_signature"),
            encoding=BASE64,
            key=keys.PublicKey(),
            message=(PhpSerialized(without="p_signature"),),
        ),
        events=Shape(id=Path("alert_id"), type=Path("alert_name"), form=True),
        docs="https://developer.paddle.com/classic/webhook-reference/verifying-webhooks",
        # It tries again every quarter of an hour.
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=3 * 86400.0,
            id_survives_retry=True,
            source="https://developer.paddle.com/webhook-reference/bd1986c817a40-webhook-reference",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="segment",
        title="Segment",
        # Of a batch only the first event is signed: leave batches off in the destination.
        scheme=of_body("x-signature", digest="sha1", message=(FirstItem(),)),
        events=Shape(
            id=Path("messageId"), type=Path("type"), occurred_at=Occurred("timestamp"), batch=Batch()
        ),
        docs="https://segment.com/docs/connections/destinations/catalog/actions-webhook/",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=4 * 3600.0,
            id_survives_retry=True,
            source="https://segment.com/docs/connections/destinations/catalog/webhooks/",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
)
