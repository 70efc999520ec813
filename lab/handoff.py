"""E19: whoever hands events to an engine dies between the message and the mark that it was sent."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from . import ledger
from .options import Options
from .poison import Nurse
from .processes import Process, command, free_port, server, until
from .sender import Sender
from .verdict import Verdict

CELERY = ("celery", "-A", "lab.relayed:engine", "worker", "-c", "2", "--without-mingle", "--without-gossip")


def missing() -> str:
    """Why this cannot be run here; empty if it can."""
    if importlib.util.find_spec("celery") is None:
        return "Celery is not installed"
    return "" if shutil.which("redis-server") else "redis-server is not installed"


async def handoff(
    n: int, death: float, options: Options, directory: Path, *, most: int | None = None
) -> Verdict:
    """Hand `n` events to Celery on a Redis of the experiment's own, by a relay that dies at a share of its marks, at
    most `most` times. Celery's workers start when all are handed over: some are twice in the broker by then."""
    options = replace(options, tx=False, before=0.01, after=0.0)
    ledger.prepare(options)
    receiver = server("uvicorn", replace(options, worker=False, broken=""), directory)
    redis = _redis(directory)
    broker = {"HOOKCATCH_LAB_BROKER": f"redis://127.0.0.1:{redis.port}/0"}
    argv = [word.replace("lab.receiver", "lab.relayed") for word in command("worker", 0)]
    environ = {**options.environ(), **broker}
    relay = Process(argv, {**environ, "HOOKCATCH_LAB_DEATH": str(death)}, directory / "relay.log")
    engine = Process([sys.executable, "-m", *CELERY], environ, directory / "celery.log")

    def told(deaths: int) -> None:
        if deaths == most:
            relay.environ["HOOKCATCH_LAB_DEATH"] = "0"

    nurse = Nurse(relay, told)
    nursing: asyncio.Task[None] | None = None
    try:
        for process in (redis, receiver):
            process.start()
        await asyncio.gather(redis.ready(), receiver.ready())
        tally = await Sender([receiver.port], rate=1000.0).send([f"evt_{i:05d}" for i in range(n)])
        nursing = asyncio.create_task(nurse.run())
        await until(lambda: _count(options, "relayed", "dead") == n, 60 + n / 5, "not all are handed over")
        messages = _waiting(redis)
        engine.start()
        await until(lambda: _waiting(redis) == 0, 60 + n / 5, "the engine does not look at all messages")
        await until(lambda: _count(options, "succeeded", "dead") == n, 60, "the engine does not do all")
        nursing.cancel()
        await engine.stop()
    finally:
        if nursing:
            nursing.cancel()
        for process in (relay, engine, receiver, redis):
            process.kill()
    return _judge(n, options, tally.acked, nurse.deaths, messages)


def _redis(directory: Path) -> Process:
    port = free_port()
    argv = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(directory)]
    return Process(argv, {}, directory / "redis.log", port)


def _count(options: Options, *states: str) -> int:
    found = ledger.states(options)
    return sum(found[state] for state in states)


def _waiting(redis: Process) -> int:
    """Messages that no worker has acknowledged."""
    from redis import Redis

    with Redis(port=redis.port) as client:
        return int(client.llen("hookcatch-lab")) + int(client.hlen("unacked"))


def _judge(n: int, options: Options, acked: set[str], deaths: int, messages: int) -> Verdict:
    done, states = ledger.effects(options), ledger.states(options)
    lost = acked - set(done.times) - set(ledger.ids(options, "dead"))
    figures = {
        "broken": options.broken or "no",
        "acked": len(acked),
        "relays that died between message and mark": deaths,
        "messages in the broker": messages,
        "lost": len(lost),
        "double": len(done.doubles),
        "states": dict(states),
    }
    holds = {
        "every event was acknowledged": len(acked) == n,
        "nothing was lost": not lost,
        "nothing was done twice": not done.doubles,
        "the broker had messages of which the inbox did not know": deaths > 0 and messages > n,
        f"parked events are no more than {deaths} deaths": states["dead"] <= deaths,
    }
    return Verdict("a relay that dies before its mark", figures, holds)
