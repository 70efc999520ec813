"""How each row is proven: by its sender's own code, by a signature that its sender published, or only by ours."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
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

_NODE = json.loads((Path(__file__).parents[1] / "node/rows.json").read_text())
NODE_OWN: dict[str, str] = _NODE["official"]
"""Rows that tests/node holds at every run against JavaScript of their senders or standards, and its npm package."""
NODE_THIRD_PARTY: dict[str, str] = _NODE["third_party"]
"""The same, but of others who receive from these senders."""
NODE_PACKAGES = NODE_OWN | NODE_THIRD_PARTY


def official(name: str) -> list[str]:
    """The libraries of the sender or its standard against which the row is held at every run."""
    return _libraries(name, OFFICIAL, NODE_OWN)


def third_parties(name: str) -> list[str]:
    """The libraries of receivers, where neither the sender nor its standard says that the row is right."""
    others = _libraries(name, (Author.THIRD_PARTY,), NODE_THIRD_PARTY)
    return others if proof(name) == CODE and not official(name) and not _made_by_code(name) else []


def proof(name: str) -> str:
    """`a` for code, `b` for a published signature, `c` for none but ours. A third party's code counts for less than a
    signature that the sender published."""
    if official(name) or _made_by_code(name):
        return CODE
    if any(not source.startswith(NOT_PUBLISHED) for source in _sources(name)):
        return PUBLISHED
    return CODE if _libraries(name, (Author.THIRD_PARTY,), NODE_THIRD_PARTY) else OWN


def _libraries(name: str, authors: Collection[Author], node: Mapping[str, str]) -> list[str]:
    """Those of tests/sdks and tests/node."""
    found = {sdk.package for sdk in SDKS if sdk.row == name and sdk.author in authors}
    return sorted(found | ({node[name]} if name in node else set()))


def _made_by_code(name: str) -> bool:
    return any(mark in source for source in _sources(name) for mark in BY_CODE)


def _sources(name: str) -> list[str]:
    """Where the good requests of a row's vectors are from."""
    vectors = map(json.loads, (VECTORS / f"{name}.jsonl").read_text().splitlines())
    return [vector["source"] for vector in vectors if vector["valid"]]


def proofs() -> dict[str, str]:
    """Of every row that verifies anything."""
    return {name: proof(name) for name in names() if name != "unsigned"}
