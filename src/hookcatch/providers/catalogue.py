"""Every row there is, by name. Loaded when the first one is asked for: it is long, and an import should be short."""

from __future__ import annotations

from . import (
    alternatives,
    bespoke,
    body_base64,
    body_hex,
    body_hex_messages,
    body_prefixed,
    canonical,
    configured,
    feeds,
    http_signatures,
    older,
    public_keys,
    published,
    published_tokens,
    sealed,
    standard,
    standard_users,
    taken_out,
    terminated,
    timestamped,
    timestamped_lists,
    timestamped_messages,
    timestamped_pairs,
    tokens,
    tokens_hosted,
    url,
)
from .row import Provider

BY_NAME: dict[str, Provider] = {
    row.name: row
    for row in (
        *alternatives.ROWS,
        *bespoke.ROWS,
        *body_base64.ROWS,
        *body_hex.ROWS,
        *body_hex_messages.ROWS,
        *body_prefixed.ROWS,
        *canonical.ROWS,
        *configured.ROWS,
        *feeds.ROWS,
        *http_signatures.ROWS,
        *older.ROWS,
        *public_keys.ROWS,
        *published.ROWS,
        *published_tokens.ROWS,
        *sealed.ROWS,
        *standard.ROWS,
        *standard_users.ROWS,
        *taken_out.ROWS,
        *terminated.ROWS,
        *timestamped.ROWS,
        *timestamped_lists.ROWS,
        *timestamped_messages.ROWS,
        *timestamped_pairs.ROWS,
        *tokens.ROWS,
        *tokens_hosted.ROWS,
        *url.ROWS,
    )
}
