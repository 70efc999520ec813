"""docs/frameworks.md does what it says: each quickstart is served as it says, and hears an event and a forger."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from hookcatch import Request
from support.edges import WsgiCaller, post
from support.quickstarts import PAGE, Running, files, quickstarts, sections

QUICKSTARTS = quickstarts()


@pytest.mark.parametrize("title", QUICKSTARTS)
def test_the_quickstart_works_as_it_is_written(title: str, tmp_path: Path):
    with Running(QUICKSTARTS[title], tmp_path) as running:
        assert running.forge() == 401
        assert running.send().startswith("200 ok")
        running.wait_for("order o_1 over 9.90")
    assert "o_forged" not in running.log()
    assert "Traceback" not in running.log()


def test_every_framework_of_the_table_has_its_quickstart():
    linked = {name.lower().replace(" ", "-") for name in sections()}
    anchors = set(re.findall(r"^\| \[[^\]]+\]\(#([^)]+)\)", PAGE, re.MULTILINE))
    assert anchors == {title.lower().replace(" ", "-") for title in QUICKSTARTS}
    assert anchors < linked


def test_every_block_of_python_is_run_by_these_tests():
    run = {name for one in QUICKSTARTS.values() for name in one.files}
    assert len(files(PAGE)) == len(set(re.findall(r"```python\n# (\S+)", PAGE)))
    assert set(files(PAGE)) - run == {"buses.py"}
    assert PAGE.count("```python") == len(re.findall(r"```python\n# \S+\.py\n", PAGE))


DATA = {"id": "o_1"}
BUS = {"id": "1", "detail-type": "order.created", "source": "com.example.shop", "detail": DATA}
OF_GRID = [{"id": "2", "eventType": "order.created", "subject": "/orders/1", "data": DATA}]
CLOUD_EVENT = [{"id": "3", "specversion": "1.0", "source": "/shop", "type": "order.created", "data": DATA}]


def test_the_envelopes_of_buses_are_taken_off_as_the_page_says(monkeypatch, capsys):
    monkeypatch.setenv("HOOKCATCH_INBOX", "memory:?keep=10")
    names: dict[str, Any] = {}
    exec(files(PAGE)["buses.py"], names)
    caller = WsgiCaller(names["hooks"])
    basic = base64.b64encode(b"user:correct-horse-battery-staple")
    bus = Request("POST", "", [("authorization", b"Basic " + basic)], json.dumps(BUS))
    assert post(caller, bus, "/eventbridge").status == 200
    assert post(caller, bus.replace(headers=()), "/eventbridge").status == 401
    for events in (OF_GRID, CLOUD_EVENT):
        request = Request("POST", "", (), json.dumps(events))
        assert post(caller, request, "/grid", query=b"secret=correct-horse-battery-staple").status == 200
        assert post(caller, request, "/grid", query=b"secret=another").status == 401
    assert names["handler"]({**BUS, "id": "4"}, None) == {"statusCode": 200}
    caller.close()
    heard = ["eventbridge", "grid", "grid", "bus"]
    assert capsys.readouterr().out.splitlines() == [f"order o_1 from {source}" for source in heard]
