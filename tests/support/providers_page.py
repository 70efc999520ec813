"""The page of the documentation that lists every row: written from the rows, by `scripts/docs`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hookcatch.providers import Provider, names, provider
from hookcatch.providers.describe import event, retries, signing
from support.proof import CODE, OWN, PUBLISHED, proofs, third_party

HEAD = """\
# Every sender

*Made by `scripts/docs` from the rows in `src/hookcatch/providers/`. `hookcatch providers show NAME` says all of it.*

{count} rows. How each of them is proven:

| | rows | |
|---|---|---|
| {code} | {by_code} | a library of the sender, or of its standard, made it or took it; for {third}, one of others |
| {published} | {by_published} | a signature that the sender published, in its documentation or its tests |
| {own} | {by_own} | only our own reading of the documentation: a second implementation of the same formula agrees |

A `?` behind a name: no first-hand source says how it signs; try it before you rely on it. A `?` behind a figure: no
first-hand source says so. `answer` is the time the sender waits, `retries` how long it goes on trying.

| name | sender | how it signs | event id | type | batch | handshakes | answer | retries | proof |
|---|---|---|---|---|---|---|---|---|---|
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
        third=sum(map(third_party, proven)),
        by_published=counts[PUBLISHED],
        by_own=counts[OWN],
    )
    return head + "".join(
        f"| {' | '.join(_cells(provider(name), proven.get(name, '')))} |\n" for name in names()
    )


def _cells(row: Provider, proven: str) -> Iterator[str]:
    facts, where = row.facts, event(row)
    yield f"`{row.name}`" + ("" if row.confirmed else " ?")
    yield f"[{_text(row.title)}]({row.docs})" if row.docs else _text(row.title)
    yield "<br>".join(_text(way) for way in signing(row))
    yield from (_text(where.get(name, "")) for name in ("id", "type", "batch"))
    yield ", ".join(one.name for one in row.handshakes)
    answer = "" if facts.ack_deadline is None else f"{facts.ack_deadline:g} s"
    yield _unsure(answer, row, "ack_deadline")
    yield _unsure(retries(row).removeprefix("for "), row, "retry_horizon")
    yield f"{proven}, third party" if third_party(row.name) else proven


def _unsure(said: str, row: Provider, fact: str) -> str:
    return f"{said} ?" if said and fact in row.facts.unconfirmed else said


def _text(said: str) -> str:
    """So that nothing of it is taken for Markdown."""
    return said.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("`", "")


if __name__ == "__main__":
    print(page(), end="")
