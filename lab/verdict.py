"""How an experiment ends: figures, and for each line that must hold whether it does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Verdict:
    """`figures` is what was counted; `holds` says by sentence what must be true and is."""

    experiment: str
    figures: Mapping[str, object]
    holds: Mapping[str, bool]

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return all(self.holds.values())

    @property
    def broken_lines(self) -> list[str]:
        """What does not hold."""
        return [line for line, holds in self.holds.items() if not holds]


def show(verdict: Verdict, console: Console) -> None:
    """Print it."""
    table = Table(title=verdict.experiment, show_header=False)
    for name, value in verdict.figures.items():
        table.add_row(name, str(value))
    console.print(table)
    for line, holds in verdict.holds.items():
        console.print(f"[green]holds[/]  {line}" if holds else f"[red]BROKEN[/] {line}")


def save(verdict: Verdict, path: Path) -> None:
    """Write it as JSON."""
    text = {"experiment": verdict.experiment, "passed": verdict.passed}
    path.write_text(
        json.dumps({**text, "figures": dict(verdict.figures), "holds": dict(verdict.holds)}, indent=2)
    )
