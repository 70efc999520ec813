"""What an experiment tells the receiver process, through one environment variable."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

NAME = "HOOKCATCH_LAB"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/shop"


@dataclass(frozen=True, slots=True)
class Options:
    """How the app under test is built.

    `db` is the inbox's file, unless `server` is the URL of a database that has it; `ledger` is the file of effects
    outside of it; `tx` says which of them handlers write to. `before` and `after` are seconds of work on either
    side of the effect. `broken` names one of lab.broken. `clock` is a
    file that says how many seconds the app's clock is off. With `order`
    events of a key are in order, and `stale` as it says. Other names are those of Hookcatch and of its sources.
    """

    db: str
    ledger: str
    tx: bool = True
    ack: str = "stored"
    lease: float = 2.0
    concurrency: int = 10
    worker: bool = True
    before: float = 0.002
    after: float = 0.002
    broken: str = ""
    url_options: str = ""
    server: str = ""
    spool: str = ""
    order: bool = False
    stale: str = "run"
    clock: str = ""

    @property
    def inbox_url(self) -> str:
        """The inbox, as Hookcatch takes it."""
        return (self.server or f"sqlite:///{self.db}") + self.url_options

    def environ(self) -> dict[str, str]:
        """The environment of a process that runs `lab.receiver` with these options."""
        return {**os.environ, NAME: json.dumps(asdict(self))}


def from_environ() -> Options:
    """The options this process was started with."""
    return Options(**json.loads(os.environ[NAME]))
