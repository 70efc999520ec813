from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.world import World


@pytest.fixture(params=["blocking", "threads", "awaited"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(request.param)
    yield made
    made.close()
