"""One line a delivery and one an attempt, which nobody outside can forge."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from hookcatch.core.model import Delivery, IncomingEvent, Lease, Outcome, StoredEvent
from hookcatch.observe.logs import REFUSALS, Logs, escape


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.DEBUG, "hookcatch")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


def delivery(count: int = 1, id: str = "msg_1") -> Delivery:
    event = IncomingEvent(id, "order.created", {"canary": 1}, b'{"canary":1}')
    return Delivery("p", (event,) * count, key=1)


def delivered(of: Delivery | None, status: int = 200, verdict: str = "stored") -> None:
    Logs().delivered(source="shop", delivery=of, status=status, verdict=verdict, seconds=0.0021)


def attempted(state: Any, error: str = "", id: str = "msg_1") -> None:
    event = StoredEvent(
        1, "shop", "", id, "order.created", "running", 0.0, b'{"canary":1}', "json", {"a": "canary"}
    )
    Logs().attempted(
        lease=Lease("t", 1.0, event),
        handler="fulfil",
        outcome=Outcome(state, error),
        attempt=2,
        seconds=0.013,
    )


def test_a_delivery_is_one_line(lines: Any):
    delivered(delivery())
    assert lines() == [("INFO", "shop 200 stored order.created id=msg_1 2.1 ms")]


def test_a_batch_is_one_line_too(lines: Any):
    delivered(delivery(3))
    assert lines() == [("INFO", "shop 200 stored order.created id=msg_1 (+2 more) 2.1 ms")]


def test_a_refusal_is_a_warning(lines: Any):
    delivered(None, 401, "bad_signature")
    delivered(Delivery("p", ()), 503, "inbox unavailable: full")
    assert lines() == [
        ("WARNING", "shop 401 bad_signature 2.1 ms"),
        ("WARNING", "shop 503 inbox unavailable: full 2.1 ms"),
    ]


@pytest.mark.parametrize(
    ("state", "level"),
    [
        ("succeeded", "INFO"), ("filtered", "INFO"), ("discarded", "INFO"),
        ("retry", "WARNING"), ("invalid", "ERROR"), ("dead", "ERROR"),
    ],
)  # fmt: skip
def test_an_attempt_is_one_line_as_loud_as_it_deserves(lines: Any, state: str, level: str):
    attempted(state)
    assert lines() == [(level, f"shop fulfil {state} attempt=2 order.created id=msg_1 13.0 ms")]


def test_an_error_is_on_the_same_line(lines: Any):
    attempted("retry", "KeyError: 'x'\n  at home")
    assert lines()[0][1].endswith("ms: KeyError: 'x'\\n  at home")


def test_the_facts_are_in_the_record_for_structured_logs(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "hookcatch")
    delivered(delivery(2))
    attempted("succeeded")
    first, second = caplog.records
    assert (first.hookcatch_source, first.hookcatch_status, first.hookcatch_key) == ("shop", 200, 1)
    assert first.hookcatch_events == ["msg_1", "msg_1"]
    assert (second.hookcatch_handler, second.hookcatch_outcome, second.hookcatch_attempt) == (
        "fulfil", "succeeded", 2,
    )  # fmt: skip


def test_of_a_refusal_there_is_no_key_in_the_record(caplog: pytest.LogCaptureFixture):
    delivered(None, 401)
    assert caplog.records[0].hookcatch_key is None
    assert caplog.records[0].hookcatch_events == []


def test_what_nobody_listens_to_is_not_even_put_together(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    caplog.set_level(logging.CRITICAL, "hookcatch")
    monkeypatch.setattr("hookcatch.observe.logs.escape", None)
    delivered(delivery())
    attempted("dead")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("zoë 漢", "zoë 漢"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("\u2028\u202e\ufeff", "\\u2028\\u202e\\ufeff"),
        ("\ud800", "\\ud800"),
        ("x" * 201, "x" * 200 + "…"),
        ("x" * 200, "x" * 200),
    ],
)
def test_what_a_sender_chose_is_shown_without_control_characters_and_not_at_full_length(
    text: str, shown: str
):
    assert escape(text) == shown


def test_no_payload_and_no_header_is_ever_in_a_line(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, "hookcatch")
    delivered(delivery())
    attempted("dead", "gave up")
    assert not [record for record in caplog.records if "canary" in str(record.__dict__)]


def test_a_flood_of_refusals_does_not_flood_the_log(lines: Any, monkeypatch: pytest.MonkeyPatch):
    now = [1000.0]
    monkeypatch.setattr("hookcatch.observe.logs.monotonic", lambda: now[0])
    logs = Logs()

    def refuse() -> None:
        logs.delivered(source="shop", delivery=None, status=401, verdict="bad_signature", seconds=0.001)

    for _ in range(1000):
        refuse()
    assert len(lines()) == REFUSALS
    logs.delivered(source="shop", delivery=delivery(), status=200, verdict="stored", seconds=0.001)
    assert len(lines()) == REFUSALS + 1, "what is accepted is told all the same"
    now[0] += 1
    refuse()
    assert [text for _, text in lines()[-2:]] == [
        f"{1000 - REFUSALS} more requests were refused",
        "shop 401 bad_signature 1.0 ms",
    ]
