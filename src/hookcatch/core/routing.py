"""Which handlers want an event: dict look-ups of the type and of its prefixes, never a pattern match.

The cost does not depend on how many handlers there are, and no text from a request is ever a pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .errors import ConfigurationError
from .handler import Handler


class _Key(NamedTuple):
    source: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Routes:
    """The handlers, by what they want; made by `build`. Order is the order of registration."""

    handlers: tuple[Handler, ...] = ()
    fallbacks: tuple[Handler, ...] = ()
    _exact: Mapping[_Key, tuple[int, ...]] = field(default_factory=dict, repr=False)
    _prefix: Mapping[_Key, tuple[int, ...]] = field(default_factory=dict, repr=False)
    _lengths: tuple[int, ...] = ()

    def find(self, source: str, type_: str) -> tuple[Handler, ...]:
        """Every handler of an event, in order of registration; the fallbacks if there is none."""
        hits: set[int] = set()
        for scope in (source, None):
            hits.update(self._exact.get(_Key(scope, type_), ()))
            for length in self._lengths:
                hits.update(self._prefix.get(_Key(scope, type_[:length]), ()))
        if hits:
            return tuple(self.handlers[position] for position in sorted(hits))
        return tuple(handler for handler in self.fallbacks if handler.source in (source, None))

    def of_source(self, source: str) -> tuple[Handler, ...]:
        """Every handler that an event of this source could reach."""
        return tuple(one for one in self.handlers + self.fallbacks if one.source in (source, None))


def build(handlers: Sequence[Handler], fallbacks: Sequence[Handler] = ()) -> Routes:
    """Index handlers.

    Raises:
        ConfigurationError: for two handlers of one name, or a `*` that is not at the end.
    """
    _refuse_twins([*handlers, *fallbacks])
    exact: dict[_Key, list[int]] = {}
    prefix: dict[_Key, list[int]] = {}
    for position, handler in enumerate(handlers):
        for pattern in handler.types:
            _check_pattern(pattern, handler)
            table, text = (prefix, pattern[:-1]) if pattern.endswith("*") else (exact, pattern)
            table.setdefault(_Key(handler.source, text), []).append(position)
    return Routes(
        handlers=tuple(handlers),
        fallbacks=tuple(fallbacks),
        _exact={key: tuple(found) for key, found in exact.items()},
        _prefix={key: tuple(found) for key, found in prefix.items()},
        _lengths=tuple(sorted({len(key.text) for key in prefix})),
    )


def _check_pattern(pattern: str, handler: Handler) -> None:
    if not pattern or "*" in pattern[:-1]:
        raise ConfigurationError(
            f"handler {handler.name}: {pattern!r} is no event type; write it out, or end it in * for a prefix"
        )


def _refuse_twins(handlers: Iterable[Handler]) -> None:
    seen: dict[str, Handler] = {}
    for handler in handlers:
        first = seen.setdefault(handler.name, handler)
        if first is not handler:
            raise ConfigurationError(
                f"two handlers are named {handler.name!r}; the name tells their runs apart: give one of them "
                "another with name=..., or hand all event types to one on([...])"
            )
