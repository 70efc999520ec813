"""The page of the documentation that lists every row: written from the rows, by `scripts/docs`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hookcatch.providers import Provider, names, provider
from hookcatch.providers.describe import event, retries, signing, span
from support.proof import CODE, OWN, PUBLISHED, proofs, third_parties

HEAD = """\
# Every sender

*Made by `scripts/docs` from the rows in `src/hookcatch/providers/`. `hookcatch providers show NAME` says all of it.*

{count} rows. How each of them is proven:

| | rows | |
|---|---|---|
| {code} | {by_code} | a library of the sender, or of its standard, made it or took it; for {third}, one of others |
| {published} | {by_published} | a signature that the sender published, in its documentation or its tests |
| {own} | {by_own} | only our own reading of the documentation: a second implementation of the same formula agrees |

A name behind an `a`: the library is not the sender's, but that of a receiver who has read the same documentation.
A `?` behind a name: no first-hand source says how it signs; try it before you rely on it. A `?` behind a figure: no
first-hand source says so. An empty cell: nothing is known.

## How they sign

| name | sender | how it signs | event id | type | batch | handshakes | proof |
|---|---|---|---|---|---|---|---|
"""

BEHAVIOUR = """
## How they behave

`waits`: for the answer. `retries`: for how long it goes on, and whether the `id` stays the same then, and is signed.
`gets`: our status for success, and for a bad signature; `final`: what got that never comes again. `up to`: its
largest body. `stops after`: when it gives up.
`source`: the sender's page, and the day it was read; `not read` if it was not read again.

| name | waits | retries | id | gets | up to | stops after | order | source |
|---|---|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    proven = proofs()
    counts = Counter(proven.values())
    head = HEAD.format(
        count=len(names()),
        code=CODE,
        published=PUBLISHED,
        own=OWN,
        by_code=counts[CODE],
        third=sum(1 for name in proven if third_parties(name)),
        by_published=counts[PUBLISHED],
        by_own=counts[OWN],
    )
    rows = [provider(name) for name in names()]
    return (
        head
        + "".join(_line(_signing(row, proven.get(row.name, ""))) for row in rows)
        + BEHAVIOUR
        + "".join(_line(_behaviour(row)) for row in rows if row.facts.source)
    )


def _line(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _signing(row: Provider, proven: str) -> Iterator[str]:
    where = event(row)
    yield f"`{row.name}`" + ("" if row.confirmed else " ?")
    yield f"[{_text(row.title)}]({row.docs})" if row.docs else _text(row.title)
    yield "<br>".join(_text(way).replace("\n", "⏎") for way in signing(row))
    yield from (_text(where.get(name, "")) for name in ("id", "type", "batch"))
    yield ", ".join(one.name for one in row.handshakes)
    yield ", ".join((proven, *(third_parties(row.name) if proven else ())))


def _behaviour(row: Provider) -> Iterator[str]:
    facts = row.facts
    yield f"`{row.name}`"
    yield _unsure("" if facts.ack_deadline is None else span(facts.ack_deadline), row, "ack_deadline")
    yield _unsure(retries(row), row, "retry_horizon")
    yield _id(row)
    yield f"{facts.success_status}, {facts.bad_signature_status}{' (final)' if facts.refusal_is_final else ''}"
    yield _unsure("" if facts.max_body is None else f"{facts.max_body} bytes", row, "max_body")
    yield _unsure(_text(facts.disables), row, "disables")
    yield "kept" if facts.order_guaranteed else ""
    yield f"[{facts.checked or 'not read'}]({facts.source})"


def _id(row: Provider) -> str:
    if "id" not in event(row):
        return "none"
    known = {None: "", True: "same", False: "another"}[row.facts.id_survives_retry]
    same = _unsure(known, row, "id_survives_retry")
    return ", ".join(filter(None, [same, "signed" if row.id_is_signed else "unsigned"]))


def _unsure(said: str, row: Provider, fact: str) -> str:
    return f"{said} ?" if said and fact in row.facts.unconfirmed else said


def _text(said: str) -> str:
    """So that nothing of it is taken for Markdown."""
    return said.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("`", "")


if __name__ == "__main__":
    print(page(), end="")
