"""The targets that take a server to measure, as data, and how each kind is measured: in turn, A B A B."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from . import deliveries
from .contenders import CONTENDERS
from .load import Round, fire
from .report import Result, ratio
from .servers import Server


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: `rounds` of `seconds` for each contender; `events` where a round is counted in
    them; `kept` rows in an inbox that is called large."""

    rounds: int = 7
    seconds: float = 2.0
    events: int = 6000
    kept: int = 1_000_000


QUICK = Effort(rounds=3, seconds=0.7, events=1500, kept=100_000)


@dataclass(frozen=True, slots=True)
class Duel:
    """Requests a second of two contenders under the same load."""

    name: str
    title: str
    ours: str
    other: str
    target: float
    ids: deliveries.Ids = deliveries.random_ids
    connections: int = 32
    forged: bool = False

    def measure(self, effort: Effort) -> Result:
        """Both in turn."""
        if why := why_not(self.ours, self.other):
            return Result(self.name, self.title, None, self.target, note=why)
        with ExitStack() as stack:
            sides = [_Side(stack.enter_context(Server(CONTENDERS[one]))) for one in (self.ours, self.other)]
            for side in sides:
                side.warm_up(self)
            for _ in range(effort.rounds):
                for side in sides:
                    side.play(self, effort.seconds)
        ours, other = sides
        return Result(
            self.name,
            self.title,
            ratio(ours.rates, other.rates),
            self.target,
            cpu=ratio(other.cpu, ours.cpu),
            note=f"{ours.summary()} / {other.summary()}",
        )


