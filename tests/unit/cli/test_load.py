"""Which app a command is about, and what is said when there is none."""

from __future__ import annotations

import pytest

from hookcatch.cli.load import load


def test_the_app_is_found_in_the_working_directory(project):
    assert set(load(project()).sources) == {"shop"}


@pytest.mark.parametrize(
    "name", ["app", "app:", ":hooks", "app.hooks", "app:hooks()", "../app:hooks", "a b:c"]
)
def test_a_name_of_another_form_is_refused_with_the_right_form(hookcatch, name):
    result = hookcatch("events", "list", name)
    assert result.exit_code == 1
    assert "module:attribute, as in app:hooks" in result.output


def test_a_module_that_is_not_there_is_named_with_the_directory(hookcatch, tmp_path):
    result = hookcatch("events", "list", "nowhere_at_all:hooks")
    assert (result.exit_code, result.output) == (
        1,
        f"Error: there is no module 'nowhere_at_all' in {tmp_path}\n",
    )


def test_a_module_that_the_app_itself_misses_is_the_apps_own_error(hookcatch, project):
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        hookcatch("events", "list", project("import not_installed_anywhere"))


def test_an_attribute_that_is_not_there_is_named(hookcatch, project):
    name = project("x = 1")
    assert "has no 'hooks'" in hookcatch("events", "list", name).output


def test_something_that_is_no_hookcatch_is_refused(hookcatch, project):
    assert "is int, not a Hookcatch" in hookcatch("events", "list", project("hooks = 1")).output


def test_a_mistake_in_the_app_is_one_line_that_says_where(hookcatch, project):
    name = project(
        "from hookcatch import Hookcatch\nhooks = Hookcatch()\nhooks.source('strype', secret='x')\n"
    )
    result = hookcatch("run", name)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {name.partition(':')[0]}.py:3: there is no provider 'strype'")
    assert result.output.count("\n") == 1


def test_the_environment_may_name_the_app(hookcatch, project, monkeypatch):
    monkeypatch.setenv("HOOKCATCH_APP", project())
    assert hookcatch("send", "shop", "order.created", "{}", "--dry-run").output.startswith("POST /shop")


def test_the_app_on_the_command_line_wins(hookcatch, project, monkeypatch):
    monkeypatch.setenv("HOOKCATCH_APP", "nowhere_at_all:hooks")
    assert hookcatch("send", project(), "shop", "a", "{}", "--dry-run").exit_code == 0


def test_without_any_app_the_usage_is_shown(hookcatch):
    result = hookcatch("worker")
    assert result.exit_code == 2
    assert "Missing argument 'APP'" in result.output


def test_options_may_stand_before_the_app(hookcatch, project):
    assert hookcatch("send", "--dry-run", project(), "shop", "a", "{}").exit_code == 0


@pytest.mark.parametrize("command", ["run", "worker", "send", "events"])
def test_every_command_explains_itself_with_examples(hookcatch, command):
    result = hookcatch(command, "--help")
    assert result.exit_code == 0
    if command == "events":
        for one in ("list", "show", "replay", "discard"):
            assert f"hookcatch events {one} app:hooks" in hookcatch("events", one, "--help").output
    else:
        assert f"hookcatch {command} app:hooks" in result.output


@pytest.mark.parametrize("command", [["worker"], ["events", "list"]])
def test_an_inbox_in_memory_can_only_be_seen_by_its_own_process(hookcatch, project, command):
    name = project("from hookcatch import Hookcatch\nhooks = Hookcatch('memory:')\n")
    result = hookcatch(*command, name)
    assert result.exit_code == 1
    assert "lives in the memory of the process that receives" in result.output
