"""What the log came to, written down now and then, so that the log behind it can go."""

from __future__ import annotations

import asyncio
import json
import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from nats.js import JetStreamContext
from nats.js.api import Header
from nats.js.errors import APIError, BadRequestError, NotFoundError

from .options import Names

T = TypeVar("T")

log: logging.Logger = logging.getLogger("hookcatch.inbox")

A_PIECE = 256 * 1024
"""Bytes of rows a message, before they are packed."""

AT_ONCE = 32
"""Requests that wait for an answer at the same time."""


@dataclass(frozen=True, slots=True)
class Head:
    """A snapshot: what the log came to at `position`.

    `pieces` are where the rows stand in the stream; `kept` the messages with bodies that the log had then.
    """

    position: int
    pieces: Sequence[int]
    kept: Sequence[int]


NOTHING = Head(0, (), ())
"""Before the first message."""


class Snapshots:
    """The stream of snapshots. Of several that are written at once the first counts."""

    def __init__(self, js: JetStreamContext, names: Names) -> None:
        self._js = js
        self._names = names
        self._revision = 0

    async def head(self) -> Head:
        """The newest one."""
        try:
            found = await self._js.get_last_msg(self._names.state, self._names.head)
        except NotFoundError:
            self._revision = 0
            return NOTHING
        self._revision = found.seq or 0
        return Head(**json.loads(zlib.decompress(found.data or b"")))

    async def read(self) -> tuple[Head, list[Any]]:
        """The newest one, with its rows."""
        while True:
            head = await self.head()
            try:
                return head, [row for piece in await self._pieces(head) for row in piece]
            except NotFoundError:
                log.debug("a snapshot went while it was read: there is a newer one")

    async def _pieces(self, head: Head) -> list[Any]:
        found: list[Any] = []
        for some in _some(head.pieces):
            messages = await asyncio.gather(*[self._js.get_msg(self._names.state, seq) for seq in some])
            found += [json.loads(zlib.decompress(message.data or b"")) for message in messages]
        return found

    async def write(self, position: int, rows: Iterable[Any], kept: Sequence[int]) -> bool:
        """Write one; False if there is another since."""
        pieces = list(_packed(rows))  # before anything is waited for, or they would not be of one position
        seqs: list[int] = []
        for some in _some(pieces):
            acks = await asyncio.gather(*[self._js.publish(self._names.pieces, piece) for piece in some])
            seqs += [ack.seq for ack in acks]
        head = json.dumps(asdict(Head(position, seqs, kept))).encode()
        expected: dict[str, Any] = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE: str(self._revision)}
        try:
            ack = await self._js.publish(self._names.head, zlib.compress(head), headers=expected)
        except BadRequestError:  # wrong last sequence
            return False
        self._revision = ack.seq
        if min(seqs) > 1:  # up to the first message would be to the last
            await self._js.purge_stream(self._names.state, seq=min(seqs))
        return True

    async def trim(self, position: int, unused: Sequence[int]) -> list[int]:
        """Let go of the calls up to a position (which is not 0), and of messages whose bodies nobody needs; answers
        which of these went."""
        await self._js.purge_stream(self._names.log, seq=position + 1, subject=self._names.calls)
        gone: list[int] = []
        for some in _some(unused):
            await asyncio.gather(*[self._delete(seq) for seq in some])
            gone += some
        return gone

    async def _delete(self, seq: int) -> None:
        try:
            await self._js.delete_msg(self._names.log, seq)
        except APIError as error:
            log.debug("message %d of the log was gone already: %s", seq, error)


def _packed(rows: Iterable[Any]) -> Iterator[bytes]:
    texts: list[str] = []
    size = 0
    for row in rows:
        texts.append(json.dumps(row))
        size += len(texts[-1])
        if size >= A_PIECE:
            yield _piece(texts)
            texts, size = [], 0
    yield _piece(texts)


def _piece(texts: Sequence[str]) -> bytes:
    return zlib.compress(f"[{','.join(texts)}]".encode())


def _some(all_of_them: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(all_of_them), AT_ONCE):
        yield all_of_them[start : start + AT_ONCE]
