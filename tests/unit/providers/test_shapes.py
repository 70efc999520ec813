"""How events are read: every event has an id, and it is a pure function of what came in."""

from __future__ import annotations

import hashlib
import json

import pytest

from hookcatch.core.errors import Rejected
from hookcatch.core.payload import data_of
from hookcatch.core.wire import Request
from hookcatch.providers.shapes import AnyOf, Batch, Head, Joined, Occurred, OtherKey, Path, Shape

PLAIN = Shape(id=Path("id"), type=Path("type"))


def request(body: object, kind: str = "application/json", **headers: str) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request("POST", "", [("content-type", kind), *named], raw)


def hashed(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def test_an_event_is_its_id_type_payload_and_bytes() -> None:
    [event] = PLAIN.read(request({"id": "evt_1", "type": "a.b"}))
    assert (event.id, event.type, event.payload, event.format) == (
        "evt_1",
        "a.b",
        {"id": "evt_1", "type": "a.b"},
        "json",
    )
    assert event.body == b'{"id": "evt_1", "type": "a.b"}'


@pytest.mark.parametrize(
    "body", [{}, {"id": None}, {"id": 1.5}, {"id": True}, {"id": ["x"]}, {"id": ""}, [], "text", 7]
)
def test_without_an_id_the_content_is_the_id(body: object) -> None:
    [event] = PLAIN.read(request(body))
    assert (event.id, event.type) == (hashed(json.dumps(body).encode()), "")


@pytest.mark.parametrize("number", [0, 7, 2**64, -1])
def test_a_whole_number_is_an_id(number: int) -> None:
    assert PLAIN.read(request({"id": number}))[0].id == str(number)


@pytest.mark.parametrize("odd", ["a\x00b", "a\nb", "\x7f", "\x85", "x" * 256])
def test_an_id_that_no_store_should_see_is_hashed(odd: str) -> None:
    assert PLAIN.read(request({"id": odd}))[0].id == hashed(odd.encode())


def test_a_header_that_is_not_ascii_still_makes_one_id() -> None:
    shape = Shape(id=Head("x-id"))
    ids = {shape.read(Request("POST", "", [("x-id", raw)], b""))[0].id for raw in (b"\xff", b"\xfe", b"\xe9")}
    assert len(ids) == 3


def test_an_id_in_an_ambiguous_header_is_refused() -> None:
    twice = Request("POST", "", [("x-id", "1"), ("x-id", "2")], b"")
    with pytest.raises(Rejected, match="duplicate_header"):
        Shape(id=Head("x-id")).read(twice)


def test_a_very_long_type_is_cut() -> None:
    assert PLAIN.read(request({"type": "x" * 1000}))[0].type == "x" * 255


@pytest.mark.parametrize(
    ("body", "kind", "payload", "fmt"),
    [
        (b'{"a":1}', "", {"a": 1}, "json"),
        (b"gidget", "", b"gidget", "bytes"),
        (b"", "", b"", "bytes"),
        (b"<a/>", "application/xml", b"<a/>", "bytes"),
        (b"a=1&a=2", "application/x-www-form-urlencoded", {"a": ["1", "2"]}, "form"),
        (b"payload=%7B%22a%22%3A1%7D", "application/x-www-form-urlencoded", {"payload": '{"a":1}'}, "form"),
    ],
)
def test_the_format_is_found(body: bytes, kind: str, payload: object, fmt: str) -> None:
    [event] = PLAIN.read(request(body, kind))
    assert (event.payload, event.format) == (payload, fmt)


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"\xff"])
def test_what_is_called_json_has_to_be_json(body: bytes) -> None:
    with pytest.raises(Rejected, match="malformed_body"):
        PLAIN.read(request(body))


def test_a_row_may_know_better_how_bodies_are_to_be_read() -> None:
    github = Shape(form_payload=True)
    form = "application/x-www-form-urlencoded"
    [event] = github.read(request(b"payload=%7B%22a%22%3A1%7D", form))
    assert (event.payload, event.format) == ({"a": 1}, "form-json")
    assert github.read(request(b"command=%2Fx", form))[0].format == "form"
    assert Shape(format="xml").read(request(b"<a>1</a>", "text/plain"))[0].payload == {"a": "1"}


