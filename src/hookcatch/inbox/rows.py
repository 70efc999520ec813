"""Between values and the columns of the SQLite inbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hookcatch.core.model import EventState, Lane, NewEvent, Run, StoredEvent
from hookcatch.core.wire import Response

from .rules import KEPT_LONG
from .shared.text import digest

EVENT = (
    "e.seq, e.source, e.tenant, e.id, e.type, e.state, e.received_at, e.format, e.headers, e.occurred_at, "
    "e.run_at, e.attempt, e.lost, e.replays, e.duplicates, e.conflicts, e.replayed_content, e.finished_at, e.error, "
    "e.lane_key, e.lane_limit, e.ordered, e.blocks, e.version"
)
"""The columns `stored_event` reads, in its order."""

RUN = "handler, state, attempts, run_at, error, started_at, finished_at"
"""The columns `run` reads, in its order."""

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def text(value: str) -> str | bytes:
    """Text as SQLite takes it: a lone surrogate, which JSON may hold, is not UTF-8 and goes in as a blob.
    A blob is never equal to a text, so no two ids meet that way."""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
    return value


def untext(value: str | bytes) -> str:
    """And back."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def headers(values: Mapping[str, str]) -> str:
    """Kept headers as JSON text, ASCII only."""
    return json.dumps(dict(values)) if values else "{}"


def new_event(event: NewEvent) -> tuple[Any, ...]:
    """The columns of an event that is accepted, but for those that say how it starts."""
    return (
        text(event.source),
        text(event.tenant),
        text(event.id),
        text(event.type),
        event.received_at,
        event.occurred_at,
        event.body_hash,
        event.content_key,
        event.format,
        headers(event.headers),
        None if event.lane is None else lane_digest(event.source, event.tenant, event.lane),
        *lane_columns(event.lane),
        event.version,
    )


def lane_digest(source: str, tenant: str, lane: Lane) -> bytes:
    """What a lane is found by: of one length for keys of any."""
    return bytes.fromhex(digest(source, tenant, lane.key))


def lane_columns(lane: Lane | None, write: Callable[[str], Any] = text) -> tuple[Any, ...]:
    """lane_key, lane_limit, ordered, blocks"""
    return (
        (None, 0, False, False) if lane is None else (write(lane.key), lane.limit, lane.ordered, lane.blocks)
    )


def stored_event(
    row: tuple[Any, ...], body: bytes | None = None, read: Callable[[Any], str] = untext
) -> StoredEvent:
    """A row of `EVENT` columns; `read` makes text of how the store keeps it."""
    return StoredEvent(
        seq=row[0],
        source=read(row[1]),
        tenant=read(row[2]),
        id=read(row[3]),
        type=read(row[4]),
        state=row[5],
        received_at=row[6],
        body=body,
        format=row[7],
        headers=NO_HEADERS if row[8] == "{}" else MappingProxyType(json.loads(row[8])),
        occurred_at=row[9],
        run_at=row[10],
        attempt=row[11],
        lost=row[12],
        replays=row[13],
        duplicates=row[14],
        conflicts=row[15],
        replayed_content=bool(row[16]),
        finished_at=row[17],
        error=read(row[18]),
        lane=lane(row, read),
        version=row[23],
    )


def lane(row: Sequence[Any], read: Callable[[Any], str] = untext) -> Lane | None:
    """The lane that a row of `EVENT` columns tells of."""
    return None if row[19] is None else Lane(read(row[19]), row[20], bool(row[21]), bool(row[22]))


def run(row: tuple[Any, ...], read: Callable[[Any], str] = untext) -> Run:
    """A row of `RUN` columns."""
    return Run(read(row[0]), row[1], row[2], row[3], read(row[4]), row[5], row[6])


def run_row(run: Run, write: Callable[[str], Any] = text) -> tuple[Any, ...]:
    """The `RUN` columns of a run; `write` makes of text what the store keeps."""
    return (
        write(run.handler),
        run.state,
        run.attempts,
        run.run_at,
        write(run.error),
        run.started_at,
        run.finished_at,
    )


def reply(response: Response | None) -> str | None:
    """A stored answer as JSON text: status, body, headers."""
    if response is None:
        return None
    pairs = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in response.headers]
    return json.dumps([response.status, response.body.decode("latin-1"), pairs])


def unreply(value: str | None) -> Response | None:
    """And back."""
    if value is None:
        return None
    status, body, pairs = json.loads(value)
    raw = tuple((name.encode("latin-1"), content.encode("latin-1")) for name, content in pairs)
    return Response(status, body.encode("latin-1"), raw)


def kept(state: EventState) -> int:
    """How long an ended event's body stays, see the column."""
    return 2 if state in KEPT_LONG else 1
