"""E9: the disk fills up under load, and is freed again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from . import ledger
from .crash import settle
from .options import Options
from .processes import server
from .sender import Message, Sender, message
from .verdict import Verdict

MIB = 1 << 20
DISK = 64 * MIB
FILLED = 56 * MIB
"""What is left when it is filled holds about 1,500 events; when it is freed, 5,000 and more."""


def missing() -> str:
    """Why this cannot be run here; empty if it can."""
    if os.geteuid() != 0:
        return "mounting a small disk needs root"
    if not Path("/proc/self/mounts").exists():
        return "this needs Linux"
    return ""


@contextmanager
def small_disk(at: Path, size: int = DISK) -> Iterator[None]:
    """A file system of that size, for as long as the block runs. OSError if it may not be mounted."""
    at.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        raise OSError(f"a small disk could not be mounted: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


async def disk_full(events: int, floor: int, options: Options, directory: Path) -> Verdict:
    """Fill the disk with events of 4 KiB until they are refused, free it, and go on. `floor` as in SqliteOptions."""
    disk = directory / "disk"
    with small_disk(disk):
        options = replace(
            options, db=str(disk / "inbox.db"), url_options=f"?disk_floor={floor}&ballast={MIB}", tx=True
        )
        return await _on_small_disk(events, floor, options, directory, disk)


async def _on_small_disk(events: int, floor: int, options: Options, directory: Path, disk: Path) -> Verdict:
    ledger.prepare(options)
    filler = disk / "filler"
    filler.write_bytes(b"x" * FILLED)
    receiver = server("uvicorn", options, directory)
    receiver.start()
    sender = Sender([receiver.port], rate=2000.0, under_way=16)
    try:
        await receiver.ready()
        sending = asyncio.create_task(sender.send([f"evt_{i:05d}" for i in range(events)], padded))
        await _refused(sender, sending)
        before, kept = len(sender.tally.acked), ledger_ids(options)
        missing_then = len(sender.tally.acked - kept)
        filler.unlink()
        freed = time.monotonic()
        while len(sender.tally.acked) <= before and not sending.done():
            await asyncio.sleep(0.02)
        recovered = time.monotonic() - freed
        await sending
        await receiver.stop()
        await settle(receiver, options)
    finally:
        receiver.kill()
    done = ledger.effects(options)
    refusals = {status: n for status, n in sender.tally.answers.items() if not 200 <= status < 300}
    integrity = ledger.integrity(options)
    figures = {
        "floor": f"{floor // MIB} MiB",
        "events": events,
        "acked before it was full": before,
        "answers": dict(sorted(sender.tally.answers.items())),
        "acked and missing when full": missing_then,
        "acked and missing in the end": len(sender.tally.acked - set(done.times)),
        "double": len(done.doubles),
        "seconds to recover": round(recovered, 1),
        "integrity": integrity,
    }
    holds = {
        "it was full": bool(refusals),
        "only 503 while it was full": set(refusals) <= {503},
        "nothing acknowledged was missing": not missing_then and sender.tally.acked <= set(done.times),
        "nothing was done twice": not done.doubles,
        "every event was taken once there was room": len(sender.tally.acked) == events,
        "the first within 5 s": recovered <= 5.0,
        "the file is whole": integrity == "ok",
    }
    return Verdict("a full disk", figures, holds)


def padded(id_: str) -> Message:
    """An order with a long note."""
    return message(id_, padding=4096)


def ledger_ids(options: Options) -> set[str]:
    """The ids the inbox holds; read beside the receiver, which has no room to be asked."""
    return set(ledger.ids(options))


async def _refused(sender: Sender, sending: asyncio.Task[object]) -> None:
    """Wait until nothing has been accepted for a while and much was refused."""
    last, since = -1, time.monotonic()
    while not sending.done():
        await asyncio.sleep(0.05)
        if len(sender.tally.acked) != last:
            last, since = len(sender.tally.acked), time.monotonic()
        if time.monotonic() - since > 1.5 and sum(sender.tally.answers.values()) > len(sender.tally.acked):
            return
