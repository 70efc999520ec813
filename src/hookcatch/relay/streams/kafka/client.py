"""The clients of librdkafka, with the settings that a promise hangs on.

https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hookcatch.core.errors import ConfigurationError, MissingExtra
from hookcatch.observe.logs import logger

try:
    from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
    from confluent_kafka.admin import AdminClient
except ModuleNotFoundError:
    raise MissingExtra("confluent-kafka", "kafka") from None

C = TypeVar("C")

FAILURES: tuple[type[Exception], ...] = (KafkaException, BufferError, OSError, TimeoutError)
"""What a broker that is away is told by; BufferError: too much waits to be sent already."""

CONFIRMED = 5.0
"""Seconds until a message that was not confirmed is given up: less than a relay's timeout."""

SESSION = 10.0
"""Seconds until the group takes a consumer for dead of which it hears nothing, and gives its partitions to others. Of
one that lives it hears every 3, from a thread of the library's that no handler holds up. Brokers want 6 at least
(`group.min.session.timeout.ms`)."""

TURN = 0.1
"""Seconds in which a thread that waits for Kafka sees that there is something else to do."""

_SENDING: Mapping[str, Any] = {"message.timeout.ms": int(CONFIRMED * 1000)}
_CONSUMING: Mapping[str, Any] = {"auto.commit.interval.ms": 1000, "queued.min.messages": 1000}
_CLASSIC: Mapping[str, Any] = {
    "session.timeout.ms": int(SESSION * 1000),
    "partition.assignment.strategy": "cooperative-sticky",  # whoever comes takes only what becomes its own
}
"""Of a group whose members share the partitions out; with `group.protocol=consumer` the brokers say these."""

_COMMON: Mapping[str, Any] = {"allow.auto.create.topics": False}
_SAFE_SENDING: Mapping[str, Any] = {"acks": "all", "enable.idempotence": True}
_SAFE_CONSUMING: Mapping[str, Any] = {
    "enable.auto.commit": True,  # of what is stored, which is for us to say
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
}
_GIVEN = ("bootstrap.servers", "group.id", "request.required.acks")
_NOT_TO_BE_SET = frozenset({*_GIVEN, *_COMMON, *_SAFE_SENDING, *_SAFE_CONSUMING})


@dataclass(frozen=True, slots=True)
class Clients:
    """Makes them.

    Args:
        name: of the stream, for the log.
        servers: host:port, several with commas.
        settings: for librdkafka, by its own names.
    """

    name: str
    servers: str
    settings: Mapping[str, Any] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.servers or "/" in self.servers:
            raise ConfigurationError(
                f"{self.servers!r} is no place where {self.name} could be: write host:port, several with commas"
            )
        wrong = sorted(_NOT_TO_BE_SET & self.settings.keys())
        if wrong:
            raise ConfigurationError(
                f"leave {', '.join(wrong)} out of the settings of {self.name}: they are its own arguments, or what "
                "its promises hang on"
            )

    def admin(self, heard: Callable[[KafkaError], None]) -> AdminClient:
        """To look at a topic, or to make it."""
        return self._made(AdminClient, {"error_cb": heard}, {})

    def producer(self) -> Producer:
        """To send."""
        return self._made(Producer, {**_SENDING, "error_cb": self._heard}, _SAFE_SENDING)

    def consumer(self, group: str) -> Consumer:
        """To take."""
        classic = {} if self.settings.get("group.protocol") == "consumer" else _CLASSIC
        ours = {**_CONSUMING, **classic, "error_cb": self._heard, "on_commit": self._committed}
        return self._made(Consumer, ours, {**_SAFE_CONSUMING, "group.id": group})

    def _made(self, make: Callable[..., C], ours: Mapping[str, Any], safe: Mapping[str, Any]) -> C:
        config = {"client.id": "hookcatch", **ours, **self.settings, **_COMMON, **safe}
        try:
            return make({"bootstrap.servers": self.servers, **config}, logger=_Quiet())
        except (KafkaException, TypeError, ValueError) as why:
            raise ConfigurationError(
                f"{self.name}: librdkafka does not take its settings: {told(why)}"
            ) from None

    def _heard(self, error: KafkaError) -> None:
        """What goes wrong and is tried again by the library. Once all brokers are down, it says so once."""
        level = 30 if error.code() == KafkaError._ALL_BROKERS_DOWN else 10
        logger.log(level, "%s: %s", self.name, error.str())

    def _committed(self, error: KafkaError | None, _offsets: object) -> None:
        """What is not committed comes again, and finds nothing to do."""
        if error is not None:
            logger.info("%s was not told what is done: %s", self.name, error.str())


class _Quiet:
    """The library's own words, which would go to stderr: for whoever looks for them."""

    def log(self, _level: int, text: str, *arguments: object) -> None:
        logger.debug(text, *arguments)


def told(why: Exception) -> str:
    """What it says, without the library's frame around it."""
    error = why.args[0] if why.args else why
    return error.str() if isinstance(error, KafkaError) else str(why)