def test_a_type_may_be_put_together() -> None:
    shape = Shape(type=Joined((Head("x-event"), Path("action"))), id=Joined((Path("a"), Path("b")), ":"))
    assert shape.read(request({"action": "opened"}, x_event="issues"))[0].type == "issues.opened"
    assert shape.read(request({"a": 1}, x_event="ping"))[0].type == "ping"
    assert shape.read(request({"action": "opened"}))[0].type == ""
    assert shape.read(request({"a": 1, "b": "x"}))[0].id == "1:x"


def test_the_first_spot_that_holds_something_counts() -> None:
    shape = Shape(id=AnyOf((Head("x-id"), Path("a"), Path("b"))))
    assert shape.read(request({"b": 2}))[0].id == "2"
    assert shape.read(request({"a": 1, "b": 2}))[0].id == "1"
    assert shape.read(request({}, x_id="h"))[0].id == "h"


def test_the_type_may_be_the_name_of_a_key() -> None:
    shape = Shape(type=OtherKey(frozenset({"update_id"})))
    assert shape.read(request({"update_id": 1, "message": {}}))[0].type == "message"
    assert shape.read(request({"update_id": 1}))[0].type == ""
    assert shape.read(request([1]))[0].type == ""
    written = shape.write(Request("POST", "", []), "1", "message", {"update_id": 1, "text": "x"})
    assert json.loads(written.body) == {"update_id": 1, "message": {"text": "x"}}


@pytest.mark.parametrize(
    ("when", "moment"),
    [
        (1700000000, 1.7e9),
        (1700000000.5, 1700000000.5),
        ("1700000000", 1.7e9),
        ("2023-11-14T22:13:20Z", 1.7e9),
        (None, None),
        (True, None),
        (-1, None),
        (1e300, None),
        ("yesterday", None),
        ("9" * 50, None),
        ([], None),
    ],
)
def test_when_it_happened_is_the_senders_word(when: object, moment: float | None) -> None:
    shape = Shape(occurred_at=Occurred("when"))
    assert shape.read(request({"when": when}))[0].occurred_at == moment


def test_milliseconds_are_a_fact_of_the_row() -> None:
    assert (
        Shape(occurred_at=Occurred("t", 1000)).read(request({"t": 1700000000123}))[0].occurred_at
        == 1700000000.123
    )


BATCH = Shape(id=Path("id"), type=Path("type"), batch=Batch("events", "event"))


def test_a_batch_is_many_events_each_with_its_own_bytes() -> None:
    body = {"events": [{"event": {"id": 1, "name": "Zoë"}}, {"event": {"type": "x"}}]}
    first, second = BATCH.read(request(body))
    assert (first.id, first.body, first.format) == ("1", '{"id":1,"name":"Zoë"}'.encode(), "json")
    assert (second.id, second.type) == (hashed(b'{"type":"x"}'), "x")


def test_what_stands_beside_the_list_belongs_to_every_event() -> None:
    shape = Shape(type=Path("object"), batch=Batch("entry", shared=("object",)))
    first, second = shape.read(request({"object": "page", "entry": [{"id": "1"}, {"id": "2"}], "more": 7}))
    assert (first.type, second.type) == ("page", "page")
    assert first.payload == {"object": "page", "id": "1"}
    assert second.body == b'{"object":"page","id":"2"}'


def test_an_event_keeps_its_own_where_the_list_has_the_same_beside_it() -> None:
    shape = Shape(type=Path("type"), batch=Batch("list", shared=("type", "other")))
    [event] = shape.read(request({"type": "all", "list": [{"type": "mine"}]}))
    assert event.payload == {"type": "mine"}


