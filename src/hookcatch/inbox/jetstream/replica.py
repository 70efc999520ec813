"""A process's own copy of the inbox: the memory inbox, told of every call in the order of the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any

from hookcatch.core.ports import Retention
from hookcatch.inbox import rules
from hookcatch.inbox.memory import MemoryInbox
from hookcatch.inbox.memory_row import Row, ended_before, finished_before

from .codec import Call, pack, place, unpack

log: logging.Logger = logging.getLogger("hookcatch.inbox")

WRITES: Mapping[str, Callable[..., Future[Any]]] = MappingProxyType(
    {
        "accept": MemoryInbox.accept,
        "lease": MemoryInbox.lease,
        "take": MemoryInbox.take,
        "heartbeat": MemoryInbox.heartbeat,
        "settle": MemoryInbox.settle,
        "release": MemoryInbox.release,
        "learn": MemoryInbox.learn,
        "forget": MemoryInbox.forget,
        "replay": MemoryInbox.replay,
        "discard": MemoryInbox.discard,
        "prune": MemoryInbox.prune,
    }
)
"""The calls that stand in the log."""


class Replica(MemoryInbox):
    """The inbox as of a position of the log.

    What a call comes to depends on nothing but the calls before it, so that all copies are the same. Bodies stay in
    the log: what stands for one here is where it is (`codec.place`).
    """

    def __init__(self) -> None:
        super().__init__(clock=lambda: self._now, keep=sys.maxsize)
        self._now = 0.0

    def apply(self, call: Call) -> Any:
        """What a call comes to; an error is returned."""
        self._now = call.now
        try:
            return WRITES[call.name](self, **call.arguments).result()
        except (
            Exception
        ) as error:  # of a lost lease, or of a caller's nonsense: it has come to the same in all
            return error

    def is_due(self, now: float) -> bool:
        """Whether a lease may find something."""
        with self._lock:
            due = self.next_due()
            return (due is not None and due <= now) or bool(self._lost(now))

    def is_prunable(self, now: float, retention: Retention) -> bool:
        """Whether there is something to prune."""
        with self._lock:
            rows = list(self._rows.values())
        return any(
            ended_before(row, now - retention.key)
            or (
                row.body is not None
                and row.state not in rules.KEPT_LONG
                and finished_before(row, now - retention.payload)
            )
            for row in rows
        )

    def references(self) -> set[int]:
        """The positions of the messages whose bodies are still needed."""
        with self._lock:
            return {place(row.body)[0] for row in self._rows.values() if row.body is not None}

    def dump(self) -> Iterator[Any]:
        """All there is, in pieces that JSON can hold."""
        with self._lock:
            yield ["last", self._last]
            for (source, tenant), secret in self._learned.items():
                yield ["learned", source, tenant, pack(secret)]
            first = set(self._contents.values())
            for row in self._rows.values():
                yield ["row", pack(row), row.seq in first]

    def load(self, pieces: Iterable[Any]) -> None:
        """Become what another copy was when it was dumped."""
        with self._lock:
            behind = []
            for kind, *facts in pieces:
                if kind == "last":
                    self._last = facts[0]
                elif kind == "learned":
                    self._learned[facts[0], facts[1]] = unpack(facts[2])
                else:
                    row: Row = unpack(facts[0])
                    behind += [row] if row.behind else []
                    self._load(row, is_first=facts[1])
            for row in behind:  # at last: whoever leaves a lane calls up those behind
                self._queue.pass_over(row)

    def _load(self, row: Row, *, is_first: bool) -> None:
        self._rows[row.seq] = self._keys[row.key] = row
        if is_first and row.first.content_key is not None:
            self._contents[row.first.source, row.first.tenant, row.first.content_key] = row.seq
        if row.state in rules.LEASED:
            self._leased[row.seq] = row
        if row.state in rules.ENDED:
            self._ended[row.seq] = None
        self._queue.came(row)
        self._queue.moved(row)
