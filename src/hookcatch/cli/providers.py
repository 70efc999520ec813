"""`hookcatch providers`: who can be verified, how each of them signs, and how it behaves."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from hookcatch.providers import Provider, names, provider
from hookcatch.providers.describe import as_data, event, retries, schedule, signing, span

NOTHING = "nothing of the message"

_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group()
def providers() -> None:
    """Look up how senders sign and behave."""


@providers.command("list")
@_json
def list_(as_json: bool) -> None:
    """All senders."""
    _print([provider(name) for name in names()], as_json)


@providers.command()
@click.argument("words", nargs=-1, required=True)
@_json
def search(words: tuple[str, ...], as_json: bool) -> None:
    """Senders whose name, title, headers or facts have all WORDS in them: `search hmac sha512`."""
    wanted = [word.lower() for word in words]
    found = [
        row
        for row in map(provider, names())
        if all(word in json.dumps(as_data(row)).lower() for word in wanted)
    ]
    if not found:
        raise click.ClickException(f"no sender has {' and '.join(words)} in what is known of it")
    _print(found, as_json)


@providers.command()
@click.argument("name")
@_json
def show(name: str, as_json: bool) -> None:
    """One sender: how it signs, where its events stand, what it expects of a receiver."""
    row = provider(name)
    if as_json:
        _print([row], as_json)
    else:
        click.echo("\n".join(page(row)))


def page(row: Provider) -> Iterator[str]:
    """All of one row, in lines."""
    yield row.title + ("" if row.confirmed else "  (not confirmed first-hand: try it before you rely on it)")
    yield ""
    for way in signing(row):
        yield f"  {way}"
    yield ""
    for title, said in _facts(row):
        yield f"  {title + ':':<16}{said}"
    yield ""
    yield f'  hooks.source("{row.name}", secret=...)'


def _facts(row: Provider) -> Iterator[tuple[str, str]]:
    """What is known, each with a mark if no first-hand source says so."""
    facts, stands = row.facts, event(row)
    again = {None: "", True: "keeps its id", False: "has another id"}
    signed = {
        "body": row.body_is_signed,
        "URL": row.url_is_signed,
        "event id": row.id_is_signed and "id" in stands,
    }
    known: tuple[tuple[str, str, tuple[str, ...]], ...] = (
        *((f"event {title}", said, ()) for title, said in stands.items()),
        ("signed", ", ".join(part for part, is_signed in signed.items() if is_signed) or NOTHING, ()),
        ("handshakes", ", ".join(one.name for one in row.handshakes), ()),
        ("answer within", "" if facts.ack_deadline is None else span(facts.ack_deadline), ("ack_deadline",)),
        ("retries", retries(row), ("retry_horizon", "retry_schedule")),
        ("after", schedule(row), ("retry_schedule",)),
        ("a retry", again[facts.id_survives_retry], ("id_survives_retry",)),
        (
            "wants",
            f"{facts.success_status} for success, {facts.bad_signature_status} for a bad signature",
            (),
        ),
        ("a refusal", "is final: it never sends that again" if facts.refusal_is_final else "", ()),
        ("sends up to", f"{facts.max_body} bytes" if facts.max_body else "", ("max_body",)),
        ("order", "as it happened" if facts.order_guaranteed else "", ("order_guaranteed",)),
        ("stops after", facts.disables, ("disables",)),
        ("docs", row.docs, ()),
        ("facts from", facts.source, ()),
        ("checked", facts.checked.isoformat() if facts.checked else "", ()),
    )
    for title, said, fields in known:
        if said:
            yield title, said + (" (unconfirmed)" if facts.unconfirmed.intersection(fields) else "")


def _print(rows: list[Provider], as_json: bool) -> None:
    if as_json:
        for row in rows:
            click.echo(json.dumps(as_data(row)))
        return
    wide = max(len(row.name) for row in rows)
    for row in rows:
        click.echo(f"{row.name:<{wide}}  {row.title}")
