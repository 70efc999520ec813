"""Senders of mail."""

from __future__ import annotations

import base64
import json
from importlib import import_module

from hookcatch.core.wire import Request

from .sdk import Author, Sdk, Verifies, text


def sendgrid(request: Request, secret: str) -> object:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
    from sendgrid.helpers.eventwebhook import EventWebhook

    public = load_pem_private_key(secret.encode(), None).public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    theirs = EventWebhook(base64.b64encode(der).decode())
    said = [text(request, f"x-twilio-email-event-webhook-{name}") for name in ("signature", "timestamp")]
    return theirs.verify_signature(request.body.decode(), *said)


def mailgun(request: Request, secret: str) -> object:
    from mailgun.security import SecurityGuard

    said = json.loads(request.body)["signature"]
    return SecurityGuard.verify_webhook(secret, said["token"], said["timestamp"], said["signature"])


def anymail(module: str, view: str, setting: str) -> Verifies:
    """The view of django-anymail that takes this sender's webhooks: its checks alone. `setting` is what the secret is
    called there."""

    def verifies(request: Request, secret: str) -> object:
        django_settings()
        from django.test import RequestFactory

        made = RequestFactory().generic(
            request.method,
            request.url.partition("hooks.example.com")[2],
            request.body,
            text(request, "content-type"),
            secure=True,
            headers={name.decode(): value.decode() for name, value in request.headers},
        )
        theirs = getattr(import_module(f"anymail.webhooks.{module}"), view)
        theirs(**{setting: secret}).run_validators(made)
        return True

    return verifies


def django_settings() -> None:
    """Django asks for some before it does anything."""
    from django.conf import settings

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="none of the tests needs one")


def by_anymail(row: str, module: str, view: str, setting: str, tamper: bytes = b"12") -> Sdk:
    verifies = anymail(module, view, setting)
    return Sdk(row=row, package="django-anymail", author=Author.THIRD_PARTY, verifies=verifies, tamper=tamper)


SDKS = (
    Sdk(row="mailgun", package="mailgun", verifies=mailgun, tamper=b""),
    Sdk(row="sendgrid", package="sendgrid", verifies=sendgrid),
    by_anymail("mandrill", "mandrill", "MandrillCombinedWebhookView", "webhook_key"),
    by_anymail("postmark", "postmark", "PostmarkTrackingWebhookView", "webhook_secret", tamper=b""),
    by_anymail("sparkpost", "sparkpost", "SparkPostTrackingWebhookView", "webhook_secret", tamper=b""),
)
