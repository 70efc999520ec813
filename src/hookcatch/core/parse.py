"""From bytes to a payload, strictly: what two parsers could read differently is refused.

JSON is UTF-8 without a byte order mark, without duplicate keys, lone surrogates, NaN or infinities, and at
most `MAX_DEPTH` deep. The receiver parses with it before an event is kept, the worker when it is handled.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf
from typing import Any
from urllib.parse import parse_qsl

import jiter

from .errors import MissingExtra, Rejected
from .model import Format

MAX_DEPTH = 64
MAX_FIELDS = 1000
MAX_LINES = 10_000

# A float overflows to infinity only through a long exponent or more than 308 digits; with every digit
# written as 0 and no plus, either is a plain substring.
_SHAPES = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_EXPONENT = b"0e000"
_LONG = b"0" * 309
_BEFORE_A_NUMBER = b" \t\r\n:,["


def detect(content_type: bytes | None, body: bytes) -> Format:
    """How `body` is to be read: by its content type, else by how it begins. Never `form-json`, which only
    a provider's row can know."""
    kind = (content_type or b"").partition(b";")[0].strip().lower()
    if kind == b"application/json" or kind.endswith(b"+json"):
        return "json"
    if kind == b"application/x-www-form-urlencoded":
        return "form"
    if kind in {b"application/xml", b"text/xml"} or kind.endswith(b"+xml"):
        return "xml"
    return "json" if body.lstrip()[:1] in {b"{", b"["} else "bytes"


def parse(body: bytes, format: Format) -> Any:
    """The payload in `body`. Raises Rejected("malformed_body") for anything that is not exactly `format`,
    MissingExtra for XML without defusedxml."""
    if format == "json":
        return parse_json(body)
    if format == "form":
        return parse_form(body)
    if format == "form-json":
        return _form_json(body)
    if format == "xml":
        return _xml(body)
    return body


def parse_json(body: bytes) -> Any:
    """One JSON value."""
    try:
        value = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise Rejected("malformed_body", f"JSON: {error}") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise Rejected("malformed_body", f"JSON nested deeper than {MAX_DEPTH}")
    if _may_overflow(body) and any(isinstance(leaf, float) and isinf(leaf) for leaf in _leaves(value)):
        raise Rejected("malformed_body", "JSON: a number is out of range")
    return value


def parse_lines(body: bytes) -> list[Any]:
    """JSON Lines: one value a line; empty lines are skipped."""
    lines = [line for line in body.split(b"\n", MAX_LINES + 1) if line.strip()]
    if len(lines) > MAX_LINES:
        raise Rejected("malformed_body", f"more than {MAX_LINES} lines")
    return [parse_json(line) for line in lines]


def parse_form(body: bytes) -> dict[str, str | list[str]]:
    """A urlencoded form: a `str` for a field, a list of them for one that is repeated."""
    fields: dict[str, str | list[str]] = {}
    for name, value in form_pairs(body):
        known = fields.get(name)
        if known is None:
            fields[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            fields[name] = [known, value]
    return fields


def form_pairs(body: bytes) -> list[tuple[str, str]]:
    """A urlencoded form's pairs of name and value, in order."""
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise Rejected("malformed_body", f"form: {type(error).__name__}") from None


def _form_json(body: bytes) -> Any:
    payload = parse_form(body).get("payload")
    if not isinstance(payload, str):
        raise Rejected("malformed_body", "the form needs exactly one field `payload`")
    return parse_json(payload.encode())


def _may_overflow(body: bytes) -> bool:
    shape = body.translate(_SHAPES, b"+")
    at = shape.find(_LONG_EXPONENT)
    for _ in range(64):
        if at < 0:
            return _LONG in shape
        # hexadecimal ids are full of exponents: only what stands where a number may begin is one
        before = shape[max(0, at - len(_LONG)) : at].rstrip(b"0.-")
        if before[-1:] in _BEFORE_A_NUMBER:
            return True
        at = shape.find(_LONG_EXPONENT, at + 1)
    return True


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _leaves(value: Any) -> Iterator[Any]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict | list):
            waiting.extend(_children(item))
        else:
            yield item


def _children(container: Any) -> Any:
    return container.values() if isinstance(container, dict) else container


def _xml(body: bytes) -> dict[str, Any]:
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import ParseError, fromstring
    except ImportError:
        raise MissingExtra("defusedxml", "xml") from None
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise Rejected("malformed_body", f"XML: {type(error).__name__}") from None
    if _xml_depth(root) > MAX_DEPTH:
        raise Rejected("malformed_body", f"XML nested deeper than {MAX_DEPTH}")
    return {_local(root.tag): _element(root)}


def _xml_depth(root: Any) -> int:
    depth, level = 0, [root]
    while level and depth <= MAX_DEPTH:
        depth, level = depth + 1, [child for parent in level for child in parent]
    return depth


def _element(element: Any) -> Any:
    """A leaf is its text; anything else a dict of its children, repeated ones as a list; attributes as `@name`."""
    if not len(element) and not element.attrib:
        return element.text or ""
    found: dict[str, Any] = {f"@{_local(name)}": value for name, value in element.attrib.items()}
    groups: dict[str, list[Any]] = {}
    for child in element:
        groups.setdefault(_local(child.tag), []).append(_element(child))
    found.update({name: items[0] if len(items) == 1 else items for name, items in groups.items()})
    if not len(element):
        found["#text"] = element.text or ""
    return found


def _local(name: str) -> str:
    return name.rpartition("}")[2]
