"""Standard Webhooks and Svix, and the senders that follow them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from hookcatch.core.wire import Request

from .sdk import Author, Sdk, Signs, Verifies, head, text


def whsec(secret: str) -> str | bytes:
    """What the libraries take: a prefixed text is Base64 to them, bytes are the key."""
    prefixed = secret.removeprefix("v1,")
    return prefixed if prefixed.startswith("whsec_") else secret.encode()


def standard(request: Request, secret: str) -> object:
    from standardwebhooks.webhooks import Webhook

    return Webhook(whsec(secret)).verify(request.body.decode(), head(request))


def svix(request: Request, secret: str) -> object:
    from svix.webhooks import Webhook

    Webhook(whsec(secret)).verify(request.body.decode(), head(request))
    return True


def signer(module: str, prefix: str) -> Signs:
    def signs(request: Request, secret: str, now: float) -> Request:
        from importlib import import_module

        request = request.with_header(f"{prefix}-id", "evt_1")
        when = datetime.fromtimestamp(int(now), UTC)
        made = import_module(module).Webhook(whsec(secret)).sign("evt_1", when, request.body.decode())
        return request.with_header(f"{prefix}-timestamp", str(int(now))).with_header(
            f"{prefix}-signature", made
        )

    return signs


BY_STANDARD, BY_SVIX = signer("standardwebhooks.webhooks", "webhook"), signer("svix.webhooks", "svix")


def openai(request: Request, secret: str) -> object:
    from openai import OpenAI

    OpenAI(api_key="none").webhooks.verify_signature(request.body, head(request), secret=secret)
    return True


def anthropic(request: Request, secret: str) -> object:
    from anthropic import Anthropic

    client = Anthropic(api_key="none")
    return client.beta.webhooks.unwrap(request.body.decode(), headers=head(request), key=secret)


def resend(request: Request, secret: str) -> object:
    from resend import Webhooks

    names = {"id": "svix-id", "timestamp": "svix-timestamp", "signature": "svix-signature"}
    headers = {name: text(request, header) for name, header in names.items()}
    Webhooks.verify({"payload": request.body.decode(), "headers": headers, "webhook_secret": secret})
    return True


def replicate(request: Request, secret: str) -> object:
    from replicate.webhook import Webhooks, WebhookSigningSecret

    key = WebhookSigningSecret(key=secret)
    Webhooks.validate(headers=head(request), body=request.body.decode(), secret=key, tolerance=300)
    return True


def polar(request: Request, secret: str) -> object:
    from polar.webhooks import validate_event

    known = frozenset({"order.created"})
    return validate_event(request.body, head(request), secret, known, lambda payload: payload)


def follows(row: str, verifies: Verifies, signs: Callable[..., Request]) -> Sdk:
    package = "svix" if verifies is svix else "standardwebhooks"
    return Sdk(row=row, package=package, author=Author.STANDARD, verifies=verifies, signs=signs)


SDKS = (
    follows("standard_webhooks", standard, BY_STANDARD),
    follows("bigcommerce", standard, BY_STANDARD),
    follows("gitlab", standard, BY_STANDARD),
    follows("supabase", standard, BY_STANDARD),
    Sdk(row="svix", package="svix", verifies=svix, signs=BY_SVIX),
    follows("clerk", svix, BY_SVIX),
    Sdk(row="anthropic", package="anthropic", verifies=anthropic),
    Sdk(row="openai", package="openai", verifies=openai),
    Sdk(row="polar", package="polar-sdk", verifies=polar),
    Sdk(row="replicate", package="replicate", verifies=replicate),
    Sdk(row="resend", package="resend", verifies=resend),
)
