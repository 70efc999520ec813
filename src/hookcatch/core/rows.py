"""From a verified delivery to the rows that are kept."""

from __future__ import annotations

import hashlib
import re

from .endpoint import Endpoint, Policy
from .model import Delivery, Duplicates, NewEvent
from .wire import Request

REVIVE_AFTER = 60.0
"""Seconds a dead event stays dead, so that a sender's retries do not turn it into an endless loop."""

_CREDENTIAL = re.compile(rb"authorization|cookie|secret|token|signature|password|api-?key|hmac|verif-hash")


def is_credential(name: bytes) -> bool:
    """Whether a header's name, in lower case, says that its value must never be stored (ATTACKS A58)."""
    return _CREDENTIAL.search(name) is not None


def new_events(
    delivery: Delivery, request: Request, endpoint: Endpoint, received_at: float
) -> list[NewEvent]:
    """One row an event."""
    headers = _kept(request, endpoint.policy.keep_headers)
    tenant = endpoint.owner(delivery)
    watch_content = not delivery.id_is_signed and endpoint.policy.on_replayed_content != "accept"
    order = endpoint.policy.order
    rows = []
    for event in delivery.events:
        lane = order.lane(event.payload)
        body_hash = hashlib.sha256(event.body).digest()
        rows.append(
            NewEvent(
                source=endpoint.name,
                tenant=tenant,
                id=f"{event.id}@{received_at}" if delivery.repeats else event.id,
                type=event.type,
                received_at=received_at,
                body=event.body,
                body_hash=body_hash,
                format=event.format,
                headers=headers,
                occurred_at=event.occurred_at,
                content_key=body_hash if watch_content else None,
                lane=lane,
                due_at=order.due_at(lane, received_at),
                version=order.version_of(event.payload),
            )
        )
    return rows


def duplicates(policy: Policy, now: float) -> Duplicates:
    """The policy, in the inbox's words."""
    return Duplicates(
        revive_before=now - REVIVE_AFTER if policy.revive else None,
        refuse_replayed_content=policy.on_replayed_content == "reject",
    )


def _kept(request: Request, names: tuple[bytes, ...]) -> dict[str, str]:
    kept = {}
    for name in names:
        value = request.header(name)
        if value is not None:
            kept[name.decode()] = value.decode("latin-1")
    return kept
