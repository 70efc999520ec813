"""What of a verified request its sender vouches for."""

from __future__ import annotations

from hookcatch.core.model import Delivery
from hookcatch.core.wire import Request
from hookcatch.providers import names, provider
from hookcatch.signing.schemes import Token

from .senders import NOW, event, secret, signed

PROVEN = [name for name in names() if name != "unsigned"]
HONEST = {name: signed(name) for name in PROVEN}
VERIFIERS = {name: provider(name).bind([secret(name, 0), secret(name, 1)]) for name in PROVEN}
PROOFS = {
    name: [pair for pair in HONEST[name].headers if pair not in event(provider(name)).headers]
    for name in PROVEN
}
"""The headers that signing added."""


def vouched(name: str, request: Request, delivery: Delivery) -> tuple[object, ...]:
    """Whatever differs in this was forged: the time, the body and the ids where they are signed, the token."""
    row = provider(name)
    token = isinstance(row.scheme, Token)
    return (
        delivery.signed_at,
        request.body if row.body_is_signed else None,
        [event.id for event in delivery.events] if row.id_is_signed else None,
        [(request.header(where) or b"").rpartition(b" ")[2] for where, _ in PROOFS[name]] if token else None,
    )


TRUE = {name: vouched(name, HONEST[name], VERIFIERS[name].verify(HONEST[name], NOW)) for name in PROVEN}


def is_forged(name: str, request: Request, delivery: Delivery) -> bool:
    """Whether a request that passed says something else than the honest one."""
    return vouched(name, request, delivery) != TRUE[name]
