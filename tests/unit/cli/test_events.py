"""Looking into the inbox, replaying and discarding."""

from __future__ import annotations

import json
import sys

import pytest

from hookcatch.core.model import Lane

from .conftest import NOW


@pytest.fixture
def shop(kept):
    """Five events, one of each kind that matters."""
    kept.add("e_done", received_at=NOW - 100)
    kept.add("e_dead", "dead", error="fulfil: no auditor", received_at=NOW - 7200)
    kept.add("e_invalid", "invalid", type="order.paid", received_at=NOW - 50)
    kept.add("e_other", source="stripe", type="charge.succeeded", received_at=NOW - 40)
    kept.add("e_new", "pending", received_at=NOW - 10)
    return kept


def ids(result):
    assert result.exit_code == 0, result.output
    return [json.loads(line)["id"] for line in result.stdout.splitlines()]


def test_the_list_is_newest_first(hookcatch, shop):
    assert ids(hookcatch("events", "list", "--inbox", shop.url, "--json")) == [
        "e_new", "e_other", "e_invalid", "e_dead", "e_done",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--source", "stripe"], ["e_other"]),
        (["--type", "order.*"], ["e_new", "e_invalid", "e_dead", "e_done"]),
        (["--type", "order.paid"], ["e_invalid"]),
        (["--state", "dead"], ["e_dead"]),
        (["--state", "dead", "--state", "invalid"], ["e_invalid", "e_dead"]),
        (["--id", "e_done"], ["e_done"]),
        (["--until", "1h"], ["e_dead"]),
        (["--since", "1h", "--source", "shop"], ["e_new", "e_invalid", "e_done"]),
        (["--since", "2020-01-01", "--until", "2020-01-02T00:00:00+01:00"], []),
        (["--limit", "2"], ["e_new", "e_other"]),
    ],
)
def test_filters_narrow_the_list(hookcatch, shop, filters, expected):
    assert ids(hookcatch("events", "list", "--inbox", shop.url, "--json", *filters)) == expected


def test_the_list_says_when_it_is_cut_off(hookcatch, shop):
    assert "more than 2" in hookcatch("events", "list", "--inbox", shop.url, "--limit", "2").stderr
    assert hookcatch("events", "list", "--inbox", shop.url, "--limit", "5").stderr == ""


def test_more_than_one_page_is_read(hookcatch, kept, monkeypatch):
    monkeypatch.setattr("hookcatch.cli.filters.PAGE", 3)
    for number in range(10):
        kept.add(f"e_{number}")
    found = ids(hookcatch("events", "list", "--inbox", kept.url, "--json", "--limit", "8"))
    assert found == [f"e_{number}" for number in range(9, 1, -1)]


def test_the_keys_of_the_json_are_stable(hookcatch, shop):
    line = hookcatch("events", "list", "--inbox", shop.url, "--json", "--id", "e_dead").stdout
    assert list(json.loads(line)) == [
        "seq", "source", "tenant", "id", "type", "state", "received_at", "occurred_at", "run_at", "finished_at",
        "attempt", "lost", "replays", "duplicates", "conflicts", "replayed_content", "error",
        "lane", "version",
    ]  # fmt: skip


def test_the_table_has_a_line_an_event(hookcatch, shop):
    table = hookcatch("events", "list", "--inbox", shop.url).stdout.splitlines()
    assert table[0].split() == ["#", "source", "type", "id", "state", "tries", "received", "note"]
    assert len(table) == 6
    assert "fulfil: no auditor" in table[4]


def test_an_empty_list_says_so_on_stderr(hookcatch, kept):
    result = hookcatch("events", "list", "--inbox", kept.url)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no events\n")


def test_the_app_names_the_inbox(hookcatch, shop, project):
    assert len(ids(hookcatch("events", "list", project(), "--json"))) == 5


@pytest.mark.parametrize("when", ["yesterday", "2h30", "-3d", "2026-13-01", "", "99999-01-01"])
def test_a_time_that_is_none_is_refused(hookcatch, shop, when):
    result = hookcatch("events", "list", "--inbox", shop.url, "--since", when)
    assert result.exit_code == 2
    assert "as 2h or 3d" in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--state", "lost"], "'lost' is not one of 'pending', 'running'"),
        (["--limit", "0"], "0 is not in the range"),
        (["--colour", "red"], "No such option"),
    ],
)
def test_wrong_filters_are_refused(hookcatch, shop, options, said):
    result = hookcatch("events", "list", "--inbox", shop.url, *options)
    assert result.exit_code == 2
    assert said in result.output


