"""The keys that senders publish: fetched once, safely, and kept for a while."""

from __future__ import annotations

from concurrent.futures import Future

from .core.errors import KeysUnavailable
from .core.keyring import KeyRef


class Published:
    """The keys that are known, and what fetches them: `Keys` and `KeyFetcher` in one."""

    def get(self, ref: KeyRef) -> bytes | None:
        """The key; None if it has to be fetched."""
        return None

    def fetch(self, ref: KeyRef) -> Future[None]:
        """Make the key known."""
        answer: Future[None] = Future()
        answer.set_exception(KeysUnavailable(f"nothing is fetched from {ref.url} yet"))
        return answer

    def visit(self, url: str) -> None:
        """Call a URL, soon."""
