"""E5: under strace, each 2xx leaves after an fdatasync of the write-ahead log that followed its event's write."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from . import ledger
from .options import Options
from .processes import server
from .sender import Sender
from .verdict import Verdict

TRACED = "pwrite64,fdatasync,fsync,sendto,sendmsg,write,writev,recvfrom,recvmsg,read"

CALL = re.compile(r"^(\d+)\s+(\w+)\((\d+)<([^>]*)>(.*)")
RESUMED = re.compile(r"^(\d+)\s+<\.\.\. (\w+) resumed>(.*)")
ID = re.compile(r"evt_\d{5}")


@dataclass(frozen=True, slots=True)
class Call:
    """One end of a system call: `begins` and `ends` are both true for one that was not interrupted."""

    pid: str
    name: str
    file: str
    text: str
    begins: bool
    ends: bool


@dataclass(frozen=True, slots=True)
class Ack:
    """What was seen of one event: whether its write, the sync after it, and its 2xx came in that order."""

    id: str
    written: bool
    synced: bool


def missing() -> str:
    """Why this cannot be run here; empty if it can."""
    return "" if shutil.which("strace") else "strace is not installed (Debian: apt-get install strace)"


async def strace_ack(n: int, options: Options, directory: Path) -> Verdict:
    """Send `n` events, some at a time, and read the trace."""
    options = replace(options, worker=False)
    ledger.prepare(options)
    trace = directory / "trace"
    receiver = server("uvicorn", options, directory)
    strace = ["strace", "-f", "-y", "-s", "70000", "-o", str(trace), "-e", f"trace={TRACED}"]
    receiver.argv = [*strace, *receiver.argv, "--loop", "asyncio", "--http", "h11"]
    receiver.start()
    try:
        await receiver.ready()
        tally = await Sender([receiver.port], rate=500.0, under_way=8).send(
            [f"evt_{i:05d}" for i in range(n)]
        )
    finally:
        receiver.kill()
    with trace.open(errors="replace") as lines:
        acks = list(judge(calls(lines)))
    good = [ack for ack in acks if ack.written and ack.synced]
    figures = {
        "broken": options.broken or "no",
        "acknowledged": len(tally.acked),
        "2xx seen in the trace": len(acks),
        "written before their 2xx": sum(ack.written for ack in acks),
        "and synced before their 2xx": len(good),
    }
    holds = {
        "every 2xx was seen": len({ack.id for ack in acks}) == len(tally.acked) == n,
        "each left after the fsync of its event's write": len(good) == len(acks),
    }
    return Verdict("2xx after fsync", figures, holds)


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """The trace's lines, as calls."""
    open_: dict[str, Call] = {}
    for line in lines:
        if found := CALL.match(line):
            pid, name, _, file, text = found.groups()
            unfinished = text.rstrip().endswith("<unfinished ...>")
            call = Call(pid, name, file, text, True, not unfinished)
            if unfinished:
                open_[pid] = call
            yield call
        elif found := RESUMED.match(line):
            pid, name, text = found.groups()
            begun = open_.pop(pid, None)
            if begun is not None:
                yield Call(pid, name, begun.file, text, False, True)


def judge(trace: Iterable[Call]) -> Iterator[Ack]:
    """Follow each event from its request to its 2xx; what matters is the order of the trace."""
    request: dict[str, str] = {}
    written: dict[str, str] = {}
    synced: set[str] = set()
    syncing: dict[str, set[str]] = {}
    for call in trace:
        is_log = call.file.endswith("-wal")
        if call.name in ("recvfrom", "recvmsg", "read") and "webhook-id: " in call.text:
            request[call.file] = ID.search(call.text.partition("webhook-id: ")[2]).group()  # type: ignore[union-attr]
        elif call.name == "pwrite64" and is_log:
            written |= {id_: call.pid for id_ in ID.findall(call.text) if id_ not in written}
        elif call.name in ("fdatasync", "fsync") and is_log:
            if call.begins:
                syncing[call.pid] = {id_ for id_, pid in written.items() if pid == call.pid}
            if call.ends and re.search(r"= 0\s*$", call.text):
                synced |= syncing.pop(call.pid, set())
        elif (
            call.name in ("sendto", "sendmsg", "write", "writev")
            and '"HTTP/1.1 2' in call.text
            and call.begins
        ):
            id_ = request.pop(call.file, "")
            yield Ack(id_, id_ in written, id_ in synced)
