"""The examples run, and do what they say."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import Project

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def quickstart(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path, (EXAMPLES / "quickstart/app.py").read_text())
    yield made
    made.close()


def commands() -> list[list[str]]:
    """The commands of its README, without those that serve."""
    lines = re.findall(r"^\$ hookcatch (.*)$", (EXAMPLES / "quickstart/README.md").read_text(), re.MULTILINE)
    return [words for words in map(shlex.split, lines) if words[0] not in ("run", "worker")]


def states(project: Project) -> dict[str, str]:
    listed = project.call("events", "list", "app:hooks", "--json")
    found = [json.loads(line) for line in listed.stdout.splitlines()]
    return {f"{event['seq']} {event['type']}": event["state"] for event in found}


def test_the_quickstart_does_what_its_readme_says(quickstart):
    process = quickstart.serve()
    for words in commands():
        result = quickstart.call(*words)
        assert result.returncode == 0, (words, result.stdout, result.stderr)
        if words[0] == "send":
            # so that events are numbered and parked by the time the README speaks of them
            quickstart.wait_for(lambda: "pending" not in states(quickstart).values(), process)
    quickstart.wait_for(lambda: "pending" not in states(quickstart).values(), process)
    assert states(quickstart) == {
        "1 order.created": "succeeded",
        "2 order.cancelled": "succeeded",
        "3 order.created": "invalid",
        "4 charge.succeeded": "ignored",
        "5 order.created": "succeeded",
    }
    assert "refunded o_1 at attempt 2" in quickstart.log()
    assert quickstart.log().count("order o_3") == 1


@pytest.mark.slow
def test_the_demo_ends_well_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    played = subprocess.run(
        [sys.executable, EXAMPLES / "demo/play.py"], capture_output=True, text=True, timeout=110, check=False
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert played.stdout.splitlines()[-1].startswith("nothing was lost and nothing ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_demo_sees_what_is_done_twice(tmp_path, monkeypatch):
    """The same with a handler whose effect is a commit of its own, and dies between that and our mark."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    shutil.copytree(EXAMPLES / "demo", tmp_path / "demo")
    app = tmp_path / "demo/app.py"
    careless = """
    import sqlite3
    other = sqlite3.connect(PLACE / "inbox.db", timeout=20)
    other.execute("CREATE TABLE IF NOT EXISTS orders (event TEXT, thing TEXT, total TEXT)")
    other.execute("INSERT INTO orders VALUES (?, ?, ?)", (event.id, order.id, str(order.total)))
    other.commit()
    other.close()
    time.sleep(0.1)


@hooks.on("charge.succeeded", source="stripe")"""
    text, count = re.subn(
        r'\n    time\.sleep\(0\.004\)\n    with tx as db:.*?\n\n\n@hooks\.on\("charge\.succeeded", source="stripe"\)',
        lambda found: careless,
        app.read_text(),
        flags=re.DOTALL,
    )
    assert count == 1
    app.write_text(text)
    played = subprocess.run(
        [sys.executable, tmp_path / "demo/play.py"], capture_output=True, text=True, timeout=110, check=False
    )
    assert played.returncode == 1, played.stdout + played.stderr
    assert "had its effect 2 times, in a transaction" in played.stdout
    assert "nothing was lost" not in played.stdout
