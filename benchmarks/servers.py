"""Contenders as real server processes, all of one contender on one core."""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from .contenders import Contender

ROOT = Path(__file__).parent.parent
PATIENCE = 20.0
_TICKS = 8


def cores() -> tuple[set[int], set[int]]:
    """The servers' core, and the load generator's: another one, if there is."""
    known = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return {known[0]}, {known[-1]}


_SERVERS_CORE, _OUR_CORE = cores()


def pin_us() -> None:
    """Keep this process, the load generator, off the servers' core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, _OUR_CORE)


class Server:
    """A running contender: `with Server(contender) as server`."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.port = _free_port()
        self._dir = Path(tempfile.mkdtemp(prefix="hookcatch-bench-"))
        self._log = (self._dir / "log").open("ab")
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        counter = self._dir / "counter"
        counter.write_bytes(bytes(_TICKS))
        try:
            self._start("-m", "benchmarks.serve", self.contender.name, str(self.port))
            self._wait()
            if self.contender.workers:
                self._start("-m", *self.contender.workers)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()
        shutil.rmtree(self._dir, ignore_errors=True)

    def _start(self, *arguments: str) -> None:
        self._processes.append(
            subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env={**os.environ, "HOOKCATCH_BENCH_DIR": str(self._dir)},
                stdout=self._log,
                stderr=self._log,
                preexec_fn=_pin_child,
            )
        )

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self._processes[0].poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        said = (self._dir / "log").read_text(errors="replace")
        raise RuntimeError(f"{self.contender.name} did not start:\n{said[-2000:]}")

    def cpu(self) -> float:
        """Seconds of CPU time that its processes took so far."""
        return sum(_times(process) for process in self._family())

    def memory(self) -> int:
        """Resident bytes of its processes."""
        return sum(process.memory_info().rss for process in self._family())

    def done(self) -> int:
        """How many events its handlers have counted."""
        return int.from_bytes((self._dir / "counter").read_bytes(), sys.byteorder)

    def _family(self) -> list[psutil.Process]:
        parents = [psutil.Process(process.pid) for process in self._processes]
        return [one for parent in parents for one in (parent, *parent.children(recursive=True))]


class Counter:
    """What a no-op handler does: count, where the bench can see it. For one process."""

    def __init__(self) -> None:
        with (Path(os.environ["HOOKCATCH_BENCH_DIR"]) / "counter").open("r+b") as file:
            self._memory = memoryview(mmap.mmap(file.fileno(), _TICKS)).cast("Q")

    def tick(self) -> None:
        """One more."""
        self._memory[0] += 1


class Ticks:
    """The same for any number of processes, each of which counts in a file of its own in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._memory: memoryview | None = None

    def tick(self) -> None:
        """One more. The file is made by whoever counts: a fork's child is not the process that opened this."""
        if self._memory is None:
            path = self._directory / f"ticks-{os.getpid()}"
            path.write_bytes(bytes(_TICKS))
            with path.open("r+b") as file:
                self._memory = memoryview(mmap.mmap(file.fileno(), _TICKS)).cast("Q")
        self._memory[0] += 1

    def sum(self) -> int:
        """Of all that have counted."""
        files = list(self._directory.glob("ticks-*"))
        return sum(int.from_bytes(file.read_bytes(), sys.byteorder) for file in files)


def _times(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _pin_child() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, _SERVERS_CORE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
