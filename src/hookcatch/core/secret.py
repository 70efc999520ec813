"""Secrets that do not show themselves."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """A secret's bytes. It prints as `Secret(***)` and refuses to be pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves; the only way to them."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "Secret(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled: hand over where it is kept, not the secret")
