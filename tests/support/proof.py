"""How each row is proven: by its sender's own code, by a signature that its sender published, or only by ours."""

from __future__ import annotations

import json
from pathlib import Path

from hookcatch.providers import names
from sdks.sdk import Author
from sdks.table import SDKS

VECTORS = Path(__file__).parents[1] / "vectors"

CODE, PUBLISHED, OWN = "a", "b", "c"

BY_CODE = ("GENERATED with", "accepted by", "standardwebhooks 1.1")
"""How a vector says that its sender's library, or that of the standard it follows, made it or took it."""

NOT_PUBLISHED = ("synthetic", "made with")

OFFICIAL = Author.SENDER, Author.STANDARD


def checked_by(name: str, *authors: Author) -> list[str]:
    """The libraries that tests/sdks holds the row against at every run, of these authors."""
    return sorted({sdk.package for sdk in SDKS if sdk.row == name and sdk.author in authors})


def third_parties(name: str) -> list[str]:
    """The libraries of receivers, where neither the sender nor its standard says that the row is right."""
    others = checked_by(name, Author.THIRD_PARTY)
    return others if others and proof(name) == CODE and not checked_by(name, *OFFICIAL) else []


def proof(name: str) -> str:
    """`a` for code, `b` for a published signature, `c` for none but ours. A third party's code counts for less than a
    signature that the sender published."""
    if checked_by(name, *OFFICIAL):
        return CODE
    third_party = bool(checked_by(name, Author.THIRD_PARTY))
    sources = [
        row["source"]
        for line in (VECTORS / f"{name}.jsonl").read_text().splitlines()
        if (row := json.loads(line))["valid"]
    ]
    if not third_party and any(mark in source for source in sources for mark in BY_CODE):
        return CODE
    if any(not source.startswith(NOT_PUBLISHED) for source in sources):
        return PUBLISHED
    return CODE if third_party else OWN


def proofs() -> dict[str, str]:
    """Of every row that verifies anything."""
    return {name: proof(name) for name in names() if name != "unsigned"}
