"""One round of one engine with so many processes: what it keeps a second, or has worked off a second."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.contenders import POSTGRES
from benchmarks.places import database, fresh
from benchmarks.servers import ROOT, Ticks

from .contenders import Engine

PATIENCE = 120.0
"""Seconds until something must have happened that is waited for."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure: `rounds` of `seconds` in which events are kept; of those that are worked off no more than
    `events`."""

    rounds: int = 3
    seconds: float = 1.5
    events: int = 4000


@dataclass(frozen=True, slots=True)
class Receiver:
    """A process that receives or works, and what it complains of."""

    command: Sequence[str]
    process: subprocess.Popen[str]
    log: Path


@contextmanager
def place(engine: Engine, number: int) -> Iterator[str]:
    """Where an engine keeps things, for one kind of measurement: empty before, gone after."""
    peer = import_module(f"benchmarks.peers.{engine.peer}")
    if engine.store == "redis":
        try:
            yield f"{peer.QUEUE}-{number}"
        finally:
            peer.empty()
        return
    with database(POSTGRES) if engine.store == "postgres" else fresh("sqlite:") as target:
        peer.prepare(target)
        yield target


def kept_a_second(engine: Engine, target: str, processes: int, effort: Effort, directory: Path) -> float:
    """Acknowledged events; nobody works."""
    with _receiving(engine, target, processes, directory, working=False) as (receivers, _):
        start, kept, ended = _keep(receivers, effort.seconds, 10_000_000)
    return kept / (ended - start)


def done_a_second(engine: Engine, target: str, processes: int, effort: Effort, directory: Path) -> float:
    """From the first that was kept to the last that was worked off."""
    with ExitStack() as stack:
        for command in engine.workers(processes):
            stack.enter_context(_running(command, target, directory))
        receivers, warm = stack.enter_context(
            _receiving(engine, target, processes, directory, working=not engine.worker)
        )
        ticks = Ticks(directory)
        _until_done(engine, ticks, warm)
        start, kept, _ = _keep(receivers, effort.seconds, effort.events)
        _until_done(engine, ticks, warm + kept)
        return kept / (time.time() - start)


def _until_done(engine: Engine, ticks: Ticks, events: int) -> None:
    until = time.time() + PATIENCE
    while (done := ticks.sum()) < events:
        if time.time() > until:
            raise RuntimeError(f"{engine.name}: {events - done} of {events} events never ended")
        time.sleep(0.005)


@contextmanager
def _receiving(
    engine: Engine, target: str, processes: int, directory: Path, *, working: bool
) -> Iterator[tuple[Sequence[Receiver], int]]:
    """Processes that are ready, and how many events they have kept for it."""
    command = [sys.executable, "-m", "benchmarks.engines.process", engine.name, target]
    with ExitStack() as stack:
        receivers = [
            stack.enter_context(_running([*command, *["working"] * working], target, directory))
            for _ in range(processes)
        ]
        yield receivers, sum(kept for kept, _ in map(_answer, receivers))


def _keep(receivers: Sequence[Receiver], seconds: float, most: int) -> tuple[float, int, float]:
    """When they began, how many events all have kept, and when the last one was."""
    start = time.time() + 0.2
    for receiver in receivers:
        print(start, start + seconds, most // len(receivers), file=receiver.process.stdin, flush=True)
    told = [_answer(receiver) for receiver in receivers]
    return start, sum(kept for kept, _ in told), max(ended for _, ended in told)


def _answer(receiver: Receiver) -> tuple[int, float]:
    """How many it has kept, and when the last one was."""
    assert receiver.process.stdout is not None
    line = receiver.process.stdout.readline().split()
    if not line:
        said = receiver.log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"it ended in the middle of a round: {' '.join(receiver.command)}\n{said}")
    return int(line[0]), float(line[1])


@contextmanager
def _running(command: Sequence[str], target: str, directory: Path) -> Iterator[Receiver]:
    """It is asked to end by the end of its stdin, or SIGTERM if it reads none, and made to if it does not."""
    environ = {**os.environ, "HOOKCATCH_BENCH_DIR": str(directory), "HOOKCATCH_BENCH_TARGET": target}
    log = directory / "log"
    with log.open("a") as file:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=pipe, stdout=pipe, stderr=file, text=True
        )
    try:
        yield Receiver(command, process, log)
    finally:
        _end(process, asked="benchmarks.engines.process" in command)


def _end(process: subprocess.Popen[str], *, asked: bool) -> None:
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()
    if not asked:
        process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
