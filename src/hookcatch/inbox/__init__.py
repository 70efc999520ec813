"""Inboxes: where events are kept. `open_inbox` finds the one a URL names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.ports import Clock, Inbox

FORMS = "memory:, sqlite:///relative.db or sqlite:////absolute/path.db"


def open_inbox(url: str, *, clock: Clock) -> Inbox:
    """The inbox a URL names; nothing is opened before its `open()`.

    `memory:` keeps events in memory, `sqlite:///shop.db` in a file beside the working directory,
    `sqlite:////var/lib/shop.db` in an absolute one. Options follow as a query: `?busy_timeout=5&disk_floor=0`
    (see `SqliteOptions`; for memory `?keep=1000`).

    Raises:
        ConfigurationError: the URL names no inbox we know, or an option that it does not have.
    """
    scheme, _, _ = url.partition(":")
    make = _MAKERS.get(scheme)
    if make is None:
        raise ConfigurationError(f"no inbox is called {scheme!r}: write {FORMS}")
    return make(url, clock)


def _memory(url: str, clock: Clock) -> Inbox:
    from .memory import MemoryInbox

    keep = _options(url, {"keep": int}).get("keep", 100_000)
    return MemoryInbox(clock=clock, keep=keep)


def _sqlite(url: str, clock: Clock) -> Inbox:
    from .sqlite import SqliteInbox
    from .sqlite_file import SqliteOptions

    parts = urlsplit(url)
    path = unquote(parts.path)[1:]
    if parts.netloc or not url.startswith("sqlite:///") or not path or path.endswith("/"):
        raise ConfigurationError(
            f"{url!r} names no file: write sqlite:///relative.db or sqlite:////absolute/path.db"
        )
    types: dict[str, Callable[[str], Any]] = {
        "busy_timeout": float,
        "disk_floor": int,
        "checkpoint": int,
        "ballast": int,
        "any_file_system": _yes,
    }
    return SqliteInbox(
        path, clock=clock, options=dataclasses.replace(SqliteOptions(), **_options(url, types))
    )


def _options(url: str, types: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name not in types:
            raise ConfigurationError(f"{url!r}: no option is called {name!r}: there are {', '.join(types)}")
        try:
            found[name] = types[name](value)
        except ValueError:
            raise ConfigurationError(f"{url!r}: {name} cannot be {value!r}") from None
    return found


def _yes(value: str) -> bool:
    if value not in {"0", "1"}:
        raise ValueError(value)
    return value == "1"


_MAKERS: dict[str, Callable[[str, Clock], Inbox]] = {"memory": _memory, "sqlite": _sqlite}
