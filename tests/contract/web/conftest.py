from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hookcatch import Hookcatch
from support.edges import Edge
from support.frameworks import ALL
from support.senders import whsec
from support.world import Clock


@pytest.fixture
def hooks() -> Hookcatch:
    """One source, `shop`, which keeps what it gets; nobody works on it."""
    made = Hookcatch("memory:?keep=1000", worker=False, clock=Clock())
    made.source("shop", "standard_webhooks", whsec(0))
    return made


@pytest.fixture(params=ALL)
def make_edge(request: pytest.FixtureRequest) -> Iterator[Callable[[Hookcatch], Edge]]:
    """Put one of the edges in front of an app; its handlers have to be registered by then."""
    made: list[Edge] = []

    def make(hooks: Hookcatch) -> Edge:
        made.append(ALL[request.param](hooks))
        return made[-1]

    yield make
    for edge in made:
        edge.close()


@pytest.fixture
def edge(make_edge: Callable[[Hookcatch], Edge], hooks: Hookcatch) -> Edge:
    return make_edge(hooks)
