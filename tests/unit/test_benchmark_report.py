"""The report of scripts/bench: ratios, verdicts, the table and the picture. Nothing is timed here."""

from __future__ import annotations

import hashlib
import hmac
import json
from xml.etree import ElementTree as ET

import pytest
from benchmarks import deliveries
from benchmarks.report import Result, as_json, percentile, plot, ratio, table

MET = Result("H1", "ours / theirs", 1.2, 1.0, cpu=0.9, note="12 / 10 req/s")
MISSED = Result("M1", "memory of ours / of <theirs>", 3.0, 1.5, at_most=True)
SKIPPED = Result("H3", "ours / Celery", None, 9, note="skipped: celery not installed")


def test_a_ratio_is_that_of_the_medians() -> None:
    assert ratio([10, 2, 4], [1, 2, 100]) == 2.0


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile(range(100), 0.5) == 50
    assert percentile([3.0], 0.99) == 3.0
    assert percentile([], 0.5) == 0.0


def test_a_target_is_met_from_above_or_from_below() -> None:
    assert [one.met for one in (MET, MISSED, SKIPPED)] == [True, False, None]
    assert Result("I1", "", 1.2, 1.2, at_most=True).met is True
    assert Result("H1", "", 0.99, 1.0).met is False


def test_the_table_has_a_line_for_each_in_columns_of_one_width() -> None:
    lines = table([MET, MISSED, SKIPPED]).splitlines()
    assert len(lines) == 5
    assert len({len(line) for line in lines}) == 1
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "H1", "ours / theirs", "1.20", "0.90", ">= 1", "yes", "12 / 10 req/s",
    ]  # fmt: skip
    assert "<= 1.5" in lines[3]
    assert "skipped: celery not installed" in lines[4]


def test_the_figures_are_json() -> None:
    read = json.loads(json.dumps(as_json([MET, SKIPPED], {"cores": 2})))
    assert read["cores"] == 2
    assert [(one["name"], one["met"]) for one in read["results"]] == [("H1", True), ("H3", None)]


def test_the_picture_has_a_bar_for_each_that_was_measured() -> None:
    bars = ET.fromstring(plot([MET, MISSED, SKIPPED])).findall("{http://www.w3.org/2000/svg}rect")
    assert [bar.get("width") for bar in bars] == ["180", "75"]  # a full bar, 150, is the target


@pytest.mark.parametrize("ids", [deliveries.random_ids, deliveries.ordered_ids])
def test_each_request_has_an_id_of_its_own_and_a_true_signature(ids: deliveries.Ids) -> None:
    seen = []
    for request in deliveries.signed(50, ids):
        head, _, body = request.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        moment, signature = (item[item.index("=") + 1 :] for item in headers["stripe-signature"].split(","))
        signed = moment.encode() + b"." + body
        assert hmac.new(deliveries.SECRET.encode(), signed, hashlib.sha256).hexdigest() == signature
        assert int(headers["content-length"]) == len(body)
        seen.append(json.loads(body)["id"])
    assert len(set(seen)) == 50
    if ids is deliveries.ordered_ids:
        assert seen == sorted(seen)
