"""A database server's client library, as the inbox uses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hookcatch.core.errors import InboxUnavailable

from .dialect import Dialect
from .ear import Ear
from .migrations import Schema

AGAIN: frozenset[object] = frozenset({"40001", "40P01", "55P03", 1205, 1213})
"""Serialization failures, deadlocks and waits for a lock: the next try may not meet them."""

READ_ONLY: frozenset[object] = frozenset({"25006", 1290, 1836})
"""The server was made a standby: another connection may find the new primary."""

OVER: frozenset[object] = frozenset({"25P01", "25P02", "3B001", 1305, "no such savepoint: hookcatch"})
"""There is no transaction, it failed, or the savepoint is not of this one (for which SQLite has words only)."""

REFUSED: frozenset[object] = frozenset(
    {"28000", "28P01", "3D000", 1044, 1045, 1049, 1130, 1142, 1227, 1251, 1698, 2026, 2059}
)
"""A wrong password, no such user or database, not from here, not that way: what waiting does not mend."""

_REFUSED_IN_WORDS = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|does not exist|not permitted|permission denied"
)
"""libpq hands no code over when it cannot connect, only what the server said. In English, that is; in other languages
a server that says no cannot be told from one that is away."""


@dataclass(frozen=True, slots=True)
class Driver:
    """What is the same for all connections of an inbox.

    Attributes:
        place: where the database is, for messages: no password.
        connect: a connection in autocommit, which is told BEGIN and COMMIT in so many words; times out.
        connect_for_effects: one for a handler, who may take his time and is refused COMMIT and ROLLBACK.
        cursor: a cursor that is refused nothing.
        error: the root of the library's errors.
        broken: those after which a connection is not trusted any more.
        code: the server's own code of an error.
        ear: opens a connection that hears hints of other processes; None where nobody gives any.
        can_be_gone: whether a connection can have been lost; where not, what fails at BEGIN waited for a lock.
    """

    place: str
    dialect: Dialect
    schema: Schema
    connect: Callable[[], Any]
    connect_for_effects: Callable[[], Any]
    cursor: Callable[[Any], Any]
    error: type[Exception]
    broken: tuple[type[Exception], ...]
    code: Callable[[Exception], object]
    ear: Callable[[], Ear] | None = None
    can_be_gone: bool = True

    def is_passing(self, error: Exception) -> bool:
        """Whether the server took a transaction back that may succeed when it is tried again."""
        return isinstance(error, self.error) and self.code(error) in AGAIN

    def is_gone(self, error: Exception) -> bool:
        """Whether the connection is of no use any more."""
        return (isinstance(error, self.broken) or self.code(error) in READ_ONLY) and not self.is_passing(
            error
        )

    def is_away(self, error: Exception) -> bool:
        """Whether the server could not be reached, as far as that can be told from its saying no."""
        return (
            self.is_gone(error)
            and self.code(error) not in REFUSED
            and _REFUSED_IN_WORDS.search(str(error)) is None
        )

    def explained(self, error: Exception) -> Exception:
        """The library's errors as InboxUnavailable; any other as it is."""
        if not isinstance(error, self.error):
            return error
        unavailable = InboxUnavailable(f"the inbox cannot be written or read: {str(error).strip()}")
        unavailable.__cause__ = error
        return unavailable
