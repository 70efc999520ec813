"""E13: one event in many kills whoever works on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from . import ledger
from .options import Options
from .processes import Process, server, until
from .sender import Message, Sender, message
from .verdict import Verdict

POISON = "evt_00007"


async def poison(n: int, options: Options, directory: Path) -> Verdict:
    """Put a poisonous event among `n`, and start workers anew whenever they die."""
    options = replace(options, lease=1.0)
    ledger.prepare(options)
    receiver = server("uvicorn", replace(options, worker=False), directory)
    worker = server("worker", options, directory)
    nurse = Nurse(worker)
    nursing: asyncio.Task[None] | None = None
    try:
        receiver.start()
        await receiver.ready()
        tally = await Sender([receiver.port], rate=2000.0).send([f"evt_{i:05d}" for i in range(n)], poisonous)
        nursing = asyncio.create_task(nurse.run())
        await until(lambda: ledger.undecided(options) == 0, 60, "the inbox is not worked off")
        nursing.cancel()
        await receiver.stop()
    finally:
        if nursing:
            nursing.cancel()
        for process in (receiver, worker):
            process.kill()
    done = ledger.effects(options)
    state, error = ledger.column(options, "state"), ledger.column(options, "error")
    others = {id_ for id_ in tally.acked if id_ != POISON and state[id_] == "succeeded"}
    figures = {
        "acked": len(tally.acked),
        "the poisonous one": f"{state[POISON]}: {error[POISON]}",
        "workers it killed": nurse.deaths,
        "others that succeeded": len(others),
        "states": dict(ledger.states(options)),
        "double": len(done.doubles),
    }
    holds = {
        "the poisonous one is dead for loss of its workers": (state[POISON], error[POISON])
        == ("dead", "worker_lost"),
        "after three": nurse.deaths == 3,
        "all others succeeded": len(others) == n - 1,
        "and once": not done.doubles and len(done.times) == n - 1,
    }
    return Verdict("a poisonous event", figures, holds)


class Nurse:
    """Starts a worker again when it has died; `told` hears before of how many have."""

    def __init__(self, worker: Process, told: Callable[[int], object] = lambda deaths: None) -> None:
        self._worker = worker
        self._told = told
        self.deaths = 0

    async def run(self) -> None:
        """Never ends by itself."""
        self._worker.start()
        while True:
            await asyncio.sleep(0.05)
            if not self._worker.is_alive():
                self.deaths += 1
                self._told(self.deaths)
                self._worker.start()


def poisonous(id_: str) -> Message:
    """The order, or the one that kills."""
    return message(id_, poison=id_ == POISON)
