"""What is said back to the sender: small, fixed texts that tell nothing about us, and a handler's own reply."""

from __future__ import annotations

from functools import cache, lru_cache
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json

from .endpoint import POST
from .errors import ConfigurationError, Rejected
from .wire import TEXT, Response

JSON = ((b"content-type", b"application/json"),)
XML = ((b"content-type", b"text/xml; charset=utf-8"),)


@lru_cache(64)
def acknowledge(status: int, body: bytes = b"ok\n") -> Response:
    """The event is safe: the sender may forget it. A text in JSON or XML, for a sender that reads it, says so."""
    headers = {b"{": JSON, b"<": XML}.get(body[:1], TEXT)
    return Response(status, b"" if status == HTTPStatus.NO_CONTENT else body, headers)


def refuse(
    why: Rejected,
    bad_signature: int = 401,
    allowed: frozenset[str] = POST,
    challenge: str = "",
    *,
    silent: bool = False,
) -> Response:
    """A refusal. One body a status, so that it does not tell which check failed (ATTACKS A20, A53); `silent`, without
    a body, for a sender that takes any body for a failure of the endpoint (Xero)."""
    status = bad_signature if why.status == HTTPStatus.UNAUTHORIZED else why.status
    return _refusal(status, allowed, challenge, silent)


@cache
def _refusal(status: int, allowed: frozenset[str], challenge: str, silent: bool) -> Response:
    headers = TEXT
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        # RFC 9110, 15.5.6: a 405 says what is allowed
        headers = (*TEXT, (b"allow", ", ".join(sorted(allowed)).encode()))
    if status == HTTPStatus.UNAUTHORIZED and challenge:
        headers = (*TEXT, (b"www-authenticate", challenge.encode()))
    return Response(status, b"" if silent else f"{phrase(status)}\n".encode(), headers)


def come_back(after: float = 5.0) -> Response:
    """Not now; the sender keeps the event and brings it again in `after` seconds."""
    headers = (*TEXT, (b"retry-after", str(max(1, round(after))).encode()))
    return Response(503, f"{phrase(503)}\n".encode(), headers)


def reply_with(value: Any) -> Response | None:
    """What a reply handler returned, as a response: a Response as it is, text as text, anything else as JSON.

    None leaves the answer to the source's usual acknowledgement.
    """
    if value is None or isinstance(value, Response):
        return value
    if isinstance(value, str):
        return Response(200, value.encode())
    if isinstance(value, bytes):
        return Response(200, value)
    try:
        return Response(200, to_json(value), JSON)
    except ValueError as error:
        raise ConfigurationError(
            f"a reply handler returned {type(value).__name__}, which is neither a Response, text nor JSON ({error})"
        ) from None


def phrase(status: int) -> str:
    """The status in words."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # a provider may want a status that no standard knows (GoCardless: 498)
        return "Refused"
