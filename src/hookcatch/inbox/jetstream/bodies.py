"""The bodies of events, which stay in the log: those read last are at hand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from hookcatch.core.errors import InboxUnavailable
from hookcatch.core.model import Accepted, Lease, StoredEvent

from .codec import decode, place

AT_HAND = 32 * 1024 * 1024
"""Bytes of bodies that are kept in memory."""


class Bodies:
    """Bodies by where they stand.

    Args:
        stream: the name of the log.
    """

    def __init__(self, js: JetStreamContext, stream: str) -> None:
        self._js = js
        self._stream = stream
        self._read: OrderedDict[int, Sequence[bytes]] = OrderedDict()
        self._size = 0

    def keep(self, position: int, bodies: Sequence[bytes]) -> None:
        """These were read."""
        self._size += sum(map(len, bodies)) - sum(map(len, self._read.pop(position, ())))
        self._read[position] = bodies
        while self._size > AT_HAND:
            _, oldest = self._read.popitem(last=False)
            self._size -= sum(map(len, oldest))

    async def filled(self, value: Any) -> Any:
        """A result of a call, with bodies where it says where they are."""
        if isinstance(value, tuple):
            return tuple([await self.filled(one) for one in value])
        if isinstance(value, Lease):
            return replace(value, event=await self.filled(value.event))
        if isinstance(value, Accepted) and value.lease is not None:
            return replace(value, lease=await self.filled(value.lease))
        if isinstance(value, StoredEvent) and value.body is not None:
            return replace(value, body=await self._body(value.body))
        return value

    async def _body(self, ref: bytes) -> bytes:
        position, number = place(ref)
        bodies = self._read.get(position)
        if bodies is None:
            bodies = await self._fetch(position)
            self.keep(position, bodies)
        return bodies[number]

    async def _fetch(self, position: int) -> Sequence[bytes]:
        for direct in (True, False):  # any replica may answer the first, and may be behind
            try:
                found = await self._js.get_msg(self._stream, position, direct=direct)
            except NotFoundError:
                continue
            return decode(found.data or b"", position).bodies
        raise InboxUnavailable(f"message {position} of the stream {self._stream} is gone, and with it a body")