class _Side:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.rounds: list[Round] = []
        self.cpu: list[float] = []
        self._expected = 0.0

    @property
    def rates(self) -> list[float]:
        return [one.rate for one in self.rounds]

    def warm_up(self, duel: Duel) -> None:
        for _ in range(2):  # the first round pays for imports and caches: only the second tells the speed
            self._expected = self._fire(duel, 1000, 5.0).rate

    def play(self, duel: Duel, seconds: float) -> None:
        before = self.server.cpu()
        made = self._fire(duel, int(self._expected * seconds * 1.5) + 1000, seconds)
        self.rounds.append(made)
        self.cpu.append((self.server.cpu() - before) / made.count * 1e6)
        self._expected = max(self._expected, made.rate)

    def _fire(self, duel: Duel, count: int, seconds: float) -> Round:
        secret = "whsec_of_somebody_else_entirely_0000" if duel.forged else deliveries.SECRET
        requests = deliveries.signed(count, duel.ids, secret=secret)
        made = fire(self.server.port, requests, connections=duel.connections, seconds=seconds)
        refused = sum(count for status, count in made.statuses.items() if not status.startswith(b"2"))
        if refused and not duel.forged:
            raise RuntimeError(f"{self.server.contender.name} answered {dict(made.statuses)}")
        return made

    def summary(self) -> str:
        p50, p99 = (median(one.latency(share) for one in self.rounds) for share in (0.5, 0.99))
        text = f"{median(self.rates):,.0f} req/s, {median(self.cpu):.0f} us, p50 {p50:.1f} p99 {p99:.1f} ms"
        busy = median(one.busy for one in self.rounds)
        return f"{text} (load generator {busy:.0%} busy)" if busy > 0.9 else text


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """Events a second from the first request to the last handler's end."""

    name: str
    title: str
    ours: str
    other: str
    target: float
    connections: int = 64

    def measure(self, effort: Effort) -> Result:
        """Both in turn."""
        if why := why_not(self.ours, self.other):
            return Result(self.name, self.title, None, self.target, note=why)
        with ExitStack() as stack:
            servers = [stack.enter_context(Server(CONTENDERS[one])) for one in (self.ours, self.other)]
            for server in servers:
                self._run(server, 200)
            times = [
                [self._run(server, events) for _ in range(effort.rounds)]
                for server, events in zip(servers, (effort.events, effort.events // 4), strict=True)
            ]
        ours, other = ([rate for rate, _ in one] for one in times)
        cpu = [[cost for _, cost in one] for one in times]
        note = " / ".join(
            f"{median(rates):,.0f} ev/s, {median(costs):.0f} us"
            for rates, costs in zip((ours, other), cpu, strict=True)
        )
        return Result(
            self.name, self.title, ratio(ours, other), self.target, cpu=ratio(cpu[1], cpu[0]), note=note
        )

    def _run(self, server: Server, events: int) -> tuple[float, float]:
        requests = deliveries.signed(events)
        wanted, cpu, started = server.done() + events, server.cpu(), time.perf_counter()
        fire(server.port, requests, connections=self.connections, seconds=120)
        while server.done() < wanted:
            if time.perf_counter() - started > 180:
                raise RuntimeError(
                    f"{server.contender.name}: {wanted - server.done()} of {events} never ended"
                )
            time.sleep(0.002)
        took = time.perf_counter() - started
        return events / took, (server.cpu() - cpu) / events * 1e6


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory after one request."""

    name: str
    title: str
    ours: str
    other: str
    target: float

    def measure(self, effort: Effort) -> Result:
        """One after the other."""
        if why := why_not(self.ours, self.other):
            return Result(self.name, self.title, None, self.target, True, note=why)
        sizes = [[self._size(one) for one in (self.ours, self.other)] for _ in range(min(3, effort.rounds))]
        ours, other = zip(*sizes, strict=True)
        note = f"{median(ours) / 1e6:.1f} / {median(other) / 1e6:.1f} MB"
        return Result(self.name, self.title, ratio(ours, other), self.target, True, note=note)

    def _size(self, name: str) -> int:
        with Server(CONTENDERS[name]) as server:
            fire(server.port, deliveries.signed(1), connections=1, seconds=5)
            return server.memory()


@dataclass(frozen=True, slots=True)
class Import:
    """The time of an import, in fresh interpreters."""

    name: str
    title: str
    ours: str
    other: str
    target: float

    def measure(self, effort: Effort) -> Result:
        """In turn."""
        times = [[_seconds(code) for code in (self.ours, self.other)] for _ in range(3 * effort.rounds)]
        ours, other = zip(*times, strict=True)
        more = (median(ours) - median(other)) * 1000
        note = f"{median(ours) * 1000:.0f} / {median(other) * 1000:.0f} ms: {more:.0f} ms more"
        return Result(self.name, self.title, ratio(ours, other), self.target, True, note=note)


def _seconds(code: str) -> float:
    timed = f"import time; t = time.perf_counter()\n{code}\nprint(time.perf_counter() - t)"
    answer = subprocess.run([sys.executable, "-c", timed], capture_output=True, check=True, text=True)
    return float(answer.stdout)


def why_not(*names: str) -> str:
    """Why one of these cannot run here; empty if all can."""
    reasons = (CONTENDERS[name].why_not() for name in names)
    return next((f"skipped: {why}" for why in reasons if why), "")


_MODEL = "import asyncio, pydantic\nclass M(pydantic.BaseModel):\n    x: int"

FIGURES: tuple[Duel | EndToEnd | Memory | Import, ...] = (
    Duel("H1", "memory inbox / bare Starlette route", "memory", "bare Starlette", 1.0),
    Duel("H2", "SQLite FULL, random ids / bare Starlette route", "sqlite", "bare Starlette", 0.45),
    Duel(
        "H2o",
        "SQLite FULL, time-ordered ids / bare Starlette route",
        "sqlite",
        "bare Starlette",
        0.6,
        deliveries.ordered_ids,
        connections=64,
    ),
    Duel("H3a", "SQLite FULL / Flask + Celery .delay", "sqlite", "Flask + Celery", 9, connections=64),
    Duel(
        "H3b",
        "SQLite FULL / Starlette + sqlite3, a commit a request",
        "sqlite",
        "Starlette + sqlite3, a commit a request",
        4,
        connections=64,
    ),
    Duel(
        "H3c",
        "SQLite FULL / Starlette + asyncpg pool",
        "sqlite",
        "Starlette + asyncpg pool",
        2.5,
        connections=64,
    ),
    Duel(
        "H3d",
        "SQLite FULL / Django ORM, PostgreSQL",
        "sqlite",
        "Django ORM, PostgreSQL",
        12,
        connections=64,
    ),
    Duel("H4", "memory inbox, WSGI / bare WSGI", "memory, WSGI", "bare WSGI", 0.7),
    Duel("H6", "a forged request / bare ASGI", "memory", "bare ASGI", 0.8, forged=True),
    EndToEnd(
        "E1", "SQLite to the end / Flask + Celery", "sqlite, to the end", "Flask + Celery, to the end", 5
    ),
    Import("I1", "import hookcatch / asyncio and a pydantic model", "import hookcatch", _MODEL, 1.2),
    Memory("M1", "memory of an idle receiver / of bare Starlette", "sqlite", "bare Starlette", 1.5),
)
