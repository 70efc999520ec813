"""Between calls of the inbox and the messages of its log.

A message holds the calls that were waiting when it was written. In front stands JSON, so that whoever writes to the
stream can make nobody run code; the bodies follow as they are, and a copy of the inbox knows only where they stand.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from types import MappingProxyType, NoneType
from typing import Any

from hookcatch.core.errors import HookcatchError
from hookcatch.core.model import Claim, Close, Duplicates, Lane, Lease, NewEvent, Run, StoredEvent
from hookcatch.core.ports import Retention
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Response
from hookcatch.inbox.memory_row import Row

RULES = 1
"""Which rules a call is carried out by. It grows with every change of what a call of the memory inbox comes to: all
that read a log have to come to the same. A call under an older number comes to what it came to then."""

_HEAD = struct.Struct(">4sBI")
_MAGIC = b"hkct"
_PLAIN, _PACKED = 0, 1
_REF = struct.Struct(">QI")

_SIMPLE = frozenset({str, int, float, bool, NoneType})
_TYPES: Mapping[str, type] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (NewEvent, Lane, Claim, Duplicates, Run, Close, Retention, Response, Row)
    }
)


def _fields(kind: type) -> tuple[tuple[str, Any], ...]:
    """Names and defaults of what is written of a type: what has its default is not. The body stands elsewhere."""
    return tuple(
        (
            one.name,
            one.default_factory() if one.default_factory is not dataclasses.MISSING else one.default,
        )
        for one in dataclasses.fields(kind)
        if (kind, one.name) != (NewEvent, "body")
    )


_FIELDS: Mapping[type, tuple[tuple[str, Any], ...]] = MappingProxyType(
    {kind: _fields(kind) for kind in _TYPES.values()}
)


class Unreadable(HookcatchError):
    """A message is not one of ours."""


class Newer(HookcatchError):
    """A message was written by rules that this code does not know."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the inbox, as every copy carries it out: its name, the caller's time, its arguments."""

    name: str
    now: float
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """A call as it will stand in a message: JSON, and the bodies it brings."""

    text: str
    bodies: Sequence[bytes]
    size: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the log, read."""

    calls: Sequence[Call]
    bodies: Sequence[bytes]


def written(call: Call) -> Written:
    """A call, ready for a message."""
    bodies = [event.body for event in call.arguments.get("events", ())]
    text = json.dumps([call.name, call.now, pack(dict(call.arguments))], separators=(",", ":"))
    return Written(text, bodies, len(text) + sum(map(len, bodies)))


def encode(calls: Sequence[Written], *, limit: int) -> bytes:
    """A message of these calls; packed if it is more than `limit` bytes otherwise."""
    bodies = [body for call in calls for body in call.bodies]
    sizes = json.dumps([len(body) for body in bodies])
    head = f"[{RULES},{sizes},[{','.join([call.text for call in calls])}]]".encode()
    plain = b"".join([head, *bodies])
    if len(plain) + _HEAD.size <= limit:
        return _HEAD.pack(_MAGIC, _PLAIN, len(head)) + plain
    return _HEAD.pack(_MAGIC, _PACKED, len(head)) + zlib.compress(plain)


def decode(data: bytes, position: int) -> Message:
    """What stands at a position of the log. Raises Unreadable and Newer."""
    try:
        magic, how, length = _HEAD.unpack_from(data)
        rest = data[_HEAD.size :]
        _make_sure_of(magic)
        if how == _PACKED:
            rest = zlib.decompress(rest)
        head = json.loads(rest[:length])
        if head[0] > RULES:
            raise Newer(
                f"a newer hookcatch writes to this inbox (its rules are number {head[0]}, and this one knows "
                f"{RULES}): bring all processes at the inbox to one version"
            )
        bodies = list(_cut(rest[length:], head[1]))
        places = iter([_REF.pack(position, number) for number in range(len(bodies))])
        calls = [Call(name, now, unpack(arguments, places)) for name, now, arguments in head[2]]
    except (struct.error, zlib.error, ValueError, TypeError, LookupError, StopIteration) as error:
        raise Unreadable(f"message {position} is not one of an inbox: {error!r}") from error
    return Message(calls, bodies)


def _make_sure_of(magic: bytes) -> None:
    if magic != _MAGIC:
        raise ValueError(magic)


def _cut(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    start = 0
    for size in sizes:
        yield data[start : start + size]
        start += size


def place(ref: bytes) -> tuple[int, int]:
    """Where a body stands that a copy of the inbox has: position of its message, number in it."""
    position, number = _REF.unpack(ref)
    return position, number


def pack(value: Any) -> Any:
    """A value of the model as JSON can hold it."""
    kind = type(value)
    if kind in _SIMPLE:
        return value
    names = _FIELDS.get(kind)
    if names is not None:
        found = {name: getattr(value, name) for name, _ in names}
        changed = {
            name: pack(found[name])
            for name, usual in names
            if usual is dataclasses.MISSING or found[name] != usual
        }
        return {"type": kind.__name__, "is": changed}
    if kind is bytes:
        return {"bytes": value.hex()}
    if kind is Lease:  # the fence is all that is asked of it
        return {"lease": [value.event.seq, value.token]}
    if kind is Secret:
        return {"secret": value.reveal().hex()}
    if isinstance(value, Mapping):
        return {"map": {name: pack(one) for name, one in value.items()}}
    return [pack(one) for one in value]


def unpack(value: Any, places: Iterator[bytes] = repeat(b"")) -> Any:
    """And back; `places` says of each new event where its body stands."""
    if isinstance(value, list):
        return tuple([unpack(one, places) for one in value])
    if not isinstance(value, dict):
        return value
    if "type" in value:
        return _made(_TYPES[value["type"]], value["is"], places)
    if "bytes" in value:
        return bytes.fromhex(value["bytes"])
    if "lease" in value:
        seq, token = value["lease"]
        return Lease(token, 0.0, _nobody(seq))
    if "secret" in value:
        return Secret(bytes.fromhex(value["secret"]))
    return {name: unpack(one, places) for name, one in value["map"].items()}


def _made(kind: type, facts: Mapping[str, Any], places: Iterator[bytes]) -> Any:
    values = {name: unpack(one, places) for name, one in facts.items()}
    if kind is NewEvent:
        values["body"] = next(places)
    return kind(**values)


def _nobody(seq: int) -> StoredEvent:
    """An event of which the number is known."""
    return StoredEvent(seq, "", "", "", "", "running", 0.0, None, "bytes", MappingProxyType({}))
