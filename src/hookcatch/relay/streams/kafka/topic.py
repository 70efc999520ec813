"""What a topic's own settings make of what it has confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType, TopicMetadata  # type: ignore[attr-defined]

from hookcatch.core.errors import ConfigurationError
from hookcatch.observe.logs import logger

from .client import Clients, told

ANSWER = 2.0
"""Seconds for one answer of the brokers."""

HOUR = 3600.0
"""Seconds: a relay's patience, unless it was told another. After it an event is handed over again, so longer no
message is needed."""

MOST = 10000

_NO = frozenset(
    {
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.POLICY_VIOLATION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError._UNSUPPORTED_FEATURE,
    }
)
"""Answers that the same question gets tomorrow."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic, and how it is made where it is not there."""

    topic: str
    partitions: int
    replicas: int | None

    def __post_init__(self) -> None:
        said = (self.partitions, 1 if self.replicas is None else self.replicas)
        if not all(1 <= number <= MOST for number in said):
            raise ConfigurationError(f"partitions and replicas of a topic are 1 to {MOST}")

    def new(self) -> NewTopic:
        """In three copies and more, two have to have what is confirmed."""
        copies = -1 if self.replicas is None else self.replicas  # -1: as the brokers are set
        config = {"cleanup.policy": "delete", **({"min.insync.replicas": "2"} if copies >= 3 else {})}
        return NewTopic(self.topic, self.partitions, copies, config=config)


def look(clients: Clients, wanted: Wanted) -> None:
    """Have it there, and see what its settings may lose. It blocks.

    Raises:
        ConfigurationError: it cannot be made, or nothing could be sent to it.
        ConnectionError: no broker answers.
    """
    heard: list[KafkaError] = []
    admin = clients.admin(heard.append)
    try:
        found = _found(admin, wanted.topic) or _made(admin, clients.name, wanted)
    except KafkaException as why:
        admin.poll(0)  # it tells now what it has heard meanwhile
        raise _with_cause(why, heard) from None
    if found is None:
        return
    if found.error is not None and found.error.code() in _NO:
        raise ConfigurationError(f"{clients.name} cannot be used: {found.error.str()}")
    _judge(clients.name, _settings(admin, clients.name, wanted.topic), _copies(found))


def _found(admin: AdminClient, topic: str) -> TopicMetadata | None:
    found: TopicMetadata = admin.list_topics(topic, timeout=ANSWER).topics[topic]
    is_missing = found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    return None if is_missing else found


def _made(admin: AdminClient, name: str, wanted: Wanted) -> TopicMetadata | None:
    """None if it is not everywhere yet."""
    try:
        asked = admin.create_topics([wanted.new()], request_timeout=ANSWER, operation_timeout=ANSWER)
        asked[wanted.topic].result()
    except KafkaException as why:
        code = why.args[0].code()
        if code in _NO:
            raise ConfigurationError(
                f"{name} is not there and cannot be made: {told(why)}. Make it, with cleanup.policy=delete and as "
                "many partitions as processes are to consume it"
            ) from None
        if code != KafkaError.TOPIC_ALREADY_EXISTS:  # another was faster
            raise
    return _found(admin, wanted.topic)


def _settings(admin: AdminClient, name: str, topic: str) -> Mapping[str, str]:
    """Empty if they may not be read."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    try:
        entries = admin.describe_configs([resource], request_timeout=ANSWER)[resource].result()
    except KafkaException as why:
        logger.warning(
            "%s: whether it can lose what it has confirmed is not known, for its settings cannot be read: %s",
            name,
            told(why),
        )
        return {}
    return {entry.name: entry.value for entry in entries.values() if entry.value is not None}


def _copies(found: TopicMetadata) -> int:
    return min((len(one.replicas) for one in found.partitions.values()), default=0)


def _judge(name: str, settings: Mapping[str, str], copies: int) -> None:
    why_not = useless(settings, copies)
    if why_not:
        raise ConfigurationError(f"{name} is of no use here: {'; '.join(why_not)}")
    may_lose = losses(settings, copies)
    if may_lose:
        logger.warning(
            "%s can lose what it has confirmed (%s): what is lost is handed over again after the relay's patience",
            name,
            "; ".join(may_lose),
        )


def useless(settings: Mapping[str, str], copies: int) -> list[str]:
    """Why nothing could be sent to it. https://kafka.apache.org/documentation/#topicconfigs"""
    needed = int(settings.get("min.insync.replicas", "1"))
    return [
        *(
            ["cleanup.policy=compact takes no message without a key"]
            if "compact" in settings.get("cleanup.policy", "")
            else []
        ),
        *(
            [f"min.insync.replicas={needed} of {copies}: nothing is ever confirmed"]
            if 0 < copies < needed
            else []
        ),
    ]


def losses(settings: Mapping[str, str], copies: int) -> list[str]:
    """What may be lost that was confirmed. Kafka keeps nothing until it is read: all have some limit, so none of
    these is a reason not to send."""
    kept, room = int(settings.get("retention.ms", "-1")), int(settings.get("retention.bytes", "-1"))
    return [
        *(["one copy of each partition"] if copies == 1 else []),
        *(
            ["min.insync.replicas=1: one copy confirms where the others are behind"]
            if copies > 1 and settings.get("min.insync.replicas") == "1"
            else []
        ),
        *(
            ["unclean.leader.election.enable=true"]
            if settings.get("unclean.leader.election.enable") == "true"
            else []
        ),
        *([f"retention.ms={kept}, less than an hour"] if 0 <= kept < HOUR * 1000 else []),
        *([f"retention.bytes={room}, read or not"] if room >= 0 else []),
    ]


def _with_cause(why: KafkaException, heard: list[KafkaError]) -> ConnectionError:
    """ "Timed out" is what a wrong name and a wrong password look like from here; the library has heard more."""
    causes = [error.str() for error in heard if error.code() != KafkaError._ALL_BROKERS_DOWN]
    return ConnectionError("; ".join([told(why), *causes[:1]]))
