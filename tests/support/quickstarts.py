"""The quickstarts of docs/frameworks.md: their files and commands, and how to run one as its reader would."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab.processes import Process, free_port

from hookcatch import Hookcatch

PAGE = (Path(__file__).parents[2] / "docs" / "frameworks.md").read_text()
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
USUAL_PORT = "8000"
LAMBDA = [str(Path(__file__).parent / "function_url.py"), "app:handler", USUAL_PORT]
"""AWS calls the function; here somebody else has to."""


def files(text: str) -> dict[str, str]:
    """The blocks of Python by the name in their first line."""
    return dict(re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE)]


def sections() -> dict[str, str]:
    """The text under each heading."""
    _, *parts = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


RECEIVER = sections()["The receiver"]
SEND = next(words for words in commands(RECEIVER) if words[:2] == ["hookcatch", "send"])


@dataclass(frozen=True)
class Quickstart:
    """One section: `serve` is its command that serves."""

    title: str
    files: dict[str, str]
    serve: list[str]

    @property
    def module(self) -> str:
        """The file with the receiver in it."""
        return "receiver" if "receiver.py" in self.files else next(iter(self.files)).removesuffix(".py")


def quickstarts() -> dict[str, Quickstart]:
    """Those sections that serve something."""
    found = {}
    for title, text in sections().items():
        own = files(text)
        served = [words for words in commands(text) if words[:2] not in (["pip", "install"], SEND[:2])]
        if title == "AWS Lambda":
            served = [["python", *LAMBDA]]
        if served:
            shared = files(RECEIVER) if any("from receiver import" in code for code in own.values()) else {}
            (command,) = served
            found[title] = Quickstart(title, {**shared, **own}, command)
    return found


class Running:
    """A quickstart in a directory of its own, served at a free port by the programs of one environment."""

    def __init__(
        self,
        quickstart: Quickstart,
        place: Path,
        programs: Path = Path(sys.executable).parent,
        **environ: str,
    ) -> None:
        self._port, self._place, self._programs = free_port(), place, programs
        self._module = quickstart.module
        for name, code in quickstart.files.items():
            (place / name).write_text(self._here(code))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKCATCH")}
        self._environ = {**kept, "PYTHONUNBUFFERED": "1", **environ}
        self._process = Process(self._argv(quickstart.serve), self._environ, place / "log", self._port, place)

    def __enter__(self) -> Running:
        self._process.start()
        try:
            asyncio.run(self._process.ready())
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(self, *why: object) -> None:
        try:
            asyncio.run(self._process.stop())
        finally:
            self._process.kill()

    def send(self) -> str:
        """What the page's own command says, which sends an event."""
        argv = self._argv([SEND[0], SEND[1], f"{self._module}:hooks", *SEND[3:]])
        ended = subprocess.run(
            argv, cwd=self._place, env=self._environ, capture_output=True, text=True, timeout=60, check=False
        )
        return ended.stdout + ended.stderr

    def forge(self) -> int:
        """The answer to a body that is not the signed one."""
        signed = (
            Hookcatch("memory:").source("shop", "standard_webhooks", SECRET).sign("order.created", {}, id="1")
        )
        body = b'{"type": "order.created", "data": {"id": "o_forged", "total": "0"}}'
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        headers = {name.decode(): value.decode() for name, value in signed.headers}
        connection.request("POST", "/hooks/shop", body, headers)
        status = connection.getresponse().status
        connection.close()
        return status

    def wait_for(self, text: str) -> None:
        """Wait until the server has printed it."""
        end = time.monotonic() + 30
        while text not in self.log():
            assert time.monotonic() < end, self.log()
            time.sleep(0.05)

    def log(self) -> str:
        return self._process.log.read_text()

    def _here(self, text: str) -> str:
        return text.replace(USUAL_PORT, str(self._port))

    def _argv(self, words: list[str]) -> list[str]:
        return [str(self._programs / words[0]), *map(self._here, words[1:])]
