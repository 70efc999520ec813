"""A receiver whose store is cut off, and which is killed meanwhile, under a sender that brings nothing twice."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from hookcatch.inbox import open_inbox
from hookcatch.inbox.spool_file import SpoolFile
from hookcatch.inbox.sqlite_file import SqliteOptions

from . import ledger
from .forwarder import Forwarder
from .options import Options
from .processes import Process, server, until
from .sender import Message, message, post
from .verdict import Verdict

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
UNDER_WAY = 32


@dataclass(frozen=True, slots=True)
class Outage:
    """Events in all and a second; seconds without an answer and then without a server, and how often the receiver is
    killed in these."""

    events: int = 2000
    rate: float = 100.0
    silent: float = 2.0
    away: float = 8.0
    kills: int = 3
    server: str = "uvicorn"


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery: when it left, when it was answered, and how (0: the connection broke)."""

    id: str
    left: float
    answered: float
    status: int


def missing() -> str:
    """Why this cannot be run here; empty if it can."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=2).close()
    except psycopg.Error as why:
        return f"no PostgreSQL: {why}"
    return ""


async def spool(outage: Outage, spooled: bool, options: Options, directory: Path) -> Verdict:
    """Cut the receiver off, kill it, let it come back, and compare what was acknowledged with what was done."""
    name = f"hookcatch_lab_{os.getpid()}"
    _say(POSTGRES, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    direct = urlsplit(POSTGRES)._replace(path=f"/{name}").geturl()
    way = Forwarder(urlsplit(POSTGRES).port or 5432)
    try:
        store = open_inbox(direct, clock=time.time)
        store.open()
        store.close()
        _say(direct, ledger.CREATE)
        place = directory / "spool"
        place.mkdir(exist_ok=True)
        theirs = replace(
            options,
            tx=True,
            server=direct.replace(":5432/", f":{way.port}/") + "?connect_timeout=2",
            spool=str(place) if spooled else "",
        )
        receiver = server(outage.server, theirs, directory, processes=1)
        try:
            # without a spool a receiver does not even start while its store is away
            sent = await _storm(outage if spooled else replace(outage, kills=0), receiver, way)
            await _settle(receiver, direct, place if spooled else None)
        finally:
            receiver.kill()
        return _judge(outage, spooled, sent, direct)
    finally:
        way.cut()
        _say(POSTGRES, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _storm(outage: Outage, receiver: Process, way: Forwarder) -> list[Sent]:
    receiver.start()
    await receiver.ready()
    sending = asyncio.create_task(_send(outage, receiver.port))
    await asyncio.sleep(outage.events / outage.rate / 5)
    way.block()
    await asyncio.sleep(outage.silent)
    way.cut()
    for _ in range(outage.kills):
        await asyncio.sleep(random.uniform(0.6, 1.4) * outage.away / (outage.kills + 1))
        receiver.kill()
        receiver.start()
        await receiver.ready()
    await asyncio.sleep(outage.away / (outage.kills + 1))
    way.mend()
    return await sending


async def _send(outage: Outage, port: int) -> list[Sent]:
    """Each event once, at the rate, whatever comes of it."""
    gate = asyncio.Semaphore(UNDER_WAY)
    sent: list[Sent] = []

    async def deliver(id_: str) -> None:
        async with gate:
            sent.append(await _once(port, message(id_)))

    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(outage.events):
            await asyncio.sleep(max(0.0, started + number / outage.rate - time.monotonic()))
            group.create_task(deliver(f"evt_{number:05d}"))
    return sent


async def _once(port: int, what: Message) -> Sent:
    """Send it as soon as somebody listens, and never again."""
    while True:
        left = time.monotonic()
        try:
            status = await post(port, what)
        except ConnectionRefusedError:  # it did not leave: the receiver starts just now
            await asyncio.sleep(0.05)
            continue
        except (OSError, EOFError, TimeoutError):
            status = 0
        return Sent(what.id, left, time.monotonic(), status)


async def _settle(receiver: Process, direct: str, place: Path | None) -> None:
    """Wait until nothing is left to be done."""
    if place is not None:
        await until(lambda: _waiting(place) == 0, 60.0, "the spool is not drained")
    await until(lambda: _undecided(direct) == 0, 60.0, "the inbox is not worked off")
    await receiver.stop()


def _waiting(place: Path) -> int:
    file = SpoolFile(place, SqliteOptions(disk_floor=0, ballast=0))
    file.open()
    try:
        return file.status().events
    finally:
        file.close()


def _undecided(direct: str) -> int:
    return int(_say(direct, f"SELECT count(*) FROM hookcatch_event WHERE state IN {ledger.OPEN}")[0][0])


def _judge(outage: Outage, spooled: bool, sent: Sequence[Sent], direct: str) -> Verdict:
    kills = outage.kills if spooled else 0
    effects = Counter({str(id_): count for id_, count in _say(direct, _EFFECTS)})
    kept = {str(id_): int(seq) for id_, seq in _say(direct, "SELECT event_id, seq FROM hookcatch_event")}
    acked = [one for one in sent if 200 <= one.status < 300]
    answers = Counter(one.status for one in sent)
    lost = [one.id for one in acked if one.id not in effects]
    double = [id_ for id_, count in effects.items() if count > 1]
    late = [one.answered - one.left for one in acked]
    figures = {
        "spool": "yes" if spooled else "no",
        "server": outage.server,
        "events": outage.events,
        "seconds without an answer, then without a server": f"{outage.silent:g}, {outage.away:g}",
        "kills meanwhile": kills,
        "answers": dict(sorted(answers.items())),
        "acked": len(acked),
        "slowest ack, seconds": round(max(late, default=0.0), 2),
        "lost": len(lost),
        "double": len(double),
        "out of order": _out_of_order(acked, kept),
    }
    holds = {
        "every answer was a 2xx or a broken connection": set(answers) <= {0, 200},
        "every broken connection is a kill's": answers[0] <= kills * UNDER_WAY,
        "no acknowledged event is lost": not lost,
        "nothing was done twice": not double,
        "what was acknowledged before another came is before it in the store": not figures["out of order"],
    }
    return Verdict("a store that is cut off", figures, holds)


_EFFECTS = "SELECT id, count(*) FROM lab_effect GROUP BY id"


def _out_of_order(acked: Sequence[Sent], kept: dict[str, int]) -> int:
    """How many are before one in the store that was acknowledged before they left."""
    answered = sorted((one.answered, kept.get(one.id, 0)) for one in acked)
    number = highest = wrong = 0
    for one in sorted(acked, key=lambda one: one.left):
        while number < len(answered) and answered[number][0] < one.left:
            highest = max(highest, answered[number][1])
            number += 1
        wrong += kept.get(one.id, 0) < highest
    return wrong


def _say(url: str, *statements: str) -> list[Any]:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        found: list[Any] = []
        for one in statements:
            cursor = connection.execute(one)
            with suppress(psycopg.ProgrammingError):
                found = cursor.fetchall()
        return found
