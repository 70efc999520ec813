"""Engines that do the work. An event is handed over as a signed message that names it, and comes back with it in the
engine's own process. The inbox stays the truth: what the engine loses is handed over again, what it brings twice is
worked on once.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any, Protocol, runtime_checkable

from itsdangerous import BadData, URLSafeSerializer

from hookcatch.core.errors import ConfigurationError, InboxUnavailable, LeaseLost
from hookcatch.core.flow import take_over
from hookcatch.core.model import EventState, Lease
from hookcatch.core.ports import Inbox, Ports
from hookcatch.observe.logs import escape, logger
from hookcatch.signing.keys import check_strength, secrets_of

ENGINES = ("celery", "dramatiq", "huey", "procrastinate", "rq", "saq", "taskiq")
"""The packages that an engine's app may come from; each has a module of its name here."""

Message = tuple[tuple[str, str, str], str]
"""Source, tenant and id of an event, and the token of the lease under which it was handed over."""


class Performer(Protocol):
    """What an engine's task needs of a `Hookcatch`."""

    def perform(self, message: str) -> EventState | None:
        """Run the handlers of the event that a message names."""
        ...

    async def aperform(self, message: str) -> EventState | None:
        """The same, awaited."""
        ...


class Engine(Protocol):
    """One that brings messages to its workers."""

    def check(self) -> None:
        """Raises ConfigurationError where a message that it has confirmed can be lost by its own settings."""
        ...

    @property
    def send(self) -> Callable[..., Any]:
        """Called as `send(message=...)`, plain or async: returns once it is confirmed, raises anything if not."""
        ...


class Fate(Enum):
    """What becomes of a message that was taken from a stream."""

    DONE = auto()
    """Acknowledge it: what it was for is on disk."""
    AGAIN = auto()
    """Let it come again: the inbox could not be reached."""
    FORGED = auto()
    """Throw it away: it is none of ours."""


Perform = Callable[[str], Awaitable[Fate]]
"""Works on the event that a message names; raises nothing. It takes as long as the handlers do, and some seconds more
before it says AGAIN."""


@runtime_checkable
class Consumer(Engine, Protocol):
    """An engine without workers of its own: `hookcatch consume` takes from it what was sent."""

    async def consume(self, perform: Perform, *, concurrency: int, stopping: asyncio.Event) -> None:
        """Take messages and perform them, `concurrency` at a time, until `stopping` is set; then return when those
        in hand are done. A message is acknowledged after it was performed. Failures of the broker are better
        waited out: what is raised ends the command. ConfigurationError where a message that it has confirmed can be
        lost."""
        ...

    async def close(self) -> None:
        """Let go of what was opened to send. In the loop that has sent, at its end."""
        ...


async def patiently(hooks: Performer, message: str) -> None:
    """Perform it, and wait for an inbox that cannot be reached: for an engine in which a task that fails is gone."""
    while True:
        try:
            await hooks.aperform(message)
        except InboxUnavailable as why:
            await asyncio.sleep(why.retry_after)
        else:
            return


class Envelopes:
    """`core.ports.Relay`: an engine, and the messages to it.

    A message holds no payload and no secret, so that whoever reads the broker learns of ids alone; it is signed, so
    that whoever writes to it cannot have events run.
    """

    def __init__(self, engine: Engine, secret: Any, *, patience: float, timeout: float) -> None:
        known = secrets_of(secret)
        for key in known:
            check_strength(key.reveal())
        if patience <= 0 or timeout <= 0:
            raise ConfigurationError("patience and timeout of a relay are seconds, more than 0")
        self.engine: Engine = engine
        self._serializer = URLSafeSerializer(
            [key.reveal() for key in reversed(known)],  # there the last one signs
            salt=b"hookcatch.relay",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
        self.patience: float = patience
        self.timeout: float = timeout
        self.send: Callable[..., Any] = engine.send

    def seal(self, lease: Lease) -> str:
        """The message that names an event."""
        event = lease.event
        sealed: str = self._serializer.dumps([event.source, event.tenant, event.id, lease.token])
        return sealed

    async def perform(self, message: str, ports: Ports) -> EventState | None:
        """See `Hookcatch.perform`."""
        key, of = self.opened(message)
        try:
            close = await take_over(key, of, ports)
        except LeaseLost as why:
            # its worker was too slow, or it was discarded meanwhile: whoever has it now says what becomes of it
            logger.warning("event %s of %s: %s", escape(key[2]), key[0], why)
            return None
        return None if close is None else close.state

    def opened(self, message: str) -> Message:
        """What a message names. Raises ConfigurationError if it is none of ours."""
        try:
            source, tenant, event_id, token = self._serializer.loads(message)
        except (BadData, ValueError, TypeError) as why:
            raise ConfigurationError(
                "a message was not signed with this relay's secret, which is to be the same where events are handed "
                f"over and where they are worked on: {why}"
            ) from None
        return (source, tenant, event_id), token

    async def close(self) -> None:
        """See `core.ports.Relay`."""
        if isinstance(self.engine, Consumer):
            await self.engine.close()

    def check(self, inbox: Inbox) -> None:
        """Raises ConfigurationError where events could not be worked on elsewhere, or be lost on the way."""
        if not inbox.shared:
            raise ConfigurationError(
                "a relay needs an inbox that the engine's workers can open too: sqlite:///, "
                "postgresql://, mysql:// or redis://"
            )
        self.engine.check()


def consumer_of(relay: object) -> Consumer:
    """What `hookcatch consume` takes messages from. Raises ConfigurationError if it is for others to bring them."""
    if not isinstance(relay, Envelopes):
        raise ConfigurationError("there is no relay to consume: say hooks.relay(...)")
    if not isinstance(relay.engine, Consumer):
        raise ConfigurationError(
            f"what {type(relay.engine).__name__} has is brought by the engine's own worker; here only a stream is "
            "consumed: KafkaTopic, NatsStream, RabbitQueue, RedisStream, SqsQueue, or your own with consume(...)"
        )
    return relay.engine


def attach(
    engine: Any, hooks: Performer, secret: Any, *, patience: float = 3600.0, timeout: float = 10.0
) -> Envelopes:
    """Give the engine its task. Raises ConfigurationError for one that we do not know."""
    if not (hasattr(engine, "check") and hasattr(engine, "send")):
        engine = _known(engine)(engine, hooks)
    return Envelopes(engine, secret, patience=patience, timeout=timeout)


def _known(engine: Any) -> Callable[[Any, Performer], Engine]:
    for base in type(engine).__mro__:
        name = base.__module__.partition(".")[0]
        if name in ENGINES:
            make: Callable[[Any, Performer], Engine] = importlib.import_module(f"{__name__}.{name}").engine
            return make
    raise ConfigurationError(
        f"no relay to {type(engine).__module__}.{type(engine).__name__}: known are the apps of "
        f"{', '.join(ENGINES)}; any other engine needs send(message=...) and check()"
    )
