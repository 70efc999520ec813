"""Requests that no sender would make, over real sockets: broken bytes, heads and bodies, and signed nonsense."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
from standardwebhooks import Webhook

import hookcatch

from .options import PATH, SECRET, Options
from .processes import family, server
from .sender import as_bytes, message
from .verdict import Verdict

PATIENCE = 15.0
"""Seconds after which a connection counts as hung."""

SILENCE = 0.3
"""Seconds after which the sender says that nothing more comes; before, servers would take it for gone."""

UNDER_WAY = 32
"""Connections at once. Most of them are silent for a while: more go faster where a connection takes no thread."""

OURS = f"{Path(hookcatch.__file__).parent}/"
"""In every traceback that leads through hookcatch."""

WARM = 0.2
"""The share of requests after which memory is measured first: by then every code path has been walked."""

LOGGED_BY_ITSELF = ("aiohttp", "sanic")
"""Servers that log a traceback of their own parser; of them only those that lead through hookcatch count."""

GROWTH = 16 << 20
"""Bytes that a process may grow by from then on: allocators are not exact."""

NONSENSE = [
    b"", b"{", b"[]", b"null", b"{}", b"\x00", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b'{"type": 1}',
    b'{"type": "\\ud800"}', b"[" * 5000, b'{"a":' * 5000, b'{"type": "a", "type": "b"}',
    b'{"type": "a", "n": 1e999}', b'{"n": NaN}', b'{"n": ' + b"9" * 5000 + b"}",
    b'"' + b"a" * 70000 + b'"', b"a=b&c=%", b"<a/>",
]  # fmt: skip
"""Bodies that are signed as they are: the signature is right, and what it signs is not what it should be."""

ODD_HEADERS = [
    b"content-length: -1", b"content-length: 1", b"content-length: 99999999999999999999",
    b"content-length: 0x10", b"content-length: 5, 5", b"transfer-encoding: chunked",
    b"transfer-encoding: gzip, chunked", b"content-encoding: gzip", b"webhook-id: a.b",
    b"webhook-id: \xff", b"webhook_id: other", b"webhook-signature: v1,", b"webhook-signature:",
    b"webhook-timestamp: \xd9\xa1", b"webhook-timestamp: " + b"9" * 5000, b"x: " + b"y" * 70000,
    b" folded", b"no colon", b"expect: 100-continue", b"upgrade: h2c", b"content-type: \xff",
    b"host: other", b"x\x00y: z", b": nameless",
]  # fmt: skip
METHODS = [b"GET", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"TRACE", b"post", b"P\xffST", b"", b"A" * 3000]
PATHS = [
    b"/", b"/shop/", b"//shop", b"/shop?" + b"a" * 9000, b"/shop%00", b"/../shop", b"*",
    b"http://other/shop", b"/\xff", b"", b"/shop#x", b"/%ff", b"/shop\x01",
]  # fmt: skip
VERSIONS = [b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.11", b"http/1.1", b""]

Mutation = Callable[[random.Random, bytes], bytes]


def bytes_exchanged(draw: random.Random, request: bytes) -> bytes:
    """Some bytes are others, more, or fewer."""
    for _ in range(draw.randint(1, 8)):
        at = draw.randrange(len(request))
        request = request[:at] + draw.randbytes(draw.randint(0, 4)) + request[at + draw.randint(0, 4) :]
    return request


def line_exchanged(draw: random.Random, request: bytes) -> bytes:
    """Another method, path or version."""
    _, _, rest = request.partition(b"\r\n")
    first = [b"POST", PATH.encode(), b"HTTP/1.1"]
    where = draw.randrange(3)
    first[where] = draw.choice([METHODS, PATHS, VERSIONS][where])
    return b" ".join(first) + b"\r\n" + rest


def headers_exchanged(draw: random.Random, request: bytes) -> bytes:
    """Headers are doubled, dropped, added, or end otherwise."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(1, len(lines) + 1)
        match draw.randrange(4):
            case 0:
                lines.insert(at, lines[draw.randrange(1, len(lines))])
            case 1 if len(lines) > 2:
                del lines[min(at, len(lines) - 1)]
            case 2:
                lines += [b"x-%d: y" % number for number in range(draw.choice([10, 150, 1500]))]
            case _:
                lines.insert(at, draw.choice(ODD_HEADERS))
    end = draw.choice([b"\r\n", b"\r\n", b"\n", b"\r"])
    return end.join(lines) + end + end + body


def body_exchanged(draw: random.Random, request: bytes) -> bytes:
    """A body that ends early, goes on, or comes in broken chunks."""
    head, _, body = request.partition(b"\r\n\r\n")
    match draw.randrange(3):
        case 0:
            return head + b"\r\n\r\n" + body[: draw.randrange(len(body) + 1)]
        case 1:
            return request + draw.randbytes(draw.randint(1, 3000))
        case _:
            lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
            chunks = [
                b"5\r\n" + body[:5],
                b"\r\n",
                b"%x\r\n" % len(body),
                b"zz\r\n",
                b"-1\r\n",
                b"0\r\n\r\n",
                body,
            ]
            broken = b"".join(draw.choices(chunks, k=draw.randint(1, 6)))
            return b"\r\n".join([*lines, b"transfer-encoding: chunked", b"", broken])


