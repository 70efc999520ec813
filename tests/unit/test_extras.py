"""What needs an extra says which."""

from __future__ import annotations

import subprocess
import sys

import pytest

EXTRAS = {
    "flask": ("flask", "flask"),
    "fastapi": ("fastapi", "fastapi"),
    "aiohttp": ("aiohttp", "aiohttp"),
    "sanic": ("sanic", "sanic"),
    "tornado": ("tornado", "tornado"),
    "sqlalchemy": ("sqlalchemy", "sqlalchemy"),
    "google_functions": ("flask", "google-functions"),
    "relay.streams.kafka": ("confluent_kafka", "kafka"),
    "relay.streams.nats": ("nats", "nats"),
    "relay.streams.rabbitmq": ("aio_pika", "rabbitmq"),
    "relay.streams.redis": ("redis", "redis"),
    "relay.streams.sqs": ("boto3", "sqs"),
}


@pytest.mark.parametrize("module", EXTRAS)
def test_a_framework_that_is_not_there_is_an_error_that_names_the_extra(module: str):
    library, extra = EXTRAS[module]
    code = f"import sys; sys.modules[{library!r}] = None; import hookcatch.{module}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = ended.stderr.splitlines()[-1]
    assert f"is needed here: pip install 'hookcatch[{extra}]'" in last
