"""When the lab takes a server for ready, so that its kills hit one that works."""

from __future__ import annotations

import asyncio
import sys

import pytest
from lab.options import Options
from lab.processes import SEVERAL, Process, family, free_port, lives, server

from lab import ledger

LISTENS = """
import socket, sys, time
from pathlib import Path
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listening:
    while not Path(sys.argv[2]).exists():
        time.sleep(0.01)
    while True:
        connection, _ = listening.accept()
        connection.sendall(b"HTTP/1.1 404 Not Found\\r\\n\\r\\n")
        connection.close()
"""
"""What a server is like that listens before it can answer."""


def test_a_server_is_not_ready_when_it_listens_but_when_it_answers(tmp_path):
    port = free_port()
    argv = [sys.executable, "-c", LISTENS, str(port), str(tmp_path / "go")]
    early = Process(argv, {}, tmp_path / "log", port)
    try:
        early.start()
        asyncio.run(early.ready())
        early.http = True
        with pytest.raises(TimeoutError, match="does not get ready"):
            asyncio.run(early.ready(0.5))
        (tmp_path / "go").touch()
        asyncio.run(early.ready())
    finally:
        early.kill()


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
def test_all_processes_of_a_server_die_of_a_kill(tmp_path, name):
    options = Options(str(tmp_path / "inbox.db"), str(tmp_path / "effects.log"))
    ledger.prepare(options)
    receiver = server(name, options, tmp_path, processes=2)
    try:
        receiver.start()
        asyncio.run(receiver.ready())
        processes = family(receiver.pid)
    finally:
        receiver.kill()
    assert len(processes) >= 2
    assert not any(map(lives, processes))
