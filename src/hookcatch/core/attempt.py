"""One attempt of one handler: from the stored bytes to an outcome."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .answers import reply_with
from .errors import Discard, Invalid, LeaseLost, Park, Rejected, Retry
from .handler import Handler, matches
from .model import Event, Lease, Outcome, Run
from .parse import parse
from .payload import data_of, validate
from .ports import Ports, Transaction

_NAMESPACE = uuid.UUID("6f0b2f0e-5d0c-5a53-9d5b-0d8d7b6b8f11")
FILTERED = Outcome("filtered")

MAX_ERROR = 4000
"""Characters kept of what went wrong: a payload of a megabyte may be part of a message."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an attempt needs to know besides its handler and its lease."""

    provider: str
    data_path: str
    ports: Ports
    is_stale: bool = False


async def attempt(handler: Handler, lease: Lease, context: Context) -> tuple[Outcome, Run]:
    """Run a handler once. Only LeaseLost, and what ends the whole process, get out.

    The workers that were lost on this event count as attempts of every handler that was waiting then.
    """
    ports = context.ports
    before = lease.runs.get(handler.name)
    number = (before.attempts if before else 0) + lease.event.lost + 1
    started = ports.clock()
    done = Run(handler.name, "succeeded", number, started_at=started, finished_at=started)
    transaction = ports.inbox.transaction(lease, done) if handler.wants_transaction else None
    outcome = await _outcome(handler, lease, context, number, transaction)
    if transaction is not None and transaction.committed:
        # the effect is in the database and so is the mark: whatever came after cannot undo it
        outcome = Outcome("succeeded", outcome.error, value=outcome.value)
    if outcome.state == "retry" and number >= handler.max_attempts:
        outcome = Outcome("dead", f"gave up after {number} attempts: {outcome.error}")
    finished = ports.clock()
    ports.observer.attempted(
        lease=lease, handler=handler.name, outcome=outcome, attempt=number, seconds=finished - started
    )
    return outcome, Run(handler.name, outcome.state, number, outcome.run_at, outcome.error, started, finished)


async def _outcome(
    handler: Handler, lease: Lease, context: Context, number: int, transaction: Transaction | None
) -> Outcome:
    ports = context.ports
    try:
        arguments = _arguments(handler, lease, context, number, transaction)
        if arguments is None:
            return FILTERED
        value = await ports.colour.call(handler.function, handler.timeout, **arguments)
        if handler.reply:
            value = reply_with(value)
    except LeaseLost:
        raise
    except Invalid as why:
        return Outcome("invalid", str(why)[:MAX_ERROR])
    except Discard as why:
        return Outcome("discarded", str(why))
    except Park as why:
        return Outcome("dead", str(why))
    except Exception as error:  # the one place where anything at all may come out of the user's code
        wait = error.after if isinstance(error, Retry) else None
        if wait is None:
            wait = handler.backoff.delay(number, ports.random)
        return Outcome("retry", describe(error), ports.clock() + wait)
    return Outcome("succeeded", value=value)


def describe(error: Exception) -> str:
    """What went wrong and where, without the values of any variable."""
    if isinstance(error, Retry):
        return str(error)
    told = traceback.TracebackException.from_exception(error, lookup_lines=False)
    place = f" ({told.stack[-1].filename}:{told.stack[-1].lineno} in {told.stack[-1].name})"
    # `told` has words even for an error that fails to say what it is
    return f"{type(error).__name__}: {str(told)[:MAX_ERROR]}{place}"


def _arguments(
    handler: Handler, lease: Lease, context: Context, number: int, transaction: Transaction | None
) -> dict[str, Any] | None:
    """The keyword arguments of the handler; None if its condition does not hold."""
    payload = read(lease)
    if isinstance(handler.when, Mapping) and not matches(handler.when, payload):
        return None
    data = data_of(payload, context.data_path)
    if handler.data is not None:
        data = validate(handler.data, data, "")
    event = _event(handler, lease, context, number, payload=payload, data=data)
    if callable(handler.when) and not handler.when(event):
        return None
    arguments: dict[str, Any] = {}
    for slot in handler.slots:
        if slot.kind == "event":
            arguments[slot.name] = event
        elif slot.kind == "transaction":
            arguments[slot.name] = transaction
        elif slot.path is None or slot.wanted is None:
            arguments[slot.name] = event.data
        else:
            arguments[slot.name] = validate(slot.wanted, payload, slot.path)
    return arguments


def read(lease: Lease) -> Any:
    """The payload of a stored event. Raises Invalid if it cannot be had any more."""
    event = lease.event
    if event.body is None:
        raise Invalid("its payload is past retention and gone")
    try:
        return parse(event.body, event.format)
    except Rejected as why:
        raise Invalid(str(why)) from None


def idempotency_key(source: str, tenant: str, id_: str, handler: str) -> str:
    """A UUID for one handler's work on one event; lengths keep `a`+`bc` and `ab`+`c` apart (ATTACKS A25)."""
    return str(uuid.uuid5(_NAMESPACE, "".join(f"{len(x)}:{x}" for x in (source, tenant, id_, handler))))


def _event(
    handler: Handler, lease: Lease, context: Context, number: int, *, payload: Any, data: Any
) -> Event[Any]:
    stored = lease.event
    return Event(
        id=stored.id,
        type=stored.type,
        source=stored.source,
        provider=context.provider,
        tenant=stored.tenant,
        data=data,
        payload=payload,
        raw=stored.body or b"",
        headers=stored.headers,
        received_at=datetime.fromtimestamp(stored.received_at, UTC),
        occurred_at=_moment(stored.occurred_at),
        attempt=number,
        is_replay=stored.replays > 0,
        idempotency_key=idempotency_key(stored.source, stored.tenant, stored.id, handler.name),
        is_stale=context.is_stale,
    )


def _moment(seconds: float | None) -> datetime | None:
    """None also for a time that no calendar has: it is the sender's word, and may be in another unit."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
