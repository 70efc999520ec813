"""What all tests have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent

UNTRACED = ("attacks", "e2e", "fuzz", "lab", "node", "sdks", "vectors")
"""Where nothing is tested that other tests do not reach more directly: to trace these costs a third of their time and
adds no line to the coverage."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folders = tuple(HERE / name for name in UNTRACED)
    for item in items:
        if any(folder in item.path.parents for folder in folders):
            item.add_marker("no_cover")
