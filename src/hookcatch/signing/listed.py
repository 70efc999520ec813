"""Signatures that stand in more than one header, or in an order that says what is what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request

from .places import MAX_CANDIDATES, Header, One, Read, ReadAll


@dataclass(frozen=True, slots=True)
class AnyHeader:
    """One signature in each of several headers, any of which may be missing: Box, DocuSign."""

    names: tuple[str, ...]

    @property
    def in_head(self) -> bool:
        return True

    def candidates(self) -> ReadAll:
        reads = [Header(name).reader() for name in self.names]

        def candidates(request: Request) -> Sequence[bytes]:
            found = [value for read in reads if (value := read(request))]
            if not found:
                raise Rejected("missing_signature", self.names[0])
            return found

        return candidates

    def write_all(self, request: Request, texts: Sequence[bytes]) -> Request:
        for name, text in zip(self.names, texts, strict=False):
            request = request.with_header(name, text)
        return request


@dataclass(frozen=True, slots=True)
class First(One):
    """The first item of a comma list: the time before the signatures of Recurly."""

    header: str

    @property
    def title(self) -> str:
        return f"the first item of {self.header}"

    @property
    def in_head(self) -> bool:
        return True

    def reader(self) -> Read:
        read = Header(self.header).reader()

        def first(request: Request) -> bytes | None:
            value = read(request)
            return value and value.partition(b",")[0]

        return first

    def write(self, request: Request, value: bytes) -> Request:
        others = (request.header(self.header.encode()) or b"").partition(b",")[2]
        return request.with_header(self.header, value + b"," + others)


@dataclass(frozen=True, slots=True)
class Others:
    """All items of a comma list but the first."""

    header: str

    @property
    def in_head(self) -> bool:
        return True

    def candidates(self) -> ReadAll:
        read, title = Header(self.header).reader(), f"a second item of {self.header}"

        def candidates(request: Request) -> Sequence[bytes]:
            found = (read(request) or b"").split(b",", MAX_CANDIDATES + 1)[1:]
            if not any(found):
                raise Rejected("missing_signature", title)
            if len(found) > MAX_CANDIDATES:
                raise Rejected("malformed_signature", f"more than {MAX_CANDIDATES} signatures")
            return found

        return candidates

    def write_all(self, request: Request, texts: Sequence[bytes]) -> Request:
        first = (request.header(self.header.encode()) or b"").partition(b",")[0]
        return request.with_header(self.header, b",".join([first, *texts]))
