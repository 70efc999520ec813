"""The scripts by which everything is done: each is one step that nobody comes between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import get_args

from hookcatch.core.model import IN_WORK, PARKED, EventState
from hookcatch.inbox import rules

from .rows import FIELDS, GIVEN, LIVE, MOVING

LANE_LOOK = 16
"""So many of a lane without order are shown to the workers at once: what moves one looks at all of these."""

_STATES: tuple[EventState, ...] = get_args(EventState)


@cache
def scripts() -> Mapping[str, str]:
    """The source of each script, by its name."""
    found = {
        file.name.removesuffix(".lua"): file.read_text("utf-8")
        for file in files("hookcatch.inbox.redis").joinpath("scripts").iterdir()
        if file.name.endswith(".lua")
    }
    common = _facts() + found.pop("common")
    return MappingProxyType({name: f"{common}\n{source}" for name, source in sorted(found.items())})


def _facts() -> str:
    """What the scripts know of the rules, in Lua."""
    lines = [
        *(f"local {name} = {{{_quoted(names)}}}" for name, names in _LISTS.items()),
        *(
            f"local {name} = {{{', '.join(f'{one} = true' for one in sorted(states))}}}"
            for name, states in _SETS.items()
        ),
        f"local max_lost, prune_limit, lane_look = {rules.MAX_LOST}, {rules.PRUNE_LIMIT}, {LANE_LOOK}",
        f"local worker_lost = '{rules.WORKER_LOST}'",
    ]
    return "\n".join([*lines, ""])


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_LISTS: Mapping[str, Iterable[str]] = MappingProxyType(
    {"fields": FIELDS, "given": GIVEN, "live": LIVE, "moving": MOVING, "states": _STATES}
)
_SETS: Mapping[str, frozenset[EventState]] = MappingProxyType(
    {
        "leased": rules.LEASED,
        "in_work": IN_WORK,
        "parked": PARKED,
        "ended": rules.ENDED,
        "kept_long": rules.KEPT_LONG,
        "replayable": rules.REPLAYABLE,
        "discardable": rules.DISCARDABLE,
    }
)
