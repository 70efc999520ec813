"""System checks: what would keep webhooks from being received, said before the first one comes."""

from __future__ import annotations

from typing import Any


def check_all(app_configs: Any = None, **_: Any) -> list[Any]:
    """Everything at once."""
    return []
