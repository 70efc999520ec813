"""The catalogue of senders: `provider("stripe")` is a frozen row that verifies and signs."""

from __future__ import annotations

from difflib import get_close_matches

from hookcatch.core.errors import ConfigurationError

from . import (
    alternatives,
    bespoke,
    body_base64,
    body_hex,
    body_hex_messages,
    body_prefixed,
    canonical,
    public_keys,
    standard,
    taken_out,
    timestamped,
    timestamped_lists,
    timestamped_messages,
    tokens,
    tokens_hosted,
    url,
)
from .body import hmac as hmac
from .public_keys import jwt as jwt
from .row import Facts as Facts
from .row import Provider as Provider
from .row import Verifier as Verifier
from .tokens import token as token

_ROWS: dict[str, Provider] = {
    row.name: row
    for row in (
        *alternatives.ROWS,
        *bespoke.ROWS,
        *body_base64.ROWS,
        *body_hex.ROWS,
        *body_hex_messages.ROWS,
        *body_prefixed.ROWS,
        *canonical.ROWS,
        *public_keys.ROWS,
        *standard.ROWS,
        *taken_out.ROWS,
        *timestamped.ROWS,
        *timestamped_lists.ROWS,
        *timestamped_messages.ROWS,
        *tokens.ROWS,
        *tokens_hosted.ROWS,
        *url.ROWS,
    )
}


def names() -> tuple[str, ...]:
    """The names of all providers, sorted."""
    return tuple(sorted(_ROWS))


def provider(name: str) -> Provider:
    """The row of a provider. Raises ConfigurationError for an unknown name, with the nearest ones."""
    row = _ROWS.get(name)
    if row is None:
        near = get_close_matches(name.lower().replace("-", "_"), _ROWS, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names())}"
        raise ConfigurationError(f"there is no provider {name!r}: {hint}")
    return row
