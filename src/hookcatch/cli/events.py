"""`hookcatch events`: look into the inbox, and do something about what is parked."""

from __future__ import annotations

import importlib.util
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import click

from hookcatch.core.model import StoredEvent
from hookcatch.core.ports import Inbox, Query

from . import filters, show
from .load import AppCommand, opened

BATCH = 200
"""Events a commit, so that a long replay never keeps a receiver waiting."""

LISTED = 50


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person asked to do something to, and how."""

    words: tuple[str, ...]
    query: Query
    inbox: str | None
    limit: int | None
    dry_run: bool
    yes: bool


_app = click.argument("app", metavar="APP")
_inbox = click.option("--inbox", metavar="URL", help="This inbox, without an app: sqlite:///hookcatch.db")
_words = click.argument("words", metavar="[EVENT]...", nargs=-1)
_limit = click.option("--limit", type=click.IntRange(1), help="At most so many, the newest; default all.")
_yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
_dry_run = click.option("--dry-run", is_flag=True, help="Only show which.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group()
def events() -> None:
    """Look into the inbox, replay, discard.

    APP may be left out when --inbox, or $HOOKCATCH_APP, says which inbox. Times are in UTC.
    """
    # a warning meant for servers, on every look, would be noise
    logging.getLogger("hookcatch").setLevel(logging.ERROR)


@events.command("list", cls=AppCommand)
@_app
@_inbox
@filters.filters
@click.option("--limit", default=LISTED, show_default=True, type=click.IntRange(1), help="At most so many.")
@_json
def list_(app: str, inbox: str | None, query: Query, limit: int, as_json: bool) -> None:
    """List events, newest first.

    \b
    hookcatch events list app:hooks
    hookcatch events list app:hooks --state dead --state invalid --since 3d
    hookcatch events list --inbox sqlite:///hookcatch.db --type 'order.*' --json
    """
    with opened(app, inbox) as kept:
        found = list(filters.read(kept, query, limit + 1))
    _print(found[:limit], as_json=as_json)
    if len(found) > limit:
        click.echo(f"and older ones: --limit shows more than {limit}", err=True)


@events.command("show", cls=AppCommand)
@_app
@click.argument("event", metavar="EVENT")
@_inbox
@click.option("--source", help="Of this source, where several know the id.")
@_json
def show_(app: str, event: str, inbox: str | None, source: str | None, as_json: bool) -> None:
    """Show one event whole: by its number, or by the sender's id.

    \b
    hookcatch events show app:hooks 17
    hookcatch events show app:hooks evt_1NG8Du2eZvKYlo2CUI79vXWy --json
    """
    with opened(app, inbox) as kept:
        found = kept.get(filters.one(kept, event, source).seq)
    if found is None:
        raise click.ClickException("the event was pruned just now")
    if as_json:
        show.print_json(show.as_whole_dict(*found))
    else:
        show.print_page(*found)


@events.command(cls=AppCommand)
@_app
@_words
@_inbox
@filters.filters
@click.option("--invalid", is_flag=True, help="As --state invalid: after a deploy that knows the new schema.")
@_limit
@_dry_run
@_yes
def replay(app: str, words: tuple[str, ...], query: Query, invalid: bool, **how: Any) -> None:
    """Run events again, from the first handler on, with fresh attempts.

    EVENT is a number or a sender's id. With filters and no --state only parked events (dead, invalid) are
    chosen. They become due at once; a worker runs them.

    \b
    hookcatch events replay app:hooks 17 18
    hookcatch events replay app:hooks --invalid
    hookcatch events replay app:hooks --state succeeded --type 'order.*' --since 2h --dry-run
    """
    if invalid:
        query = replace(query, states=query.states | {"invalid"})
    _act("replay", app, Choice(words, query, **how), lambda kept, seqs: kept.replay(seqs, now=time.time()))


@events.command(cls=AppCommand)
@_app
@_words
@_inbox
@filters.filters
@click.option("--why", required=True, help="The reason; it is kept with the event.")
@_limit
@_dry_run
@_yes
def discard(app: str, words: tuple[str, ...], query: Query, why: str, **how: Any) -> None:
    """Give up events: those that are parked, failed, or wait for another attempt.

    EVENT is a number or a sender's id. With filters and no --state only parked events (dead, invalid) are
    chosen.

    \b
    hookcatch events discard app:hooks 17 --why 'refunded by hand'
    hookcatch events discard app:hooks --state dead --source shop --why 'test data'
    """
    _act(
        "discard",
        app,
        Choice(words, query, **how),
        lambda kept, seqs: kept.discard(seqs, now=time.time(), why=why),
    )


Action = Callable[[Inbox, Sequence[int]], "Future[int]"]


def _act(verb: str, app: str, choice: Choice, action: Action) -> None:
    """Choose, ask, do, tell."""
    with opened(app, choice.inbox) as kept:
        chosen = filters.select(kept, choice.words, choice.query, choice.limit)
        if choice.dry_run:
            _print(chosen, as_json=False)
            return
        if len(chosen) > 1 and not choice.yes:
            click.confirm(f"{verb} {_summary(chosen)}?", abort=True)
        done = _in_batches(kept, verb, [event.seq for event in chosen], action)
    left = len(chosen) - done
    click.echo(f"{verb}: {done} of {len(chosen)} events")
    if left:
        click.echo(f"{left} left alone: in work, ended otherwise, or without a payload by now", err=True)
        raise click.exceptions.Exit(1)


def _in_batches(kept: Inbox, verb: str, seqs: Sequence[int], action: Action) -> int:
    done = 0
    with _progress(verb, len(seqs)) as advance:
        for start in range(0, len(seqs), BATCH):
            batch = seqs[start : start + BATCH]
            done += action(kept, batch).result()
            advance(len(batch))
    return done


@contextmanager
def _progress(verb: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, for a person who watches something long."""
    if total <= BATCH or not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(verb, total=total)
        yield lambda count: bar.advance(task, count)


def _summary(chosen: Sequence[StoredEvent]) -> str:
    states = Counter(event.state for event in chosen)
    return f"{len(chosen)} events ({', '.join(f'{count} {state}' for state, count in states.most_common())})"


def _print(found: Sequence[StoredEvent], *, as_json: bool) -> None:
    if as_json:
        for event in found:
            show.print_json(show.as_dict(event))
    elif found:
        show.print_table(found)
    else:
        click.echo("no events", err=True)
