"""The inbox in the admin: what is shown is text, what is done is allowed and logged."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hookcatch.core.model import Close, Run
from hookcatch.core.ports import Retention
from support import django_project
from support.senders import whsec

from .conftest import event

django_project.set_up()

from django.contrib.admin.models import LogEntry  # noqa: E402
from django.contrib.auth.models import Permission, User  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from hookcatch.django import hooks  # noqa: E402
from hookcatch.django.admin import SHOWN  # noqa: E402

LIST = "/admin/hookcatch/event/"


@pytest.fixture(params=["default", *django_project.STORES])
def inbox(request: pytest.FixtureRequest) -> Iterator[Any]:
    """In the database of users and log entries, and in others."""
    alias = django_project.database(request.param)
    django_project.database("default")
    django_project.empty(alias)
    User.objects.all().delete()
    LogEntry.objects.all().delete()
    shop = {
        "SOURCES": {"shop": {"provider": "standard_webhooks", "secret": whsec(0)}},
        "WORKER": False,
        "DATABASE": alias,
    }
    with override_settings(HOOKCATCH=shop):
        inbox = hooks().inbox()
        yield inbox
        inbox.close()
    connections["default"].close()
    connections[alias].close()


def browser(*permissions: str) -> Client:
    user, _ = User.objects.get_or_create(username="jo", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def ended(inbox: Any, name: str, state: Any, *runs: Run, **facts: Any) -> int:
    (kept,) = inbox.accept([event(name, **facts)]).result()
    (lease,) = inbox.lease(token=name[:1], limit=1, now=1e10, until=1e10 + 60).result()
    inbox.settle(lease, runs, Close(state, error="<b>why</b>")).result()
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
    assert shown("?q=evt_d") == []
    assert shown("?received=for ever&type=&source=") == ["evt_dead", "evt_done"]
    assert shown("?type=order.created&state__exact=succeeded") == ["evt_done"]


def test_what_came_lately_can_be_chosen(inbox):
    ended(inbox, "evt_dead", "dead", received_at=time.time() - 3 * 86400)
    pages = {
        days: browser("view_event").get(f"{LIST}?received={days}").content.decode() for days in (1, 7, 30)
    }
    assert [days for days, page in pages.items() if "evt_dead" in page] == [7, 30]


def test_the_choices_are_those_that_there_are(inbox):
    ended(inbox, "a", "dead", type="order.paid")
    page = browser("view_event").get(LIST).content.decode()
    for choice in ("?source=shop", "?type=order.paid", "?state__exact=discarded", "?received=7"):
        assert f'href="{choice}"' in page
    assert "type=order.created" not in page


def test_many_events_are_listed_page_by_page_and_their_bodies_stay_where_they_are(inbox):
    inbox.accept([event(f"evt_{number}", b"x" * 10_000) for number in range(60)]).result()
    client = browser("view_event")
    with CaptureQueriesContext(connections[inbox.alias]) as said:
        pages = [client.get(f"{LIST}?p={number}").content.decode() for number in (1, 2)]
    assert [page.count('class="action-select"') for page in pages] == [0, 0]  # nothing may be done
    assert ["evt_59" in page for page in pages] == [True, False]
    assert ["evt_0<" in page for page in pages] == [False, True]
    assert not [one["sql"] for one in said if re.search(r"[`\"]body[`\"]", one["sql"])]


def test_a_page_shows_all_of_an_event_as_text(inbox):
    body = json.dumps({"x": "<script>alert(1)</script>"}).encode() + b"\xff"
    seq = ended(inbox, "evt_1", "dead", body=body, headers={"x-a": "<i>"})
    page = browser("view_event").get(f"{LIST}{seq}/change/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "x-a: &lt;i&gt;" in page
    assert "&lt;b&gt;why&lt;/b&gt;" in page
    assert "\\xff" in page


def test_a_page_tells_what_each_handler_did_and_why_it_is_not_done(inbox):
    runs = (
        Run("shop.fulfil", "succeeded", 1, started_at=1.0, finished_at=2.0),
        Run("shop.mail", "dead", 12, error="<i>refused</i>"),
    )
    seq = ended(inbox, "evt_1", "dead", *runs)
    page = browser("view_event").get(f"{LIST}{seq}/change/").content.decode()
    assert "shop.fulfil: <b>succeeded</b> after 1 attempt " in page
    assert "shop.mail: <b>dead</b> after 12 attempts &lt;i&gt;refused&lt;/i&gt;" in page


@pytest.mark.parametrize(("state", "said"), [("ignored", "none wants it"), ("dead", "none has run")])
def test_a_page_tells_why_no_handler_did_anything(inbox, state, said):
    assert said in browser("view_event").get(f"{LIST}{ended(inbox, 'a', state)}/change/").content.decode()


def test_a_payload_that_is_gone_or_too_long_is_told(inbox):
    seq = ended(inbox, "a", "succeeded", body=b"x" * (SHOWN + 5))
    client = browser("view_event")
    assert "x\n... 5 bytes more" in client.get(f"{LIST}{seq}/change/").content.decode()
    inbox.prune(now=time.time() + 20 * 86400, retention=Retention()).result()
    assert "past retention and gone" in client.get(f"{LIST}{seq}/change/").content.decode()


def test_whatever_a_sender_calls_things_the_pages_are_shown(inbox):
    odd = "<b>\x00\ud800\u202e"
    seq = ended(inbox, odd, "dead", type=odd, headers={"x-odd": "\udfff"}, source="shop")
    client = browser("view_event", "replay_event")
    for page in (LIST, f"{LIST}{seq}/change/"):
        shown = client.get(page).content.decode()
        assert "&lt;b&gt;\\x00\\ud800\\u202e" in shown
    (choice,) = re.findall(r'href="(\?type=[^"]+)"', client.get(LIST).content.decode())
    for query in (choice, "?type=%00", "?q=%3Cb%3E"):
        shown = client.get(LIST + query).content.decode()
        assert (f'href="{LIST}{seq}/change/' in shown) is (query == choice)
    page = act(client, "replay", seq).content.decode()
    assert "Replayed: 1." in page
    assert "<b>\x00" not in page
    assert LogEntry.objects.get().object_repr == r"shop <b>\x00\ud800\u202e"


def test_an_event_that_is_not_there_is_no_error(inbox):
    answer = browser("view_event").get(f"{LIST}999/change/", follow=True)
    assert "Perhaps it was deleted?" in answer.content.decode()


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


@pytest.mark.parametrize(("action", "done"), [("replay", "Replayed"), ("discard", "Discarded")])
def test_what_has_not_ended_or_is_worked_on_is_left_alone(inbox, action, done):
    inbox.accept([event("a")]).result()
    (lease,) = inbox.lease(token="w", limit=1, now=1e10, until=1e10 + 60).result()
    page = act(browser("view_event", "replay_event", "discard_event"), action, lease.event.seq)
    assert f"{done}: 0." in page.content.decode()
    assert state(inbox, lease.event.seq) == "running"
    assert not LogEntry.objects.exists()


def test_all_that_a_filter_finds_can_be_chosen_at_once(inbox):
    for name in "abc":
        ended(inbox, name, "dead" if name != "c" else "invalid")
    client = browser("view_event", "replay_event")
    chosen = {"action": "replay", "select_across": "1", "_selected_action": "1"}
    page = client.post(f"{LIST}?state__exact=dead", chosen, follow=True).content.decode()
    assert "Replayed: 2." in page
    assert inbox.counts() == {("shop", "pending"): 2, ("shop", "invalid"): 1}


def test_who_may_replay_may_not_discard(inbox):
    dead = ended(inbox, "a", "dead")
    client = browser("view_event", "replay_event")
    page = client.get(LIST).content.decode()
    assert ['value="replay"' in page, 'value="discard"' in page] == [True, False]
    act(client, "discard", dead)
    assert state(inbox, dead) == "dead"


def test_what_was_done_is_in_the_history_of_the_event(inbox):
    dead = ended(inbox, "a", "dead")
    client = browser("view_event", "replay_event")
    act(client, "replay", dead)
    history = client.get(f"{LIST}{dead}/history/").content.decode()
    assert "Replayed." in history
    assert "jo" in history


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