def test_looking_makes_no_inbox_where_none_is(hookcatch, tmp_path):
    result = hookcatch("events", "list", "--inbox", "sqlite:///typo.db")
    assert (result.exit_code, result.output) == (1, "Error: there is no inbox at typo.db\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["postgres://x", "sqlite://typo.db", "memory:", "typo.db"])
def test_an_inbox_that_cannot_be_looked_into_is_one_line(hookcatch, project, url):
    result = hookcatch("events", "list", "--inbox", url)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1


def test_show_finds_an_event_by_number_and_by_id(hookcatch, shop):
    by_id = hookcatch("events", "show", "--inbox", shop.url, "e_dead")
    by_number = hookcatch("events", "show", "--inbox", shop.url, "2")
    assert by_id.exit_code == 0
    assert by_id.stdout == by_number.stdout
    assert "fulfil: dead, 1 attempt\n    fulfil: no auditor\n" in by_id.stdout
    assert '{\n  "data": 1\n}' in by_id.stdout


def test_show_says_in_which_lane_an_event_is_and_its_version(hookcatch, kept):
    kept.add("e_1", lane=Lane("sub_7\x1b"), version=12.5)
    kept.add("e_2")
    page = hookcatch("events", "show", "--inbox", kept.url, "e_1").stdout
    assert "lane:             sub_7\\x1b\n" in page
    assert "version:          12.5\n" in page
    shown = json.loads(hookcatch("events", "show", "--inbox", kept.url, "e_1", "--json").stdout)
    assert (shown["lane"], shown["version"]) == ("sub_7\x1b", 12.5)
    shown = json.loads(hookcatch("events", "show", "--inbox", kept.url, "e_2", "--json").stdout)
    assert (shown["lane"], shown["version"]) == (None, None)


def test_an_id_of_digits_is_found_when_no_event_has_that_number(hookcatch, kept):
    kept.add("987654")
    assert "987654" in hookcatch("events", "show", "--inbox", kept.url, "987654").stdout


def test_a_content_hash_is_never_taken_for_an_app(hookcatch, kept, project, monkeypatch):
    monkeypatch.setenv("HOOKCATCH_APP", project())
    kept.add("sha256:abcdef")
    assert hookcatch("events", "show", "sha256:abcdef").exit_code == 0


def test_show_as_json_holds_headers_payload_and_runs(hookcatch, shop):
    shown = json.loads(hookcatch("events", "show", "--inbox", shop.url, "e_dead", "--json").stdout)
    assert shown["payload"] == {"data": 1}
    assert shown["headers"] == {}
    assert [(run["handler"], run["state"], run["attempts"]) for run in shown["runs"]] == [
        ("fulfil", "dead", 1)
    ]


def test_show_of_an_event_that_is_not_there_says_so(hookcatch, shop):
    result = hookcatch("events", "show", "--inbox", shop.url, "e_nowhere")
    assert result.exit_code == 1
    assert "there is no event 'e_nowhere'" in result.stderr


def test_an_id_that_two_sources_know_needs_the_source(hookcatch, shop):
    shop.add("e_done", source="stripe")
    result = hookcatch("events", "show", "--inbox", shop.url, "e_done")
    assert result.exit_code == 1
    assert "say --source" in result.stderr
    narrowed = hookcatch("events", "show", "--inbox", shop.url, "e_done", "--source", "stripe", "--json")
    assert json.loads(narrowed.stdout)["source"] == "stripe"


def test_what_a_sender_chose_never_reaches_the_terminal_as_it_is(hookcatch, kept):
    kept.add(
        "id\x1b[2J",
        "dead",
        type="a\x9b31m\u202eb",
        error="why\x1b]0;x\x07",
        body='{"a": "\u202e\x9b1m"}'.encode(),
    )
    for command in (["list"], ["list", "--json"], ["show", "1"], ["show", "1", "--json"]):
        output = hookcatch("events", *command, "--inbox", kept.url).output
        assert all(char.isprintable() or char == "\n" for char in output)
        assert "\\x9b31m" in output or "\\u009b31m" in output


def test_a_payload_that_is_no_text_is_base64_in_json(hookcatch, kept):
    kept.add("e_bytes", body=b"\xff\x00")
    shown = json.loads(hookcatch("events", "show", "--inbox", kept.url, "e_bytes", "--json").stdout)
    assert (shown["payload"], shown["payload_base64"]) == (None, "/wA=")
    assert "\\xff\\x00" in hookcatch("events", "show", "--inbox", kept.url, "e_bytes").stdout


def test_replay_by_number_and_id_makes_events_due_again(hookcatch, shop):
    result = hookcatch("events", "replay", "--inbox", shop.url, "1", "e_dead", "--yes")
    assert (result.exit_code, result.stdout) == (0, "replay: 2 of 2 events\n")
    assert shop.states() | {"e_done": "pending", "e_dead": "pending"} == shop.states()


def test_one_event_is_replayed_without_a_question(hookcatch, shop):
    assert hookcatch("events", "replay", "--inbox", shop.url, "e_dead").exit_code == 0


def test_more_than_one_is_asked_for(hookcatch, shop):
    result = hookcatch("events", "replay", "--inbox", shop.url, "e_dead", "e_invalid", input="n\n")
    assert result.exit_code == 1
    assert "replay 2 events (1 dead, 1 invalid)? [y/N]" in result.output
    assert shop.states()["e_dead"] == "dead"
    result = hookcatch("events", "replay", "--inbox", shop.url, "e_dead", "e_invalid", input="y\n")
    assert result.exit_code == 0
    assert shop.states()["e_dead"] == "pending"


def test_the_same_event_named_twice_is_one(hookcatch, shop):
    assert "1 of 1" in hookcatch("events", "replay", "--inbox", shop.url, "2", "e_dead").stdout


def test_filters_without_a_state_choose_what_is_parked(hookcatch, shop):
    result = hookcatch("events", "replay", "--inbox", shop.url, "--source", "shop", "--yes")
    assert "2 of 2" in result.stdout
    assert shop.states()["e_done"] == "succeeded"


def test_replay_invalid_chooses_only_those(hookcatch, shop):
    assert "1 of 1" in hookcatch("events", "replay", "--inbox", shop.url, "--invalid").stdout
    assert (shop.states()["e_invalid"], shop.states()["e_dead"]) == ("pending", "dead")


def test_a_dry_run_shows_and_does_nothing(hookcatch, shop):
    result = hookcatch("events", "replay", "--inbox", shop.url, "--state", "dead", "--dry-run")
    assert result.exit_code == 0
    assert "e_dead" in result.stdout
    assert shop.states()["e_dead"] == "dead"


def test_what_cannot_be_replayed_is_told_by_the_exit_status(hookcatch, shop):
    result = hookcatch("events", "replay", "--inbox", shop.url, "e_new")
    assert (result.exit_code, result.stdout) == (1, "replay: 0 of 1 events\n")
    assert "1 left alone" in result.stderr


@pytest.mark.parametrize("verb", [["replay"], ["discard", "--why", "x"]])
def test_nothing_is_never_taken_for_everything(hookcatch, shop, verb):
    result = hookcatch("events", *verb, "--inbox", shop.url, "--yes")
    assert result.exit_code == 2
    assert "say which" in result.output


def test_events_and_filters_do_not_go_together(hookcatch, shop):
    result = hookcatch("events", "replay", "--inbox", shop.url, "1", "--state", "dead")
    assert result.exit_code == 2
    assert "either events or filters" in result.output


def test_many_are_replayed_in_batches(hookcatch, kept, monkeypatch):
    monkeypatch.setattr("hookcatch.cli.events.BATCH", 2)
    for number in range(5):
        kept.add(f"e_{number}", "dead")
    assert "5 of 5" in hookcatch("events", "replay", "--inbox", kept.url, "--state", "dead", "--yes").stdout


def test_a_limit_takes_the_newest(hookcatch, shop):
    shop.add("e_dead_2", "dead")
    assert (
        "1 of 1"
        in hookcatch("events", "replay", "--inbox", shop.url, "--state", "dead", "--limit", "1").stdout
    )
    assert (shop.states()["e_dead_2"], shop.states()["e_dead"]) == ("pending", "dead")


def test_discard_keeps_the_reason(hookcatch, shop):
    result = hookcatch("events", "discard", "--inbox", shop.url, "e_dead", "--why", "refunded by hand")
    assert result.exit_code == 0
    shown = json.loads(hookcatch("events", "show", "--inbox", shop.url, "e_dead", "--json").stdout)
    assert shown["state"] == "discarded"
    assert "refunded by hand" in shown["error"]


def test_discard_without_a_reason_is_refused(hookcatch, shop):
    assert "Missing option '--why'" in hookcatch("events", "discard", "--inbox", shop.url, "e_dead").output


def test_the_table_needs_rich_and_says_so_but_json_does_not(hookcatch, shop, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    result = hookcatch("events", "list", "--inbox", shop.url)
    assert (result.exit_code, result.output) == (
        1,
        "Error: rich is needed here: pip install 'hookcatch[cli]'\n",
    )
    assert hookcatch("events", "list", "--inbox", shop.url, "--json").exit_code == 0
    assert hookcatch("events", "show", "--inbox", shop.url, "1").exit_code == 0
