"""Amazon's SQS as moto's server speaks it, over HTTP, in a process of its own: Amazon's itself is not to be had."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3.session
from botocore.exceptions import ClientError
from lab.processes import Process, free_port

from .databases import Service

SERVER = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}")


@dataclass
class Moto(Service):
    """Starts when it is first needed, and ends with the process that needed it. It keeps nothing."""

    start: Sequence[str] = SERVER
    _server: Process | None = None

    def missing(self) -> str:
        """Nothing: it is installed with what tests need."""
        if self._server is None:
            log = Path(tempfile.mkdtemp(prefix="hookcatch-moto-")) / "log"
            argv = [word.format(port=self.port) for word in self.start]
            self._server = Process(argv, dict(os.environ), log, self.port)
            self._server.start()
            atexit.register(self._end, os.getpid())
            asyncio.run(self._server.ready())
        return ""

    @property
    def is_started(self) -> bool:
        """Whether it was needed before."""
        return self._server is not None

    def _end(self, owner: int) -> None:
        if self._server is not None and os.getpid() == owner:
            self._server.kill()
            shutil.rmtree(self._server.log.parent, ignore_errors=True)


SQS = Moto("SQS", free_port())
SQS_URL = f"http://127.0.0.1:{SQS.port}"


def at(url: str) -> dict[str, Any]:
    """What a client of boto3 has to be given to ask there; moto takes any credentials."""
    return {
        "endpoint_url": url,
        "region_name": "eu-central-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }


@cache
def client() -> Any:
    """One to look at what is there. It takes half a second to make, and lives as long as the process."""
    return boto3.session.Session().client("sqs", **at(SQS_URL))


def make_sqs(name: str, **attributes: str) -> str:
    """Create a queue; answers its URL."""
    url: str = client().create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url


def clean_sqs(name: str) -> None:
    """The queue, if this process has a server that could have it."""
    if not SQS.is_started:
        return
    with suppress(ClientError):
        client().delete_queue(QueueUrl=client().get_queue_url(QueueName=name)["QueueUrl"])


def seen_in_sqs(name: str, *attributes: str) -> dict[str, str]:
    """What SQS says of a queue."""
    url = client().get_queue_url(QueueName=name)["QueueUrl"]
    said: dict[str, str] = client().get_queue_attributes(QueueUrl=url, AttributeNames=[*attributes])[
        "Attributes"
    ]
    return said


def left_in_sqs(name: str) -> int:
    """How many messages a queue has, in somebody's hands or not."""
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    return sum(map(int, seen_in_sqs(name, *counts).values()))