def test_an_item_that_is_no_object_shares_nothing() -> None:
    shape = Shape(batch=Batch("list", shared=("type",)))
    assert [event.payload for event in shape.read(request({"type": "all", "list": [7, "x"]}))] == [7, "x"]


def test_an_empty_batch_has_no_events() -> None:
    assert BATCH.read(request({"events": []})) == ()
    assert Shape(batch=Batch()).read(request([])) == ()


def test_a_payload_without_the_list_is_one_event() -> None:
    body = {"id": 5}
    [event] = BATCH.read(request(body))
    assert (event.id, event.body) == ("5", json.dumps(body).encode())
    assert len(Shape(batch=Batch()).read(request(body))) == 1


@pytest.mark.parametrize("value", [{}, "x", 1])
def test_a_batch_that_is_no_list_is_refused(value: object) -> None:
    with pytest.raises(Rejected, match="events is not a list"):
        BATCH.read(request({"events": value}))


def test_json_lines_are_a_batch() -> None:
    shape = Shape(id=Path("id"), batch=Batch(lines=True))
    lines = request(b'{"id":1}\n{"id":2}\n', "application/json")
    assert [event.id for event in shape.read(lines)] == ["1", "2"]
    assert [event.id for event in shape.read(request([{"id": 3}]))] == ["3"]
    assert [event.id for event in shape.read(request({"id": 4}))] == ["4"]
    with pytest.raises(Rejected, match="malformed_body"):
        shape.read(request(b'{"id":1}\n{', "application/json"))


@pytest.mark.parametrize(
    "shape",
    [
        PLAIN,
        BATCH,
        Shape(id=Head("x-id"), type=Path("a.type"), data="a.data"),
        Shape(id=Path("meta.id"), type=Head("x-type"), data="data", batch=Batch("list")),
        Shape(id=Path("id"), type=Path("kind"), data="data", batch=Batch("list", shared=("kind",))),
        Shape(id=Path("id", number=True), type=Path("type"), form=True),
        Shape(id=AnyOf((Path("one"), Path("two"))), type=Joined((Path("a"), Path("b")))),
    ],
)
def test_what_is_written_is_read(shape: Shape) -> None:
    written = shape.write(Request("POST", "", []), "17", "order.created", {"amount": "1", "meta": "kept"})
    [event] = shape.read(written)
    assert (event.id, event.type) == ("17", "order.created")
    assert data_of(event.payload, shape.data)["amount"] == "1"


def test_bytes_and_lists_are_written_as_they_are() -> None:
    assert Shape().write(Request("POST", "", []), "1", "t", b"raw").body == b"raw"
    assert PLAIN.write(Request("POST", "", []), "1", "t", [1]).body == b"[1]"


def test_a_shape_knows_the_headers_it_reads() -> None:
    shape = Shape(id=AnyOf((Head("x-id"), Path("id"))), type=Joined((Head("x-event"), Path("action"))))
    assert shape.headers() == {b"x-id", b"x-event"}


def test_a_key_that_is_there_already_is_left_where_it_is() -> None:
    shape = Shape(type=OtherKey(frozenset({"update_id"})), id=Path("update_id", number=True))
    written = shape.write(Request("POST", "", []), "1", "message", {"message": {"text": "x"}})
    assert json.loads(written.body) == {"message": {"text": "x"}, "update_id": 1}


def test_a_list_of_one_may_be_written_as_its_item() -> None:
    shape = Shape(id=Path("@id"), type=Path("type"), format="xml", batch=Batch("all.one", lone=True))
    for body, ids in (
        (b'<all><one id="1"/></all>', ["1"]),
        (b'<all><one id="1"/><one id="2"/></all>', ["1", "2"]),
    ):
        events = shape.read(Request("POST", "", (), body))
        assert [event.id for event in events] == ids
        assert {event.format for event in events} == {"json"}
    written = shape.write(Request("POST", "", ()), "a<b", "made", {"name": "Zoë"})
    assert written.body.decode() == '<all><one id="a&lt;b"><name>Zoë</name><type>made</type></one></all>'
