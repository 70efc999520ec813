"""A connection on which hints of other processes are heard, and how one is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

CHANNEL = "hookcatch"
NOTIFY = f"SELECT pg_notify('{CHANNEL}', %s)"


class Ear(Protocol):
    """A connection that listens. Each method raises whatever the library raises for a server that is gone."""

    def fileno(self) -> int:
        """The socket on which hints arrive."""
        ...

    def listen(self) -> bool:
        """Ask for hints; False, having asked for nothing, where a pooler stands between, which would give them to
        anybody."""
        ...

    def heard(self) -> Sequence[str]:
        """What has arrived: who said it. Does not wait."""
        ...

    def prove(self) -> None:
        """Go to the server and back."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class PsycopgEar:
    """A connection of psycopg 3, in autocommit, that listens.

    Args:
        connection: `psycopg.Connection`; typed loosely, for this room imports no driver.
        let_go: closes whatever the connection is part of.
    """

    def __init__(self, connection: Any, let_go: Callable[[], object]) -> None:
        self._connection = connection
        self._let_go = let_go

    def fileno(self) -> int:
        """See `Ear.fileno`."""
        return int(self._connection.fileno())

    def listen(self) -> bool:
        """See `Ear.listen`. Poolers call the backend by a number of their own, for it is not always the same."""
        (backend,) = self._connection.execute("SELECT pg_backend_pid()").fetchone()
        if backend != self._connection.info.backend_pid:
            return False
        self._connection.execute(f"LISTEN {CHANNEL}")
        return True

    def heard(self) -> list[str]:
        """See `Ear.heard`."""
        return [notify.payload for notify in self._connection.notifies(timeout=0)]

    def prove(self) -> None:
        """See `Ear.prove`."""
        self._connection.execute("SELECT 1")

    def close(self) -> None:
        """See `Ear.close`. The connection itself goes first: a pool of Django's would hand it on, listening."""
        self._connection.close()
        self._let_go()
