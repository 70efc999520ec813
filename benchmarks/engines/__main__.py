"""`python -m benchmarks.engines [--rounds N] [--seconds S] [--events N] [--processes 1,2,4] [--docs DIRECTORY]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.contenders import POSTGRES
from benchmarks.machine import postgres, sentence

from .contenders import ENGINES, Engine, why_not
from .page import Found, page, picture
from .rounds import Effort, done_a_second, kept_a_second, place


def main() -> None:
    """Measure in turn, and write it down."""
    wish = _wishes()
    processes = [int(number) for number in wish.processes.split(",")]
    effort = Effort(wish.rounds, wish.seconds, wish.events)
    missing = [reason for engine in ENGINES if (reason := why_not(engine))]
    if missing:
        raise SystemExit("\n".join(missing))
    on = sentence(postgres(POSTGRES), _redis())
    found = _measure(effort, processes)
    text = page(
        found,
        processes,
        on,
        f"python -m benchmarks.engines --rounds {effort.rounds} "
        f"--seconds {effort.seconds:g} --events {effort.events}",
    )
    if wish.docs:
        (wish.docs / "figures-engines.md").write_text(text)
        (wish.docs / "figures-engines.svg").write_text(picture(found, processes))
    print(text)


def _measure(effort: Effort, processes: list[int]) -> Found:
    found = Found()
    with ExitStack() as stack:
        kinds: list[tuple[str, Any]] = [("kept", kept_a_second), ("done", done_a_second)]
        cells = [
            (kind, measure, engine, number, stack.enter_context(place(engine, len(processes) * at + number)))
            for at, (kind, measure) in enumerate(kinds)
            for number in processes
            for engine in ENGINES
            if kind == "kept" or engine.ends
        ]
        for turn in range(effort.rounds):
            for kind, measure, engine, number, target in cells:
                directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hookcatch-bench-")))
                rate = measure(engine, target, number, effort, directory)
                found.add(kind, engine.name, number, rate)
                _tell(turn, kind, engine, number, rate)
    return found


def _tell(turn: int, kind: str, engine: Engine, number: int, rate: float) -> None:
    print(
        f"{time.strftime('%H:%M:%S')} round {turn + 1}, {engine.name} x {number}, {kind}: {rate:,.0f} a second",
        file=sys.stderr,
        flush=True,
    )


def _redis() -> str:
    from redis import Redis

    from benchmarks.contenders import REDIS

    info: Any = Redis.from_url(REDIS).info()
    version = ".".join(str(info["redis_version"]).split(".")[:2])
    return f"Redis {version} {'with' if info['aof_enabled'] else 'without'} an append-only file"


def _wishes() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engines",
        description="Inboxes and job engines with several processes, without HTTP: what they keep and work off.",
    )
    usual = Effort()
    parser.add_argument(
        "--rounds", type=int, default=usual.rounds, help="how often each is measured, in turn"
    )
    parser.add_argument(
        "--seconds", type=float, default=usual.seconds, help="how long events are kept in a round"
    )
    parser.add_argument("--events", type=int, default=usual.events, help="how many are worked off at most")
    parser.add_argument("--processes", default="1,2,4", help="with how many processes each")
    parser.add_argument(
        "--docs", type=Path, metavar="DIRECTORY", help="write figures-engines.md and its picture"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
