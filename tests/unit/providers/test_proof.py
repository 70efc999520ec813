"""How the rows are proven, and the page that says so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hookcatch.providers import names
from support.proof import CHECKED_AGAINST, CODE, PUBLISHED, VECTORS, proofs
from support.providers_page import page

ROOT = Path(__file__).parents[3]


def test_every_row_has_a_file_of_vectors_and_every_file_a_row() -> None:
    assert {path.stem for path in VECTORS.glob("*.jsonl")} == set(names()) - {"unsigned"}


def test_what_is_said_to_be_checked_against_a_library_is() -> None:
    checked = (ROOT / "tests/unit/providers/test_sdks.py").read_text()
    assert [name for name in CHECKED_AGAINST if f'"{name}"' not in checked] == []


def test_most_rows_are_not_proven_by_us_alone() -> None:
    counts = Counter(proofs().values())
    assert counts[CODE] + counts[PUBLISHED] >= 62


def test_the_page_of_all_senders_is_current() -> None:
    assert (ROOT / "docs/providers.md").read_text() == page(), "run scripts/docs"
