"""Handshakes: requests that ask the endpoint to prove itself. They are answered, never kept as events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .model import Delivery
from .secret import Secret
from .wire import Request, Response


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a handshake gets.

    Attributes:
        name: the sender's own word for this handshake, for the log: `url_verification`.
        response: the exact answer.
        learned: the secret that the sender handed over in it, to be kept for this endpoint (Asana, Notion).
        visit: a URL of the sender's that has to be called to agree (Amazon SNS), checked by the row: https, and a
            host of the sender's own.
    """

    name: str
    response: Response
    learned: Secret | None = None
    visit: str = ""


class Greeter(Protocol):
    """A provider row's handshakes, with the source's secrets: pure, and raises only Rejected."""

    @property
    def methods(self) -> frozenset[str]:
        """The HTTP methods in which a handshake may come."""
        ...

    def before(self, request: Request, now: float) -> Greeting | None:
        """The answer to a handshake that carries no signature; None for everything else."""
        ...

    def after(self, request: Request, delivery: Delivery) -> Greeting | None:
        """The answer to a verified delivery that is a handshake; None for events."""
        ...


Visit = Callable[[str], None]
"""Calls a URL, soon, away from the request's path."""
