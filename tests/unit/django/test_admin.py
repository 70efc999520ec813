"""The inbox in the admin: what is shown is text, what is done is allowed and logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hookcatch.core.model import Close
from support import django_project
from support.senders import whsec

from .conftest import event

django_project.set_up()

from django.contrib.admin.models import LogEntry  # noqa: E402
from django.contrib.auth.models import Permission, User  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import Client, override_settings  # noqa: E402

from hookcatch.django import hooks  # noqa: E402

LIST = "/admin/hookcatch/event/"


@pytest.fixture(autouse=True)
def inbox() -> Iterator[Any]:
    django_project.database("default")
    django_project.empty("default")
    User.objects.all().delete()
    shop = {"SOURCES": {"shop": {"provider": "standard_webhooks", "secret": whsec(0)}}, "WORKER": False}
    with override_settings(HOOKCATCH=shop):
        inbox = hooks().inbox()
        yield inbox
        inbox.close()
    connections["default"].close()


def browser(*permissions: str) -> Client:
    user = User.objects.create_user("jo", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def ended(inbox: Any, name: str, state: Any, **facts: Any) -> int:
    (kept,) = inbox.accept([event(name, **facts)]).result()
    (lease,) = inbox.lease(token=name, limit=1, now=1e10, until=1e10 + 60).result()
    inbox.settle(lease, [], Close(state, error="<b>why</b>")).result()
    return int(kept.seq)


def act(client: Client, action: str, *seqs: int) -> Any:
    return client.post(LIST, {"action": action, "_selected_action": seqs}, follow=True)


def state(inbox: Any, seq: int) -> str:
    return str(inbox.get(seq)[0].state)


def test_events_are_listed_and_filtered(inbox):
    ended(inbox, "evt_dead", "dead", type="order.paid")
    ended(inbox, "evt_done", "succeeded")
    client = browser("view_event")

    def shown(query: str) -> list[str]:
        page = client.get(LIST + query)
        assert page.status_code == 200
        return [name for name in ("evt_dead", "evt_done") if name in page.content.decode()]

    assert shown("") == ["evt_dead", "evt_done"]
    assert shown("?state__exact=dead") == ["evt_dead"]
    assert shown("?type=order.paid") == ["evt_dead"]
    assert shown("?source=shop") == ["evt_dead", "evt_done"]
    assert shown("?received=7") == []
    assert shown("?q=evt_done") == ["evt_done"]


def test_a_page_shows_all_of_an_event_as_text(inbox):
    body = json.dumps({"x": "<script>alert(1)</script>"}).encode() + b"\xff"
    seq = ended(inbox, "evt_1", "dead", body=body, headers={"x-a": "<i>"})
    page = browser("view_event").get(f"{LIST}{seq}/change/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "x-a: &lt;i&gt;" in page
    assert "&lt;b&gt;why&lt;/b&gt;" in page
    assert "\\xff" in page


def test_a_replay_is_done_and_logged(inbox):
    dead, done = ended(inbox, "a", "dead"), ended(inbox, "b", "succeeded")
    page = act(browser("view_event", "replay_event"), "replay", dead, done)
    assert "Replayed: 2." in page.content.decode()
    assert [state(inbox, seq) for seq in (dead, done)] == ["pending", "pending"]
    entries = LogEntry.objects.order_by("object_id")
    assert [(entry.object_id, entry.user.username) for entry in entries] == [
        (str(dead), "jo"),
        (str(done), "jo"),
    ]
    assert "Replayed" in entries[0].change_message


def test_what_cannot_be_discarded_is_not_and_is_not_logged(inbox):
    dead, done = ended(inbox, "a", "dead"), ended(inbox, "b", "succeeded")
    page = act(browser("view_event", "discard_event"), "discard", dead, done)
    assert "Discarded: 1." in page.content.decode()
    assert [state(inbox, seq) for seq in (dead, done)] == ["discarded", "succeeded"]
    assert inbox.get(dead)[0].error == "discarded in the admin by jo"
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(dead)]


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_to_look_is_not_to_do(inbox, action):
    dead = ended(inbox, "a", "dead")
    client = browser("view_event")
    assert f'value="{action}"' not in client.get(LIST).content.decode()
    act(client, action, dead)
    assert state(inbox, dead) == "dead"
    assert not LogEntry.objects.exists()


def test_without_permission_there_is_nothing_to_see(inbox):
    assert browser().get(LIST).status_code == 403


def test_nobody_adds_changes_or_deletes(inbox):
    dead = ended(inbox, "a", "dead")
    User.objects.create_superuser("root")
    client = Client()
    client.force_login(User.objects.get(username="root"))
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.get(f"{LIST}{dead}/delete/").status_code == 403
    assert client.post(f"{LIST}{dead}/change/", {"state": "succeeded"}).status_code == 403
    assert state(inbox, dead) == "dead"
