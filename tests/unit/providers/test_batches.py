"""Senders that put several events into one delivery: each comes out with its own id and type."""

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


def read(name: str, body: bytes) -> list[tuple[str, str]]:
    request = Request("POST", "", [("content-type", "application/json")], body)
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
    assert read(name, json.dumps(payload).encode()) == events


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
    assert read(name, json.dumps(empty).encode()) == []


def test_what_is_kept_of_a_graph_notification_is_without_its_secret() -> None:
    request = Request("POST", "", [("content-type", "application/json")], json.dumps(GRAPH).encode())
    assert all("clientState" not in event.payload for event in provider("ms_graph").events.read(request))
