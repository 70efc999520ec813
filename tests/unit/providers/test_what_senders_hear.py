"""What a sender hears for something that is not quite an event: exactly what it takes for success."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hookcatch import Hookcatch, Request
from hookcatch.providers import provider
from support.edges import EDGES, post
from support.senders import NOW, secret

JSON = ("content-type", "application/json")


def signed(name: str, body: Any, *headers: tuple[str, str], known: Any = None) -> Request:
    blank = Request("POST", "", [JSON, *headers], json.dumps(body))
    return provider(name).sign(blank, secret=known or secret(name), now=NOW)


@pytest.fixture
def heard() -> Any:
    """The answer to a request, and how many events were kept of it."""

    def heard(name: str, request: Request, known: Any = None) -> tuple[int, bytes, dict[str, str], int]:
        hooks = Hookcatch("memory:", worker=False, clock=lambda: NOW)
        hooks.source("shop", name, known or secret(name))
        caller = EDGES["wsgi-app"](hooks)
        answer = post(caller, request, query=request.url.partition("?")[2].encode())
        kept = 0 if hooks.inbox().get(1) is None else 1
        caller.close()
        return answer.status, answer.body, answer.headers, kept

    return heard


Heard = Callable[..., tuple[int, bytes, dict[str, str], int]]


def test_xero_wants_nothing_at_all_for_its_intent_and_a_401_if_it_is_wrongly_signed(heard: Heard) -> None:
    intent = signed("xero", {"events": [], "firstEventSequence": 0, "lastEventSequence": 0, "entropy": "S0m"})
    status, body, headers, kept = heard("xero", intent)
    assert (status, body, kept) == (200, b"", 0)
    assert "set-cookie" not in headers
    forged = intent.with_header("x-xero-signature", "A" * 43 + "=")
    assert heard("xero", forged)[:2] == (401, b"")


@pytest.mark.parametrize(
    ("name", "body", "kept"),
    [
        ("line", {"destination": "U1", "events": []}, 0),
        ("viber", {"event": "webhook", "timestamp": 1457764197627, "message_token": 241256543215}, 1),
        ("intercom", {"type": "notification_event", "topic": "ping", "id": None, "data": {"item": {}}}, 1),
        ("sparkpost", [{"msys": {}}], 1),
        ("figma", {"event_type": "PING", "timestamp": "2026-01-02T03:04:05Z"}, 1),
        ("strapi", {"event": "trigger-test", "createdAt": "2026-01-02T03:04:05Z"}, 1),
        ("pagerduty", {"event": {"id": "1", "event_type": "pagey.ping"}}, 1),
        ("terraform", {"payload_version": 1, "notifications": [{"trigger": "verification"}]}, 1),
    ],
)
def test_a_trial_that_is_signed_like_an_event_gets_the_answer_of_one(
    heard: Heard, name: str, body: Any, kept: int
) -> None:
    status, said, _, found = heard(name, signed(name, body))
    assert (status, said, found) == (200, b"ok\n", kept)


def test_the_ping_of_github_is_an_event(heard: Heard) -> None:
    ping = signed("github", {"zen": "Keep it logically awesome."}, ("x-github-event", "ping"))
    assert heard("github", ping)[::3] == (200, 1)


@pytest.mark.parametrize(
    ("name", "body", "status", "said", "kind"),
    [
        ("adyen", {"notificationItems": [{"NotificationRequestItem": {"pspReference": "1"}}]}, 200,
         b"[accepted]", "text/plain; charset=utf-8"),
        ("okta", {"data": {"events": [{"uuid": "1", "eventType": "a"}]}}, 204, b"", "text/plain; charset=utf-8"),
        ("supabase", {"user": {}, "sms": {}}, 200, b"{}", "application/json"),
        ("telegram", {"update_id": 1, "message": {}}, 200, b"ok\n", "text/plain; charset=utf-8"),
    ],
)  # fmt: skip
def test_the_answer_to_an_event_is_the_one_that_counts_for_its_sender(
    heard: Heard, name: str, body: Any, status: int, said: bytes, kind: str
) -> None:
    answer = heard(name, signed(name, body))
    assert answer[:2] == (status, said)
    assert answer[2]["content-type"] == kind


def test_dropbox_sign_wants_its_own_sentence(heard: Heard) -> None:
    row = provider("dropbox_sign")
    request = row.sign(
        row.events.write(Request("POST", "", []), "1", "callback_test", {}),
        secret=secret("dropbox_sign"),
        now=NOW,
    )
    assert heard("dropbox_sign", request)[:2] == (200, b"Hello API Event Received")


def test_the_end_of_a_subscription_of_sns_is_told_like_any_event(heard: Heard) -> None:
    known = secret("aws_sns")
    said = {"Type": "UnsubscribeConfirmation", "MessageId": "m1", "Token": "2336", "Message": "You have"}
    assert heard("aws_sns", signed("aws_sns", said), known)[::3] == (200, 1)


def test_a_trial_of_bitbucket_that_says_more_has_to_be_signed(heard: Heard) -> None:
    for header, body in (("diagnostics:ping", {"test": True, "a": 1}), ("repo:push", {"test": True})):
        request = Request("POST", "", [JSON, ("x-event-key", header)], json.dumps(body))
        assert heard("bitbucket_server", request)[::3] == (401, 0)
