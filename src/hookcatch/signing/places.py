"""Where a scheme reads in a request, and writes when it signs.

A *place* holds one value (`Header`, `Pair`, `Field`, `Form`, `Query`), *signatures* stand in one that holds one
or many (`Header`, `Pair`, `Tagged`, ...). Each compiles, once, to a plain function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request

from .encoding import BASE64

MAX_VALUE = 8192
MAX_CANDIDATES = 16

Read = Callable[[Request], bytes | None]
ReadAll = Callable[[Request], Sequence[bytes]]


class Place(Protocol):
    """Where one value stands. `in_head`: it is known before the body is read."""

    @property
    def title(self) -> str:
        """What it is called in an error."""
        ...

    @property
    def in_head(self) -> bool: ...

    def reader(self) -> Read:
        """A function that gives the value, or None if it is not there."""
        ...

    def write(self, request: Request, value: bytes) -> Request:
        """The request with the value put there."""
        ...


class Signatures(Protocol):
    """Where the signatures stand."""

    @property
    def in_head(self) -> bool: ...

    def candidates(self) -> ReadAll:
        """A function that gives 1 to `MAX_CANDIDATES` texts, or raises Rejected."""
        ...

    def write_all(self, request: Request, texts: Sequence[bytes]) -> Request:
        """The request with the signatures put there; the first only, where there is room for one."""
        ...


class One:
    """A place that holds one signature, mixed in."""

    __slots__ = ()

    def candidates(self: Place) -> ReadAll:
        read, title = self.reader(), self.title

        def candidates(request: Request) -> Sequence[bytes]:
            value = read(request)
            if not value:
                raise Rejected("missing_signature", title)
            return (value,)

        return candidates

    def write_all(self: Place, request: Request, texts: Sequence[bytes]) -> Request:
        return self.write(request, texts[0])


@dataclass(frozen=True, slots=True)
class Header(One):
    """A header, without a fixed prefix. `only` limits what may stand in it, where that keeps the borders of
    the message apart (ATTACKS A9); it is an id then, and said to be malformed as one."""

    name: str
    prefix: str = ""
    only: re.Pattern[bytes] | None = None

    @property
    def title(self) -> str:
        return self.name

    @property
    def in_head(self) -> bool:
        return True

    def reader(self) -> Read:
        if self.only is not None:
            return _only(self.name, self.only)
        return _after(self.name, self.prefix.encode()) if self.prefix else _header(self.name)

    def write(self, request: Request, value: bytes) -> Request:
        return request.with_header(self.name, self.prefix.encode() + value)


@dataclass(frozen=True, slots=True)
class Pair:
    """One key of a header that lists `key=value` items: one value of it, or as many as are listed. `spaces`
    may stand in a value only where the sender puts some there."""

    header: str
    key: str
    between: bytes = b","
    spaces: bool = False

    @property
    def title(self) -> str:
        return f"{self.key}= in {self.header}"

    @property
    def in_head(self) -> bool:
        return True

    def reader(self) -> Read:
        read, between, title = self._read(), self.between, self.title
        mark = self.key.encode() + b"="

        def one(request: Request) -> bytes | None:
            found = [item for item in read(request).split(between) if item.startswith(mark)]
            if len(found) > 1:
                raise Rejected("duplicate_header", f"more than one {title}")
            return found[0][len(mark) :] if found else None

        return one

    def candidates(self) -> ReadAll:
        return _listed(self._read(), self.between, self.key.encode() + b"=", self.title)

    def _read(self) -> Callable[[Request], bytes]:
        read, name = _header(self.header), self.header
        spaced = self.spaces or b" " in self.between

        def value(request: Request) -> bytes:
            found = read(request) or b""
            # A server that joins two headers of one name leaves a space behind the comma (ATTACKS A46).
            if not spaced and b" " in found:
                raise Rejected("malformed_signature", f"{name} has spaces in it")
            return found

        return value

    def shares(self, other: Pair) -> bool:
        """Whether both stand in one header."""
        ours, theirs = (self.header, self.between, self.spaces), (other.header, other.between, other.spaces)
        return ours == theirs

    def beside(self, other: Pair) -> Callable[[Request], tuple[Sequence[bytes], bytes | None]]:
        """Reads all values of this key and the one of another, in one pass."""
        read, between, title = self._read(), self.between, self.title
        ours, theirs = self.key.encode(), other.key.encode()

        def beside(request: Request) -> tuple[Sequence[bytes], bytes | None]:
            found: list[bytes] = []
            others: list[bytes] = []
            for item in read(request).split(between):
                key, mark, value = item.partition(b"=")
                if key == ours and mark:
                    found.append(value)
                elif key == theirs and mark:
                    others.append(value)
            if len(others) > 1:
                raise Rejected("duplicate_header", f"more than one {other.title}")
            if not 0 < len(found) <= MAX_CANDIDATES:
                _miscounted(found, title)
            return found, others[0] if others else None

        return beside

    def write(self, request: Request, value: bytes) -> Request:
        return self.write_all(request, (value,))

    def write_all(self, request: Request, texts: Sequence[bytes]) -> Request:
        mark = self.key.encode() + b"="
        return _rewrite(request, self.header, self.between, mark, texts)


@dataclass(frozen=True, slots=True)
class Tagged:
    """The signatures of one version in a list of `version,signature`: Standard Webhooks. `header` may be a
    list of names, of which the first one present counts."""

    header: str | tuple[str, ...]
    tag: str
    between: bytes = b" "
    mark: bytes = b","

    @property
    def in_head(self) -> bool:
        return True

    def candidates(self) -> ReadAll:
        names = self.header if isinstance(self.header, tuple) else (self.header,)
        read = _first([_header(name) for name in names])
        return _listed(read, self.between, self.tag.encode() + self.mark, f"{self.tag} in {names[0]}")

    def write_all(self, request: Request, texts: Sequence[bytes]) -> Request:
        name = self.header[0] if isinstance(self.header, tuple) else self.header
        return _rewrite(request, name, self.between, self.tag.encode() + self.mark, texts)


@dataclass(frozen=True, slots=True)
class FirstOf(One):
    """The first of several places that is filled; written to the first."""

    places: tuple[Place, ...]

    @property
    def title(self) -> str:
        return self.places[0].title

    @property
    def in_head(self) -> bool:
        return all(place.in_head for place in self.places)

    def reader(self) -> Read:
        return _first([place.reader() for place in self.places])

    def write(self, request: Request, value: bytes) -> Request:
        return self.places[0].write(request, value)


@dataclass(frozen=True, slots=True)
class Query(One):
    """A parameter of the URL, there exactly once."""

    name: str

    @property
    def title(self) -> str:
        return f"{self.name} in the query"

    @property
    def in_head(self) -> bool:
        return True

    def reader(self) -> Read:
        def read(request: Request) -> bytes | None:
            return single([v for k, v in query_pairs(request.url) if k == self.name], self.title)

        return read

    def write(self, request: Request, value: bytes) -> Request:
        parts = urlsplit(request.url)
        kept = [(k, v) for k, v in query_pairs(request.url) if k != self.name]
        query = urlencode([*kept, (self.name, value.decode())])
        return request.replace(url=urlunsplit(parts._replace(query=query)))


@dataclass(frozen=True, slots=True)
class BasicCredentials(One):
    """`user:password` of an Authorization header (RFC 7617)."""

    @property
    def title(self) -> str:
        return "authorization"

    @property
    def in_head(self) -> bool:
        return True

    def reader(self) -> Read:
        read = _header("authorization")

        def credentials(request: Request) -> bytes | None:
            value = read(request)
            if value is None:
                return None
            scheme, _, text = value.partition(b" ")
            found = BASE64.decode(text) if scheme.lower() == b"basic" else None
            if not found:
                raise Rejected("malformed_signature", "authorization is not HTTP Basic")
            return found

        return credentials

    def write(self, request: Request, value: bytes) -> Request:
        return request.with_header("authorization", b"Basic " + BASE64.encode(value))


def challenge(place: Place) -> str:
    """What a 401 asks for, as `WWW-Authenticate` (RFC 9110, 11.6.1), where a token stands in this place.

    Many clients, Amazon SNS among them, send credentials only after they were asked. Empty where HTTP has no word.
    """
    match place:
        case FirstOf(places=(first, *_)):
            return challenge(first)
        case BasicCredentials():
            return 'Basic realm="webhooks", charset="UTF-8"'
        case Header(name="authorization", prefix="Bearer "):
            return 'Bearer realm="webhooks"'
        case _:
            return ""


def together(
    signatures: Signatures, place: Place
) -> Callable[[Request], tuple[Sequence[bytes], bytes | None]]:
    """Reads the signatures and one other place; a header that lists both is taken apart once."""
    if isinstance(signatures, Pair) and isinstance(place, Pair) and signatures.shares(place):
        return signatures.beside(place)
    candidates, read = signatures.candidates(), place.reader()
    return lambda request: (candidates(request), read(request))


def query_pairs(url: str) -> list[tuple[str, str]]:
    """The parameters of a URL; none for one that cannot be read."""
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        return []


def _header(name: str) -> Read:
    wanted = name.lower().encode()

    def read(request: Request) -> bytes | None:
        value = request.index.get(wanted) if request.is_plain else request.header(wanted)
        if value is not None and len(value) > MAX_VALUE:
            raise Rejected("malformed_signature", f"{name} is longer than {MAX_VALUE} bytes")
        return value

    return read


def _after(name: str, prefix: bytes) -> Read:
    """What stands after the prefix. The scheme of an `Authorization` may be spelt in any case (RFC 9110, 11.1)."""
    read, size, lower = _header(name), len(prefix), prefix.lower()
    any_case = name.lower() == "authorization"

    def after(request: Request) -> bytes | None:
        value = read(request)
        if value is None or value.startswith(prefix) or (any_case and value[:size].lower() == lower):
            return value and value[size:]
        raise Rejected("malformed_signature", f"{name} does not begin with {prefix.decode()}")

    return after


def _only(name: str, allowed: re.Pattern[bytes]) -> Read:
    read, matches = _header(name), allowed.fullmatch

    def only(request: Request) -> bytes | None:
        value = read(request)
        if value is not None and not matches(value):
            raise Rejected("malformed_id", f"{name} holds more than {allowed.pattern.decode()}")
        return value

    return only


def _first(reads: Sequence[Read]) -> Read:
    if len(reads) == 1:
        return reads[0]

    def first(request: Request) -> bytes | None:
        for read in reads:
            value = read(request)
            if value is not None:
                return value
        return None

    return first


def _listed(read: Read, between: bytes, mark: bytes, title: str) -> ReadAll:
    size = len(mark)

    def listed(request: Request) -> Sequence[bytes]:
        value = read(request)
        if not value:
            raise Rejected("missing_signature", title)
        found = [item[size:] for item in value.split(between) if item.startswith(mark)]
        return found if 0 < len(found) <= MAX_CANDIDATES else _miscounted(found, title)

    return listed


def _miscounted(found: Sequence[bytes], title: str) -> NoReturn:
    if found:
        raise Rejected("malformed_signature", f"more than {MAX_CANDIDATES} signatures")
    raise Rejected("missing_signature", title)


def single(values: Sequence[str], title: str) -> bytes | None:
    if len(values) > 1:
        raise Rejected("malformed_signature", f"more than one {title}")
    return values[0].encode("utf-8", "surrogatepass") if values else None


def _rewrite(request: Request, header: str, between: bytes, mark: bytes, texts: Sequence[bytes]) -> Request:
    old = request.header(header.lower().encode())
    kept = [item for item in old.split(between) if not item.startswith(mark)] if old else []
    return request.with_header(header, between.join([*kept, *(mark + text for text in texts)]))
