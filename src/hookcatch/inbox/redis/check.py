"""What a Redis has to be for an event that it took not to be lost: looked at on every new connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import redis

Ask = Callable[..., Any]
"""Says a command to the server and answers what it says."""

_WAITS_SINCE = (7, 2)
"""The first Redis with WAITAOF; Valkey began at 7.2."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the look.

    Attributes:
        is_replica: nothing can be written there.
        why_not: what is wrong and what to set, one by one; empty if what it took survives.
        waits: that holds only of what WAITAOF has confirmed.
    """

    is_replica: bool
    why_not: tuple[str, ...]
    waits: bool


def look(ask: Ask) -> Verdict:
    """Ask a server for its settings. Raises redis.RedisError if it does not even tell what it is."""
    info = _info(ask("INFO"))
    settings = _settings(ask, info)
    is_synced = settings.get("appendfsync") == "always" and settings.get("no-appendfsync-on-rewrite") == "no"
    can_wait = _version(info) >= _WAITS_SINCE and settings.get("appendfsync") != "no"
    why_not = tuple(_complaints(settings, is_synced or can_wait))
    return Verdict(info.get("role") != "master", why_not, can_wait and not is_synced)


def _complaints(settings: Mapping[str, str], is_synced: bool) -> Iterator[str]:
    if settings.get("appendonly") != "yes":
        yield f"appendonly is {_said(settings, 'appendonly')} (set it to yes)"
    elif not is_synced:
        yield (
            f"appendfsync is {_said(settings, 'appendfsync')} and no-appendfsync-on-rewrite is "
            f"{_said(settings, 'no-appendfsync-on-rewrite')} (set them to always and no; everysec is enough from "
            "Redis 7.2 on)"
        )
    if settings.get("maxmemory-policy") != "noeviction":
        yield f"maxmemory-policy is {_said(settings, 'maxmemory-policy')} (set it to noeviction)"


def _said(settings: Mapping[str, str], name: str) -> str:
    return settings.get(name, "not told")


def _settings(ask: Ask, info: Mapping[str, str]) -> dict[str, str]:
    """By CONFIG; where that is forbidden, what INFO tells."""
    names = ("appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy")
    try:
        answers = [ask("CONFIG", "GET", name) for name in names]
    except redis.ResponseError:
        told = {"aof_enabled": "appendonly", "maxmemory_policy": "maxmemory-policy"}
        words = {"1": "yes", "0": "no"}
        return {ours: words.get(info[name], info[name]) for name, ours in told.items() if name in info}
    return {name: answer[1].decode() for name, answer in zip(names, answers, strict=True) if answer}


def _info(text: bytes) -> dict[str, str]:
    lines = text.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _version(info: Mapping[str, str]) -> tuple[int, ...]:
    parts = info.get("redis_version", "0").split(".")[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)
