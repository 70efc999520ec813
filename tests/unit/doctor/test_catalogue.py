"""The catalogue of findings is whole: the code, the tests and the page of the documentation know the same names."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hookcatch.doctor.catalogue import DOOR, FINDINGS, SIGNATURE, Known, finding
from support.doctor_page import table

ROOT = Path(__file__).parents[3]
DOCTOR = ROOT / "src" / "hookcatch" / "doctor"
WHERE = {
    "signature": (SIGNATURE, ROOT / "tests" / "unit" / "doctor" / "test_diagnoses.py"),
    "door": (DOOR, ROOT / "tests" / "e2e" / "test_doctor.py"),
}


def texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr) and ast.unparse(node) == "f'secret_is_{name}'":
            yield from ("secret_is_base64", "secret_is_hex")


def expected(path: Path) -> set[str]:
    """The texts that a test module demands: in its cases, in the lists it is run with, in what it asserts."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        is_case = isinstance(node, ast.Call) and ast.unparse(node.func) in {"Case", "pytest.mark.parametrize"}
        if is_case or isinstance(node, ast.Assert):
            found |= set(texts(node))
    return found


@pytest.mark.parametrize("what", WHERE)
def test_every_finding_is_found_by_a_test(what: str) -> None:
    known, tested = WHERE[what]
    assert known.keys() - expected(tested) == set()


def test_every_finding_is_made_by_the_code_and_the_code_makes_no_other() -> None:
    code = [ast.parse(path.read_text()) for path in DOCTOR.rglob("*.py") if path.stem != "catalogue"]
    code.append(ast.parse((ROOT / "src" / "hookcatch" / "cli" / "knock.py").read_text()))
    assert FINDINGS.keys() - {text for tree in code for text in texts(tree)} == set()
    named = {
        node.args[0].value
        for tree in code
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "finding"
        if isinstance(node.args[0], ast.Constant)
    }
    assert named
    assert named <= FINDINGS.keys()


def test_no_name_stands_for_two_things() -> None:
    assert not SIGNATURE.keys() & DOOR.keys()


def test_what_is_not_in_the_catalogue_cannot_be_found() -> None:
    with pytest.raises(KeyError):
        finding("no_such_thing", "something")


@pytest.mark.parametrize("known", [SIGNATURE, DOOR], ids=["signature", "door"])
def test_the_page_has_a_row_for_each(known: Mapping[str, Known]) -> None:
    page = (ROOT / "docs" / "doctor.md").read_text()
    assert table(known) in page  # `python -m support.doctor_page` prints it
