"""What six libraries say of a request, at a time that stands still."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import parse_qs

import gidgethub
import gidgethub.sansio
import standardwebhooks.webhooks
import stripe
import stripe._webhook
import svix.webhooks
from slack_sdk.signature import Clock, SignatureVerifier
from twilio.request_validator import RequestValidator

from hookcatch.core.wire import Request
from support.senders import NOW


class Verdict(NamedTuple):
    """Whether it is accepted; if not, why, and whether that was an error of another kind than they announce."""

    accepted: bool
    why: str = ""
    raw: bool = False


class _Standing(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.fromtimestamp(NOW, tz)


class _Clock(Clock):
    def now(self) -> float:
        return NOW


@contextmanager
def standing() -> Iterator[None]:
    """Their clocks stand at `NOW`."""
    stripe._webhook.time = SimpleNamespace(time=lambda: NOW)
    standardwebhooks.webhooks.datetime = _Standing
    try:
        yield
    finally:
        stripe._webhook.time = time
        standardwebhooks.webhooks.datetime = datetime


def text(request: Request, name: str) -> str | None:
    """A header as a web framework hands it over: what came twice is joined by a comma."""
    found = [value for header, value in request.headers if header.lower() == name.encode()]
    return b",".join(found).decode("utf-8", "surrogateescape") if found else None


def _headers(request: Request, *names: str) -> dict[str, str]:
    found = {name: text(request, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


class _Form(dict[str, list[str]]):
    """As Django's QueryDict and Flask's MultiDict."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def _stripe(request: Request, secret: str) -> bool:
    return stripe.WebhookSignature.verify_header(
        request.body, text(request, "stripe-signature"), secret, tolerance=300
    )


def _standard(request: Request, secret: str) -> bool:
    headers = _headers(request, "webhook-id", "webhook-timestamp", "webhook-signature")
    standardwebhooks.webhooks.Webhook(secret).verify(request.body, headers, json_parse=False)
    return True


def _svix(request: Request, secret: str) -> bool:
    parts = ("id", "timestamp", "signature")
    headers = _headers(request, *(f"{head}-{part}" for head in ("svix", "webhook") for part in parts))
    svix.webhooks.Webhook(secret).verify(request.body, headers)
    return True


def _slack(request: Request, secret: str) -> bool:
    headers = _headers(request, "x-slack-signature", "x-slack-request-timestamp")
    return SignatureVerifier(secret, _Clock()).is_valid_request(request.body, headers)


def _github(request: Request, secret: str) -> bool:
    signature = text(request, "x-hub-signature-256") or ""
    gidgethub.sansio.validate_event(request.body, signature=signature, secret=secret)
    return True


def _twilio(request: Request, secret: str) -> bool:
    params: _Form | str = request.body.decode("utf-8", "replace")
    kind = (text(request, "content-type") or "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        params = _Form(parse_qs(params, keep_blank_values=True))
    signature = text(request, "x-twilio-signature") or ""
    return RequestValidator(secret).validate(request.url, params, signature)


LIBRARIES: dict[str, Callable[[Request, str], bool]] = {
    "github": _github,
    "slack": _slack,
    "standard_webhooks": _standard,
    "stripe": _stripe,
    "svix": _svix,
    "twilio": _twilio,
}
"""By the row that does the same."""

_ANNOUNCED = (
    stripe.SignatureVerificationError,
    standardwebhooks.webhooks.EmptyWebhookSecretError,
    standardwebhooks.webhooks.WebhookVerificationError,
    gidgethub.ValidationFailure,
)


def theirs(name: str, request: Request, secret: str) -> Verdict:
    """What the library says; whatever it raises is a refusal."""
    try:
        return Verdict(LIBRARIES[name](request, secret), "compared")
    except _ANNOUNCED as refusal:
        return Verdict(False, type(refusal).__name__)
    except Exception as error:
        kind = type(error)
        where = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        return Verdict(False, where + kind.__qualname__, raw=True)
