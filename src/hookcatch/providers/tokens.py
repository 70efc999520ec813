"""Senders that send the secret itself along, or nothing at all."""

from __future__ import annotations

from hookcatch.signing import keys
from hookcatch.signing.places import BasicCredentials, Header
from hookcatch.signing.schemes import Token, Unsigned

from .row import Facts, Provider
from .shapes import OtherKey, Path, Shape

EVENTS = Shape(id=Path("id"), type=Path("type"))


def token(
    *,
    header: str = "authorization",
    prefix: str = "Bearer ",
    events: Shape = EVENTS,
    name: str = "token",
) -> Provider:
    """A sender of your own that sends a secret token in a header."""
    return Provider(
        name=name,
        title="Token in a header",
        scheme=Token(Header(header.lower(), prefix=prefix)),
        events=events,
        docs="https://www.rfc-editor.org/rfc/rfc6750",
        id_is_signed=False,
        body_is_signed=False,
    )


ROWS = (
    token(),
    Provider(
        name="basic_auth",
        title="HTTP Basic",
        scheme=Token(BasicCredentials(), key=keys.UserPassword()),
        events=EVENTS,
        docs="https://www.rfc-editor.org/rfc/rfc7617",
        id_is_signed=False,
        body_is_signed=False,
    ),
    Provider(
        name="telegram",
        title="Telegram Bot API",
        scheme=Token(Header("x-telegram-bot-api-secret-token")),
        events=Shape(id=Path("update_id", number=True), type=OtherKey(frozenset({"update_id"}))),
        docs="https://core.telegram.org/bots/api#setwebhook",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            id_survives_retry=True,
            source="https://core.telegram.org/bots/api#getting-updates",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="unsigned",
        title="No signature",
        scheme=Unsigned(),
        events=EVENTS,
        id_is_signed=False,
        body_is_signed=False,
    ),
)
