"""A project directory with an app in it, an inbox with events in it, and a way to run commands there."""

from __future__ import annotations

import itertools
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hookcatch.cli import main
from hookcatch.core.model import Close, EventState, NewEvent, Run
from hookcatch.inbox.sqlite import SqliteInbox

SHOP = """
from hookcatch import Hookcatch
hooks = Hookcatch("sqlite:///inbox.db")
shop = hooks.source("shop", provider="standard_webhooks", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
"""

NOW = time.time()

_numbers = itertools.count()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Write a module into the working directory; answers how APP names the `hooks` in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("HOOKCATCH_APP", raising=False)
    made = []

    def write(text: str = SHOP) -> str:
        name = f"cli_app_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(text)
        made.append(name)
        return f"{name}:hooks"

    yield write
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def hookcatch(project: Callable[[str], str]) -> Callable[..., Result]:
    """Run a command in the project directory; an exception that is not the command line's own gets out."""

    def run(*words: str, input: str | None = None, terminal: dict[str, str] | None = None) -> Result:
        result = CliRunner().invoke(main, list(words), input=input, env=terminal)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


class Kept:
    """An inbox file with events, each brought into the state that a test wants."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self.inbox = SqliteInbox(path, clock=time.time)
        self.inbox.open()

    def add(
        self,
        id: str,
        state: EventState = "succeeded",
        *,
        source: str = "shop",
        type: str = "order.created",
        body: bytes = b'{"data": 1}',
        received_at: float = NOW,
        error: str = "",
        **more: Any,
    ) -> int:
        body_hash = id.encode("utf-8", "surrogatepass")
        event = NewEvent(source, "", id, type, received_at, body, body_hash, **more)
        (accepted,) = self.inbox.accept([event]).result()
        if state != "pending":
            (lease,) = self.inbox.lease(token="t", limit=1, now=NOW + 1, until=NOW + 60).result()
            ended = Run("fulfil", "dead" if state == "dead" else "succeeded", 1, error=error)
            self.inbox.settle(lease, [ended], Close(state, error=error)).result()
        return accepted.seq

    def states(self) -> dict[str, str]:
        from hookcatch.core.ports import Query

        return {event.id: event.state for event in self.inbox.find(Query())}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """An inbox in `inbox.db` of the project directory."""
    made = Kept(tmp_path / "inbox.db")
    yield made
    made.inbox.close()


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """The commands set the log's level for their whole process, which here goes on."""
    logger = logging.getLogger("hookcatch")
    level = logger.level
    yield
    logger.setLevel(level)
