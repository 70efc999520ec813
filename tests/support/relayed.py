"""An app whose events an engine works on, for processes of its own: `hookcatch worker` and the engine's worker."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from hookcatch import Backoff, Event, Hookcatch

SECRET = "a secret of the relay's own"
PLACE = Path(os.environ["RELAYED"])
ENGINE, BROKER, QUEUE = (os.environ[f"RELAYED_{name}"] for name in ("ENGINE", "BROKER", "QUEUE"))

hooks = Hookcatch(f"sqlite:///{PLACE}/inbox.db?disk_floor=0&ballast=0", lease=2.0)
hooks.source("shop", "standard_webhooks", "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def note(event: Event[Any], how: str) -> None:
    with (PLACE / "ledger").open("a") as ledger:
        ledger.write(f"{event.id} {how} {event.attempt} {os.getpid()}\n")


@hooks.on("order.created")
def plain(event: Event[Any]) -> None:
    time.sleep(0.02)
    note(event, "plain")


@hooks.on("order.paid")
async def in_a_loop(event: Event[Any]) -> None:
    note(event, "async")


@hooks.on("order.failing", backoff=Backoff(base=0.1))
def fails_at_first(event: Event[Any]) -> None:
    note(event, "failing")
    if event.attempt == 1:
        raise OSError("the shop is closed")


def celery() -> Any:
    from celery import Celery

    made = Celery(broker=BROKER)
    made.conf.update(
        task_default_queue=QUEUE,
        broker_transport_options={"confirm_publish": True} if BROKER.startswith("amqp") else {},
        broker_connection_retry_on_startup=True,
        worker_prefetch_multiplier=4,
    )
    return made


def dramatiq() -> Any:
    from dramatiq.brokers.redis import RedisBroker

    return RedisBroker(url=BROKER, namespace=QUEUE)


def procrastinate() -> Any:
    from procrastinate import App, PsycopgConnector

    return App(connector=PsycopgConnector(conninfo=BROKER))


def taskiq() -> Any:
    from taskiq_redis import RedisStreamBroker

    return RedisStreamBroker(BROKER, queue_name=QUEUE)


def rq() -> Any:
    from redis import Redis
    from rq import Queue

    from hookcatch.relay.rq import RqEngine

    return RqEngine(Queue(QUEUE, connection=Redis.from_url(BROKER)), "support.relayed:hooks")


def saq() -> Any:
    from saq.queue.redis import RedisQueue

    return RedisQueue.from_url(BROKER, name=QUEUE)


def huey() -> Any:
    from huey import RedisHuey

    return RedisHuey(QUEUE, url=BROKER)


def nats() -> Any:
    from hookcatch.relay.streams.nats import NatsStream

    return NatsStream(BROKER, stream=QUEUE)


def rabbitmq() -> Any:
    from hookcatch.relay.streams.rabbitmq import RabbitQueue

    return RabbitQueue(BROKER, queue=QUEUE)


def redis() -> Any:
    from hookcatch.relay.streams.redis import RedisStream

    return RedisStream(BROKER, stream=QUEUE)


def sqs() -> Any:
    from hookcatch.relay.streams.sqs import SqsQueue

    anyone = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return SqsQueue(QUEUE, endpoint_url=BROKER, region_name="eu-central-1", **anyone)


def kafka() -> Any:
    from hookcatch.relay.streams.kafka import KafkaTopic, topic

    topic.ANSWER = 0.5  # the mock cluster does not answer when it is asked for settings
    return KafkaTopic(BROKER, topic=QUEUE, group=QUEUE)


ENGINES = (celery, dramatiq, procrastinate, taskiq, rq, saq, huey, kafka, nats, rabbitmq, redis, sqs)

engine = next(make for make in ENGINES if make.__name__ == ENGINE)()
hooks.relay(engine, SECRET, patience=4.0)


def settings() -> dict[str, Any]:
    """Of SAQ's worker."""
    from hookcatch.relay.saq import functions

    return {"queue": engine, "functions": functions(hooks), "concurrency": 2}
