"""How the rows are proven, and the page that says so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hookcatch.providers import names
from sdks.sdk import Author
from sdks.table import SDKS
from support.proof import CODE, PUBLISHED, VECTORS, checked_by, proof, proofs, third_parties
from support.providers_page import page

ROOT = Path(__file__).parents[3]


def test_every_row_has_a_file_of_vectors_and_every_file_a_row() -> None:
    assert {path.stem for path in VECTORS.glob("*.jsonl")} == set(names()) - {"unsigned"}


def test_a_library_of_the_sender_proves_a_row() -> None:
    assert proof("stripe") == CODE
    assert third_parties("stripe") == []


def test_a_library_of_a_third_party_does_too_and_is_named() -> None:
    assert proof("mandrill") == CODE
    assert third_parties("mandrill") == ["django-anymail"]


def test_a_signature_that_the_sender_published_is_worth_more_than_a_third_party() -> None:
    assert checked_by("wechat", Author.THIRD_PARTY) == ["wechatpy"]
    assert proof("wechat") == PUBLISHED
    assert third_parties("wechat") == []


def test_every_library_is_held_against_a_row_of_the_catalogue() -> None:
    assert {sdk.row for sdk in SDKS} <= set(names())


def test_most_rows_are_not_proven_by_us_alone() -> None:
    counts = Counter(proofs().values())
    assert counts[CODE] + counts[PUBLISHED] >= 89


def test_the_page_of_all_senders_is_current() -> None:
    assert (ROOT / "docs/providers.md").read_text() == page(), "run scripts/docs"
