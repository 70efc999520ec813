"""One event in memory, and what can be said of it alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType

from hookcatch.core.model import Duplicate, EventState, NewEvent, Run, StoredEvent
from hookcatch.core.ports import Query
from hookcatch.core.wire import Response

from . import rules


@dataclass(slots=True)
class Row:
    """An event and all that happened to it."""

    seq: int
    first: NewEvent
    state: EventState = "pending"
    body: bytes | None = None
    run_at: float | None = None
    token: str | None = None
    lease_until: float | None = None
    leased_at: float | None = None
    attempt: int = 0
    lost: int = 0
    replays: int = 0
    duplicates: int = 0
    conflicts: int = 0
    replayed_content: bool = False
    behind: bool = False  # others of its lane stand in its way: it is looked at again when one leaves
    finished_at: float | None = None
    error: str = ""
    reply: Response | None = None
    runs: dict[str, Run] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.first.source, self.first.tenant, self.first.id)

    def holds(self, token: str) -> bool:
        return self.token == token and self.state in rules.LEASED

    def known(self) -> rules.Known:
        return rules.Known(
            self.state, self.body is not None, self.lease_until, self.leased_at, self.finished_at
        )

    def stored(self, *, body: bool) -> StoredEvent:
        first = self.first
        return StoredEvent(
            seq=self.seq,
            source=first.source,
            tenant=first.tenant,
            id=first.id,
            type=first.type,
            state=self.state,
            received_at=first.received_at,
            body=self.body if body else None,
            format=first.format,
            headers=first.headers,
            occurred_at=first.occurred_at,
            run_at=self.run_at,
            attempt=self.attempt,
            lost=self.lost,
            replays=self.replays,
            duplicates=self.duplicates,
            conflicts=self.conflicts,
            replayed_content=self.replayed_content,
            finished_at=self.finished_at,
            error=self.error,
            lane=first.lane,
            version=first.version,
        )


def duplicate(row: Row, *, conflict: bool = False, replayed_content: bool = False) -> Duplicate:
    return Duplicate(row.seq, row.state, conflict, replayed_content, row.lease_until, row.reply)


def begin_anew(row: Row) -> None:
    """Forget what earlier attempts came to."""
    row.attempt = row.lost = 0
    row.runs = {}


def forget_body(row: Row) -> None:
    """Leave the tombstone: what dedupe compares."""
    row.body = None
    row.first = replace(row.first, body=b"", headers=MappingProxyType({}))


def finished_before(row: Row, time: float) -> bool:
    return row.finished_at is not None and row.finished_at < time


def ended_before(row: Row, time: float) -> bool:
    given_up = row.state == "handling" and row.lease_until is not None and row.lease_until < time
    return given_up or finished_before(row, time)


def matches(row: Row, query: Query) -> bool:
    first = row.first
    wanted = (
        (query.source, first.source),
        (query.tenant, first.tenant),
        (query.id, first.id),
    )
    return (
        all(want is None or want == has for want, has in wanted)
        and _has_type(first.type, query.type)
        and (not query.states or row.state in query.states)
        and (query.since is None or first.received_at >= query.since)
        and (query.until is None or first.received_at < query.until)
        and (query.before is None or row.seq < query.before)
    )


def _has_type(has: str, wanted: str | None) -> bool:
    if wanted is None:
        return True
    return has.startswith(wanted[:-1]) if wanted.endswith("*") else has == wanted
