"""How the inbox uses its NATS server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BUCKET = "hookcatch"


@dataclass(frozen=True, slots=True)
class NatsOptions:
    """How the inbox uses its server; each can stand in the URL: `nats://host/shop?replicas=3`.

    Args:
        durability: `best_effort` to go on where what was acknowledged may be lost; such a server is refused
            otherwise.
        fsync: `always` says that the server syncs each message to disk (`sync_interval: always`), which nobody can
            see from here.
        replicas: of the streams, if they are made now.
        server_clock: go by the server's clock where this machine's is more than two seconds off.
        snapshot_every: messages of the log after which what they came to is written down and they go.
    """

    durability: Literal["strict", "best_effort"] = "strict"
    fsync: Literal["", "always"] = ""
    replicas: int = 1
    server_clock: bool = True
    snapshot_every: int = 10_000


@dataclass(frozen=True, slots=True)
class Names:
    """The streams of an inbox, and their subjects.

    `log` holds the calls: those that bring bodies under `bodies`, the others under `calls`. `state` holds what they
    came to: pieces, and a head that names them.
    """

    bucket: str

    @property
    def log(self) -> str:
        return self.bucket

    @property
    def bodies(self) -> str:
        return f"{self.bucket}.bodies"

    @property
    def calls(self) -> str:
        return f"{self.bucket}.calls"

    @property
    def state(self) -> str:
        return f"{self.bucket}-state"

    @property
    def pieces(self) -> str:
        return f"{self.bucket}-state.pieces"

    @property
    def head(self) -> str:
        return f"{self.bucket}-state.head"
