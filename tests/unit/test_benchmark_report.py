"""The report of scripts/bench: ratios, verdicts, the table and the picture. Nothing is timed here."""

from __future__ import annotations

import hashlib
import hmac
import json
from xml.etree import ElementTree as ET

import pytest
from benchmarks import backlog, deliveries, growth
from benchmarks.backlog import Claim, Drain, marks
from benchmarks.engines.page import Found
from benchmarks.engines.page import page as engines_page
from benchmarks.report import Result, as_json, percentile, plot, ratio, table
from benchmarks.sheet import Curve, Panel, bars, cell, curves

SVG = "{http://www.w3.org/2000/svg}"

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


def test_bars_are_as_long_as_their_values_and_a_missing_one_is_left_out() -> None:
    drawn = ET.fromstring(
        bars(Panel("kept & done", ["1", "2"], {"ours": [100.0, 50.0], "theirs": [None, 25.0]}))
    )
    widths = [int(rect.get("width", "")) for rect in drawn.iter(f"{SVG}rect") if rect.get("class") is None]
    assert [width / widths[0] for width in widths] == pytest.approx([1, 0.5, 0.25], abs=0.01)


def test_curves_begin_at_nothing_so_that_flat_looks_flat() -> None:
    flat = [Curve("p50", [(0.0, 2.0), (50.0, 2.0), (100.0, 2.0)])]
    steep = [Curve("p50", [(0.0, 0.0), (100.0, 4.0)])]
    drawn = ET.fromstring(curves("ms", "% drained", flat, steep))
    heights = [
        [float(point.split(",")[1]) for point in line.get("points", "").split()]
        for line in drawn.iter(f"{SVG}polyline")
    ]
    assert len(set(heights[0])) == 1
    bottom, top = heights[1]
    assert bottom - heights[0][0] == pytest.approx((bottom - top) / 2)


def test_a_cell_says_no_more_digits_than_mean_something() -> None:
    assert [cell(value) for value in (None, 12345.6, 2.345678, 1_000_000, "one")] == [
        "-", "12,346", "2.35", "1,000,000", "one",
    ]  # fmt: skip


def test_the_page_of_engines_has_medians_ratios_and_what_a_load_takes() -> None:
    found = Found()
    for rate in (900.0, 1000.0, 5000.0):
        found.add("kept", "hookcatch, SQLite", 1, rate)
        found.add("kept", "Celery, Redis", 1, rate / 4)
        found.add("done", "hookcatch, SQLite", 1, rate)
    text = engines_page(found, [1, 2], "On a machine.", "python -m it")
    assert "| hookcatch, SQLite | on disk; a copy is noticed | 1,000 | - |" in text
    assert "| Celery, Redis | 4.0 to 4.0 | - | - | - |" in text
    assert "| 10 | one, 1 % busy | - |" in text
    assert "| 1,000 | 2 | - |" in text
    assert "| 100,000 | 200 | - |" in text


def test_a_mark_looks_at_the_claims_of_its_own_share_of_the_drain() -> None:
    claims = [Claim(done, done / 1000, done * 10**6) for done in range(0, 1000, 10)]
    found = marks(claims, 1000)
    assert [mark.share for mark in found] == [0, 0.25, 0.5, 0.75, 1]
    assert [mark.p99 for mark in found] == [40, 290, 540, 790, 990]
    assert [mark.memory for mark in found] == [40, 290, 540, 790, 990]
    drained = Drain("SQLite", 1000, 1.0, 2.0, claims)
    assert "| 25% | 270 | 290 | 290 |" in backlog.page([drained], 10, 500, "Here.", "it")
    ET.fromstring(backlog.picture([drained]))


def test_the_page_of_growth_says_what_a_row_takes() -> None:
    sizes = [
        growth.Size("SQLite", 1000, 5000.0, 4000.0, 300_000),
        growth.Size("SQLite", 10_000, 5000.0, 4000.0, 10**6),
    ]
    text = growth.page(sizes, "Here.", "it")
    assert "| SQLite | 1,000 | 5,000 | 4,000 | 0.3 | 300 |" in text
    ET.fromstring(growth.picture(sizes))
