"""Which events: the options that all `hookcatch events` commands share, and finding what they name."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import click

from hookcatch.core.model import PARKED, EventState, StoredEvent
from hookcatch.core.ports import Inbox, Query
from hookcatch.observe.logs import escape

PAGE = 500

_AGO = re.compile(r"(\d{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Seconds since the epoch, from ISO 8601, in UTC unless it says otherwise, or from how long ago it is."""
    if value is None:
        return None
    ago = _AGO.fullmatch(value)
    if ago:
        return time.time() - int(ago[1]) * _SECONDS[ago[2]]
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither a time, as 2026-11-21T08:00, nor how long ago it was, as 2h or 3d"
        ) from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


_OPTIONS = (
    click.option("--source", help="Of this source."),
    click.option("--tenant", help="Of this tenant."),
    click.option("--type", "event_type", help="Of this type; `order.*` for all that begin so."),
    click.option("--state", type=click.Choice(get_args(EventState)), multiple=True, help="May be repeated."),
    click.option(
        "--since", metavar="TIME", callback=moment, help="Received since: ISO 8601 (UTC), or 2h, 3d ago."
    ),
    click.option("--until", metavar="TIME", callback=moment, help="Received before."),
    click.option("--id", "event_id", help="With this id of the sender."),
)


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the filter options, handed over as one `query`."""

    @functools.wraps(command)
    def call(
        *,
        source: str | None,
        tenant: str | None,
        event_type: str | None,
        state: tuple[EventState, ...],
        event_id: str | None,
        **others: Any,
    ) -> None:
        command(
            query=Query(
                source=source,
                tenant=tenant,
                type=event_type,
                id=event_id,
                states=frozenset(state),
                since=others.pop("since"),
                until=others.pop("until"),
            ),
            **others,
        )

    return functools.reduce(lambda made, option: option(made), reversed(_OPTIONS), call)


def read(inbox: Inbox, query: Query, limit: int | None) -> Iterator[StoredEvent]:
    """Up to `limit` events, newest first, a page at a time."""
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = inbox.find(replace(query, limit=size))
        yield from page
        if len(page) < size:
            return
        query = replace(query, before=page[-1].seq)
        left = None if left is None else left - size


def one(inbox: Inbox, word: str, source: str | None = None) -> StoredEvent:
    """The event that a person means: by its number, else by the sender's id. Raises ClickException if there is
    none, or several."""
    numbered = inbox.get(int(word)) if word.isascii() and word.isdigit() and len(word) < 19 else None
    if numbered and source in (None, numbered[0].source):
        return numbered[0]
    found = inbox.find(Query(id=word, source=source, limit=2))
    if not found:
        raise click.ClickException(f"there is no event {escape(word)!r}; `hookcatch events list` shows them")
    if len(found) > 1:
        raise click.ClickException(
            f"several sources have an event {escape(word)!r}: say --source, or its number"
        )
    return found[0]


def select(inbox: Inbox, words: Iterable[str], query: Query, limit: int | None) -> list[StoredEvent]:
    """The events to do something to: those named, else those that the filters find, which without --state are
    the parked ones. Raises UsageError if nothing says which."""
    named = list(words)
    if named:
        if replace(query, source=None) != Query():
            raise click.UsageError("give either events or filters (only --source goes with events)")
        return list(
            {event.seq: event for event in (one(inbox, word, query.source) for word in named)}.values()
        )
    if query == Query():
        raise click.UsageError("say which: numbers or ids of events, or filters such as --state dead")
    return list(read(inbox, query if query.states else replace(query, states=PARKED), limit))
