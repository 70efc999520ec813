"""docs/django.md is followed to the letter, in a project that Django has made."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab.processes import Process, free_port

from hookcatch.django.conf import KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "django.md").read_text()
BLOCKS = re.findall(r"^```python\n# (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ python manage.py (.*)$", PAGE, re.MULTILINE)]


def run(place: Path, *words: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKCATCH")}
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=place,
        env=kept,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, (words, ended.stdout, ended.stderr)
    return ended.stdout + ended.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    run(tmp_path, "-m", "django", "startproject", "shop", ".")
    run(tmp_path, "manage.py", "startapp", "orders")
    for name, code in BLOCKS:
        file = tmp_path / name
        new = "shop/" not in name  # the project's own files are added to
        file.write_text(code if new else file.read_text() + "\n" + code)
    return tmp_path


def test_every_block_of_python_names_its_file():
    assert len(BLOCKS) == PAGE.count("```python")


def test_the_quickstart_works_as_it_is_written(project: Path):
    port = free_port()
    server = Process(
        [sys.executable, str(project / "manage.py"), "runserver", "--noreload", str(port)],
        {**os.environ, "PYTHONPATH": f"{project}:{os.environ.get('PYTHONPATH', '')}"},
        project / "log",
        port,
    )
    said = {}
    try:
        for words in COMMANDS:
            if words == ["runserver"]:
                server.start()
                asyncio.run(server.ready())
            else:
                more = ["--url", f"http://127.0.0.1:{port}/hooks"] if "send" in words else []
                said[words[0]] = run(project, "manage.py", *words, *more)
        end = time.monotonic() + 20
        while "succeeded" not in (listed := run(project, "manage.py", "hookcatch", "events", "list")):
            assert time.monotonic() < end, (listed, (project / "log").read_text())
    finally:
        server.kill()
    assert "order.created" in listed
    shown = "from orders.models import Order; print(Order.objects.get().number)"
    assert "o_1" in run(project, "manage.py", "shell", "-c", shown)


def test_the_tests_of_the_page_pass(project: Path):
    run(project, "manage.py", "makemigrations", "orders")
    assert "Ran 2 tests" in run(project, "manage.py", "test")


def test_every_setting_is_on_the_page():
    rows = " ".join(re.findall(r"^\| (`[A-Z_`, ]+)\|", PAGE, re.MULTILINE))
    assert set(re.findall(r"`([A-Z_]+)`", rows)) == set(KEYS)
