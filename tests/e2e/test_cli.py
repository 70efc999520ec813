"""The command line as a person uses it: real processes, a real port, a real file."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import Project

ORDER = '{"id": "o_1", "total": "9.90"}'


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    made.close()


def events(project: Project, *filters: str) -> list[dict[str, object]]:
    listed = project.call("events", "list", "app:hooks", "--json", *filters)
    assert listed.returncode == 0, listed.stderr
    return [json.loads(line) for line in listed.stdout.splitlines()]


def send(project: Project, *words: str) -> None:
    sent = project.call("send", "app:hooks", "shop", *words)
    assert sent.returncode == 0, sent.stdout + sent.stderr


def test_an_event_goes_all_the_way_from_send_to_the_handler_and_the_list(project):
    process = project.serve()
    assert "shop (Standard Webhooks): http://127.0.0.1:" in project.log()
    sent = project.call("send", "app:hooks", "shop", "order.created", ORDER, "--id", "evt_1", "--count", "2")
    assert [line[:7] for line in sent.stdout.splitlines()] == ["200 ok ", "200 ok "]
    project.wait_for(lambda: "fulfilled o_1" in project.log(), process)
    project.wait_for(lambda: events(project)[0]["state"] == "succeeded", process)
    (event,) = events(project)
    assert (event["id"], event["duplicates"], event["attempt"]) == ("evt_1", 1, 1)
    assert project.log().count("fulfilled") == 1


def test_a_stranger_is_told_no_and_send_fails(project):
    project.serve()
    stranger = (project.place / "app.py").read_text().replace("whsec_MfKQ", "whsec_AAAA")
    (project.place / "stranger.py").write_text(stranger)
    sent = project.call("send", "stranger:hooks", "shop", "order.created", ORDER)
    assert sent.returncode == 1
    assert sent.stdout.startswith("401 ")
    assert events(project) == []


def test_a_parked_event_runs_again_once_the_app_knows_its_shape(project):
    process = project.serve()
    send(project, "order.created", '{"id": "o_2"}')
    project.wait_for(lambda: bool(events(project, "--state", "invalid")), process)
    process.terminate()
    assert process.wait(timeout=30) == 0
    app = project.place / "app.py"
    app.write_text(app.read_text().replace("total: Decimal", "total: Decimal | None = None"))
    assert project.call("events", "replay", "app:hooks", "--invalid").stdout == "replay: 1 of 1 events\n"
    worked = project.call("worker", "app:hooks", "--until-idle")
    assert worked.returncode == 0, worked.stderr
    assert "fulfilled o_2" in worked.stdout
    assert [event["state"] for event in events(project)] == ["succeeded"]


def test_receiving_and_working_can_be_two_processes(project):
    receiver = project.serve("--no-worker")
    send(project, "order.created", ORDER)
    assert [event["state"] for event in events(project)] == ["pending"]
    worker = project.start("worker", "app:hooks", "--concurrency", "2")
    project.wait_for(lambda: "fulfilled o_1" in project.log(), worker)
    for process in (worker, receiver):
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_until_idle_leaves_retries_of_later_to_a_later_call(project):
    project.serve("--no-worker")
    send(project, "order.later", "{}")
    send(project, "order.created", ORDER)
    worked = project.call("worker", "app:hooks", "--until-idle")
    assert worked.returncode == 0
    assert {event["type"]: event["state"] for event in events(project)} == {
        "order.later": "pending",
        "order.created": "succeeded",
    }


@pytest.mark.parametrize("how", ["run", "worker"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(project, how, number):
    process = project.serve() if how == "run" else project.start("worker", "app:hooks")
    project.wait_for(lambda: how == "run" or "working on up to 10 events" in project.log(), process)
    process.send_signal(number)
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("how", ["run", "worker"])
def test_a_second_signal_ends_it_at_once(project, how):
    process = project.serve(*["--no-worker"] * (how == "worker"))
    send(project, "order.endless", "{}")
    if how == "worker":
        process = project.start("worker", "app:hooks")
    project.wait_for(lambda: "endless begins" in project.log(), process)
    process.terminate()
    project.wait_for(lambda: "Shutting down" in project.log() or "stopping" in project.log(), process)
    process.terminate()
    assert process.wait(timeout=20) == 128 + signal.SIGTERM


@pytest.mark.parametrize("how", ["run", "worker"])
def test_a_handler_that_never_ends_cannot_keep_the_process(project, how):
    app = project.place / "app.py"
    app.write_text(app.read_text() + "\nhookcatch.worker.DRAIN = 0.2\n")
    process = project.serve(*["--no-worker"] * (how == "worker"))
    send(project, "order.endless", "{}")
    if how == "worker":
        process = project.start("worker", "app:hooks")
    project.wait_for(lambda: "endless begins" in project.log(), process)
    process.terminate()
    assert process.wait(timeout=30) == 0
    (event,) = events(project)
    assert (event["state"], event["attempt"]) == ("pending", 0), (
        "it is given back, and the attempt not counted"
    )


def test_a_port_that_is_taken_is_one_line(project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = project.call("run", "app:hooks", "--port", port)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"Error: cannot listen at 127.0.0.1 port {port}: Address already in use\n"


def test_an_inbox_that_cannot_be_opened_is_one_line(project):
    project.environment["HOOKCATCH_INBOX"] = "sqlite:///no/such/directory/inbox.db"
    app = project.place / "app.py"
    app.write_text(app.read_text().replace('"sqlite:///inbox.db"', ""))
    for command in (["run"], ["worker"], ["events", "list"]):
        result = project.call(*command, "app:hooks")
        assert result.returncode == 1
        assert result.stderr.startswith("Error: ")
        assert "no/such/directory" in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_handler_that_cannot_be_called_is_one_line_before_anything_listens(project):
    app = project.place / "app.py"
    app.write_text(app.read_text() + "\n@hooks.on('a')\ndef wrong(*, thing, other): ...\n")
    for command in ("run", "worker"):
        result = project.call(command, "app:hooks")
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: handler wrong")
        assert result.stderr.count("\n") == 1


def test_an_app_without_sources_is_served_and_says_so(project):
    (project.place / "app.py").write_text("from hookcatch import Hookcatch\nhooks = Hookcatch()\n")
    project.serve()
    assert "no source is configured" in project.log()


def test_the_inbox_is_for_its_owner_only(project):
    project.serve()
    assert stat.S_IMODE((project.place / "inbox.db").stat().st_mode) == 0o600


def test_serving_without_the_server_says_what_to_install(project):
    without = "import sys; sys.modules['uvicorn'] = None; from hookcatch.cli import main; main(['run', 'app:hooks'])"
    result = subprocess.run(
        [sys.executable, "-c", without],
        cwd=project.place,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == "Error: uvicorn is needed here: pip install 'hookcatch[server]'\n"


def test_a_handler_that_needs_a_transaction_gets_one_from_the_command_line_too(project):
    app = project.place / "app.py"
    app.write_text(
        app.read_text()
        + "\nfrom hookcatch import Transaction\n@hooks.on('order.booked')\n"
        + "def book(event: Event, tx: Transaction) -> None:\n"
        + "    with tx as db:\n        db.execute('CREATE TABLE booked (id TEXT)')\n"
        + "        db.execute('INSERT INTO booked VALUES (?)', (event.id,))\n"
    )
    project.serve("--no-worker")
    send(project, "order.booked", "{}", "--id", "evt_1")
    assert project.call("worker", "app:hooks", "--until-idle").returncode == 0
    database = sqlite3.connect(project.place / "inbox.db")
    assert database.execute("SELECT id FROM booked").fetchall() == [("evt_1",)]
    database.close()
