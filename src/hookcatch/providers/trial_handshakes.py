"""Requests by which a person tries an endpoint, where they come without the signature that everything else has."""

from __future__ import annotations

from hookcatch.core.greeting import Greeting

from .handshakes import Asked, Handshake, empty, head, small_json


def bitbucket_ping(asked: Asked) -> Greeting | None:
    """The button `Test connection` sends it without a signature, whether there is a secret or not.
    https://github.com/runatlantis/atlantis events_controller.go"""
    if head(asked, b"x-event-key") != "diagnostics:ping" or small_json(asked, b'"test"') != {"test": True}:
        return None
    return empty("diagnostics:ping")


BITBUCKET_PING = Handshake("diagnostics:ping", bitbucket_ping)
