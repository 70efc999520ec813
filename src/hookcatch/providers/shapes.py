"""How the events of a delivery are read, and written again to send them: where id, type and data stand.

A *spot* is a place in one event: a header of the request, or a path in the payload. Reading is a pure function
of what was received; an event always has an id, if need be the hash of its content.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any, Protocol
from urllib.parse import urlencode

from hookcatch.core.errors import Rejected
from hookcatch.core.model import Format, IncomingEvent
from hookcatch.core.parse import detect, parse, parse_json, parse_lines
from hookcatch.core.wire import Request
from hookcatch.signing.freshness import RFC3339
from hookcatch.signing.json_path import compact, dig, steps

MAX_ID = 255

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(slots=True)
class Draft:
    """A request in the making."""

    headers: dict[str, str]
    payload: Any


class Spot(Protocol):
    """Where one text of an event stands."""

    def read(self, request: Request, payload: Any) -> str | None:
        """The text, or None if there is none."""
        ...

    def write(self, draft: Draft, value: str) -> None:
        """Put the text there."""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """A header."""

    name: str

    def read(self, request: Request, payload: Any) -> str | None:
        value = request.header(self.name.encode())
        return value.decode("latin-1") if value else None

    def write(self, draft: Draft, value: str) -> None:
        draft.headers[self.name] = value


@dataclass(frozen=True, slots=True)
class Path:
    """A text or whole number in the payload, by its dotted path; `number` where the sender writes digits bare."""

    path: str
    number: bool = False

    def read(self, request: Request, payload: Any) -> str | None:
        value = dig(payload, steps(self.path))
        if isinstance(value, str):
            return value or None
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else None

    def write(self, draft: Draft, value: str) -> None:
        *above, last = self.path.split(".")
        inside = draft.payload
        for step in above:
            known = inside.get(step)
            inside[step] = inside = known if isinstance(known, dict) else {}
        inside[last] = int(value) if self.number and value.isdecimal() else value


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The first of several spots that holds something; written to the first."""

    spots: tuple[Spot, ...]

    def read(self, request: Request, payload: Any) -> str | None:
        for spot in self.spots:
            value = spot.read(request, payload)
            if value is not None:
                return value
        return None

    def write(self, draft: Draft, value: str) -> None:
        self.spots[0].write(draft, value)


@dataclass(frozen=True, slots=True)
class Joined:
    """Several spots with a separator between, those left out that hold nothing. The first has to hold something."""

    spots: tuple[Spot, ...]
    separator: str = "."

    def read(self, request: Request, payload: Any) -> str | None:
        first, *others = [spot.read(request, payload) for spot in self.spots]
        return first and self.separator.join([first, *(other for other in others if other is not None)])

    def write(self, draft: Draft, value: str) -> None:
        for spot, text in zip(self.spots, value.split(self.separator, len(self.spots) - 1), strict=False):
            spot.write(draft, text)


@dataclass(frozen=True, slots=True)
class OtherKey:
    """The name of the first top-level key beside the known ones: how Telegram says what happened."""

    known: frozenset[str]

    def read(self, request: Request, payload: Any) -> str | None:
        keys = payload if isinstance(payload, dict) else ()
        return next((key for key in keys if key not in self.known), None)

    def write(self, draft: Draft, value: str) -> None:
        if value not in draft.payload:
            draft.payload[value] = {
                key: draft.payload.pop(key) for key in [*draft.payload] if key not in self.known
            }


@dataclass(frozen=True, slots=True)
class Nowhere:
    """The sender does not say."""

    def read(self, request: Request, payload: Any) -> str | None:
        return None

    def write(self, draft: Draft, value: str) -> None:
        """There is no room for it."""


NOWHERE = Nowhere()


@dataclass(frozen=True, slots=True)
class Occurred:
    """When it happened: a path to seconds, or `per_second` of something, since the epoch, or to RFC 3339."""

    path: str
    per_second: int = 1

    def read(self, payload: Any) -> float | None:
        value = dig(payload, steps(self.path))
        if isinstance(value, str):
            if not (value.isascii() and value.isdigit() and len(value) <= 15):
                return RFC3339.parse(value.encode())
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
            return None
        return value / self.per_second


@dataclass(frozen=True, slots=True)
class Batch:
    """Many events in one delivery: `items` is the path of their list, `""` where the payload is it, `unwrap`
    a path inside each, `shared` what stands beside the list and belongs to every one. `lines` reads JSON Lines. A
    payload without the list is one event. `lone`: a list of one is written as its item, as in XML."""

    items: str = ""
    unwrap: str = ""
    shared: tuple[str, ...] = ()
    lines: bool = False
    lone: bool = False

    def split(self, payload: Any) -> list[Any]:
        found = dig(payload, self.items.split(".")) if self.items else payload
        if found is None or not (self.items or isinstance(found, list)):
            return [payload]
        if self.lone and isinstance(found, dict):
            found = [found]
        if not isinstance(found, list):
            raise Rejected("malformed_body", f"{self.items} is not a list")
        shared = {name: payload[name] for name in self.shared if name in payload}
        items = [dig(item, self.unwrap.split(".")) if self.unwrap else item for item in found]
        return [{**shared, **item} if shared and isinstance(item, dict) else item for item in items]

    def join(self, item: Any) -> Any:
        """The payload with one event."""
        shared = {name: item[name] for name in self.shared if name in item}
        if shared:
            item = {name: value for name, value in item.items() if name not in shared}
        inner = _nested(self.unwrap, item)
        wrapped = _nested(self.items, inner if self.lone else [inner])
        return {**shared, **wrapped} if shared else wrapped


