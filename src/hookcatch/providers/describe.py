"""A row in words: how its sender signs, as a template, and everything else it says, as plain data."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from functools import singledispatch
from typing import Any

from hookcatch.signing.alternatives import EitherOf, Strongest
from hookcatch.signing.combined import AllOf
from hookcatch.signing.http_signature import MessageSignature
from hookcatch.signing.jws import DetachedJws
from hookcatch.signing.jwt import Jwt
from hookcatch.signing.listed import AnyHeader
from hookcatch.signing.mac import Hash, Hmac, Side
from hookcatch.signing.parts import At, Body, BodyHash, Method, Nonce, Time, Url
from hookcatch.signing.places import BasicCredentials, FirstOf, Header, Tagged
from hookcatch.signing.public_key import Ecdsa, Ed25519, Rsa
from hookcatch.signing.schemes import BySecret, Made, Signed, Token, Unsigned

from .row import Provider
from .shapes import NOWHERE, AnyOf, Batch, Head, Joined, OtherKey, Path

_WITH = ", with a secret "


def signing(provider: Provider) -> tuple[str, ...]:
    """How a sender signs, a line for each way: where the signature stands, and what it is made of."""
    return tuple(dict.fromkeys(_ways(provider.scheme)))


def as_data(provider: Provider) -> dict[str, Any]:
    """Everything a row says, as JSON values."""
    facts = dataclasses.asdict(provider.facts)
    return {
        "name": provider.name,
        "title": provider.title,
        "signing": list(signing(provider)),
        "confirmed": provider.confirmed,
        "id_is_signed": provider.id_is_signed,
        "body_is_signed": provider.body_is_signed,
        "url_is_signed": provider.url_is_signed,
        "event": event(provider),
        "methods": sorted(provider.methods),
        "handshakes": [one.name for one in provider.handshakes],
        "facts": {
            **facts,
            "checked": provider.facts.checked and provider.facts.checked.isoformat(),
            "unconfirmed": sorted(provider.facts.unconfirmed),
        },
        "docs": provider.docs,
    }


def event(provider: Provider) -> dict[str, str]:
    """Where id, type, data and the events of a batch stand; what the sender does not say is left out."""
    shape = provider.events
    known = {
        "id": "" if shape.id == NOWHERE else spot(shape.id),
        "type": "" if shape.type == NOWHERE else spot(shape.type),
        "data": shape.data,
        "batch": batch(shape.batch) if shape.batch else "",
    }
    return {name: said for name, said in known.items() if said}


def retries(provider: Provider) -> str:
    """For how long a sender tries again, and how often if it says so; empty if nobody knows."""
    facts = provider.facts
    if not facts.retry_horizon:
        return "" if facts.retry_horizon is None else "never"
    if not facts.retry_schedule:
        return f"for {span(facts.retry_horizon)}"
    often, last = len(facts.retry_schedule), span(facts.retry_horizon)
    return f"once, after {last}" if often == 1 else f"{often} times in {last}"


def schedule(provider: Provider) -> str:
    """When each further try comes, after the first; empty where it is not known, or `retries` says it already."""
    known = provider.facts.retry_schedule or ()
    return ", ".join(map(span, known)) if len(known) > 1 else ""


def span(seconds: float) -> str:
    """`90 s`, `5 min`, `1 h 30 min`, `3 d 2 h`: two units at most, the rest rounded away."""
    if seconds < 120:
        return f"{seconds:g} s"
    minutes = round(seconds / 60)
    large, small, each = ("d", "h", 24 * 60) if minutes >= 48 * 60 else ("h", "min", 60)
    if minutes < 60:
        return f"{minutes} min"
    whole, rest = divmod(minutes, each)
    rest = round(rest / 60) if large == "d" else rest
    whole, rest = (whole + 1, 0) if large == "d" and rest == 24 else (whole, rest)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def batch(known: Batch) -> str:
    """Where the events of one delivery stand."""
    return f"each of {known.items}" if known.items else "each of the list"


@singledispatch
def spot(place: Any) -> str:
    """Where a text of an event stands."""
    return _sentence(place)


@spot.register
def _(place: Head) -> str:
    return f"header {place.name}"


@spot.register
def _(place: Path) -> str:
    return place.path


@spot.register
def _(place: AnyOf) -> str:
    return " or ".join(spot(one) for one in place.spots)


@spot.register
def _(place: Joined) -> str:
    return f" + {place.separator!r} + ".join(spot(one) for one in place.spots)


@spot.register
def _(place: OtherKey) -> str:
    return f"the key beside {', '.join(sorted(place.known))}"


@singledispatch
def _ways(scheme: Any) -> Iterator[str]:
    """The ways in which a scheme signs; of one that wraps another, those of the other; of one that is unique, what
    its author says of it."""
    inner = getattr(scheme, "scheme", None)
    if inner is None:
        yield _sentence(scheme)
    else:
        yield from _ways(inner)


@_ways.register
def _(scheme: Signed) -> Iterator[str]:
    yield f"{_place(scheme.signature)} = {scheme.encoding.name.lower()}({_made(scheme)})"


@_ways.register
def _(scheme: Token) -> Iterator[str]:
    yield f"{_place(scheme.place)} = secret"


@_ways.register
def _(scheme: Unsigned) -> Iterator[str]:
    yield "nothing: everybody is believed"


@_ways.register
def _(scheme: Jwt) -> Iterator[str]:
    bound = f", with the claim {scheme.body.name} over the request" if scheme.body else ", the body not bound"
    yield f"{_place(scheme.token)} = JWT({scheme.algorithm}{bound})"


@_ways.register
def _(scheme: DetachedJws) -> Iterator[str]:
    body = "base64url(body)" if scheme.encoded else "body"
    yield f"{_place(scheme.signature)} = detached JWS({scheme.algorithm}, {body})"


@_ways.register
def _(scheme: MessageSignature) -> Iterator[str]:
    yield f"signature = RFC 9421({scheme.algorithm}, {' '.join(scheme.components) or 'nothing in particular'})"


@_ways.register
def _(scheme: Made) -> Iterator[str]:
    if scheme.like is None:
        yield f"made for each secret. {_sentence(scheme.make)}"
    else:
        yield from _ways(scheme.like)


@_ways.register
def _(scheme: AllOf) -> Iterator[str]:
    yield ", and ".join(way for one, _ in scheme.parts for way in _ways(one))


@_ways.register
def _(scheme: BySecret) -> Iterator[str]:
    prefixes: dict[str, list[str]] = {}
    for prefix, one in scheme.cases:
        for way in _ways(one):
            prefixes.setdefault(way, []).append(f"{prefix}...")
    for way, known in prefixes.items():
        yield way if _WITH in way else f"{way}{_WITH}{' or '.join(known)}"
    yield from _ways(scheme.otherwise)


@_ways.register(EitherOf)
@_ways.register(Strongest)
def _(scheme: EitherOf | Strongest) -> Iterator[str]:
    for one in scheme.schemes:
        yield from _ways(one)


def _made(scheme: Signed) -> str:
    message = "".join(
        f"{part.decode()}" if isinstance(part, bytes) else f"{{{_part(part, scheme)}}}"
        for part in scheme.message
    )
    algorithm = scheme.algorithm
    if isinstance(algorithm, Hash):
        before = "secret + " if algorithm.secret is Side.BEFORE else ""
        after = " + secret" if algorithm.secret is Side.AFTER else ""
        return f'{algorithm.digest.upper()}({before}"{message}"{after})'
    return f'{_algorithm(algorithm)}, "{message}")'


def _algorithm(algorithm: Any) -> str:
    match algorithm:
        case Hmac(digest):
            return f"HMAC-{digest.upper()}(secret"
        case Rsa(digest, padding):
            return f"RSA-{digest.upper()} {padding.name}(private key"
        case Ecdsa(digest):
            return f"ECDSA-P256-{digest.upper()}(private key"
        case Ed25519():
            return "Ed25519(private key"
    return f"{_sentence(algorithm)}("


def _part(part: Any, scheme: Signed) -> str:
    match part:
        case Body():
            return "body"
        case Url():
            return "url"
        case Method():
            return "method"
        case Time() if scheme.time is not None:
            return scheme.time.place.title
        case BodyHash(digest):
            return f"{digest} of body"
        case At(place) | Nonce(place):
            return place.title
    return _sentence(part)


def _place(place: Any) -> str:
    match place:
        case Header(name, prefix):
            return f"{name}: {prefix}".rstrip() if prefix else name
        case Tagged(header, tag, _, mark):
            name = header if isinstance(header, str) else header[0]
            return f"{name}: {tag}{mark.decode()}"
        case BasicCredentials():
            return "authorization: Basic"
        case FirstOf(places):
            return " or ".join(map(_place, places))
        case AnyHeader(names):
            return " or ".join(names)
    return str(getattr(place, "title", None) or _sentence(place))


def _sentence(what: Any) -> str:
    """The first sentence of what an author says of his work."""
    said = " ".join((inspect.getdoc(what) or type(what).__name__).split())
    return said.partition(". ")[0].rstrip(".")
