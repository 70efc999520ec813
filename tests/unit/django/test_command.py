"""`manage.py hookcatch`: the commands of `hookcatch`, with the project in the place of APP."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from hookcatch.core.model import Close
from support import django_project
from support.senders import whsec

from .conftest import event

django_project.set_up()

import click  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import override_settings  # noqa: E402

from hookcatch.cli import main  # noqa: E402
from hookcatch.django import hooks  # noqa: E402
from hookcatch.django.management.commands.hookcatch import commands  # noqa: E402


@pytest.fixture(autouse=True)
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("HOOKCATCH_APP", "")
    monkeypatch.setenv("HOOKCATCH_URL", "")
    monkeypatch.delenv("HOOKCATCH_URL")
    django_project.database("default")
    django_project.empty("default")
    shop = {"SOURCES": {"shop": {"provider": "standard_webhooks", "secret": whsec(0)}}}
    with override_settings(HOOKCATCH=shop):
        inbox = hooks().inbox()
        yield inbox
        inbox.close()
    logging.getLogger("hookcatch").setLevel(logging.NOTSET)  # the commands set it for a process of their own


def test_every_command_is_there_but_for_what_django_does_itself():
    assert commands.commands.keys() == main.commands.keys() - {"run", "db"}


def test_events_are_listed_and_replayed(inbox, capsys):
    inbox.accept([event("evt_1")]).result()
    (lease,) = inbox.lease(token="w", limit=1, now=1e10, until=1e10 + 60).result()
    inbox.settle(lease, [], Close("dead", error="why")).result()
    call_command("hookcatch", "events", "list")
    assert "evt_1" in capsys.readouterr().out
    call_command("hookcatch", "events", "replay", "evt_1", "--yes")
    assert inbox.get(1)[0].state == "pending"
    assert logging.getLogger("hookcatch").level == logging.NOTSET


def test_what_is_sent_goes_where_the_webhooks_are_included(capsys):
    call_command("hookcatch", "send", "shop", "order.created", "{}", "--dry-run")
    assert capsys.readouterr().out.startswith("POST /hooks/shop HTTP/1.1")


def test_the_senders_are_shown(capsys):
    call_command("hookcatch", "providers", "show", "stripe")
    assert "Stripe" in capsys.readouterr().out


def test_what_is_wrong_is_an_exception_in_code_and_a_line_at_the_prompt(capsys):
    with pytest.raises(click.ClickException, match="there is no source 'nobody'"):
        call_command("hookcatch", "send", "nobody", "order.created", "{}")
    from hookcatch.django.management.commands.hookcatch import Command

    with pytest.raises(SystemExit) as ended:
        Command().run_from_argv(["manage.py", "hookcatch", "send", "nobody", "order.created", "{}"])
    assert ended.value.code == 1
    assert "there is no source 'nobody'" in capsys.readouterr().err
