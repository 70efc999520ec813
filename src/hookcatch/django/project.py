"""The project's Hookcatch under a name that the command line takes: `hookcatch.django.project:hooks`."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "hooks":
        from . import hooks

        return hooks()
    raise AttributeError(name)
