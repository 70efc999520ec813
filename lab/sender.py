"""A webhook sender: it signs with the official SDK, retries until it gets a 2xx, and sends some things twice."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from standardwebhooks import Webhook

from .options import PATH, SECRET

PATIENCE = 15.0
"""Seconds a sender waits for an answer."""


@dataclass(frozen=True, slots=True)
class Message:
    """One signed webhook."""

    id: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def message(id_: str, *, padding: int = 0, poison: bool = False) -> Message:
    """An order, paid."""
    data = {"n": id_, "poison": poison, "padding": "x" * padding}
    body = json.dumps({"type": "order.paid", "data": data})
    now = datetime.now(UTC)
    headers = (
        ("content-type", "application/json"),
        ("webhook-id", id_),
        ("webhook-timestamp", str(int(now.timestamp()))),
        ("webhook-signature", Webhook(SECRET).sign(id_, now, body)),
    )
    return Message(id_, headers, body.encode())


async def post(port: int, what: Message, path: str = PATH) -> int:
    """Send it over a connection of its own and answer the status. OSError or EOFError if there is no answer."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(as_bytes(what, path))
            return int((await reader.readuntil(b"\r\n")).split(b" ")[1])
        finally:
            writer.close()


def as_bytes(what: Message, path: str = PATH) -> bytes:
    """The request on the wire."""
    lines = [f"POST {path} HTTP/1.1", "host: localhost", "connection: close"]
    lines += [f"{name}: {value}" for name, value in what.headers]
    lines += [f"content-length: {len(what.body)}", "", ""]
    return "\r\n".join(lines).encode() + what.body


@dataclass
class Tally:
    """What the sender saw: the ids that were acknowledged, and every answer (0: the connection broke); `log` has of
    each when its request was sent and when it came, by the monotonic clock."""

    acked: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    acks: int = 0
    log: list[tuple[float, float, int]] = field(default_factory=list)


@dataclass
class Sender:
    """Sends at a rate, and each event again until it is acknowledged."""

    ports: Sequence[int]
    rate: float
    duplicates: float = 0.0
    under_way: int = 64
    tally: Tally = field(default_factory=Tally)

    async def send(
        self,
        ids: Sequence[str],
        make: Callable[[str], Message] = message,
        told: Callable[[], Awaitable[None]] | None = None,
    ) -> Tally:
        """Have all of them acknowledged; `told` is called after each."""
        gate = asyncio.Semaphore(self.under_way)
        started = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for number, id_ in enumerate(ids):
                due = started + number / self.rate
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                await gate.acquire()
                task = group.create_task(self._deliver(make(id_), told))
                task.add_done_callback(lambda _: gate.release())
        return self.tally

    async def _deliver(self, what: Message, told: Callable[[], Awaitable[None]] | None) -> None:
        await self._until_acked(what)
        if told:
            await told()
        if random.random() < self.duplicates:
            await asyncio.sleep(random.uniform(0, 0.5))
            await self._until_acked(what)

    async def _until_acked(self, what: Message) -> None:
        number = random.randrange(len(self.ports))
        while True:
            number += 1
            status = await self.once(self.ports[number % len(self.ports)], what)
            if 200 <= status < 300:
                self.tally.acked.add(what.id)
                self.tally.acks += 1
                return
            await asyncio.sleep(random.uniform(0.02, 0.1))

    async def once(self, port: int, what: Message) -> int:
        """One try; 0 if there was no answer."""
        sent = time.monotonic()
        try:
            status = await post(port, what)
        except (OSError, EOFError, TimeoutError):
            status = 0
        self.tally.answers[status] += 1
        self.tally.log.append((sent, time.monotonic(), status))
        return status
