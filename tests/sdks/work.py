"""Senders that people work with: code, files, customers, identities."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from hookcatch.core.wire import Request
from hookcatch.providers import provider
from support.senders import event

from .sdk import Author, Sdk, Signs, Verifies, head, text


def github(header: str) -> Verifies:
    def verifies(request: Request, secret: str) -> object:
        from gidgethub.sansio import validate_event

        validate_event(request.body, signature=text(request, header), secret=secret)
        return True

    return verifies


def hubspot(version: str, header: str) -> Verifies:
    def verifies(request: Request, secret: str) -> object:
        from hubspot.utils.signature import Signature

        return Signature.is_valid(
            signature=text(request, header),
            client_secret=secret,
            request_body=request.body.decode(),
            http_uri=request.url,
            http_method=request.method,
            signature_version=version,
            timestamp=head(request).get("x-hubspot-request-timestamp"),
        )

    return verifies


def hubspot_signs(version: str, header: str) -> Signs:
    def signs(request: Request, secret: str, now: float) -> Request:
        from hubspot.utils.signature import Signature

        stamp = str(int(now * 1000))
        made = Signature.get_signature(
            secret, request.body.decode(), version, request.url, request.method, stamp
        )
        return request.with_header("x-hubspot-request-timestamp", stamp).with_header(header, made)

    return signs


def by_hubspot(version: str, header: str = "x-hubspot-signature") -> Sdk:
    return Sdk(
        row=f"hubspot_{version}",
        package="hubspot-api-client",
        verifies=hubspot(version, header),
        signs=hubspot_signs(version, header),
    )


def workos(request: Request, secret: str) -> object:
    from workos.webhooks._verification import verify_header

    verify_header(event_body=request.body, event_signature=text(request, "workos-signature"), secret=secret)
    return True


def dropbox_sign(request: Request, secret: str) -> object:
    from dropbox_sign import EventCallbackHelper
    from dropbox_sign.models import EventCallbackRequest

    field = json.loads(request.body.split(b"\r\n\r\n")[1].split(b"\r\n--")[0])
    return EventCallbackHelper.is_valid(secret, EventCallbackRequest.init(field))


def dropbox_sign_event() -> Request:
    return provider("dropbox_sign").events.write(
        event(provider("dropbox_sign")), "evt_1", "signature_request_sent", {"amount": "12"}
    )


def box_headers(request: Request) -> dict[str, str]:
    """With the two that say what the signature is, which Box always sends and does not sign."""
    return {**head(request), "box-signature-version": "1", "box-signature-algorithm": "HmacSHA256"}


def box(request: Request, secret: str) -> object:
    from box_sdk_gen.managers.webhooks import WebhooksManager

    return WebhooksManager.validate_message(request.body.decode(), box_headers(request), secret)


def box_signs(request: Request, secret: str, now: float) -> Request:
    from datetime import UTC, datetime

    from box_sdk_gen.internal.utils import compute_webhook_signature

    when = datetime.fromtimestamp(int(now), UTC).isoformat()
    stamped = request.with_header("box-delivery-timestamp", when)
    made = compute_webhook_signature(request.body.decode(), box_headers(stamped), secret)
    return stamped.with_header("box-signature-primary", made)


def airtable_event() -> Request:
    """Their code encodes the body as ASCII, which Airtable's notifications are."""
    body = {"base": {"id": "app12"}, "webhook": {"id": "ach1"}, "timestamp": "2026-01-02T03:04:05.000Z"}
    return event(provider("airtable")).replace(body=json.dumps(body).encode())


def airtable(request: Request, secret: str) -> object:
    from pyairtable.models import WebhookNotification

    header = text(request, "x-airtable-content-mac")
    return WebhookNotification.from_request(request.body.decode(), header, secret)


def atlassian(request: Request, secret: str) -> object:
    import atlassian_jwt

    class Addon(atlassian_jwt.Authenticator):  # type: ignore[misc]
        def get_shared_secret(self, client_key: str) -> str:
            return secret

    parts = urlsplit(request.url)
    return Addon().authenticate(
        request.method, f"{parts.path}?{parts.query}", {"Authorization": text(request, "authorization")}
    )


def atlassian_signs(request: Request, secret: str, now: float) -> Request:
    import atlassian_jwt

    parts = urlsplit(request.url)
    token = atlassian_jwt.encode_token(request.method, f"{parts.path}?{parts.query}", "client", secret)
    return request.with_header("authorization", f"JWT {token}")


def cloudinary(algorithm: str) -> Verifies:
    def verifies(request: Request, secret: str) -> object:
        import cloudinary
        from cloudinary.utils import verify_notification_signature

        cloudinary.config(api_secret=secret)
        said = [text(request, f"x-cld-{name}") for name in ("timestamp", "signature")]
        return verify_notification_signature(request.body.decode(), *said, algorithm=algorithm)

    return verifies


def onfido(request: Request, secret: str) -> object:
    from onfido import WebhookEventVerifier

    return WebhookEventVerifier(secret).read_payload(request.body.decode(), text(request, "x-sha2-signature"))


def onfido_event() -> Request:
    payload = {
        "resource_type": "check",
        "action": "check.completed",
        "object": {"id": "12", "href": "https://a.example"},
    }
    return event(provider("onfido")).replace(body=json.dumps({"payload": payload}).encode())


def hook0(request: Request, secret: str) -> object:
    from hook0.signature import verify_webhook_signature

    signature = text(request, "x-hook0-signature")
    return verify_webhook_signature(signature, request.body, head(request), secret, 300)


SDKS = (
    Sdk(
        row="airtable",
        package="pyairtable",
        author=Author.THIRD_PARTY,
        verifies=airtable,
        event=airtable_event,
    ),
    Sdk(
        row="atlassian_connect",
        package="atlassian-jwt",
        verifies=atlassian,
        signs=atlassian_signs,
        unlike="it wants the key of the client as the issuer, and our secret is the shared secret alone",
        tamper=b"",
    ),
    Sdk(row="box", package="box-sdk-gen", verifies=box, signs=box_signs),
    Sdk(row="cloudinary", package="cloudinary", verifies=cloudinary("sha1")),
    Sdk(row="cloudinary_sha256", package="cloudinary", verifies=cloudinary("sha256")),
    Sdk(
        row="dropbox_sign",
        package="dropbox-sign",
        verifies=dropbox_sign,
        event=dropbox_sign_event,
        tamper=b"",
    ),
    Sdk(
        row="github",
        package="gidgethub",
        author=Author.THIRD_PARTY,
        verifies=github("x-hub-signature-256"),
    ),
    Sdk(
        row="github_sha1",
        package="gidgethub",
        author=Author.THIRD_PARTY,
        verifies=github("x-hub-signature"),
    ),
    Sdk(row="hook0", package="hook0-client", verifies=hook0),
    by_hubspot("v1"),
    by_hubspot("v2"),
    by_hubspot("v3", "x-hubspot-signature-v3"),
    Sdk(row="onfido", package="onfido-python", verifies=onfido, event=onfido_event),
    Sdk(row="workos", package="workos", verifies=workos),
)
