"""The README does what it says: its code runs, its commands print what they promise."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookcatch import Hookcatch
from hookcatch.probe import Prober

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BIN = Path(sys.executable).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(PYTHON[0])
    return tmp_path


def hookcatch(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "hookcatch", *words], cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def port(folder: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [BIN / "hookcatch", "run", "app:hooks", "--port", str(free)],
            cwd=folder,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            _wait_for(lambda: _listens(free), "the receiver did not start")
            yield free
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


NAMES_OF_KEYS = ("acme_secret", "new_secret", "old_secret", "url_key")


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(what)


def test_the_first_example_receives_what_the_next_lines_send(folder: Path, port: int) -> None:
    command = next(line for line in README.splitlines() if line.startswith("$ hookcatch send"))
    sent = hookcatch(folder, *shlex.split(command)[2:], "--url", f"http://127.0.0.1:{port}")
    assert sent.stdout.startswith("200 ok"), sent
    _wait_for(lambda: "order o_1 over 9.90" in (folder / "log").read_text(), "the handler did not run")
    listed = hookcatch(folder, "events", "list", "app:hooks")
    assert "order.created" in listed.stdout
    assert "succeeded" in listed.stdout


def test_the_other_handler_of_the_example_comes_back_as_it_says(folder: Path, port: int) -> None:
    hookcatch(
        folder, "send", "app:hooks", "shop", "order.cancelled", '{"id": "o_2", "total": 1}',
        "--url", f"http://127.0.0.1:{port}",
    )  # fmt: skip
    _wait_for(lambda: "refunded o_2" in (folder / "log").read_text(), "the second attempt did not come")


def test_the_transaction_example_is_a_handler_that_can_be_built(folder: Path) -> None:
    prelude = "from hookcatch import Transaction\nclass Invoice(BaseModel):\n    id: str\n    amount: int\n"
    source = PYTHON[0] + prelude + PYTHON[1] + "\nassert hooks.build().routes.handlers[-1].name == 'book'\n"
    ran = subprocess.run(
        [sys.executable, "-c", source],
        cwd=folder, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


def test_the_rows_sign_and_verify_as_shown() -> None:
    names: dict[str, object] = {}
    exec(PYTHON[2], names)
    last, comment = PYTHON[2].strip().splitlines()[-1].split("#")
    assert eval(last, names) == eval(comment)


def test_the_sources_with_handshakes_are_configured_as_shown() -> None:
    hooks = Hookcatch("memory:?keep=10", worker=False)
    exec(PYTHON[3], {"hooks": hooks, "app_secret": "a" * 32, "hub_secret": "b" * 32})
    greeters = {name: source.endpoint.greeter for name, source in hooks.sources.items()}
    assert {name: isinstance(one, Prober) and one.inner is not None for name, one in greeters.items()} == {
        "meta": True,
        "websub": True,
        "orders": True,
    }


def test_the_sources_with_tenants_are_configured_as_shown() -> None:
    hooks = Hookcatch("memory:?keep=10", worker=False, public_url="https://hooks.example.com")
    keys = {name: letter * 32 for name, letter in zip(NAMES_OF_KEYS, "abcd", strict=True)}
    known: dict[str, Any] = {"hooks": hooks, "look_up": {"acme": "e" * 32}.get, **keys}
    exec(PYTHON[4], known)
    assert [source.endpoint.path for source in hooks.sources.values()] == [
        "/shop", "/stripe/{tenant}", "/legacy/{tenant}", "/asana/{tenant}",
    ]  # fmt: skip
    assert known["legacy"].url("acme").startswith("https://hooks.example.com/legacy/acme.")


def test_the_commands_for_looking_up_senders_find_them(folder: Path) -> None:
    assert "stripe-signature" in hookcatch(folder, "providers", "show", "stripe").stdout
    assert "discord" in hookcatch(folder, "providers", "search", "ed25519").stdout
