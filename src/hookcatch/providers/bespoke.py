"""Senders that no row of parts can describe."""

from __future__ import annotations

import hashlib
import hmac as _hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from hookcatch.core.errors import Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.parse import form_pairs, parse_json
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing import keys
from hookcatch.signing.encoding import BASE64
from hookcatch.signing.fields import is_form
from hookcatch.signing.json_path import compact, dig
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import Render
from hookcatch.signing.places import Header, query_pairs
from hookcatch.signing.respelt import Respelt
from hookcatch.signing.scheme import Bound, Match
from hookcatch.signing.schemes import Signed

from .row import Facts, Provider
from .shapes import AnyOf, Batch, Joined, Occurred, Path, Shape

MAX_ITEMS = 100

ADYEN_FIELDS = (
    "pspReference", "originalReference", "merchantAccountCode", "merchantReference",
    "amount.value", "amount.currency", "eventCode", "success",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AdyenItems:
    """Every item of the batch carries an HMAC-SHA256 over eight of its fields, joined by colons, unescaped.

    All of them have to be right, under one and the same key; Adyen's own helper looks at the first only.
    """

    key: keys.Hex = keys.Hex()

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        known = [key for secret in secrets for key in self.key.decode(secret)]

        def check(request: Request, now: float) -> Match:
            signed = [_adyen_item(item) for item in _adyen_items(parse_json(request.body))]
            found = [at for at, key in enumerate(known) if _all_signed(signed, key)]
            if not found:
                raise Rejected("bad_signature")
            return Match(found[0])

        return Bound(check)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        payload = parse_json(request.body)
        for item in _adyen_items(payload):
            made = BASE64.encode(_hmac.digest(self.key.decode(secret)[0], _adyen_message(item), "sha256"))
            item.setdefault("additionalData", {})["hmacSignature"] = made.decode()
        return request.replace(body=compact(payload))

    def check_strength(self, secret: Secret) -> None:
        keys.check_strength(self.key.decode(secret)[0])


def _adyen_items(payload: Any) -> list[Any]:
    items = _ADYEN_BATCH.split(payload)
    if not items:
        raise Rejected("missing_signature", "a batch without items is signed by nobody")
    if len(items) > MAX_ITEMS:
        raise Rejected("malformed_signature", f"more than {MAX_ITEMS} items")
    if not all(isinstance(item, dict) for item in items):
        raise Rejected("malformed_body", "an item is not an object")
    return items


def _adyen_item(item: Any) -> tuple[bytes, bytes]:
    signature = dig(item, ("additionalData", "hmacSignature"))
    if not isinstance(signature, str) or not signature:
        raise Rejected("missing_signature", "additionalData.hmacSignature in an item")
    if len(signature) != 44:
        raise Rejected("malformed_signature", "additionalData.hmacSignature in an item")
    return _adyen_message(item), signature.encode()


def _adyen_message(item: Any) -> bytes:
    return ":".join(_adyen_text(dig(item, field.split("."))) for field in ADYEN_FIELDS).encode()


def _adyen_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise Rejected("malformed_body", "a signed field is neither text nor a whole number")


def _all_signed(signed: Sequence[tuple[bytes, bytes]], key: bytes) -> bool:
    made = [BASE64.encode(_hmac.digest(key, message, "sha256")) for message, _ in signed]
    right = [_hmac.compare_digest(one, given) for one, (_, given) in zip(made, signed, strict=True)]
    return all(right)


_ADYEN_BATCH = Batch(items="notificationItems", unwrap="NotificationRequestItem")


@dataclass(frozen=True, slots=True)
class TwilioForm:
    """The message Twilio signs: the URL, and of a form every name and value in order, without anything between.

    Anything else than a form is bound by `bodySHA256` in the signed URL. Without separators the border between
    two parameters can be moved; a name that ends in one of Twilio's own `names` gives such a cut away, others
    remain possible (ATTACKS A10): prefer JSON bodies where Twilio offers them. SignalWire does the same, but keeps
    the order of equal names and what is `distinct` no more.
    """

    names: frozenset[str] = frozenset({"From", "To", "Body", "AccountSid", "CallSid", "MessageSid", "SmsSid"})
    distinct: bool = True

    def render(self) -> Render:
        def render(request: Request, _: bytes) -> bytes:
            if not request.url:
                raise Rejected("bad_signature", "Twilio signs the URL, and it is not known: set public_url")
            self._check_body(request)
            pairs = self._sorted(form_pairs(request.body)) if is_form(request) else []
            for name, _value in pairs:
                if self._recut(name):
                    raise Rejected("malformed_body", f"the parameter {name!r} looks cut out of two others")
            texts = [request.url, *(text for pair in pairs for text in pair)]
            return "".join(texts).encode("utf-8", "surrogatepass")

        return render

    def _sorted(self, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
        if self.distinct:
            return sorted(set(pairs))
        return sorted(pairs, key=lambda pair: pair[0])

    def _check_body(self, request: Request) -> None:
        claimed = [value for name, value in query_pairs(request.url) if name == "bodySHA256"]
        if not claimed and request.body and not is_form(request):
            raise Rejected(
                "bad_signature", "the body is no form, and no bodySHA256 in the URL vouches for it"
            )
        actual = hashlib.sha256(request.body).hexdigest().encode()
        if any(not _hmac.compare_digest(one.encode("utf-8", "surrogatepass"), actual) for one in claimed):
            raise Rejected("bad_signature", "bodySHA256 is not the hash of the body")

    def _recut(self, name: str) -> bool:
        return not name or (name[:1].islower() and any(name.endswith(own) for own in self.names))


@dataclass(frozen=True, slots=True)
class WithAndWithoutPort:
    """A scheme over the URL whose sender names the default port or leaves out another, at its whim. Scheme, host
    and path stay as they are configured."""

    scheme: Signed

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        return Respelt(self.scheme, _with_other_ports).bind(secrets, tolerance, published)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        if self._is_bound_by_hash(request):
            request = request.replace(url=_with_hash(request.url, request.body))
        return self.scheme.sign(request, secret, now)

    @staticmethod
    def _is_bound_by_hash(request: Request) -> bool:
        return bool(request.body) and not is_form(request) and "bodySHA256=" not in request.url

    def check_strength(self, secret: Secret) -> None:
        self.scheme.check_strength(secret)


def ports(url: str) -> list[str]:
    """The URL as it is, without its port, and with the default one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return [url]
    if port is not None:
        return [url, _netloc(parts, parts.netloc.rpartition(":")[0])]
    default = {"https": "443", "http": "80"}.get(parts.scheme)
    return [url, _netloc(parts, f"{parts.netloc}:{default}")] if default else [url]


def _with_other_ports(request: Request) -> list[Request]:
    return [request.replace(url=url) for url in ports(request.url)]


def _netloc(parts: SplitResult, netloc: str) -> str:
    return urlunsplit(parts._replace(netloc=netloc))


def _with_hash(url: str, body: bytes) -> str:
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}bodySHA256={hashlib.sha256(body).hexdigest()}"


def box_spellings(request: Request) -> list[Request]:
    """The body as it is, and with everything beyond ASCII escaped, which is the same JSON: Box signs this one
    and sends that. Its library also doubles backslashes; that is other JSON, and not taken."""
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        return [request]
    escaped = _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text).encode()
    return [request, request.replace(body=escaped)]


_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


ROWS = (
    Provider(
        name="adyen",
        title="Adyen payments",
        scheme=AdyenItems(),
        events=Shape(
            id=Joined((Path("pspReference"), Path("eventCode"), Path("success")), ":"),
            type=Path("eventCode"),
            occurred_at=Occurred("eventDate"),
            batch=_ADYEN_BATCH,
        ),
        docs="https://docs.adyen.com/development-resources/webhooks",
        body_is_signed=False,
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=30 * 86400.0,
            id_survives_retry=True,
            success_body="[accepted]",
            source="https://docs.adyen.com/development-resources/webhooks/troubleshoot",
        ),
    ),
    Provider(
        name="twilio",
        title="Twilio",
        scheme=WithAndWithoutPort(
            Signed(
                algorithm=Hmac("sha1"),
                signature=Header("x-twilio-signature"),
                encoding=BASE64,
                message=(TwilioForm(),),
            )
        ),
        events=Shape(
            id=Joined(
                (
                    AnyOf((Path("MessageSid"), Path("CallSid"), Path("SmsSid"))),
                    AnyOf((Path("MessageStatus"), Path("CallStatus"), Path("SmsStatus"))),
                ),
                ":",
            ),
            type=AnyOf((Path("MessageStatus"), Path("CallStatus"), Path("SmsStatus"))),
            form=True,
        ),
        docs="https://www.twilio.com/docs/usage/webhooks/webhooks-security",
        url_is_signed=True,
        facts=Facts(
            ack_deadline=15.0,
            # Only a connection that fails is tried again, once, within the 15 seconds.
            retry_horizon=0.0,
            retry_schedule=(),
            bad_signature_status=403,
            source="https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides",
            unconfirmed=frozenset({"bad_signature_status"}),
        ),
    ),
)
