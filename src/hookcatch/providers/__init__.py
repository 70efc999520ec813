"""The catalogue of senders: `provider("stripe")` is a frozen row that verifies and signs."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from hookcatch.core.errors import ConfigurationError

from .row import Facts as Facts
from .row import Provider as Provider
from .row import Verifier as Verifier
from .silent import SILENT

if TYPE_CHECKING:
    from .body import hmac as hmac
    from .http_signatures import rfc9421 as rfc9421
    from .public_keys import jwt as jwt
    from .published import jws as jws
    from .published import oidc as oidc
    from .terminated import mtls as mtls
    from .tokens import token as token

_MAKERS = {
    "hmac": "body",
    "jws": "published",
    "jwt": "public_keys",
    "mtls": "terminated",
    "oidc": "published",
    "rfc9421": "http_signatures",
    "token": "tokens",
}
"""Functions that make a row, and their modules."""


def __getattr__(name: str) -> Callable[..., Provider]:
    """The makers are looked up when they are asked for, as the catalogue is."""
    if name not in _MAKERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made: Callable[..., Provider] = getattr(import_module(f".{_MAKERS[name]}", __name__), name)
    return made


def _rows() -> dict[str, Provider]:
    from .catalogue import BY_NAME

    return BY_NAME


def names() -> tuple[str, ...]:
    """The names of all providers, sorted."""
    return tuple(sorted(_rows()))


def provider(name: str) -> Provider:
    """The row of a provider. Raises ConfigurationError for an unknown name, with the nearest ones."""
    row = _rows().get(name)
    if row is None and name in SILENT:
        raise ConfigurationError(f"there is no provider {name!r}: {SILENT[name]}")
    if row is None:
        near = get_close_matches(name.lower().replace("-", "_"), _rows(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names())}"
        raise ConfigurationError(f"there is no provider {name!r}: {hint}")
    return row
