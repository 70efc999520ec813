"""Which handlers get an event."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookcatch.core import routing
from hookcatch.core.errors import ConfigurationError
from hookcatch.core.handler import Handler


def handler(name: str, *types: str, source: str | None = None) -> Handler:
    return Handler(name=name, function=print, types=types, slots=(), source=source)


def names(routes: routing.Routes, type_: str, source: str = "shop") -> list[str]:
    return [one.name for one in routes.find(source, type_)]


def test_an_exact_type_matches_only_itself():
    routes = routing.build([handler("h", "order.created")])
    assert names(routes, "order.created") == ["h"]
    for other in ("order.create", "order.created.", "order.createdx", "Order.created", "", "*"):
        assert names(routes, other) == []


def test_a_prefix_matches_everything_that_begins_so():
    routes = routing.build([handler("h", "order.*")])
    assert names(routes, "order.created") == ["h"]
    assert names(routes, "order.") == ["h"]
    assert names(routes, "order") == []
    assert names(routes, "orders.created") == []


def test_a_star_matches_everything_even_an_event_without_a_type():
    routes = routing.build([handler("h", "*")])
    assert names(routes, "anything at all") == ["h"]
    assert names(routes, "") == ["h"]


def test_a_prefix_need_not_end_at_a_dot():
    routes = routing.build([handler("h", "ord*")])
    assert names(routes, "orders.created") == ["h"]


def test_a_list_matches_each_of_its_types_and_calls_the_handler_once():
    routes = routing.build([handler("h", "order.created", "order.*", "invoice.paid", "*")])
    assert names(routes, "order.created") == ["h"]
    assert names(routes, "invoice.paid") == ["h"]


def test_a_handler_of_a_source_sees_only_that_source():
    routes = routing.build([handler("ours", "*", source="shop"), handler("all", "*")])
    assert names(routes, "x", "shop") == ["ours", "all"]
    assert names(routes, "x", "other") == ["all"]


def test_several_handlers_come_in_the_order_of_registration():
    routes = routing.build(
        [handler("1", "*"), handler("2", "a.b", source="shop"), handler("3", "a.*"), handler("4", "a.b")]
    )
    assert names(routes, "a.b") == ["1", "2", "3", "4"]


def test_a_fallback_gets_only_what_nobody_else_wants():
    routes = routing.build([handler("h", "order.*")], [handler("rest"), handler("elsewhere", source="other")])
    assert names(routes, "order.created") == ["h"]
    assert names(routes, "refund.created") == ["rest"]
    assert names(routes, "refund.created", "other") == ["rest", "elsewhere"]


def test_without_a_fallback_an_unwanted_event_has_no_handlers():
    assert names(routing.build([]), "x") == []


def test_the_handlers_of_a_source_are_its_own_the_common_ones_and_the_fallbacks():
    routes = routing.build(
        [handler("a", "x", source="shop"), handler("b", "y"), handler("c", "z", source="other")],
        [handler("d"), handler("e", source="other")],
    )
    assert [one.name for one in routes.of_source("shop")] == ["a", "b", "d"]


@pytest.mark.parametrize("pattern", ["", "*.created", "a*b", "**", "or*er.*"])
def test_a_pattern_that_is_neither_a_type_nor_a_prefix_is_refused(pattern: str):
    with pytest.raises(ConfigurationError, match="is no event type"):
        routing.build([handler("h", pattern)])


def test_two_handlers_of_one_name_are_refused_because_their_runs_could_not_be_told_apart():
    with pytest.raises(ConfigurationError, match="two handlers are named 'h'"):
        routing.build([handler("h", "a"), handler("h", "b")])
    with pytest.raises(ConfigurationError, match="name="):
        routing.build([handler("h", "a")], [handler("h")])


def test_a_type_from_a_request_is_never_a_pattern():
    routes = routing.build([handler("h", "a.b")])
    for hostile in ("a.*", "*", "a.?", "a[.]b", "a\\.b", "^a.b$"):
        assert names(routes, hostile) == []


def test_routing_uses_no_regular_expressions():
    source = Path(routing.__file__).read_text()
    assert re.search(r"\b(import|from)\s+(re|fnmatch|regex)\b", source) is None


_words = st.text(alphabet="ab.", max_size=4)
_sources = st.sampled_from(["s", "t"])
_patterns = st.one_of(_words.filter(bool), _words.map(lambda word: word + "*"))
_handlers = st.lists(
    st.tuples(st.lists(_patterns, min_size=1, max_size=3), st.one_of(st.none(), _sources)), max_size=6
)


@settings(max_examples=200, deadline=None)
@given(made=_handlers, source=_sources, type_=_words)
def test_it_finds_what_a_naive_look_at_every_pattern_finds(made, source: str, type_: str):
    routes = routing.build([handler(str(n), *types, source=of) for n, (types, of) in enumerate(made)])
    expected = [
        str(n)
        for n, (types, of) in enumerate(made)
        if of in (None, source) and any(fnmatchcase(type_, pattern) for pattern in types)
    ]
    assert names(routes, type_, source) == expected
