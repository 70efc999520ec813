"""The two streams of an inbox: made where they are missing, looked at where they are there."""

from __future__ import annotations

import logging

from nats.aio.client import Client
from nats.errors import Error, NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, PersistMode, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError, ServiceUnavailableError

from hookcatch.core.errors import ConfigurationError

from .options import Names, NatsOptions

log: logging.Logger = logging.getLogger("hookcatch.inbox")

OLDEST = (2, 9)
"""The server's version that first has all that is used here."""

DEDUPES = 120.0
"""Seconds for which the stream knows a message again that is sent a second time because its ack was lost."""

ENOUGH = 2 * 1024 * 1024
"""Bytes that a message may have so that a body of 1 MiB fits in any case."""

_OTHERWISE = "or say that this is all right with ?durability=best_effort"


async def prepare(client: Client, js: JetStreamContext, names: Names, options: NatsOptions) -> bool:
    """Make or check the streams; answers whether what they acknowledge is durable.

    Raises:
        ConfigurationError: they cannot hold an inbox, or lose what is durable by the options.
    """
    _check_server(client)
    wanted = [
        _config(names.log, [names.bodies, names.calls], options),
        _config(names.state, [names.pieces, names.head], options),
    ]
    try:
        found = [await _find(js, config) for config in wanted]
        durable = _is_durable(min(config.num_replicas or 1 for config in found), options)
        for config in found:
            if config in wanted:
                await js.add_stream(config)
    except (NoRespondersError, ServiceUnavailableError) as error:
        raise ConfigurationError(
            f"the NATS server has no JetStream for this account ({error}): start it with -js, or have it enabled"
        ) from error
    except Error as error:
        why = getattr(error, "description", None) or str(error) or type(error).__name__
        raise ConfigurationError(
            f"the streams {names.log} and {names.state} cannot be made ready ({why}): may this user publish to "
            f"$JS.API.>, $JS.FC.>, {names.bucket}.> and {names.state}.>, and subscribe to _INBOX.>?"
        ) from error
    return durable


def _check_server(client: Client) -> None:
    version = client.connected_server_version
    if (version.major, version.minor) < OLDEST:
        raise ConfigurationError(
            f"the NATS server is {version.major}.{version.minor}: the inbox needs {OLDEST[0]}.{OLDEST[1]} or newer"
        )
    if client.max_payload < ENOUGH:
        log.warning(
            "the NATS server takes messages of up to %d bytes (max_payload), and a delivery is one message: a body "
            "of 1 MiB may not fit; 2MB is enough",
            client.max_payload,
        )


def _config(name: str, subjects: list[str], options: NatsOptions) -> StreamConfig:
    return StreamConfig(
        name=name,
        subjects=subjects,
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        num_replicas=options.replicas,
        duplicate_window=DEDUPES,
        allow_direct=True,
    )


async def _find(js: JetStreamContext, wanted: StreamConfig) -> StreamConfig:
    """How the stream is that is there; as it is wanted, if there is none."""
    name = wanted.name or ""
    try:
        found = (await js.stream_info(name)).config
    except NotFoundError:
        return wanted
    wrong = [
        f"{what} is {has} and has to be {needed}"
        for what, has, needed in (
            ("subjects", found.subjects, wanted.subjects),
            ("storage", found.storage, StorageType.FILE),
            ("retention", found.retention, RetentionPolicy.LIMITS),
            ("discard", found.discard, DiscardPolicy.NEW),
            ("max_age", found.max_age or 0, 0),
            ("max_msgs_per_subject", found.max_msgs_per_subject, -1),
            ("persist_mode", found.persist_mode or PersistMode.DEFAULT, PersistMode.DEFAULT),
            ("no_ack", found.no_ack, False),
            ("sealed", found.sealed, False),
            ("deny_delete", found.deny_delete, False),
            ("deny_purge", found.deny_purge, False),
            ("duplicate_window", min(found.duplicate_window, DEDUPES), DEDUPES),
        )
        if has != needed
    ]
    if wrong:
        raise ConfigurationError(
            f"the stream {name} cannot hold an inbox: {'; '.join(wrong)}. Name another one in the URL, or "
            "mend it with `nats stream edit`"
        )
    return found


def _is_durable(replicas: int, options: NatsOptions) -> bool:
    if replicas >= 3 or options.fsync == "always":  # a majority is left when one is lost
        return True
    why_not = (
        f"the inbox's streams have {replicas} replica{'' if replicas == 1 else 's'}, and a NATS server syncs to disk "
        "every two minutes: what was acknowledged can be lost when the power fails"
    )
    if options.durability == "strict":
        raise ConfigurationError(
            f"{why_not}. Give them 3 replicas (?replicas=3 where they are made now, else `nats stream edit`), or set "
            f"`sync_interval: always` in the server's jetstream block and say so with ?fsync=always, {_OTHERWISE}"
        )
    log.warning("%s", why_not)
    return False
