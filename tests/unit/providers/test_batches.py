"""A delivery that tells of several events is as many events here: each with its own id and type, and with what it
needs from beside the list."""

from __future__ import annotations

import json

import pytest

from hookcatch.core.wire import Request
from hookcatch.providers import provider

SENDGRID = [
    {"sg_event_id": "a1", "event": "processed", "timestamp": 1700000000},
    {"sg_event_id": "a2", "event": "delivered", "timestamp": 1700000001},
]
SPARKPOST = [
    {"msys": {"message_event": {"event_id": "92356927693813856", "type": "bounce"}}},
    {"msys": {"track_event": {"event_id": "92356927693813857", "type": "open"}}},
]
EVENT_GRID = [
    {"id": "e1", "eventType": "Microsoft.Storage.BlobCreated", "data": {}},
    {"id": "e2", "eventType": "Microsoft.Storage.BlobDeleted", "data": {}},
]
GRAPH = {
    "value": [
        {"id": "n1", "subscriptionId": "s1", "changeType": "created", "clientState": "x"},
        {"id": "n2", "subscriptionId": "s2", "changeType": "updated", "clientState": "x"},
    ]
}
OKTA = {
    "eventId": "d1",
    "data": {
        "events": [
            {"uuid": "u1", "eventType": "user.lifecycle.create"},
            {"uuid": "u2", "eventType": "user.lifecycle.activate"},
        ]
    },
}
AUTH0 = [{"log_id": "l1", "data": {"type": "s"}}, {"log_id": "l2", "data": {"type": "f"}}]
CLOUDEVENTS = [
    {"source": "/shop", "id": "1", "type": "order.created"},
    {"source": "/bank", "id": "1", "type": "order.paid"},
]
NOTIFICATIONS = "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS"
HEADERS = {
    "woocommerce": {"x-wc-webhook-delivery-id": "d1", "x-wc-webhook-topic": "order.updated"},
}


def read(name: str, body: object) -> list[tuple[str, str]]:
    headers = [("content-type", "application/json"), *HEADERS.get(name, {}).items()]
    request = Request("POST", "", headers, body if isinstance(body, bytes) else json.dumps(body).encode())
    return [(event.id, event.type) for event in provider(name).events.read(request)]


@pytest.mark.parametrize(
    ("name", "payload", "events"),
    [
        ("sendgrid", SENDGRID, [("a1", "processed"), ("a2", "delivered")]),
        ("sparkpost", SPARKPOST, [("92356927693813856", "bounce"), ("92356927693813857", "open")]),
        (
            "azure_eventgrid",
            EVENT_GRID,
            [("e1", "Microsoft.Storage.BlobCreated"), ("e2", "Microsoft.Storage.BlobDeleted")],
        ),
        ("ms_graph", GRAPH, [("n1", "created"), ("n2", "updated")]),
        ("okta", OKTA, [("u1", "user.lifecycle.create"), ("u2", "user.lifecycle.activate")]),
        ("auth0", AUTH0, [("l1", "s"), ("l2", "f")]),
        ("cloudevents", CLOUDEVENTS, [("/shop#1", "order.created"), ("/bank#1", "order.paid")]),
    ],
)
def test_each_event_of_a_batch_has_its_own_id_and_type(
    name: str, payload: object, events: list[tuple[str, str]]
) -> None:
    assert read(name, payload) == events


def test_auth0_may_put_one_entry_on_a_line() -> None:
    lines = b"\n".join(json.dumps(entry).encode() for entry in AUTH0)
    assert read("auth0", lines + b"\n") == [("l1", "s"), ("l2", "f")]


def test_event_grid_may_send_cloudevents() -> None:
    assert read("azure_eventgrid", b'[{"id":"e1","source":"/s","type":"made","specversion":"1.0"}]') == [
        ("e1", "made")
    ]


def test_an_event_of_an_auth0_stream_comes_alone() -> None:
    assert read("auth0", b'{"id":"evt_1","type":"user.created","data":{}}') == [("evt_1", "user.created")]


@pytest.mark.parametrize(("name", "empty"), [("okta", {"data": {"events": []}}), ("sendgrid", [])])
def test_an_empty_batch_has_no_events(name: str, empty: object) -> None:
    assert read(name, empty) == []


def test_what_is_kept_of_a_graph_notification_is_without_its_secret() -> None:
    request = Request("POST", "", [("content-type", "application/json")], json.dumps(GRAPH).encode())
    assert all("clientState" not in event.payload for event in provider("ms_graph").events.read(request))


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


def test_hubspot_tells_of_two_objects_under_one_event_id_and_of_the_second_try_under_the_same() -> None:
    one = {
        "eventId": 100,
        "portalId": 33,
        "subscriptionId": 25,
        "objectId": 7,
        "subscriptionType": "contact.creation",
    }
    first, again, other = read("hubspot_v3", [one, one | {"attemptNumber": 1}, one | {"objectId": 8}])
    assert first == again == ("100:33:25:7", "contact.creation")
    assert other == ("100:33:25:8", "contact.creation")


@pytest.mark.parametrize("where", ["id", "eventId"])
def test_an_event_of_coinbase_has_its_id_in_the_body(where: str) -> None:
    assert read("hook0", {where: "e1", "eventType": "health.status.updated"}) == [
        ("e1", "health.status.updated")
    ]
