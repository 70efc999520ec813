"""A delivery that tells of several events is as many events here, each with what it needs from beside the list."""

from __future__ import annotations

import json

import pytest

from hookcatch.core.wire import Request
from hookcatch.providers import provider

HEADERS = {
    "woocommerce": {"x-wc-webhook-delivery-id": "d1", "x-wc-webhook-topic": "order.updated"},
}

NOTIFICATIONS = "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS"


def read(name: str, body: object) -> list[tuple[str, str]]:
    headers = [("content-type", "application/json"), *HEADERS.get(name, {}).items()]
    request = Request("POST", "", headers, json.dumps(body).encode())
    return [(event.id, event.type) for event in provider(name).events.read(request)]


def test_meta_tells_of_several_entries_each_with_its_object() -> None:
    entries = [{"id": "1", "changes": [{"field": "feed"}]}, {"id": "2", "changes": [{"field": "feed"}]}]
    first, second = read("meta", {"object": "page", "entry": entries})
    assert (first[1], second[1]) == ("page", "page")
    assert first[0] != second[0]
    assert read("meta", {"object": "page", "entry": entries[:1]}) == [first]


def test_linkedin_tells_of_several_notifications_and_of_one_lead() -> None:
    several = {
        "type": NOTIFICATIONS,
        "notifications": [
            {"notificationId": 7, "action": "LIKE"},
            {"notificationId": 8, "action": "COMMENT"},
        ],
    }
    assert read("linkedin", several) == [("7", f"{NOTIFICATIONS}.LIKE"), ("8", f"{NOTIFICATIONS}.COMMENT")]
    [(_, kind)] = read("linkedin", {"type": "LEAD_ACTION", "leadAction": "CREATED"})
    assert kind == "LEAD_ACTION.CREATED"


def test_smartsheet_tells_of_several_changes_within_one_scope() -> None:
    changes = [
        {"objectType": "sheet", "eventType": "updated", "id": 5},
        {"objectType": "row", "eventType": "created", "id": 6},
    ]
    envelope = {"nonce": "n", "webhookId": 1, "scope": "sheet", "scopeObjectId": 5, "events": changes}
    first, second = read("smartsheet", envelope)
    assert (first[1], second[1]) == ("sheet.updated", "row.created")
    assert read("smartsheet", {**envelope, "scopeObjectId": 9})[0] != first
    [(_, kind)] = read("smartsheet", {"newWebhookStatus": "DISABLED_SCOPE_INACCESSIBLE"})
    assert kind == "DISABLED_SCOPE_INACCESSIBLE"


def test_two_orders_in_one_second_are_two_events_of_woocommerce() -> None:
    assert read("woocommerce", {"id": 1}) == [("d1:1", "order.updated")]
    assert read("woocommerce", {"id": 2}) == [("d1:2", "order.updated")]
    assert read("woocommerce", {"action": "my_hook"}) == [("d1", "order.updated")]


@pytest.mark.parametrize("where", ["id", "eventId"])
def test_an_event_of_coinbase_has_its_id_in_the_body(where: str) -> None:
    assert read("hook0", {where: "e1", "eventType": "health.status.updated"}) == [
        ("e1", "health.status.updated")
    ]
