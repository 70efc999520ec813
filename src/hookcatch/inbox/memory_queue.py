"""Which events in memory are next: what is due, source by source, and who stands in whose way, lane by lane.

The heaps are tidied as they are read: an entry counts while the row still says the same.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from hookcatch.core.model import IN_WORK, PARKED, WAITING, EventState, Lane, Standing

from . import rules
from .memory_row import Row

T = TypeVar("T")

LaneId = tuple[str, str, str]
"""Source, tenant, key."""


@dataclass(slots=True)
class _LaneRows:
    """The events of a lane, by number."""

    members: int = 0
    working: set[int] = field(default_factory=set)
    parked: set[int] = field(default_factory=set)
    earliest: list[int] = field(default_factory=list)  # a heap of what is pending
    latest: list[int] = field(default_factory=list)  # the same, of negative numbers
    behind: list[int] = field(default_factory=list)  # a heap of what is pending and was passed over
    done: list[tuple[float, int]] = field(default_factory=list)  # a heap: negative version, number


class Queue:
    """The order in which rows are taken. It has to be told of every change of a row's state."""

    def __init__(self, rows: Mapping[int, Row]) -> None:
        self._rows = rows
        self._due: dict[tuple[str, EventState], list[tuple[float, int]]] = {}
        self._lanes: dict[LaneId, _LaneRows] = {}
        self._working: dict[str, set[int]] = {}

    def came(self, row: Row) -> None:
        """A new row is there; `moved` is to follow."""
        lane = row.first.lane
        if lane is not None:
            self._lanes.setdefault(_id(row, lane), _LaneRows()).members += 1

    def moved(self, row: Row) -> None:
        """A row has another state."""
        row.behind = False
        self._note_work(row, goes_on=row.state in rules.AT_WORK)
        if row.state in WAITING:
            self.put_back(row)
        lane = self._lane(row)
        if lane is None:
            return
        was_working = row.seq in lane.working
        _note(lane.working, row.seq, belongs=row.state in IN_WORK)
        _note(lane.parked, row.seq, belongs=row.state in PARKED)
        if row.state == "pending":
            heapq.heappush(lane.earliest, row.seq)
            heapq.heappush(lane.latest, -row.seq)
        if row.state == "succeeded" and row.first.version is not None:
            heapq.heappush(lane.done, (-row.first.version, row.seq))
        if row.state in rules.ENDED or was_working:
            self._call_up(lane)

    def forget(self, row: Row) -> None:
        """A row is gone."""
        self._note_work(row, goes_on=False)
        lane = self._lane(row)
        if lane is None or row.first.lane is None:
            return
        lane.members -= 1
        lane.working.discard(row.seq)
        lane.parked.discard(row.seq)
        self._call_up(lane)
        if not lane.members:
            del self._lanes[_id(row, row.first.lane)]

    def put_back(self, row: Row) -> None:
        """A row that `ready` gave was not taken after all."""
        heapq.heappush(self._due.setdefault((row.first.source, row.state), []), (row.run_at or 0.0, row.seq))

    def pass_over(self, row: Row) -> None:
        """Others stand in the way of a row in a lane: look at it again when one of them leaves."""
        row.behind = True
        heapq.heappush(self._lanes[_id(row, cast("Lane", row.first.lane))].behind, row.seq)

    def ready(self, limit: int, now: float, caps: Mapping[str, int], only: str | None) -> Iterator[Row]:
        """Up to `limit` rows that are due and may be taken, earliest first."""
        room = {source: cap - len(self._working.get(source, ())) for source, cap in caps.items()}
        places: Counter[int] = Counter()
        while limit:
            row = self._pop(now, room, only)
            if row is None:
                return
            lane = self._lane(row) if row.state == "pending" else None
            if lane is not None and self._is_stopped(row, lane, places[id(lane)]):
                self.pass_over(row)
                continue
            if row.state == "pending" and row.first.source in room:
                room[row.first.source] -= 1
            places[id(lane)] += 1
            limit -= 1
            yield row

    def next_due(self) -> float | None:
        """When the next one is due."""
        heads = [head[0] for key in self._due if (head := self._head(key)) is not None]
        return min(heads, default=None)

    def standing(self, row: Row) -> Standing:
        """How a row stands in its lane."""
        lane = self._lane(row)
        if lane is None:
            return Standing()
        best = _top(lane.done, lambda entry: self._is(entry[1], "succeeded"))
        last = _top(lane.latest, lambda seq: self._is(-seq, "pending"))
        return Standing(None if best is None else -best[0], last is not None and -last > row.seq)

    def _pop(self, now: float, room: Mapping[str, int], only: str | None) -> Row | None:
        """The earliest row that is due, of those whose source has room; what is relayed has its place already."""
        heads = [
            (head, key)
            for key in self._due
            if only in (None, key[0]) and (key[1] == "relayed" or room.get(key[0], 1) > 0)
            if (head := self._head(key)) is not None and head[0] <= now
        ]
        if not heads:
            return None
        head, key = min(heads)
        due = self._due[key]
        while due and due[0] == head:  # also what is left over from before it was discarded and replayed
            heapq.heappop(due)
        return self._rows[head[1]]

    def _head(self, key: tuple[str, EventState]) -> tuple[float, int] | None:
        def counts(entry: tuple[float, int]) -> bool:
            row = self._rows.get(entry[1])
            return row is not None and row.state == key[1] and row.run_at == entry[0] and not row.behind

        return _top(self._due[key], counts)

    def _is_stopped(self, row: Row, lane: _LaneRows, places: int) -> bool:
        """Whether others of its lane stand in its way, `places` of them since a moment ago."""
        rule = row.first.lane
        in_work = len(lane.working) + places
        if rule is None or not rule.ordered:
            return rule is not None and in_work >= rule.limit
        first = _top(lane.earliest, lambda seq: self._is(seq, "pending"))
        is_blocked = rule.blocks and any(seq < row.seq for seq in lane.parked)
        return in_work > 0 or is_blocked or (first is not None and first < row.seq)

    def _call_up(self, lane: _LaneRows) -> None:
        """Something has left a lane: have a look again at those that were passed over, as far as there is room."""
        called = 0
        while (
            seq := _top(lane.behind, lambda seq: self._is(seq, "pending") and self._rows[seq].behind)
        ) is not None:
            row = self._rows[seq]
            if row.first.lane is None or called >= max(1, row.first.lane.limit - len(lane.working)):
                return
            heapq.heappop(lane.behind)
            row.behind = False
            self.put_back(row)
            called += 1

    def _note_work(self, row: Row, *, goes_on: bool) -> None:
        _note(self._working.setdefault(row.first.source, set()), row.seq, belongs=goes_on)

    def _lane(self, row: Row) -> _LaneRows | None:
        lane = row.first.lane
        return None if lane is None else self._lanes[_id(row, lane)]

    def _is(self, seq: int, state: EventState) -> bool:
        row = self._rows.get(seq)
        return row is not None and row.state == state


def _id(row: Row, lane: Lane) -> LaneId:
    return (row.first.source, row.first.tenant, lane.key)


def _note(numbers: set[int], seq: int, *, belongs: bool) -> None:
    if belongs:
        numbers.add(seq)
    else:
        numbers.discard(seq)


def _top(heap: list[T], counts: Callable[[T], bool]) -> T | None:
    """The first entry that counts; those before it go."""
    while heap and not counts(heap[0]):
        heapq.heappop(heap)  # type: ignore[type-var]
    return heap[0] if heap else None
