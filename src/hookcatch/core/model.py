"""The values of the flow, in the order in which they come to be; all frozen.

Times are seconds since the epoch (float) inside, and aware `datetime` in UTC where a handler sees them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar

from .wire import Response

T = TypeVar("T")

Format = Literal["json", "form", "form-json", "xml", "bytes"]
"""How a stored body is read back into a payload; `form-json` is a form whose field `payload` holds JSON."""

EventState = Literal[
    "pending",  # waits for a worker, now or at run_at
    "running",  # a worker holds the lease
    "relayed",  # an engine has it (relay), and is trusted with it until run_at
    "handling",  # the receiver holds the lease and has not answered yet (ack="handled")
    "failed",  # answered 5xx: the sender will bring it again (ack="handled")
    "succeeded",
    "ignored",  # no handler wanted it
    "invalid",  # parked: the payload breaks its schema
    "dead",  # parked: attempts spent, or the worker was lost too often, or a handler said so
    "discarded",  # given up on purpose
]
PARKED: frozenset[EventState] = frozenset({"invalid", "dead"})
TERMINAL: frozenset[EventState] = PARKED.union({"succeeded", "ignored", "discarded"})

WAITING: frozenset[EventState] = frozenset({"pending", "relayed"})
"""States that a worker ends at run_at, if nothing else did before."""

IN_WORK: frozenset[EventState] = frozenset({"running", "relayed", "handling"})
"""States that take a place in a lane. (A source's cap does not count `handling`: that is the receiver's.)"""

MAX_LOST = 3
"""A worker that dies with an event in hand may have been killed by it: after so many deaths it is parked."""

RunState = Literal["retry", "succeeded", "filtered", "invalid", "dead", "discarded"]


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """One event of a verified delivery, before anything of ours is known about it.

    `payload` is the parsed body (a batch's item); `body` and `format` are what is kept of it.
    `id` is a pure function of what was received. `occurred_at` is the sender's own word, if it gives one.
    """

    id: str
    type: str
    payload: Any
    body: bytes = field(repr=False)
    format: Format = "json"
    occurred_at: float | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request, verified.

    `key` is the position of the secret that verified it in the configured list; `signed_at` the
    sender's timestamp where the scheme signs one; `id_is_signed` says whether the signature covers
    the event id. `repeats` says that the sender says something new with the same words, so that nothing it
    sends is a duplicate. `ack` is the text of the answer, where the sender wants one made for this delivery.
    """

    provider: str
    events: tuple[IncomingEvent, ...]
    key: int | None = None
    signed_at: float | None = None
    id_is_signed: bool = True
    repeats: bool = False
    ack: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Lane:
    """Events of one source and tenant that share a key, and so a limit.

    Attributes:
        key: what the payload says at `order_by` or `concurrency_key`.
        limit: at most so many of the lane are in work at once, on all machines; an ordered lane has one.
        ordered: each only after all earlier ones (by `seq`) have ended.
        blocks: a parked one (dead, invalid) holds up those after it; else it is skipped.
    """

    key: str
    limit: int = 1
    ordered: bool = True
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How an event stands in its lane: `version` is the highest one that has succeeded, None if none has or the
    event is in no lane; `newer` says that a later event (by `seq`) is pending."""

    version: float | None = None
    newer: bool = False


@dataclass(frozen=True, slots=True)
class NewEvent:
    """The row that `Inbox.accept` writes.

    `(source, tenant, id)` is the event key. `body_hash` is the SHA-256 of `body`; `content_key` is the same
    hash where the id is not signed, so that a copy of the content under another id is noticed. It is due at
    `due_at`, without one at `received_at`; a claim does not wait for either. `version` is the sender's own count
    of the entity that the event is about.
    """

    source: str
    tenant: str
    id: str
    type: str
    received_at: float
    body: bytes = field(repr=False)
    body_hash: bytes = field(repr=False)
    format: Format = "json"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    occurred_at: float | None = None
    content_key: bytes | None = None
    lane: Lane | None = None
    due_at: float | None = None
    version: float | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of the inbox, as it is read back. `seq` counts commits; `body` is None once retention took it."""

    seq: int
    source: str
    tenant: str
    id: str
    type: str
    state: EventState
    received_at: float
    body: bytes | None = field(repr=False)
    format: Format
    headers: Mapping[str, str]
    occurred_at: float | None = None
    run_at: float | None = None
    attempt: int = 0
    lost: int = 0
    replays: int = 0
    duplicates: int = 0
    conflicts: int = 0
    replayed_content: bool = False
    finished_at: float | None = None
    error: str = ""
    lane: Lane | None = None
    version: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One handler's work on one event, as of its last attempt. `run_at` is set while it waits for a retry."""

    handler: str
    state: RunState
    attempts: int
    run_at: float | None = None
    error: str = ""
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one event until `until`, fenced by `token`.

    `event.attempt` counts this claim already. `runs` holds what earlier attempts came to, by handler.
    """

    token: str
    until: float
    event: StoredEvent
    runs: Mapping[str, Run] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_last_chance(self) -> bool:
        """Whether the event is parked if this worker is lost as well."""
        return self.event.lost >= MAX_LOST - 1


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease to be taken in the statement that accepts the event.

    `rescue=True` leaves the event to the workers if the lease runs out (`ack="deadline"`);
    `rescue=False` leaves it to the sender's next try (`ack="handled"`).
    """

    token: str
    until: float
    rescue: bool


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What `accept` does with an event it already knows. `revive_before`: a dead event that ended before
    this time starts a fresh series of attempts; None leaves it dead. `refuse_replayed_content`: an event
    whose signed content came before under another, unsigned id is not kept."""

    revive_before: float | None = None
    refuse_replayed_content: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """The event is kept: committed, and fsynced where the store promises it. `lease` is set if one was
    claimed. `revived` and `replayed_content` say that it is not quite new."""

    seq: int
    lease: Lease | None = None
    revived: bool = False
    replayed_content: bool = False


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The event key was known. `conflict` says that the body differs from the first one's; `reply` is the
    stored answer of a reply handler; `lease_until` is set while another has it in work."""

    seq: int
    state: EventState
    conflict: bool = False
    replayed_content: bool = False
    lease_until: float | None = None
    reply: Response | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """How an event leaves its lease: the state it is in from now on."""

    state: EventState
    run_at: float | None = None
    error: str = ""
    reply: Response | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to. `run_at` is set for a retry; `value` is what the handler returned."""

    state: RunState
    error: str = ""
    run_at: float | None = None
    value: Any = None


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """What a handler gets.

    Attributes:
        id: the sender's id of the event; a content hash (`sha256:...`) where the sender gives none.
        type: what happened, in the sender's words: `order.created`.
        source: the name of the configured source.
        provider: the name of its provider row.
        tenant: whose secret verified it; `""` where a source has one tenant.
        data: the business data, validated as `T`.
        payload: the whole parsed payload: dict, list, str or bytes.
        raw: the bytes it was parsed from.
        headers: the kept headers, names in lower case. Credentials and signatures are never kept.
        received_at: when it was accepted, in UTC.
        occurred_at: when it happened, by the sender's word, in UTC; None where the sender does not say.
        attempt: the number of this attempt of this handler, from 1; a replay starts a new series.
        is_replay: True once a person or a program asked for the event to run again.
        idempotency_key: a UUID, the same for every attempt of this handler on this event: hand it to
            the APIs you call.
        is_stale: True if an event of the same `order_by` has succeeded whose `version` is newer than this one's:
            what this one tells is not the last word.
    """

    id: str
    type: str
    source: str
    provider: str
    tenant: str
    data: T
    payload: Any
    raw: bytes = field(repr=False)
    headers: Mapping[str, str]
    received_at: datetime
    occurred_at: datetime | None
    attempt: int
    is_replay: bool
    idempotency_key: str
    is_stale: bool = False
