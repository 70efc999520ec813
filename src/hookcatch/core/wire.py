"""What comes in from the socket and what goes out: raw, ordered, unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .errors import Rejected

Pair = tuple[bytes, bytes]

TEXT: tuple[Pair, ...] = ((b"content-type", b"text/plain; charset=utf-8"),)
"""The headers of a text."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Request:
    """One HTTP request, as bytes.

    Args:
        method: `"POST"`; upper-cased.
        url: the full URL the sender called, with its query; `""` when no scheme in use signs it.
        headers: pairs of name and value, `str` or `bytes`, in the order of the wire, duplicates kept.
        body: the exact bytes of the wire.

    `index` holds the last value of each header by its lower-case name; what decides something is read
    through `header`, which knows the ambiguous ones. `is_plain` says that there can be none.
    """

    method: str
    url: str
    headers: tuple[Pair, ...]
    body: bytes
    index: dict[bytes, bytes] = field(compare=False)
    is_plain: bool = field(compare=False)

    def __init__(
        self,
        method: str,
        url: str | None,
        headers: Iterable[tuple[str | bytes, str | bytes]],
        body: bytes | str = b"",
    ) -> None:
        pairs = tuple((_octets(name), _octets(value)) for name, value in headers)
        put = object.__setattr__
        put(self, "method", method.upper())
        put(self, "url", url or "")
        put(self, "headers", pairs)
        put(self, "body", body.encode() if isinstance(body, str) else bytes(body))
        index = {name.lower(): value for name, value in pairs}
        put(self, "index", index)
        put(self, "is_plain", _is_plain(index, pairs))

    @classmethod
    def from_wire(cls, method: str, url: str, headers: Iterable[Pair], body: bytes = b"") -> Request:
        """The same, quicker, from what a server hands over: bytes, with the names in lower case."""
        made = object.__new__(cls)
        put = object.__setattr__
        pairs = tuple(headers)
        index = dict(pairs)
        put(made, "method", method)
        put(made, "url", url)
        put(made, "headers", pairs)
        put(made, "body", body)
        put(made, "index", index)
        put(made, "is_plain", _is_plain(index, pairs))
        return made

    def with_body(self, body: bytes) -> Request:
        """A copy with the body set."""
        made = object.__new__(Request)
        put = object.__setattr__
        put(made, "method", self.method)
        put(made, "url", self.url)
        put(made, "headers", self.headers)
        put(made, "body", body)
        put(made, "index", self.index)
        put(made, "is_plain", self.is_plain)
        return made

    def __repr__(self) -> str:
        """Without what may prove the sender: the values of headers, the query, the body (ATTACKS A57)."""
        names = [name.decode("latin-1") for name, _ in self.headers]
        url = self.url.partition("?")[0]
        return f"<Request {self.method} {url!r} headers={names} body of {len(self.body)} bytes>"

    def header(self, name: bytes) -> bytes | None:
        """The value of a header that decides something; `name` in lower case.

        Raises Rejected when it is ambiguous: sent twice, or beside a twin spelt with underscores,
        which servers and proxies fold into one (ATTACKS A46, A47).
        """
        if not self.is_plain:
            self._refuse_twins(name)
        return self.index.get(name)

    def _refuse_twins(self, name: bytes) -> None:
        if sum(n.lower() == name for n, _ in self.headers) > 1:
            raise Rejected("duplicate_header", name.decode())
        if b"-" in name and name.replace(b"-", b"_") in self.index:
            raise Rejected("ambiguous_header", name.decode())

    def replace(
        self,
        *,
        url: str | None = None,
        headers: Iterable[tuple[str | bytes, str | bytes]] | None = None,
        body: bytes | None = None,
    ) -> Request:
        """A copy with some parts changed."""
        return Request(
            self.method,
            self.url if url is None else url,
            self.headers if headers is None else headers,
            self.body if body is None else body,
        )

    def with_header(self, name: str, value: str | bytes) -> Request:
        """A copy with the header set, in the place of any it had before."""
        wanted = name.lower().encode()
        kept = [pair for pair in self.headers if pair[0].lower() != wanted]
        return self.replace(headers=[*kept, (name, value)])


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered: `status`, a small fixed `body`, and headers as pairs of bytes."""

    status: int
    body: bytes = b""
    headers: tuple[Pair, ...] = TEXT

    @property
    def ok(self) -> bool:
        """True for a 2xx: the sender will not come back with this event."""
        return 200 <= self.status < 300


def _is_plain(index: dict[bytes, bytes], pairs: tuple[Pair, ...]) -> bool:
    """Whether no header came twice and none is spelt with an underscore."""
    return len(index) == len(pairs) and b"_" not in b"".join(index)


def _octets(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
