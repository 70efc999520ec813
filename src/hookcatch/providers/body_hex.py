"""Senders that sign the body, in hexadecimal."""

from __future__ import annotations

from .body import hmac

ROWS = (hmac(),)
