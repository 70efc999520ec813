"""A request as it was captured: the text of HTTP, or JSON as gateways log it. Not a byte of its body is changed."""

from __future__ import annotations

import base64
import binascii
import http.client
import io
import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from hookcatch.core.wire import Pair, Request

_LINE = re.compile(rb"([A-Z]{1,20}) (\S+) HTTP/\d(?:\.\d)?")

EXAMPLE = "the first line is as in `POST /hooks/shop HTTP/1.1`, then headers, an empty line, the body"


class Unreadable(ValueError):
    """What was captured is no request; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A request as it was written down; `target` is its path and query, or its whole URL."""

    method: str
    target: str
    headers: tuple[Pair, ...]
    body: bytes

    @property
    def url(self) -> str:
        """The URL that was called; https and the Host header where only the path was written down."""
        if "://" in self.target.partition("?")[0]:
            return self.target
        host = {name.lower(): value for name, value in self.headers}.get(b"host", b"")
        return f"https://{host.decode('latin-1')}{self.target}" if host else self.target

    @property
    def path(self) -> str:
        """The path alone."""
        bare = self.target.partition("?")[0]
        return re.sub(r"^[a-z]+://[^/]*", "", bare) or "/"

    @property
    def query(self) -> str:
        """The query alone."""
        return self.target.partition("?")[2]

    def called_at(self, url: str) -> Request:
        """The request, called at this URL."""
        return Request(self.method, url, self.headers, self.body)


def read(data: bytes) -> Captured:
    """A captured request. Raises Unreadable."""
    if not data.strip():
        raise Unreadable(f"there is no request: {EXAMPLE}")
    captured = _json(data) if data.lstrip()[:1] == b"{" else _http(data)
    encodings = b",".join(value for name, value in captured.headers if name.lower() == b"transfer-encoding")
    if encodings.strip().lower() not in (b"", b"identity"):
        raise Unreadable(
            f"the capture has Transfer-Encoding {encodings.decode('latin-1')!r}, so its body may still be in chunks, "
            "which are no part of what is signed: save the body itself, and leave this header out"
        )
    return captured


def _http(data: bytes) -> Captured:
    line, _, rest = data.lstrip(b"\r\n").partition(b"\n")
    found = _LINE.fullmatch(line.rstrip(b"\r "))
    if found is None:
        shown = line[:60].decode("ascii", "backslashreplace").strip()
        raise Unreadable(f"{shown!r} does not begin a request: {EXAMPLE}")
    stream = io.BytesIO(rest)
    try:
        parsed = http.client.parse_headers(stream)
    except http.client.HTTPException as why:
        raise Unreadable(f"the headers cannot be read: {why!r}") from None
    if parsed.defects or parsed.get_payload():
        raise Unreadable(
            "a line among the headers is none: write `name: value`, and an empty line before the body"
        )
    headers = tuple(
        (name.encode("latin-1"), value.strip(" \t").encode("latin-1")) for name, value in parsed.raw_items()
    )
    return Captured(found[1].decode(), found[2].decode("latin-1"), headers, stream.read())


class _Logged(BaseModel):
    """A request in JSON."""

    model_config = ConfigDict(extra="ignore")

    method: str = "POST"
    url: str
    headers: dict[str, str | list[str]] | list[tuple[str, str]]
    body: str | None = None
    body_base64: str | None = None


def _json(data: bytes) -> Captured:
    try:
        logged = _Logged.model_validate_json(data)
    except ValidationError as why:
        first = why.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise Unreadable(
            f"this is no request in JSON: {where}: {first['msg']}; the keys are method, url, headers and body, or "
            "body_base64"
        ) from None
    if logged.body is not None and logged.body_base64 is not None:
        raise Unreadable("the request has a body and a body_base64: leave one of them out")
    try:
        body = base64.b64decode(logged.body_base64 or "", validate=True) or (logged.body or "").encode()
    except binascii.Error:
        raise Unreadable("body_base64 is not base64") from None
    return Captured(logged.method.upper(), logged.url, tuple(_pairs(logged.headers)), body)


def _pairs(headers: dict[str, str | list[str]] | list[tuple[str, str]]) -> list[Pair]:
    items = headers.items() if isinstance(headers, dict) else headers
    flat = [(name, one) for name, value in items for one in ([value] if isinstance(value, str) else value)]
    return list(Request("POST", "", flat).headers)
