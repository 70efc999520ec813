"""The sender's own book: what was sent, what was answered, what was promised; and whether it came true."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hookcatch.core.model import Run, StoredEvent

Key = tuple[str, str]
"""Source and event id."""

IN_TRANSACTION = frozenset({"order.created", "charge.succeeded"})


@dataclass(frozen=True)
class Answer:
    """The answer to one request: the first that came, after `tries` without one."""

    key: Key
    status: int
    ms: float
    tries: int = 0


@dataclass
class Case:
    """A kind of request, and what it has to come to: `status`; and an event in `state`, after `attempts` if those
    are certain; no `state` if nothing may be kept. `effects`: its handler leaves a trace outside of hookcatch."""

    name: str
    status: set[int]
    state: str = ""
    attempts: int | None = None
    effects: bool = True
    answers: list[Answer] = field(default_factory=list)

    @property
    def keys(self) -> set[Key]:
        """Its events."""
        return {answer.key for answer in self.answers}


@dataclass(frozen=True)
class Found:
    """What the receiver has at the end."""

    events: dict[Key, tuple[StoredEvent, Sequence[Run]]]
    booked: Counter[str]
    noted: Counter[str]

    def effects(self, key: Key) -> int:
        """How often an event's handler had its effect."""
        return self.booked[key[1]] + self.noted[key[1]]


def effects(place: Path) -> tuple[Counter[str], Counter[str]]:
    """The handlers' traces, by event id: rows written in the transaction, and lines written to a file."""
    database = sqlite3.connect(place / "inbox.db")
    booked = Counter(row[0] for row in database.execute("SELECT event FROM orders"))
    database.close()
    noted = Counter(line.split()[1] for line in (place / "effects.log").read_text().splitlines())
    return booked, noted


def complaints(case: Case, found: Found) -> list[str]:
    """What did not come out as promised; empty if all did."""
    wrong = [
        f"{answer.key} was answered {answer.status}"
        for answer in case.answers
        if answer.status not in case.status
    ]
    for key in sorted(case.keys):
        wrong += _became(key, case, found) if case.state else _not_kept(key, found)
    return [f"{case.name}: {what}" for what in wrong] or _empty(case)


def _became(key: Key, case: Case, found: Found) -> list[str]:
    if key not in found.events:
        return [f"{key} was acknowledged and is lost"]
    event, runs = found.events[key]
    wrong = []
    if event.state != case.state:
        wrong.append(f"{key} became {event.state}, not {case.state}: {event.error}")
    if case.attempts is not None and [run.attempts for run in runs] != [case.attempts] * bool(case.attempts):
        wrong.append(f"{key} took {[run.attempts for run in runs]} attempts, not {case.attempts}")
    times = found.effects(key)
    if event.type in IN_TRANSACTION and times != int(case.effects):
        wrong.append(f"{key} had its effect {times} times, in a transaction")
    elif bool(times) != case.effects:
        wrong.append(f"{key} had its effect {times} times")
    return wrong


def _not_kept(key: Key, found: Found) -> list[str]:
    return [f"{key} got in"] * (key in found.events) + [f"{key} had an effect"] * bool(found.effects(key))


def _empty(case: Case) -> list[str]:
    return [] if case.answers else [f"{case.name}: nothing was sent"]


def strangers(cases: Sequence[Case], found: Found) -> list[str]:
    """Events and effects that nobody sent."""
    sent = {key for case in cases if case.state for key in case.keys}
    ids = {key[1] for key in sent}
    traces = set(found.booked) | set(found.noted)
    return [f"{key} was never sent" for key in sorted(set(found.events) - sent)] + [
        f"an effect of {one}, which was never sent" for one in sorted(traces - ids)
    ]


def repeated(found: Found) -> int:
    """How many effects outside a transaction happened again, as they may after a crash."""
    return sum(times - 1 for times in found.noted.values())
