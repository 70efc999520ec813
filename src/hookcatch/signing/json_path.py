"""Dotted paths into JSON: reading a value, planting one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.parse import parse_json


@cache
def steps(path: str) -> tuple[str, ...]:
    """A dotted path's steps. Paths stand in rows and in configuration, so there are few."""
    return tuple(path.split("."))


def dig(value: Any, path: Sequence[str]) -> Any:
    """What is at the end of a path of keys and list positions; None if it breaks off."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step[:9]) < len(value):
            value = value[int(step[:9])]
        else:
            return None
    return value


def text_of(value: Any) -> bytes | None:
    """A JSON text or whole number as bytes; None for anything else."""
    if isinstance(value, str):
        return value.encode()
    return str(value).encode() if isinstance(value, int) and not isinstance(value, bool) else None


def planted(body: bytes, path: str, value: Any) -> bytes:
    """A JSON body with `value` put at a dotted path, written compactly. For signing only."""
    try:
        payload = parse_json(body or b"{}")
    except Rejected as error:
        raise ConfigurationError(f"cannot sign: {path} belongs in a JSON body ({error.detail})") from None
    *above, last = path.split(".")
    inside = payload
    for step in above:
        inside = inside.setdefault(step, {}) if isinstance(inside, dict) else None
    if not isinstance(inside, dict):
        raise ConfigurationError(f"cannot sign: there is no object for {path} in the body")
    inside[last] = value
    return compact(payload)


def compact(value: Any) -> bytes:
    """JSON without spaces, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
