"""A sender at the level of bytes: it can stop in the middle, repeat itself, and hang up."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from types import TracebackType

from lab.sender import message

PATIENCE = 20.0


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


def head(id_: str, *, path: str = "/shop", length: int | None = None, **changes: object) -> bytes:
    """The head of a signed order; `extra` adds lines, `version` is that of HTTP, `forged` breaks the signature."""
    order = message(id_)
    length = len(order.body) if length is None else length
    lines = [f"POST {path} HTTP/{changes.get('version', '1.1')}", "host: localhost"]
    for name, value in order.headers:
        is_signature = changes.get("forged") and name == "webhook-signature"
        lines.append(f"{name}: {'v1,' + 'A' * 43 + '=' if is_signature else value}")
    lines += [f"content-length: {length}"] if length >= 0 else []
    lines += changes.get("extra", [])  # type: ignore[operator]
    return "\r\n".join([*lines, "", ""]).encode()


def body(id_: str) -> bytes:
    """Its body."""
    return message(id_).body


def whole(id_: str, **changes: object) -> bytes:
    """Head and body."""
    return head(id_, **changes) + body(id_)  # type: ignore[arg-type]


class Wire:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()

    def send(self, *parts: bytes) -> Wire:
        """Write bytes."""
        self._socket.sendall(b"".join(parts))
        return self

    def end(self) -> Wire:
        """Say that nothing more will come, and still listen."""
        self._socket.shutdown(socket.SHUT_WR)
        return self

    def answer(self) -> Answer | None:
        """The next response; None if the connection is closed instead."""
        try:
            line = self._file.readline()
            if not line:
                return None
            headers = {}
            while (field := self._file.readline()).strip():
                name, _, value = field.partition(b":")
                headers[name.lower()] = value.strip()
            return Answer(int(line.split()[1]), headers, self._body(headers))
        except ConnectionResetError:
            return None

    def _body(self, headers: dict[bytes, bytes]) -> bytes:
        if headers.get(b"transfer-encoding") != b"chunked":
            return self._file.read(int(headers.get(b"content-length", b"0")))
        found = b""
        while size := int(self._file.readline(), 16):
            found += self._file.read(size)
            self._file.readline()
        self._file.readline()
        return found
