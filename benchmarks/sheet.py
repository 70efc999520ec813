"""The pages that measurements write: tables in Markdown and pictures as SVG. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COLOURS = ("#9ecae1", "#4292c6", "#08519c", "#041f3d")
DASHES = ("", "6 3", "2 2")
WIDTH = 900
LEFT = 250
BAR = 16


@dataclass(frozen=True, slots=True)
class Panel:
    """A group of bars for each row: `rows` maps what is written before them to a value for each of `series`; None
    for a value that there is not."""

    title: str
    series: Sequence[str]
    rows: Mapping[str, Sequence[float | None]]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points, from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown; numbers get a comma a thousand."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(value: object) -> str:
    """What stands in a table: three digits at least, none that say nothing."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def bars(*panels: Panel) -> str:
    """Panels below each other, each with a scale of its own."""
    parts: list[str] = []
    y = 0
    for panel in panels:
        y = _panel(parts, panel, y)
    return _svg(y + 8, parts)


def _panel(parts: list[str], panel: Panel, top: int) -> int:
    largest = max((value for values in panel.rows.values() for value in values if value), default=1.0)
    y = top + 24
    parts.append(text(8, y, panel.title, 'font-weight="bold"'))
    for number, name in enumerate(panel.series):
        x = LEFT + 150 * number
        parts.append(
            f'<rect x="{x}" y="{y + 8}" width="12" height="12" fill="{COLOURS[number]}" class="key"/>'
        )
        parts.append(text(x + 18, y + 18, name))
    y += 32
    for name, values in panel.rows.items():
        parts.append(text(8, y + BAR * len(values) / 2 + 4, name))
        for number, value in enumerate(values):
            if value is not None:
                width = max(1, round((WIDTH - LEFT - 90) * value / largest))
                parts.append(
                    f'<rect x="{LEFT}" y="{y}" width="{width}" height="{BAR - 3}" fill="{COLOURS[number]}"/>'
                )
                parts.append(text(LEFT + width + 6, y + 11, cell(value)))
            y += BAR
        y += 10
    return y


def curves(title: str, across: str, *groups: Sequence[Curve]) -> str:
    """Curves over one axis below; those of a group share a colour. Both axes begin at 0, so that flat looks flat."""
    points = [point for group in groups for curve in group for point in curve.points]
    right = max((x for x, _ in points), default=1.0) or 1.0
    top = (max((y for _, y in points), default=1.0) or 1.0) * 1.1
    wide, high, left, above = 560, 260, 70, 40
    parts = [text(8, 22, title, 'font-weight="bold"')]
    for step in range(5):
        x, y = left + wide * step / 4, above + high - high * step / 4
        parts.append(
            f'<line x1="{left}" x2="{left + wide}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ccc" class="grid"/>'
        )
        parts.append(text(left - 8, y + 4, cell(float(top * step / 4)), 'text-anchor="end"'))
        parts.append(text(x, above + high + 18, cell(float(right * step / 4)), 'text-anchor="middle"'))
    parts.append(text(left + wide / 2, above + high + 38, across, 'text-anchor="middle"'))
    line = 0
    for colour, group in zip(("#08519c", "#c5501e", "#2a7a3a"), groups, strict=False):
        for dash, curve in zip(DASHES, group, strict=False):
            style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
            places = " ".join(
                f"{left + wide * x / right:.1f},{above + high - high * y / top:.1f}" for x, y in curve.points
            )
            y = above + 10 + 22 * line
            parts.append(f'<polyline points="{places}" {style} class="curve"/>')
            parts.append(f'<line x1="650" x2="690" y1="{y}" y2="{y}" {style} class="key"/>')
            parts.append(text(698, y + 4, curve.name))
            line += 1
    return _svg(above + high + 52, parts)


def text(x: float, y: float, words: str, more: str = "") -> str:
    """Words in a picture."""
    return f'<text x="{x:.0f}" y="{y:.0f}" {more}>{escape(words)}</text>'


def escape(words: str) -> str:
    """For XML."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _svg(height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="#fff" class="paper"/>'
    )
    return "\n".join([head, *parts, "</svg>"]) + "\n"