def _body(body: bytes) -> bytes:
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Attributes:
    id, type: where they stand.
    data: the path of the business data inside the payload, `""` for all of it.
    occurred_at: when it happened, if the sender says so.
    format: how every body is to be read; None goes by its content type.
    form_payload: a form may carry JSON in its field `payload`.
    batch: how one delivery carries many events.
    form: whether `write` writes a form, the events being flat.
    kind: the content type that `write` gives, where `form` does not say it.
    content: what of the body is the payload, where it is not all.
    """

    id: Spot = NOWHERE
    type: Spot = NOWHERE
    data: str = ""
    occurred_at: Occurred | None = None
    format: Format | None = None
    form_payload: bool = False
    form: bool = False
    kind: str = "application/json"
    batch: Batch | None = None
    content: Callable[[bytes], bytes] = field(default=_body, repr=False)

    def read(self, request: Request) -> tuple[IncomingEvent, ...]:
        """The events of a verified request. Raises Rejected("malformed_body")."""
        body = self.content(request.body)
        fmt = self._format(request, body)
        if self.batch is None:
            return (self._event(request, parse(body, fmt), body, fmt),)
        payload = parse_lines(body) if self.batch.lines and _has_lines(request, body) else parse(body, fmt)
        return tuple(
            self._event(request, item, body, fmt)
            if item is payload
            else self._event(request, item, compact(item), "json")
            for item in self.batch.split(payload)
        )

    def write(self, request: Request, id: str, type: str, data: Any) -> Request:
        """The request with one event for a body: what `read` would give back. To send and to test with."""
        kind = "application/x-www-form-urlencoded" if self.form else self.kind
        draft = Draft({"content-type": kind}, _nested(self.data, data))
        if isinstance(draft.payload, dict):
            draft.payload = dict(draft.payload)
            self.type.write(draft, type)
            self.id.write(draft, id)
        payload = self.batch.join(draft.payload) if self.batch else draft.payload
        written = request.replace(body=self._written(payload))
        for name, value in draft.headers.items():
            written = written.with_header(name, value.encode())
        return written

    def _written(self, payload: Any) -> bytes:
        if isinstance(payload, bytes):
            return payload
        if self.format == "xml":
            return "".join(_element(name, value) for name, value in payload.items()).encode()
        return urlencode(payload, doseq=True).encode() if self.form else compact(payload)

    def check_extras(self) -> None:
        """Raises MissingExtra if the events cannot be read with what is installed."""
        if self.format == "xml":
            parse(b"<a/>", "xml")

    def headers(self) -> frozenset[bytes]:
        """The headers in which something of an event stands."""
        return frozenset(_headers(self.id) | _headers(self.type))

    def _format(self, request: Request, body: bytes) -> Format:
        if self.format is not None:
            return self.format
        found = detect(request.header(b"content-type"), body)
        if found == "form" and self.form_payload and body.startswith(b"payload="):
            return "form-json"
        # XML is read only where a row asks for it, so that no sender can reach for a missing extra.
        return "bytes" if found == "xml" else found

    def _event(self, request: Request, payload: Any, body: bytes, fmt: Format) -> IncomingEvent:
        return IncomingEvent(
            id=_id(self.id.read(request, payload), body),
            type=(self.type.read(request, payload) or "")[:MAX_ID],
            payload=payload,
            body=body,
            format=fmt,
            occurred_at=self.occurred_at.read(payload) if self.occurred_at else None,
        )


def _headers(spot: Spot) -> frozenset[bytes]:
    if isinstance(spot, Head):
        return frozenset({spot.name.encode()})
    if isinstance(spot, AnyOf | Joined):
        return frozenset[bytes]().union(*map(_headers, spot.spots))
    return frozenset()


def _id(given: str | None, body: bytes) -> str:
    if not given:
        return _hash(body)
    if len(given) <= MAX_ID and given.isascii() and given.isprintable():
        return given  # nearly all
    return _hash(given.encode()) if len(given) > MAX_ID or _CONTROLS.search(given) else given


def _hash(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _has_lines(request: Request, body: bytes) -> bool:
    """Several values, one a line, rather than one value that may be spread over lines."""
    try:
        parse_json(body)
    except Rejected:
        return True
    return False


def _element(name: str, value: Any) -> str:
    if isinstance(value, dict):
        said = {key[1:]: escape(str(inner)) for key, inner in value.items() if key.startswith("@")}
        attributes = "".join(f' {key}="{inner}"' for key, inner in said.items())
        within = "".join(_element(key, inner) for key, inner in value.items() if not key.startswith("@"))
        return f"<{name}{attributes}>{within}</{name}>"
    return f"<{name}>{escape(str(value), quote=False)}</{name}>"


def _nested(path: str, value: Any) -> Any:
    for step in reversed(path.split(".") if path else ()):
        value = {step: value}
    return value
