"""What a handler asks for by annotation, and its conditions."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.handler import Handler, Slot, is_async, matches, read_slots
from hookcatch.core.model import Event
from hookcatch.core.payload import At
from hookcatch.core.ports import Transaction

T = TypeVar("T")


class Order(BaseModel):
    id: str


class Charge(BaseModel):
    amount: int


@dataclass
class Line:
    sku: str


class Row(TypedDict):
    sku: str


def shape(slots: tuple[Slot, ...]) -> list[tuple[str, str, Any, str | None]]:
    """The slots, with each validator's own answer to a sample in place of the validator."""
    return [(slot.name, slot.kind, slot.wanted is not None, slot.path) for slot in slots]


def slots(function: Any) -> list[tuple[str, str, Any, str | None]]:
    return shape(read_slots(function, "h"))


def test_a_model_is_the_events_data():
    def handler(order: Order) -> None: ...

    assert slots(handler) == [("order", "data", True, None)]
    assert read_slots(handler, "h")[0].wanted.validate_python({"id": "1"}) == Order(id="1")


def test_event_is_the_envelope():
    def handler(event: Event) -> None: ...

    assert slots(handler) == [("event", "event", False, None)]


def test_event_of_a_model_is_the_envelope_with_validated_data():
    def handler(event: Event[Order]) -> None: ...

    assert slots(handler) == [("event", "event", True, None)]


def test_a_model_at_a_path_stands_elsewhere_in_the_payload():
    def handler(
        charge: Annotated[Charge, Field(description="x"), At("data.object")], whole: Annotated[dict, At()]
    ): ...

    assert slots(handler) == [("charge", "data", True, "data.object"), ("whole", "data", True, "")]


def test_an_annotation_with_other_extras_is_still_the_data():
    def handler(name: Annotated[str, Field(min_length=3)]): ...

    assert slots(handler) == [("name", "data", True, None)]


def test_the_transaction_is_asked_for_by_its_type():
    def handler(tx: Transaction) -> None: ...

    assert slots(handler) == [("tx", "transaction", False, None)]


@pytest.mark.parametrize(
    ("annotation", "given", "made"),
    [
        (Line, {"sku": "a"}, Line("a")),
        (Row, {"sku": "a"}, {"sku": "a"}),
        (dict, {"a": 1}, {"a": 1}),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (list[Line], [{"sku": "a"}], [Line("a")]),
        (str, "x", "x"),
        (Any, None, None),
        (Order | Charge, {"amount": 2}, Charge(amount=2)),
        (Order | None, None, None),
    ],
)
def test_the_data_may_be_anything_that_pydantic_validates(annotation: Any, given: Any, made: Any):
    def handler(data): ...

    handler.__annotations__["data"] = annotation
    (slot,) = read_slots(handler, "h")
    assert (slot.kind, slot.path) == ("data", None)
    assert slot.wanted.validate_python(given) == made


def test_all_of_them_together_in_any_order():
    def handler(tx: Transaction, *, order: Order, event: Event, line: Annotated[Line, At("x.0")]) -> None: ...

    assert [slot.kind for slot in read_slots(handler, "h")] == ["transaction", "data", "event", "data"]


def test_no_parameters_at_all_are_fine():
    assert slots(lambda: None) == []


def test_what_has_a_default_and_no_annotation_is_left_alone():
    def handler(order: Order, cache={}, *args, **rest): ...  # noqa: B006

    assert slots(handler) == [("order", "data", True, None)]


def test_a_partial_is_asked_only_for_what_it_does_not_bring_itself():
    def handler(db: sqlite3_connection, order: Order, *, dry: bool) -> None: ...

    made = functools.partial(functools.partial(handler, object()), dry=True)
    assert slots(made) == [("order", "data", True, None)]


def test_a_callable_object_is_read_by_its_call():
    class Fulfil:
        def __call__(self, order: Order, event: Event) -> None: ...

    assert [slot.name for slot in read_slots(Fulfil(), "h")] == ["order", "event"]
    assert [slot.name for slot in read_slots(functools.partial(Fulfil()), "h")] == ["order", "event"]


def test_a_method_is_read_without_its_self():
    class Shop:
        def fulfil(self, order: Order) -> None: ...

        @staticmethod
        def refund(order: Order) -> None: ...

        @classmethod
        def cancel(cls, order: Order) -> None: ...

    for method in (Shop().fulfil, Shop.refund, Shop.cancel):
        assert [slot.name for slot in read_slots(method, "h")] == ["order"]


