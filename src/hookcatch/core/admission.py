"""What is decided from a request's head, before its body is read."""

from __future__ import annotations

from itertools import chain

from .endpoint import Endpoint
from .errors import Rejected
from .wire import Request

MAX_HEADERS = 128
MAX_HEADER_BYTES = 64 << 10
READ_DEADLINE = 10.0
"""Seconds a sender gets to bring the whole body."""

SMALL = 16 << 10
"""Bodies up to this size are read before any check: buffering them costs less than checking twice."""


def admit(request: Request, endpoint: Endpoint, peer: str = "") -> int | None:
    """Let a request's head pass: `request` has no body yet, `peer` is the address at the socket, empty if unknown.
    Answers the promised length, None if chunked.

    Raises Rejected for what no body could mend.
    """
    if request.method not in endpoint.allowed:
        raise Rejected("method_not_allowed", request.method)
    headers = request.headers
    if len(headers) > MAX_HEADERS or sum(map(len, chain.from_iterable(headers))) > MAX_HEADER_BYTES:
        raise Rejected("headers_too_large")
    if endpoint.networks is not None:
        endpoint.networks.check(request, peer)
    encoding = request.header(b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in (b"", b"identity"):
        raise Rejected("unsupported_encoding", "the signature is over the bytes that were sent, so are we")
    length = _length(request.header(b"content-length"))
    if length is not None and length > endpoint.policy.max_body:
        raise Rejected("body_too_large", f"{length} bytes, {endpoint.policy.max_body} allowed")
    if length is None and request.method not in endpoint.methods:
        return None  # a handshake, of which the head need not prove anything
    if length is None or length > SMALL:
        endpoint.verifier.precheck(request)
    return length


def check_length(promised: int | None, body: bytes) -> None:
    """Some servers hand over a body that ended early as if it were whole (ATTACKS A38)."""
    if promised is not None and len(body) != promised:
        lost = (
            ""
            if body
            else ": if the sender did not hang up, something in front has read the body before hookcatch"
        )
        raise Rejected("truncated_body", f"{len(body)} bytes of {promised}{lost}")


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not (value.isdigit() and len(value) < 16):
        raise Rejected("malformed_header", "content-length")
    return int(value)
