"""What is signed: a message is a tuple of literal bytes and parts, compiled once to a plain function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request

from .places import MAX_CANDIDATES, Place

Render = Callable[[Request, bytes], bytes]
"""The bytes of a part, given the request and the text of its time."""


class Part(Protocol):
    """A part of the message; may be fed by the time that was read already."""

    def render(self) -> Render: ...


@runtime_checkable
class Fills(Protocol):
    """A part that puts something into a request that is to be signed."""

    def fill(self, request: Request) -> Request:
        """The request with what the part reads, if it was not there."""
        ...


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of the wire."""

    def render(self) -> Render:
        return lambda request, _: request.body


@dataclass(frozen=True, slots=True)
class BodyHash:
    """The body's digest, in place of the body."""

    digest: str
    encode: Callable[[bytes], bytes] = bytes

    def render(self) -> Render:
        digest, encode = self.digest, self.encode
        return lambda request, _: encode(hashlib.new(digest, request.body).digest())


@dataclass(frozen=True, slots=True)
class Time:
    """The timestamp, as it was sent."""

    def render(self) -> Render:
        return lambda _, time: time


@dataclass(frozen=True, slots=True)
class Method:
    """The HTTP method in upper case."""

    def render(self) -> Render:
        return lambda request, _: request.method.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Url:
    """The full URL the sender called, as configured."""

    def render(self) -> Render:
        def url(request: Request, _: bytes) -> bytes:
            if not request.url:
                raise Rejected(
                    "bad_signature", "the sender signs the URL, and it is not known: set public_url"
                )
            return request.url.encode("utf-8", "surrogatepass")

        return url


@dataclass(frozen=True, slots=True)
class UrlPath:
    """The path of the URL, without its query."""

    def render(self) -> Render:
        url = Url().render()
        return lambda request, time: _path(url(request, time))


def _path(url: bytes) -> bytes:
    rest = url.partition(b"://")[2].partition(b"?")[0]
    return b"/" + rest.partition(b"/")[2]


@dataclass(frozen=True, slots=True)
class At:
    """What stands at a place."""

    place: Place

    def render(self) -> Render:
        read, title = self.place.reader(), self.place.title

        def at(request: Request, _: bytes) -> bytes:
            value = read(request)
            if value is None:
                raise Rejected("missing_signature", f"{title} is signed, and missing")
            return value

        return at


@dataclass(frozen=True, slots=True)
class Nonce:
    """What stands at a place and is made up by the sender; `prefix` begins what is made up here."""

    place: Place
    prefix: str = ""

    def render(self) -> Render:
        return At(self.place).render()

    def fill(self, request: Request) -> Request:
        """The request with the place filled, deterministically, if it is empty."""
        if self.place.reader()(request) is not None:
            return request
        made = self.prefix + hashlib.sha256(request.body).hexdigest()[:32]
        return self.place.write(request, made.encode())


@dataclass(frozen=True, slots=True)
class NamedHeaders:
    """The values of the headers whose names, lower case and a space between, stand at a place; a dot between
    them: Hook0. To sign, the place is filled with `usual`."""

    names: Place
    usual: bytes

    def render(self) -> Render:
        read = self.names.reader()

        def values(request: Request, _: bytes) -> bytes:
            found = [request.header(name) for name in (read(request) or b"").split(b" ", MAX_CANDIDATES)]
            if None in found:
                # Not "missing": a weaker signature must not take the place of this one.
                raise Rejected(
                    "malformed_signature", f"a header of {self.names.title} is signed, and missing"
                )
            return b".".join(value for value in found if value is not None)

        return values

    def fill(self, request: Request) -> Request:
        """The request with the names, if it has none."""
        return request if self.names.reader()(request) else self.names.write(request, self.usual)


@dataclass(frozen=True, slots=True)
class Sorted:
    """Some texts in the order of their bytes, nothing between them: WeChat."""

    parts: tuple[bytes | Part, ...]

    def render(self) -> Render:
        renders = [part.render() for part in self.parts if not isinstance(part, bytes)]
        fixed = [part for part in self.parts if isinstance(part, bytes)]
        return lambda request, time: b"".join(sorted([*fixed, *(one(request, time) for one in renders)]))

    def fill(self, request: Request) -> Request:
        """The request with what its parts fill in."""
        for part in self.parts:
            if isinstance(part, Fills):
                request = part.fill(request)
        return request


BODY, TIME, METHOD, URL = Body(), Time(), Method(), Url()

Message = tuple[bytes | Part, ...]


def renderer(message: Message) -> Render:
    """The function that puts the message together, in one copy of the body at most."""
    if len(message) == 1 and not isinstance(message[0], bytes):
        return message[0].render()
    template = b"".join(part.replace(b"%", b"%%") if isinstance(part, bytes) else b"%b" for part in message)
    renders = [part.render() for part in message if not isinstance(part, bytes)]
    if _ends_in_time_and_body(message):
        return _before_time_and_body(template, renders[:-2])
    return lambda request, time: template % tuple([render(request, time) for render in renders])


def _ends_in_time_and_body(message: Message) -> bool:
    return [part for part in message if not isinstance(part, bytes)][-2:] == [TIME, BODY]


def _before_time_and_body(template: bytes, renders: Sequence[Render]) -> Render:
    """What most senders sign; spelt out, because it is on the way of every request."""
    if not renders:
        return lambda request, time: template % (time, request.body)
    if len(renders) == 1:
        first = renders[0]
        return lambda request, time: template % (first(request, time), time, request.body)
    return lambda request, time: (
        template % (*[render(request, time) for render in renders], time, request.body)
    )