def signed_nonsense(draw: random.Random, request: bytes) -> bytes:
    """The signature is right: it is the parser's turn."""
    body = draw.choice(NONSENSE) if draw.random() < 0.7 else draw.randbytes(draw.randint(1, 400))
    now = datetime.now(UTC)
    id_ = f"evt_{draw.randrange(1 << 40)}"
    kind = draw.choice(["application/json", "application/x-www-form-urlencoded", "text/xml", "", "\xff"])
    made = Webhook(SECRET).sign(id_, now, body.decode("latin-1")) if body.isascii() else "v1,AAAA"
    headers = (
        ("content-type", kind), ("webhook-id", id_), ("webhook-timestamp", str(int(now.timestamp()))),
        ("webhook-signature", made),
    )  # fmt: skip
    return as_bytes(replace(message("x"), headers=headers, body=body))


def noise(draw: random.Random, request: bytes) -> bytes:
    """Nothing of HTTP, or nothing at all."""
    return draw.choice(
        [draw.randbytes(draw.randint(0, 5000)), b"\r\n" * 100, b"\x16\x03\x01" + draw.randbytes(200)]
    )


MUTATIONS: tuple[Mutation, ...] = (
    bytes_exchanged, line_exchanged, headers_exchanged, body_exchanged, signed_nonsense, noise,
)  # fmt: skip


@dataclass
class Seen:
    """What came of it: statuses (0: closed without one), connections that hung, and what was answered with 5xx."""

    server: str = ""
    statuses: Counter[int] = field(default_factory=Counter)
    hung: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def malformed(
    n: int, name: str, seed: int, options: Options, directory: Path, *, under_way: int = UNDER_WAY
) -> Verdict:
    """Send `n` of them, each over a connection of its own, `under_way` at once."""
    receiver = server(name, replace(options, worker=False), directory)
    seen, sizes = Seen(name), []
    try:
        receiver.start()
        await receiver.ready()
        honest = as_bytes(message("evt_honest"))
        numbers = iter(range(n))

        async def send_some() -> None:
            for number in numbers:
                draw = random.Random(seed * 1_000_003 + number)
                mutation = MUTATIONS[number % len(MUTATIONS)]
                await _one(receiver.port, mutation(draw, honest), f"{mutation.__name__} {number}", seen)
                if number in (int(n * WARM), n - 1):
                    sizes.append(_memory(receiver.pid))

        await asyncio.gather(*(send_some() for _ in range(under_way)))
        last = Seen()
        await _one(receiver.port, as_bytes(message("evt_after")), "honest", last)
        log = receiver.log.read_text()
    finally:
        receiver.kill()
    figures = {
        "server": name,
        "requests": n,
        "statuses": dict(sorted(seen.statuses.items())),
        "memory, MiB": [size >> 20 for size in sizes],
        "5xx": seen.failures[:5],
        "hung": seen.hung[:5],
    }
    holds = {
        "nothing was answered with a 5xx": not seen.failures,
        "no connection hung": not seen.hung,
        "no traceback was logged": (OURS if name in LOGGED_BY_ITSELF else "Traceback") not in log,
        "memory is flat": max(sizes) - sizes[0] < GROWTH,
        "an honest event is taken afterwards": last.statuses == {200: 1},
    }
    return Verdict("malformed requests", figures, holds)


async def _one(port: int, request: bytes, title: str, seen: Seen) -> None:
    status = 0
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                with suppress(ConnectionError):
                    writer.write(request)
                    await writer.drain()
                line = await _line(reader, writer)
                words = line.split(b" ", 2)
                status = int(words[1]) if line.startswith(b"HTTP/") and len(words) > 1 else 0
            finally:
                writer.close()
    except TimeoutError:
        seen.hung.append(title)
    except (OSError, ValueError):
        pass  # it hung up: its right
    seen.statuses[status] += 1
    if status >= 500 and not _is_its_own(status, request, seen.server):
        seen.failures.append(f"{status} {title}")


def _is_its_own(status: int, request: bytes, server: str) -> bool:
    """Whether the server itself says so before an app is asked: 501 to a transfer coding that it does not know
    (RFC 9112 6.1), and Sanic 500 to a method that is no text."""
    return status == 501 or (server == "sanic" and not request.partition(b" ")[0].isascii())


async def _line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The first line of the answer. Who is silent waits for more: it is told that there is none."""
    first = asyncio.ensure_future(reader.readline())
    done, _ = await asyncio.wait([first], timeout=SILENCE)
    if not done:
        with suppress(ConnectionError):
            writer.write_eof()
    return await first


def _memory(pid: int) -> int:
    processes = [psutil.Process(pid), *family(pid)]
    return max(one.memory_info().rss for one in processes)
