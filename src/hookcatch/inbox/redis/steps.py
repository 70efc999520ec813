"""What the inbox asks of Redis: for each method of the port the script, its words, and what the answer means."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from hookcatch.core.errors import LeaseLost
from hookcatch.core.model import (
    Accepted,
    Claim,
    Close,
    Duplicate,
    Duplicates,
    EventState,
    Lease,
    NewEvent,
    Run,
    Standing,
    StoredEvent,
)
from hookcatch.core.ports import Query, Retention
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Response
from hookcatch.inbox import rules
from hookcatch.inbox.rows import reply, unreply
from hookcatch.inbox.rules import ENDED
from hookcatch.inbox.shared.text import digest

from . import rows
from .link import Step
from .rows import Word, text

LOOK = 200
"""Events that a step of `find` looks at, at least: a millisecond or two of the server."""

Answers = tuple[Accepted | Duplicate, ...]


def accept(
    events: Sequence[NewEvent],
    given: Sequence[Sequence[Word]],
    claim: Claim | None,
    duplicates: Duplicates,
    here: Callable[[Answers], Answers],
) -> Step[Answers]:
    """Keep events; `given` are they as `rows.new_event` writes them."""
    claimed: list[Word] = ["", "", ""]
    if claim is not None:
        claimed = [rules.claimed_state(claim), claim.token, float(claim.until)]
    policy = [rows.moment(duplicates.revive_before), int(duplicates.refuse_replayed_content)]

    def read(answers: Sequence[Sequence[Any]]) -> Answers:
        return here(
            tuple([_accepted(event, claim, answer) for event, answer in zip(events, answers, strict=True)])
        )

    return Step("accept", [*claimed, *policy, *chain.from_iterable(given)], read, lasts=True)


def _accepted(event: NewEvent, claim: Claim | None, answer: Sequence[Any]) -> Accepted | Duplicate:
    if answer[0] == b"duplicate":
        _, seq, state, conflict, replayed, lease_until, stored = answer
        until, told = rows.unmoment(lease_until), _reply(stored)
        return Duplicate(int(seq), state.decode(), conflict == 1, replayed == 1, until, told)
    kind, seq, revived, replayed, whole = answer
    is_replayed = int(replayed) == 1
    lease = None if whole is None else rows.lease(whole)
    if kind == b"new" and claim is not None:
        lease = rules.fresh_lease(int(seq), event, claim, replayed_content=is_replayed)
    return Accepted(int(seq), lease, revived == 1, is_replayed)


def _reply(stored: bytes) -> Response | None:
    return unreply(stored.decode() or None)


def lease(
    token: str, limit: int, now: float, until: float, caps: Mapping[str, int], only: str | None
) -> Step[tuple[Lease, ...]]:
    """Take what is due or lost, earliest first."""
    # a worker that leases twice under one token is to be fenced from its own past
    own = f"{token}.{secrets.token_hex(4)}"
    words: list[Word] = [own, limit, float(now), float(until), text(only or "")]
    for source, cap in caps.items():
        words += [text(source), cap]
    return Step("lease", words, lambda answers: tuple(map(rows.lease, answers)))


def standing(seq: int) -> Step[Standing]:
    """How an event stands in its lane."""
    return Step(
        "standing", [rows.id_of(seq)], lambda answer: Standing(rows.unmoment(answer[0]), answer[1] > 0)
    )


def take(key: tuple[str, str, str], of: str, token: str, now: float, until: float) -> Step[Lease | None]:
    """Take what was handed to an engine."""
    words: list[Word] = [digest(*key), of, token, float(now), float(until)]
    return Step("take", words, lambda answer: None if answer is None else rows.lease(answer))


def heartbeat(leases: Sequence[Lease], until: float, now: float) -> Step[tuple[bool, ...]]:
    """Prolong leases."""
    words: list[Word] = [float(until), float(now), *_fences(leases)]
    return Step("heartbeat", words, lambda answer: tuple([one == 1 for one in answer]))


def _fences(leases: Sequence[Lease]) -> list[Word]:
    return list(chain.from_iterable((rows.id_of(lease.event.seq), lease.token) for lease in leases))


def settle(lease: Lease, runs: Sequence[Run], close: Close | None, now: float) -> Step[None]:
    """Record runs, and give the lease back; LeaseLost is an answer, not an error: the batch goes on."""
    closing: list[Word] = ["", "", "", ""]
    if close is not None:
        at = now if close.state in ENDED or close.run_at is None else close.run_at
        closing = [close.state, float(at), text(close.error), reply(close.reply) or ""]
    pairs = chain.from_iterable(map(rows.run_pair, runs))

    def read(answer: int) -> LeaseLost | None:
        return None if answer == 1 else LeaseLost(f"event {lease.event.seq} is in other hands")

    return Step("settle", [*_fences([lease]), *closing, *pairs], read, lasts=True)


def release(leases: Sequence[Lease], now: float) -> Step[None]:
    """Give leases back unused."""
    return Step("release", [float(now), *_fences(leases)], lambda answer: None)


def get(seq: int) -> Step[tuple[StoredEvent, list[Run]] | None]:
    """One event with its body and runs."""
    return Step("get", [rows.id_of(seq)], lambda answer: None if answer is None else _found(answer))


def _found(answer: Sequence[Any]) -> tuple[StoredEvent, list[Run]]:
    event, runs = rows.whole(answer)
    return event, [runs[name] for name in sorted(runs)]


def state_of(seq: int) -> Step[tuple[EventState | None, Response | None]]:
    """Where an event stands, and its stored answer."""

    def read(answer: Sequence[bytes | None]) -> tuple[Any, Response | None]:
        state, stored = answer
        return (None, None) if state is None or stored is None else (state.decode(), _reply(stored))

    return Step("state", [rows.id_of(seq)], read)


def counts() -> Step[dict[tuple[str, EventState], int]]:
    """How many events there are, by source and state."""
    return Step(
        "counts",
        [],
        lambda answer: {(rows.untext(source), state.decode()): number for source, state, number in answer},
    )


def next_due() -> Step[float | None]:
    """When the earliest of what waits for a worker is due, or lost."""
    return Step("due", [], rows.unmoment)


Page = tuple[str, list[StoredEvent]]
"""Below which event to look on, empty at the end, and what was found so far."""


def find(query: Query, below: str, found: int) -> Step[Page]:
    """Events without bodies, newest first: what a look at some of those below one comes to."""
    want = query.limit - found
    kind, type_ = "", query.type or ""
    if query.type is not None:
        kind, type_ = ("begins", query.type[:-1]) if query.type.endswith("*") else ("is", query.type)
    states = f",{','.join(sorted(query.states))}," if query.states else ""
    given = (("source", query.source), ("tenant", query.tenant), ("id", query.id))
    exact: list[Word] = []
    for name, value in given:
        exact += [] if value is None else [name, text(value)]
    since, until = rows.moment(query.since), rows.moment(query.until)
    words: list[Word] = [below, want, max(want, LOOK), since, until, states, kind, text(type_), *exact]
    return Step("find", words, lambda answer: (answer[0].decode(), list(map(rows.stored_event, answer[1]))))


def replay(seqs: Sequence[int], now: float) -> Step[int]:
    """Make ended events with a body due again."""
    return Step("replay", [float(now), *map(rows.id_of, seqs)], int, lasts=True)


def discard(seqs: Sequence[int], now: float, why: str) -> Step[int]:
    """Give events up."""
    return Step("discard", [float(now), text(why), *map(rows.id_of, seqs)], int, lasts=True)


def prune(now: float, retention: Retention) -> Step[int]:
    """Drop rows past the retention of keys, then bodies past that of payloads; at most PRUNE_LIMIT."""
    return Step("prune", [float(now - retention.key), float(now - retention.payload)], int)


def learn(source: str, tenant: str, secret: Secret) -> Step[bool]:
    """Keep a secret, unless one is kept; whether it is the one that is kept now."""
    words: list[Word] = [rows.place(source, tenant), secret.reveal()]
    return Step("learn", words, lambda known: bool(known == secret.reveal()), lasts=True)


def learned(source: str, tenant: str) -> Step[Secret | None]:
    """The secret that is kept."""
    return Step(
        "learned", [rows.place(source, tenant)], lambda known: None if known is None else Secret(known)
    )


def learners() -> Step[list[tuple[str, str]]]:
    """Whose secrets are kept."""
    return Step("learners", [], lambda places: sorted(map(rows.unplace, places)))


def forget(source: str, tenant: str) -> Step[bool]:
    """Drop a secret; whether there was one."""
    return Step("forget", [rows.place(source, tenant)], bool, lasts=True)
