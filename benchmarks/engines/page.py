"""The page that `benchmarks.engines` writes. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median

from benchmarks.sheet import Panel, bars, table

from .contenders import ENGINES

LOADS = (10, 1_000, 100_000)
OURS = ("hookcatch, SQLite", "hookcatch, PostgreSQL")


@dataclass
class Found:
    """Events a second in each round, by what was measured (`kept`, `done`), engine and processes."""

    rates: dict[tuple[str, str, int], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, engine: str, processes: int, rate: float) -> None:
        """One round."""
        self.rates[kind, engine, processes].append(rate)

    def median(self, kind: str, engine: str, processes: int) -> float | None:
        """Of all rounds; None if it was not measured."""
        rounds = self.rates.get((kind, engine, processes))
        return median(rounds) if rounds else None

    def best(self, kind: str, engine: str, processes: Sequence[int]) -> float | None:
        """The highest of the medians."""
        known = [rate for number in processes if (rate := self.median(kind, engine, number))]
        return max(known, default=None)


def page(found: Found, processes: Sequence[int], on: str, command: str) -> str:
    """Tables, and what they are about."""
    names = [engine.name for engine in ENGINES]
    numbers = [f"{number} process{'es' if number > 1 else ''}" for number in processes]
    kept = [
        (engine.name, engine.promise, *(found.median("kept", engine.name, number) for number in processes))
        for engine in ENGINES
    ]
    done = [
        (engine.name, *(found.median("done", engine.name, number) for number in processes))
        for engine in ENGINES
        if engine.ends
    ]
    ratios = [
        (other, *(_ratio(found, kind, ours, other, processes) for kind in ("kept", "done") for ours in OURS))
        for other in names
        if other not in OURS
    ]
    head = [f"{kind}: {ours.partition(', ')[2]}" for kind in ("kept", "to the end") for ours in OURS]
    return _PAGE.format(
        command=command,
        on=on,
        kept=table(["", "yes means", *numbers], kept),
        done=table(["", *numbers], done),
        ratios=table(["ours / ...", *head], ratios),
        sizes=table(["events a second", *OURS], [(load, *_needs(found, load, processes)) for load in LOADS]),
    )


def _ratio(found: Found, kind: str, ours: str, other: str, processes: Sequence[int]) -> str | None:
    """The smallest and the largest of the ratios with the same number of processes."""
    known = []
    for number in processes:
        us, them = found.median(kind, ours, number), found.median(kind, other, number)
        if us and them:
            known.append(us / them)
    return f"{min(known):.1f} to {max(known):.1f}" if known else None


def _needs(found: Found, load: int, processes: Sequence[int]) -> list[str | None]:
    """For each of ours how many such machines it takes, none of them more than half busy."""
    needs: list[str | None] = []
    for ours in OURS:
        rate = found.best("done", ours, processes)
        if rate is None:
            needs.append(None)
        elif load <= rate / 2:
            needs.append(f"one, {100 * load / rate:.2g} % busy")
        else:
            needs.append(f"{ceil(2 * load / rate):,}")
    return needs


def picture(found: Found, processes: Sequence[int]) -> str:
    """Bars for all."""
    series = [f"{number} process{'es' if number > 1 else ''}" for number in processes]
    titles = {
        "kept": "Kept: acknowledged events a second",
        "done": "To the end: events a second, from the first kept to the last handler's end",
    }
    return bars(
        *(
            Panel(
                title,
                series,
                {
                    engine.name: [found.median(kind, engine.name, number) for number in processes]
                    for engine in ENGINES
                    if kind == "kept" or engine.ends
                },
            )
            for kind, title in titles.items()
        )
    )


_PAGE = """# Figures: engines past one process

Written by `{command} --docs docs`. {on} Medians of rounds that were played in turn. Compare what stands here with
what stands here, not with another machine; [what it costs](performance.md) has the figures with HTTP and
signatures, [scaling](scaling.md) says what to make of them.

![Bars for the tables below](figures-engines.svg)

Every process gets events of 2 KB as fast as it can take them, as if HTTP cost nothing: hookcatch and Procrastinate
with 64 under way in one event loop, Celery and Django with 8 threads. All servers have their defaults.

## Kept a second

{kept}

What the second column says is what holds once it has said yes. Celery over a Redis that writes nothing to disk
makes another promise than the others, and a cheaper one to keep.

## To the end a second

From the first event kept to the end of the last handler, which does nothing. hookcatch works in the processes that
receive; Celery (prefork, 64 prefetched, acknowledged early) and Procrastinate (10 at a time) have as many workers
beside as there are receivers.

{done}

## Ratios

Ours by the other's with the same number of processes: the smallest and the largest.

{ratios}

## What a load takes

How many machines like this one, database included, at half of the best rate to the end, with handlers that do
nothing. What a handler costs comes on top, and is nearly all of it in most applications.

{sizes}
"""
