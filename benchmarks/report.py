"""What was measured, as values, and how it is written down: a table, JSON, a plot. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report.

    Attributes:
        name: the target's name, `H1`.
        title: what is compared with what.
        ratio: ours by the other's, of the medians; None if it could not be measured.
        target: what the ratio should reach.
        at_most: whether the target is an upper bound.
        cpu: the same ratio in CPU time a request, turned so that more is better; None where it says nothing.
        note: the figures behind the ratio, or why there are none.
    """

    name: str
    title: str
    ratio: float | None
    target: float
    at_most: bool = False
    cpu: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None if nothing was measured."""
        if self.ratio is None:
            return None
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


def ratio(ours: Sequence[float], others: Sequence[float]) -> float:
    """The median of ours by the median of the others'."""
    return median(ours) / median(others)


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which `share` (0 to 1) of them lie, by the nearest rank; 0.0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def table(results: Iterable[Result]) -> str:
    """Aligned columns for a terminal, which Markdown reads as a table too."""
    rows = [("", "ours / the other", "ratio", "CPU", "target", "met", "figures")]
    rows += [_cells(result) for result in results]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, tuple("-" * width for width in widths))
    lines = (" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"| {line} |" for line in lines)


def _cells(result: Result) -> tuple[str, ...]:
    return (
        result.name,
        result.title,
        "-" if result.ratio is None else f"{result.ratio:.2f}",
        "-" if result.cpu is None else f"{result.cpu:.2f}",
        f"{'<=' if result.at_most else '>='} {result.target:g}",
        {True: "yes", False: "no", None: "-"}[result.met],
        result.note,
    )


def as_json(results: Iterable[Result], facts: dict[str, Any]) -> dict[str, Any]:
    """Everything, for a machine: what it was measured on, and the results."""
    return {**facts, "results": [{**asdict(result), "met": result.met} for result in results]}


def plot(results: Iterable[Result]) -> str:
    """An SVG: for each result how far it got, a full bar being its target (the vertical line)."""
    known = [(result, _reached(result)) for result in results]
    bars = [(result, share) for result, share in known if share is not None]
    height = 24 * len(bars) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 {height}" font-family="sans-serif" font-size="12">'
    ]
    for line, (result, share) in enumerate(bars):
        y = 24 * line + 8
        colour = "#2a7" if share >= 1 else "#c52"
        cells = _cells(result)
        parts += [
            f'<text x="8" y="{y + 13}">{_escape(f"{result.name} {result.title}")}</text>',
            f'<rect x="480" y="{y}" width="{min(300.0, 150 * share):.0f}" height="18" fill="{colour}"/>',
            f'<text x="790" y="{y + 13}">{cells[2]} (target {_escape(cells[4])})</text>',
        ]
    parts.append(f'<line x1="630" x2="630" y1="0" y2="{height}" stroke="#333"/></svg>')
    return "\n".join(parts) + "\n"


def _reached(result: Result) -> float | None:
    if not result.ratio:
        return None
    return result.target / result.ratio if result.at_most else result.ratio / result.target


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
