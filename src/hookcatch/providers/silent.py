"""Senders that cannot be authenticated by what they send, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_URL = "put a secret into the URL that you give to it, and use secret_in_url"

SILENT: Mapping[str, str] = MappingProxyType(
    {
        "firebase": "Firebase calls nobody: its functions do, so let them sign what they send (hmac, jwt)",
        "kakao": f"Kakao's skill servers are called without a signature: {_URL}",
        "pinterest": "Pinterest has no webhooks that anybody could check: ask its API",
        "wordpress": "WordPress itself signs nothing, its plugins do: WooCommerce is woocommerce, of others see hmac",
    }
)
"""By the name that somebody would look for."""
