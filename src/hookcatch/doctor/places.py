"""Which headers a row reads: found by going through its scheme, so that no row has to say it twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from hookcatch.providers import Provider, names, provider
from hookcatch.signing.listed import AnyHeader
from hookcatch.signing.places import BasicCredentials, Header, Pair, Tagged
from hookcatch.signing.schemes import Signed, Token


def headers_of(scheme: Any) -> frozenset[str]:
    """The headers that a scheme reads, in lower case."""
    return frozenset(name.lower() for name in _headers(scheme))


def prefixes_of(scheme: Any) -> dict[str, str]:
    """What signatures and tokens begin with, by header."""
    return {one.name.lower(): one.prefix for one in _all(scheme, Header) if one.prefix}


def signature_headers_of(scheme: Any) -> frozenset[str]:
    """Those of the headers that hold a signature or a token."""
    found = [*(one.signature for one in _all(scheme, Signed)), *(one.place for one in _all(scheme, Token))]
    return frozenset(name.lower() for place in found for name in _headers(place))


@cache
def rows_by_header() -> dict[str, tuple[str, ...]]:
    """The names of the rows that look for their signature in a header, by the header."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names():
        for header in signature_headers_of(provider(name).scheme):
            found[header] = (*found.get(header, ()), name)
    return found


def rows_for(headers: frozenset[str], but: Provider) -> tuple[str, ...]:
    """The other rows whose signature could stand in one of the headers that came."""
    found = {name for header in headers for name in rows_by_header().get(header, ())}
    return tuple(sorted(found - {but.name}))


def _headers(scheme: Any) -> Iterator[str]:
    for one in _all(scheme, (Header, Pair, Tagged, AnyHeader, BasicCredentials)):
        match one:
            case Header(name):
                yield name
            case Pair(name):
                yield name
            case Tagged(str() as name):
                yield name
            case Tagged(header) | AnyHeader(header):
                yield from header
            case _:
                yield "authorization"


def _all(what: Any, kind: Any) -> Iterator[Any]:
    """Everything of a kind inside a row's data."""
    if isinstance(what, kind):
        yield what
    if is_dataclass(what):
        for one in fields(what):
            yield from _all(getattr(what, one.name), kind)
    elif isinstance(what, tuple):
        for one in what:
            yield from _all(one, kind)
