"""The load generator: keep-alive connections, each with one request under way, and every request sent once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .report import percentile


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to: `seconds` is its length, `latencies` in seconds, `busy` the share of its core
    that the load generator itself needed."""

    seconds: float
    latencies: list[float] = field(repr=False)
    statuses: Counter[bytes]
    busy: float

    @property
    def count(self) -> int:
        """Requests answered."""
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.count / self.seconds

    def latency(self, share: float) -> float:
        """A percentile, in milliseconds."""
        return percentile(self.latencies, share) * 1000


class _Connection(asyncio.Protocol):
    """Sends a request, waits for the whole answer, sends the next."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = transport.write  # type: ignore[attr-defined]
        self._close = transport.close
        self._next()

    def _next(self) -> None:
        request = next(self._run.requests, None)
        if request is None:
            self._close()
            return
        self._sent = time.perf_counter()
        self._write(request)

    def data_received(self, data: bytes) -> None:
        if self._answer:
            data = self._answer + data
        end = data.find(b"\r\n\r\n")
        if end < 0 or len(data) < end + 4 + _length(data, end):
            self._answer = data
            return
        self._answer = b""
        now = time.perf_counter()
        run = self._run
        run.latencies.append(now - self._sent)
        run.statuses.append(data[9:12])
        if now < run.until:
            self._next()
        else:
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.open -= 1
        if not self._run.open:
            self._run.done.set()


class _Run:
    def __init__(self, requests: Iterator[bytes], connections: int, seconds: float) -> None:
        self.requests = requests
        self.open = connections
        self.until = time.perf_counter() + seconds
        self.latencies: list[float] = []
        self.statuses: list[bytes] = []
        self.done = asyncio.Event()


async def _drive(port: int, requests: list[bytes], connections: int, seconds: float) -> Round:
    loop = asyncio.get_running_loop()
    started, cpu = time.perf_counter(), time.process_time()
    run = _Run(iter(requests), connections, seconds)

    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(run), "127.0.0.1", port)
    await run.done.wait()
    took = time.perf_counter() - started
    busy = (time.process_time() - cpu) / took
    return Round(took, run.latencies, Counter(run.statuses), busy)


def fire(port: int, requests: list[bytes], *, connections: int, seconds: float) -> Round:
    """Send `requests`, in order and each once, until they or `seconds` are used up."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_drive(port, requests, connections, seconds))


def _length(data: bytes, end: int) -> int:
    start = data.find(b"ontent-length: ", 0, end)
    if start < 0:
        start = data.find(b"ontent-Length: ", 0, end)
    return int(data[start + 15 : data.find(b"\r", start)]) if start >= 0 else 0
