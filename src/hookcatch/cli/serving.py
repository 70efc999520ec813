"""The server of `hookcatch run`: uvicorn, on a socket of our own."""

from __future__ import annotations

import signal
import socket
from types import FrameType
from typing import TYPE_CHECKING

import click
import uvicorn

from hookcatch.core.errors import ConfigurationError

from .leave import STOP_SIGNALS, ignore, killed, leave_now

if TYPE_CHECKING:
    from hookcatch.app import Hookcatch

BACKLOG = 2048
CLOSING = 10
"""Seconds for requests under way when the server is told to stop."""


class _Server(uvicorn.Server):
    """A server that a second signal ends at once."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            leave_now(killed(sig))
        super().handle_exit(sig, frame)


def serve(hooks: Hookcatch, host: str, port: int) -> None:
    """Serve until a signal. Raises ConfigurationError before the first request for whatever is wrong."""
    hooks.build()
    hooks.inbox()
    with listen(host, port) as listener:
        announce(hooks, listener)
        config = uvicorn.Config(
            hooks,
            interface="asgi3",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=CLOSING,
        )
        # uvicorn raises the signal again once all is closed, for whoever was there before it: nobody.
        for one in STOP_SIGNALS:
            signal.signal(one, ignore)
        _Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigurationError if there can be none at that address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as why:
        reason = str(why.strerror or why).partition(" (")[0]  # socket repeats the address there
        raise ConfigurationError(f"cannot listen at {host} port {port}: {reason}") from None


def announce(hooks: Hookcatch, listener: socket.socket) -> None:
    """Print where each source is served."""
    host, port, *_ = listener.getsockname()
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    for name, source in hooks.sources.items():
        click.echo(f"{name} ({source.provider.title}): {base}{source.endpoint.path}")
    if not hooks.sources:
        click.echo(f"{base}: no source is configured, so every request is answered with 404")
