"""Events as text: a table, a page, or JSON. Whatever a sender could choose is escaped (ATTACKS A64)."""

from __future__ import annotations

import base64
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from hookcatch.core.errors import MissingExtra, Rejected
from hookcatch.core.model import Run, StoredEvent
from hookcatch.core.parse import parse
from hookcatch.observe.logs import escape

WIDE = 1000
"""Columns for a table that goes to a file or a pipe: nothing is cut off."""

ROOM_FOR_NOTES = 100
"""Columns from which on there is room to say why."""

LINE = 100_000

_EVENT = (
    "seq", "source", "tenant", "id", "type", "state", "received_at", "occurred_at", "run_at", "finished_at",
    "attempt", "lost", "replays", "duplicates", "conflicts", "replayed_content", "error",
)  # fmt: skip
_TIMES = frozenset({"received_at", "occurred_at", "run_at", "finished_at", "started_at"})


def moment(seconds: float | None) -> str | None:
    """`2026-11-21T08:00:00.250Z`."""
    if seconds is None:
        return None
    try:
        when = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # a sender may say that it happened in the year 31 thousand
        return str(seconds)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_dict(event: StoredEvent) -> dict[str, Any]:
    """An event under the stable keys of `--json`; without its body and headers."""
    facts = {key: _plain(key, getattr(event, key)) for key in _EVENT}
    return {**facts, "lane": None if event.lane is None else event.lane.key, "version": event.version}


def as_whole_dict(event: StoredEvent, runs: Sequence[Run]) -> dict[str, Any]:
    """An event with its headers, its payload and its runs. A payload that is bytes is in `payload_base64`."""
    payload = _payload(event)
    is_bytes = isinstance(payload, bytes)
    return {
        **as_dict(event),
        "headers": dict(event.headers),
        "payload": None if is_bytes else payload,
        **({"payload_base64": base64.b64encode(payload).decode()} if is_bytes else {}),
        "runs": [{key: _plain(key, value) for key, value in asdict(run).items()} for run in runs],
    }


def print_json(value: dict[str, Any]) -> None:
    """One object on one line, in ASCII: nothing in it can reach a terminal unescaped."""
    click.echo(json.dumps(value, ensure_ascii=True))


def print_table(events: Iterable[StoredEvent]) -> None:
    """A line an event. Raises MissingExtra."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        raise MissingExtra("rich", "cli") from None
    wide = shutil.get_terminal_size((WIDE, 24)).columns if sys.stdout.isatty() else WIDE
    titles = _TITLES if wide >= ROOM_FOR_NOTES else _TITLES[:-1]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, no_wrap=title in _WHOLE)
    for event in events:
        cells = zip(_cells(event), _styles(event), strict=True)
        row = [Text(escape(cell), style, no_wrap=True, overflow="ellipsis") for cell, style in cells]
        table.add_row(*row[: len(titles)])
    Console(width=wide).print(table)


def print_page(event: StoredEvent, runs: Sequence[Run]) -> None:
    """All of one event."""
    click.echo("\n".join(_page(event, runs)))


def _page(event: StoredEvent, runs: Sequence[Run]) -> Iterator[str]:
    facts = {key: value for key, value in as_dict(event).items() if value not in (None, "", 0, False)}
    for key, value in facts.items():
        yield f"{key + ':':<18}{escape(str(value), LINE)}"
    for name, text in event.headers.items():
        yield f"{'header:':<18}{escape(f'{name}: {text}', LINE)}"
    yield ""
    yield from _run_lines(runs)
    yield from _payload_lines(event)


def _run_lines(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        again = f", again at {moment(run.run_at)}" if run.run_at is not None else ""
        tries = f"{run.attempts} attempt{'s' * (run.attempts != 1)}"
        yield f"{escape(run.handler)}: {run.state}, {tries}{again}"
        yield from (f"    {escape(line, LINE)}" for line in run.error.splitlines())
    if runs:
        yield ""


def _payload_lines(event: StoredEvent) -> Iterator[str]:
    payload = _payload(event)
    if event.body is None:
        yield "(the payload is gone: retention took it)"
        return
    if isinstance(payload, bytes):
        text = payload.decode("utf-8", "backslashreplace")
    else:
        text = json.dumps(payload, indent=2, ensure_ascii=False)
    yield from (escape(line, LINE) for line in text.split("\n"))


def _payload(event: StoredEvent) -> Any:
    """The parsed payload, or the bytes where it cannot be parsed any more."""
    if event.body is None:
        return None
    try:
        return parse(event.body, event.format)
    except (Rejected, MissingExtra):
        return event.body


def _cells(event: StoredEvent) -> tuple[str, ...]:
    due = f"due {_short(event.run_at)}" if event.state == "pending" and event.attempt else ""
    note = ", ".join(filter(None, [due, event.error]))
    tries = str(event.attempt)
    source = f"{event.source}/{event.tenant}" if event.tenant else event.source
    return (
        str(event.seq), source, event.type, event.id, event.state, tries, _short(event.received_at), note
    )  # fmt: skip


def _styles(event: StoredEvent) -> tuple[str, ...]:
    return tuple(_COLOURS.get(event.state, "") if title == "state" else "" for title in _TITLES)


def _short(seconds: float | None) -> str:
    """`2026-11-21 08:00:00`."""
    return (moment(seconds) or "").partition(".")[0].replace("T", " ")


def _plain(key: str, value: Any) -> Any:
    return moment(value) if key in _TIMES else value


_TITLES = ("#", "source", "type", "id", "state", "tries", "received", "note")
_WHOLE = frozenset({"#", "state", "tries", "received"})
"""Columns that a narrow terminal does not make narrower."""

_COLOURS = {"succeeded": "green", "dead": "red", "invalid": "red", "failed": "red", "pending": "yellow"}
