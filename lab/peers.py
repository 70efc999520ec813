"""The same storm of kills over other engines, as they are by default: what they lose, strand and do twice."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.contenders import POSTGRES, REDIS, answers
from benchmarks.places import database

from .crash import Storm
from .peer_shop import NAME, Shop, prepare, times
from .processes import Process, free_port, until
from .sender import Sender
from .verdict import Verdict

ENGINES = ("celery", "procrastinate")
READY = {"celery": " ready.", "procrastinate": "Starting worker"}
"""What its worker says when it begins to work."""

CALM = 5.0
"""Seconds without a new effect after which nothing more is waited for."""


def missing(engine: str) -> str:
    """Why it cannot blow here; empty if it can."""
    if find_spec(engine) is None:
        return f"{engine} is not installed"
    broker = REDIS if engine == "celery" else POSTGRES
    return "" if answers(broker) else f"nobody answers at {broker}"


async def peers(
    engine: str, storm: Storm, work: float, directory: Path, told: Callable[[int, int], None]
) -> Verdict:
    """Run the storm over one engine, and count; `told` hears of acks and kills as they come."""
    with _broker(engine) as (broker, queue):
        here = Shop(broker, queue, str(directory / "effects.db"), work / 2, work / 2)
        prepare(here.effects)
        os.environ[NAME] = here.environ()[NAME]  # its module is read here too
        peer = import_module(f"lab.peer_{engine}")
        if engine == "procrastinate":
            await asyncio.to_thread(peer.prepare)
        try:
            return await _blow(engine, peer, storm, here, directory, told)
        finally:
            if engine == "celery":
                peer.clean(here)


@contextmanager
def _broker(engine: str) -> Iterator[tuple[str, str]]:
    queue = f"hookcatch-lab-{secrets.token_hex(4)}"
    if engine == "celery":
        yield REDIS, queue
    else:
        with database(POSTGRES) as made:
            yield made, queue


async def _blow(
    engine: str, peer: Any, storm: Storm, here: Shop, directory: Path, told: Callable[[int, int], None]
) -> Verdict:
    pair = Pair(engine, here, directory)
    sender = Sender([pair.web.port], storm.rate, storm.duplicates)

    async def progress() -> None:
        told(len(sender.tally.acked), pair.kills)

    killing = asyncio.create_task(pair.be_killed(storm.kill))
    started = time.monotonic()
    try:
        sending = asyncio.create_task(
            sender.send([f"evt_{number:05d}" for number in range(storm.events)], told=progress)
        )
        await asyncio.wait([sending, killing], return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            sending.cancel()
            killing.result()
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
        tally, took = sending.result(), time.monotonic() - started
        pair.kill()
        await pair.start()
        await _calm(lambda: peer.waiting(here), here)
    finally:
        killing.cancel()
        pair.kill()
    return judge(engine, storm, tally, times(here.effects), peer.stranded(here), pair.kills, took)


class Pair:
    """A web server and a worker, killed and started together."""

    def __init__(self, engine: str, here: Shop, directory: Path) -> None:
        self._says = READY[engine]
        port = free_port()
        web = ["-m", "uvicorn", f"lab.peer_{engine}:web", "--port", str(port), "--log-level", "warning"]
        worker = {
            "celery": ["-m", "celery", "-A", "lab.peer_celery:queue", "worker", "-l", "INFO", "-c", "10"],
            "procrastinate": [
                *("-m", "procrastinate", "-v", "--app", "lab.peer_procrastinate.app"),
                *("worker", "--concurrency", "10"),
            ],
        }[engine]
        self.web = Process([sys.executable, *web], here.environ(), directory / "web.log", port)
        self.worker = Process([sys.executable, *worker], here.environ(), directory / "worker.log")
        self.kills = 0

    async def start(self) -> None:
        """Start the worker and, once it works, the server: what is acknowledged can be hit at once."""
        said = self.worker.log.stat().st_size if self.worker.log.exists() else 0
        self.worker.start()
        await until(lambda: self._has_said(said), 60, f"the worker does not start; see {self.worker.log}")
        self.web.start()
        await self.web.ready(60)

    def _has_said(self, since: int) -> bool:
        with self.worker.log.open("rb") as log:
            log.seek(since)
            return self._says.encode() in log.read()

    async def be_killed(self, every: tuple[float, float]) -> None:
        """Never ends by itself."""
        while True:
            await self.start()
            await asyncio.sleep(random.uniform(*every))
            self.kill()
            self.kills += 1

    def kill(self) -> None:
        """SIGKILL, to both."""
        self.web.kill()
        self.worker.kill()


async def _calm(waiting: Callable[[], int], here: Shop, patience: float = 180.0) -> None:
    """Wait until nothing waits and nothing more is done."""
    end, last, since = time.monotonic() + patience, -1, time.monotonic()
    while time.monotonic() < end:
        done = times(here.effects).total()
        if done != last or await asyncio.to_thread(waiting):
            last, since = done, time.monotonic()
        elif time.monotonic() - since > CALM:
            return
        await asyncio.sleep(0.2)
    raise TimeoutError("the queue is not worked off")


def judge(
    engine: str,
    storm: Storm,
    tally: Any,
    done: Any,
    stranded: Sequence[str] | set[str],
    kills: int,
    took: float,
) -> Verdict:
    """What came of it. Only that the storm was one has to hold: the rest are the engine's own promises."""
    missing = tally.acked - set(done)
    figures = {
        "engine": engine,
        "events": storm.events,
        "acked": len(tally.acked),
        "acks": tally.acks,
        "kills": kills,
        "answers": dict(sorted(tally.answers.items())),
        "acknowledged and lost": len(missing - set(stranded)),
        "acknowledged and stranded": len(missing & set(stranded)),
        "done twice": sum(count > 1 for count in done.values()),
        "seconds of load": round(took, 1),
    }
    holds = {
        "every event was acknowledged": len(tally.acked) == storm.events,
        "the processes were killed": kills > 0,
        "nothing was done that nobody sent": set(done) <= {f"evt_{n:05d}" for n in range(storm.events)},
    }
    return Verdict(f"a storm of kills over {engine}", figures, holds)
