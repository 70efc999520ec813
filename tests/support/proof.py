"""How each row is proven: by its sender's own code, by a signature that its sender published, or only by ours."""

from __future__ import annotations

import json
from pathlib import Path

from hookcatch.providers import names

VECTORS = Path(__file__).parents[1] / "vectors"

CODE, PUBLISHED, OWN = "a", "b", "c"

BY_CODE = ("GENERATED with", "accepted by", "standardwebhooks 1.1")
"""How a vector says that its sender's library, or that of the standard it follows, made it or took it."""

NOT_PUBLISHED = ("synthetic", "made with")

CHECKED_AGAINST = frozenset(
    {
        "adyen", "discord", "github", "itsdangerous", "jwt", "sendgrid", "slack", "square", "standard_webhooks",
        "stripe", "svix", "twilio",
    }
)  # fmt: skip
"""Rows that tests/unit/providers/test_sdks.py holds against their senders' libraries at every run."""


_NODE = json.loads((Path(__file__).parents[1] / "node/rows.json").read_text())
NODE_OWN: dict[str, str] = _NODE["official"]
"""Rows that tests/node/ holds at every run against JavaScript of their senders or standards, and its npm package."""
NODE_THIRD_PARTY: dict[str, str] = _NODE["third_party"]
"""The same, but of others who receive from these senders."""
NODE_PACKAGES = NODE_OWN | NODE_THIRD_PARTY


def proof(name: str) -> str:
    """`a` for code, `b` for a published signature, `c` for none but ours."""
    if name in CHECKED_AGAINST or name in NODE_OWN:
        return CODE
    sources = [
        row["source"]
        for line in (VECTORS / f"{name}.jsonl").read_text().splitlines()
        if (row := json.loads(line))["valid"]
    ]
    if any(mark in source for source in sources for mark in BY_CODE):
        return CODE
    if any(not source.startswith(NOT_PUBLISHED) for source in sources):
        return PUBLISHED
    return CODE if name in NODE_THIRD_PARTY else OWN


def third_party(name: str) -> bool:
    """Whether the code that proves it is of neither its sender nor its standard."""
    return name in NODE_THIRD_PARTY and proof(name) == CODE


def proofs() -> dict[str, str]:
    """Of every row that verifies anything."""
    return {name: proof(name) for name in names() if name != "unsigned"}
