"""E20: several processes keep events in one file at once, each as fast as it can."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from hookcatch.core.errors import InboxUnavailable
from hookcatch.core.model import NewEvent
from hookcatch.inbox import open_inbox

from . import ledger, stores
from .broken import broken
from .options import Options, from_environ
from .processes import Process, until
from .verdict import Verdict

BODY = json.dumps({"type": "order.paid", "data": {"padding": "x" * 500}}).encode()
READY = "ready to write"


@dataclass(frozen=True, slots=True)
class Written:
    """What one process kept: how many events, the seconds each took, and what it was refused with."""

    acked: int
    waits: list[float]
    errors: dict[str, int]


async def crowd(processes: int, seconds: float, options: Options, directory: Path) -> Verdict:
    """Start all of them, let them write for a while, and count what is in the file."""
    ledger.prepare(options)
    writers = [_writer(f"w{number}", seconds, options, directory) for number in range(processes)]
    try:
        for writer in writers:
            writer.start()
        for writer in writers:
            await writer.ready(60)
        (directory / "go").touch()
        await until(
            lambda: not any(writer.is_alive() for writer in writers), seconds + 60, "not all writers end"
        )
    finally:
        for writer in writers:
            writer.kill()
    wrote = {file.stem: Written(**json.loads(file.read_text())) for file in directory.glob("w*.json")}
    return _judge(processes, options, wrote)


def _writer(name: str, seconds: float, options: Options, directory: Path) -> Process:
    argv = [sys.executable, "-m", "lab.crowd", name, str(seconds), str(directory)]
    return Process(argv, options.environ(), directory / f"{name}.log", says=READY)


def _judge(processes: int, options: Options, wrote: dict[str, Written]) -> Verdict:
    waits = sorted(wait for one in wrote.values() for wait in one.waits)
    acks = [one.acked for one in wrote.values()]
    least, most = min(acks, default=0), max(acks, default=0)
    errors = sum((Counter(one.errors) for one in wrote.values()), Counter[str]())
    kept = ledger.ids(options)
    acked = {f"{writer}_{number}" for writer, one in wrote.items() for number in range(one.acked)}
    figures = {
        "store": stores.kind(options),
        "broken": options.broken or "no",
        "processes": processes,
        "acked": sum(acks),
        "errors": dict(errors),
        "acked by each, least and most": f"{least}, {most}",
        "fairness, least of most": round(least / most, 2) if most else "-",
        "ms for an ack, median, p99 and most": _told(waits),
        "acked and missing": len(acked - set(kept)),
    }
    holds = {
        "every process has ended by itself": len(wrote) == processes,
        "every process had its turn": least > 0,
        "nothing was refused": not errors,
        "what was acknowledged is in the file, once": acked == set(kept) and sum(kept.values()) == len(acked),
        "the file is whole, where it is a file of ours": ledger.integrity(options) == "ok",
    }
    return Verdict("a crowd of writers", figures, holds)


def _told(waits: list[float]) -> str:
    if not waits:
        return "-"
    places = (len(waits) // 2, int(len(waits) * 0.99), -1)
    return ", ".join(f"{waits[place] * 1000:.1f}" for place in places)


def write(name: str, seconds: float, directory: Path) -> None:
    """Keep one event after the other, once all are ready; whatever is refused is tried again, as a sender would."""
    options = from_environ()
    inbox = broken(options.broken, open_inbox(options.inbox_url, clock=time.time))
    inbox.open()
    print(READY, flush=True)
    while not (directory / "go").exists():
        time.sleep(0.005)
    waits, errors = list[float](), Counter[str]()
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        try:
            inbox.accept([_event(f"{name}_{len(waits)}")]).result()
        except InboxUnavailable as why:
            errors[repr(why)] += 1
        else:
            waits.append(time.monotonic() - began)
    inbox.close()
    (directory / f"{name}.json").write_text(
        json.dumps({"acked": len(waits), "waits": waits, "errors": errors})
    )


def _event(id_: str) -> NewEvent:
    return NewEvent("shop", "", id_, "order.paid", time.time(), BODY, sha256(BODY).digest())


if __name__ == "__main__":
    write(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
