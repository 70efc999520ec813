"""Between values and the columns of an inbox in SQL."""

from __future__ import annotations

from typing import Any

from hookcatch.core.model import WAITING, EventState, Lane, NewEvent, Run, StoredEvent
from hookcatch.inbox import rows
from hookcatch.inbox.rules import ENDED, LEASED

from .text import digest, text, untext

EVENT = (
    "seq, source, tenant, event_id, type, state, received_at, format, headers, occurred_at, at, attempt, lost, "
    "replays, duplicates, conflicts, replayed_content, error, lane_key, lane_limit, ordered, blocks, version"
)
"""The columns `stored_event` reads, in its order."""

RUN = "handler, state, attempts, run_at, error, started_at, finished_at"
"""The columns `run` reads, in its order."""

LOST, STATE, AT = 12, 5, 10
"""Where these stand in EVENT."""
LANE = 23
"""Where the lane stands that is asked for next to EVENT."""


def key_of(event: NewEvent | StoredEvent) -> str:
    """What dedupe compares: of one length for ids of any, so that an index takes it."""
    return digest(event.source, event.tenant, event.id)


def new_event(event: NewEvent) -> tuple[Any, ...]:
    """The columns of an event that is accepted, but for those that say how it starts."""
    return (
        key_of(event),
        text(event.source),
        text(event.tenant),
        text(event.id),
        text(event.type),
        event.received_at,
        event.occurred_at,
        event.body_hash.hex(),
        None if event.content_key is None else event.content_key.hex(),
        event.format,
        rows.headers(event.headers),
        event.body,
        lane_digest(event),
        *rows.lane_columns(event.lane, text),
        event.version,
    )


def lane_digest(event: NewEvent | StoredEvent) -> str | None:
    """What the lane of an event is found by."""
    return None if event.lane is None else digest(event.source, event.tenant, event.lane.key)


def lane(row: tuple[Any, ...]) -> Lane | None:
    """The lane that a row of EVENT columns tells of."""
    return rows.lane((None, *row), untext)


def stored_event(row: tuple[Any, ...], body: Any = None) -> StoredEvent:
    """A row of EVENT columns; what `at` means the state says."""
    state, at = row[STATE], row[AT]
    run_at = at if state in WAITING else None
    finished_at = at if state in ENDED else None
    columns = (*row[:AT], run_at, *row[AT + 1 : 17], finished_at, *row[17:LANE])
    return rows.stored_event(columns, None if body is None else bytes(body), untext)


def lease_until(state: EventState, at: float) -> float | None:
    """Until when an event is leased, if it is."""
    return at if state in LEASED else None


def run(row: tuple[Any, ...]) -> Run:
    """A row of RUN columns."""
    return rows.run(row, untext)


def run_row(seq: int, run: Run) -> tuple[Any, ...]:
    """The columns of a run, with what it is found by."""
    return (seq, digest(run.handler), *rows.run_row(run, text))
