"""The wheel in empty environments: an extra brings all that its framework's quickstart needs, and nothing more."""

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

from support.quickstarts import Running, commands, quickstarts, sections

ROOT = Path(__file__).parents[2]
DJANGO = (ROOT / "docs" / "django.md").read_text()
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NO_INDEX = ("No matching distribution", "Could not find a version", "Connection", "Temporary failure")
"""What pip says where it has nowhere to install from."""


def pip(*words: str) -> None:
    """Run pip. Without an index the test is left out; where CI runs it may not be."""
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=110, check=False)
    if ended.returncode and os.environ.get("CI") != "true" and any(one in ended.stderr for one in NO_INDEX):
        pytest.skip(f"left out, for there is no index to install from: {ended.stderr.splitlines()[-1]}")
    assert ended.returncode == 0, (words, ended.stdout, ended.stderr)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", str(place), str(ROOT))
    (made,) = place.glob("*.whl")
    return made


class Environment:
    """A new environment, into which a page's own `pip install` was said, of this wheel."""

    def __init__(self, place: Path, wheel: Path, page: str) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
        self.programs = place / ("Scripts" if os.name == "nt" else "bin")
        self.python = str(self.programs / "python")
        words = next(words for words in commands(page) if words[:2] == ["pip", "install"])[2:]
        wanted = [re.sub(r"^hookcatch\b", str(wheel).replace("\\", r"\\"), word) for word in words]
        assert wanted[0] != words[0]
        pip("--python", self.python, "install", "--no-compile", *wanted)
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if name != "PYTHONPATH" and not name.startswith("HOOKCATCH")
        }

    def run(self, *words: str, cwd: Path) -> str:
        ended = subprocess.run(
            [self.python, *words],
            cwd=cwd, env=self.environ, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return ended.stdout + ended.stderr


@pytest.mark.parametrize(("title", "others"), [("Flask", "fastapi"), ("FastAPI", "flask")])
def test_the_extra_of_a_framework_brings_what_its_quickstart_needs(
    title: str, others: str, wheel: Path, tmp_path: Path
):
    environment = Environment(tmp_path / "env", wheel, sections()[title])
    with Running(quickstarts()[title], tmp_path, environment.programs, PYTHONPATH="") as running:
        assert running.forge() == 401
        assert running.send().startswith("200 ok")
        running.wait_for("order o_1 over 9.90")
    assert str(tmp_path) in environment.run("-c", "import hookcatch; print(hookcatch.__file__)", cwd=tmp_path)
    assert f"hookcatch[{others}]" in environment.run("-c", f"import hookcatch.{others}", cwd=tmp_path)


def test_the_extra_of_django_brings_what_its_quickstart_needs(wheel: Path, tmp_path: Path):
    environment = Environment(tmp_path / "env", wheel, DJANGO)
    place, port = tmp_path / "project", free_port()
    place.mkdir()
    environment.run("-m", "django", "startproject", "shop", ".", cwd=place)
    environment.run("manage.py", "startapp", "orders", cwd=place)
    for name, code in re.findall(r"^```python\n# (\S+)\n(.*?)^```", DJANGO, re.MULTILINE | re.DOTALL):
        file = place / name
        file.write_text(file.read_text() + "\n" + code if "shop/" in name else code)
    said = [shlex.split(line) for line in re.findall(r"^\$ python manage.py (.*)$", DJANGO, re.MULTILINE)]
    for words in said[: said.index(["runserver"])]:
        environment.run("manage.py", *words, cwd=place)
    serve = [environment.python, "manage.py", "runserver", "--noreload", str(port)]
    server = Process(serve, environment.environ, tmp_path / "log", port, place)
    server.start()
    try:
        asyncio.run(server.ready())
        send = next(words for words in said if "send" in words)
        url = f"http://127.0.0.1:{port}/hooks"
        assert "200 ok" in environment.run("manage.py", *send, "--url", url, cwd=place)
        end = time.monotonic() + 30
        while "succeeded" not in (
            listed := environment.run("manage.py", "hookcatch", "events", "list", cwd=place)
        ):
            assert time.monotonic() < end, (listed, server.log.read_text())
    finally:
        server.kill()
    assert "hookcatch[flask]" in environment.run("-c", "import hookcatch.flask", cwd=place)