def test_a_decorated_function_is_read_through_its_wrapper():
    def inner(order: Order) -> None: ...

    @functools.wraps(inner)
    def outer(*args: Any, **kwargs: Any) -> None: ...

    assert slots(outer) == [("order", "data", True, None)]


sqlite3_connection = object


def refused(function: Any, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match) as why:
        read_slots(function, "shop.fulfil")
    assert "handler shop.fulfil" in str(why.value)


def test_a_parameter_without_annotation_is_an_error_at_the_start():
    refused(lambda order: None, "parameter 'order' has no annotation; annotate it with")


def test_a_positional_only_parameter_is_an_error_at_the_start():
    def handler(order: Order, /) -> None: ...

    refused(handler, "positional-only")


def test_two_parameters_for_the_data_are_an_error_at_the_start():
    def twice(order: Order, charge: Charge) -> None: ...
    def envelope_too(event: Event[Order], charge: Charge) -> None: ...

    refused(twice, "two parameters ask for the event's data")
    refused(envelope_too, r'At\("path"\)')


def test_annotations_that_cannot_be_read_are_an_error_at_the_start():
    def name(order: Nowhere) -> None: ...  # noqa: F821
    def attribute(order: functools.nowhere) -> None: ...
    def syntax(order: Any) -> None: ...

    syntax.__annotations__["order"] = "1 +"
    for handler in (name, attribute, syntax):
        refused(handler, "annotations cannot be read.*at module level")


def test_what_has_no_signature_is_an_error_at_the_start():
    for handler in (max, 5, None):
        refused(handler, "annotations cannot be read")


def test_a_type_that_pydantic_cannot_validate_is_an_error_at_the_start():
    class Opaque: ...

    def handler(order) -> None: ...

    handler.__annotations__["order"] = Opaque
    refused(handler, "parameter 'order' is annotated as .*Opaque")


@pytest.mark.parametrize(
    "annotation",
    [Event | None, Event[Order] | None, Transaction | None, Annotated[Event, "x"], list[Event]],
)
def test_event_and_transaction_stand_alone_for_they_are_always_there(annotation: Any):
    def handler(it) -> None: ...

    handler.__annotations__["it"] = annotation
    refused(handler, "annotate with them alone")


def test_a_generic_model_of_the_users_own_is_data_like_any_other():
    class Page(BaseModel, Generic[T]):
        items: list[T]

    def handler(page) -> None: ...

    handler.__annotations__["page"] = Page[Order]
    assert read_slots(handler, "h")[0].wanted.validate_python({"items": [{"id": "1"}]}).items == [
        Order(id="1")
    ]


def test_async_is_seen_through_partials_methods_and_callable_objects():
    class Async:
        async def __call__(self) -> None: ...

        async def method(self) -> None: ...

    async def function() -> None: ...

    for handler in (
        function,
        functools.partial(function),
        Async(),
        functools.partial(Async()),
        Async().method,
    ):
        assert is_async(handler)
    for handler in (print, functools.partial(print), lambda: None, object):
        assert not is_async(handler)


def made(function: Any) -> Handler:
    return Handler(name="h", function=function, types=("*",), slots=read_slots(function, "h"))


def test_a_handler_knows_what_validates_its_data_and_whether_it_wants_the_transaction():
    def all_(event: Event, tx: Transaction, line: Annotated[Line, At("x")], order: Order) -> None: ...

    assert made(all_).wants_transaction
    assert made(all_).data.validate_python({"id": "1"}) == Order(id="1")
    assert made(lambda: None).data is None
    assert not made(lambda: None).wants_transaction


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({}, True),
        ({"status": "paid"}, True),
        ({"status": "open"}, False),
        ({"status": ("open", "paid")}, True),
        ({"status": {"open"}}, False),
        ({"status": frozenset({"paid"})}, True),
        ({"status": "paid", "lines.0.sku": "a"}, True),
        ({"status": "paid", "lines.1.sku": "a"}, False),
        ({"missing": None}, False),
        ({"note": None}, True),
        ({"test": True}, True),
        ({"test": 1}, False),
        ({"count": 1}, True),
        ({"count": True}, False),
        ({"count": (True, 1)}, True),
        ({"lines": [{"sku": "a"}]}, True),
    ],
)
def test_a_condition_on_paths_compares_as_json_does(condition: dict[str, Any], holds: bool):
    payload = {"status": "paid", "lines": [{"sku": "a"}], "note": None, "test": True, "count": 1}
    assert matches(condition, payload) is holds
