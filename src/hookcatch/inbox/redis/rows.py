"""Between values and what Redis keeps: bytes, each field by its name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hookcatch.core.model import (
    WAITING,
    Lane,
    Lease,
    NewEvent,
    Run,
    StoredEvent,
)
from hookcatch.inbox import rows, rules
from hookcatch.inbox.shared.text import digest

Word = bytes | str | int | float
"""What a command is made of."""

GIVEN = (
    "key", "source", "tenant", "id", "type", "received_at", "occurred_at", "body_hash", "content", "format",
    "lane", "lane_key", "lane_limit", "ordered", "blocks", "version",
)  # fmt: skip
"""The fields that an event comes with."""

LIVE = (
    "seq", "state", "at", "token", "leased_at", "attempt", "lost", "replays", "duplicates", "conflicts", "replayed",
    "error", "reply",
)  # fmt: skip
"""The fields that its life changes; what `at` means the state says. Absent values are empty."""

FIELDS = (*LIVE, *GIVEN)

MOVING = (*LIVE, "source", "lane", "version")
"""What has to be known to bring it into another state."""


def text(value: str) -> bytes:
    """Text as it is kept; JSON may hold lone surrogates."""
    return value.encode("utf-8", "surrogatepass")


def untext(value: bytes) -> str:
    """And back."""
    return value.decode("utf-8", "surrogatepass")


def id_of(seq: int) -> str:
    """How an event is called: of one length, so that the order of texts is that of numbers."""
    return f"{seq:016d}"


def moment(value: float | None) -> Word:
    """A time that may be absent."""
    return "" if value is None else float(value)


def unmoment(value: bytes) -> float | None:
    """And back."""
    return float(value) if value else None


def new_event(event: NewEvent) -> list[Word]:
    """What the script `accept` takes of an event."""
    content = None if event.content_key is None else event.content_key.hex()
    return [
        digest(event.source, event.tenant, event.id),
        text(event.source),
        text(event.tenant),
        text(event.id),
        text(event.type),
        float(event.received_at),
        moment(event.occurred_at),
        event.body_hash,
        "" if content is None else digest(event.source, event.tenant, content),
        event.format,
        *_lane(event),
        moment(event.version),
        float(rules.due_at(event)),
        event.body,
        rows.headers(event.headers),
    ]


def _lane(event: NewEvent) -> list[Word]:
    lane = event.lane
    if lane is None:
        return ["", "", "", "", ""]
    place = digest(event.source, event.tenant, lane.key)
    return [place, text(lane.key), lane.limit, int(lane.ordered), int(lane.blocks)]


def stored_event(row: Sequence[Any], body: bytes | None = None) -> StoredEvent:
    """The FIELDS of an event and its headers, as the scripts answer them."""
    *values, headers = row
    kept: dict[str, bytes] = dict(zip(FIELDS, values, strict=True))
    state: Any = kept["state"].decode()
    format_: Any = kept["format"].decode()
    at = float(kept["at"])
    return StoredEvent(
        seq=int(kept["seq"]),
        source=untext(kept["source"]),
        tenant=untext(kept["tenant"]),
        id=untext(kept["id"]),
        type=untext(kept["type"]),
        state=state,
        received_at=float(kept["received_at"]),
        body=body,
        format=format_,
        headers=rows.NO_HEADERS if headers in (None, b"{}") else MappingProxyType(json.loads(headers)),
        occurred_at=unmoment(kept["occurred_at"]),
        run_at=at if state in WAITING else None,
        attempt=int(kept["attempt"]),
        lost=int(kept["lost"]),
        replays=int(kept["replays"]),
        duplicates=int(kept["duplicates"]),
        conflicts=int(kept["conflicts"]),
        replayed_content=kept["replayed"] == b"1",
        finished_at=at if state in rules.ENDED else None,
        error=untext(kept["error"]),
        lane=_unlane(kept),
        version=unmoment(kept["version"]),
    )


def _unlane(kept: Mapping[str, bytes]) -> Lane | None:
    if not kept["lane"]:
        return None
    return Lane(
        untext(kept["lane_key"]), int(kept["lane_limit"]), kept["ordered"] == b"1", kept["blocks"] == b"1"
    )


def whole(answer: Sequence[Any]) -> tuple[StoredEvent, Mapping[str, Run]]:
    """An event with its body and its runs."""
    row, body, pairs = answer
    runs = [run(handler, facts) for handler, facts in zip(pairs[::2], pairs[1::2], strict=True)]
    return stored_event(row, body), MappingProxyType({one.handler: one for one in runs})


def lease(answer: Sequence[Any]) -> Lease:
    """An event in whose fields stands under which token it is leased, and until when."""
    event, runs = whole(answer)
    return Lease(answer[0][FIELDS.index("token")].decode(), float(answer[0][FIELDS.index("at")]), event, runs)


def run(handler: bytes, facts: bytes) -> Run:
    """A field of an event's runs."""
    state, attempts, run_at, error, started_at, finished_at = json.loads(facts.partition(b" ")[2])
    return Run(untext(handler), state, attempts, run_at, error, started_at, finished_at)


def run_pair(run: Run) -> list[Word]:
    """And back: the state stands in front, for the scripts to see."""
    facts = [run.state, run.attempts, run.run_at, run.error, run.started_at, run.finished_at]
    return [text(run.handler), f"{run.state} {json.dumps(facts)}"]


def place(source: str, tenant: str) -> str:
    """Where a learned secret is kept."""
    return json.dumps([source, tenant])


def unplace(value: bytes) -> tuple[str, str]:
    """And back."""
    source, tenant = json.loads(value)
    return source, tenant
