"""What all platforms have in common that stop a process once it has answered."""

from __future__ import annotations

from .app import Hookcatch
from .core.errors import ConfigurationError


def check(hooks: Hookcatch) -> None:
    """Check everything. Raises ConfigurationError with what to change."""
    hooks.build(blocking=True)
    if hooks.embedded:
        raise ConfigurationError(
            "a function is stopped once it has answered, and the worker with it: say Hookcatch(..., worker=False), "
            'and run the handlers with `hookcatch worker` elsewhere, or before the answer with ack="handled"'
        )


def start_of(prefix: str) -> str:
    """Where the paths begin, without a slash at its end."""
    return ("/" + prefix.strip("/")).rstrip("/")
