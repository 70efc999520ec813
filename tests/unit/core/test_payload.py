"""From a stored payload to what a handler asks for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.payload import MAX_ERRORS, MISSING, Invalid, adapter, data_of, look_up, validate

PAYLOAD = {"id": "evt_1", "data": {"object": {"lines": [{"sku": "a"}, {"sku": "b"}]}, "null": None}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", PAYLOAD),
        ("id", "evt_1"),
        ("data.object.lines", [{"sku": "a"}, {"sku": "b"}]),
        ("data.object.lines.1.sku", "b"),
        ("data.null", None),
        ("data.object.lines.2", MISSING),
        ("data.object.lines.-1", MISSING),
        ("data.object.lines.x", MISSING),
        ("data.object.lines.²", MISSING),
        ("data.missing", MISSING),
        ("id.0", MISSING),
        ("data..object", MISSING),
    ],
)
def test_a_path_leads_through_keys_and_list_positions(path: str, found: Any):
    assert look_up(PAYLOAD, path) == found if found is not MISSING else look_up(PAYLOAD, path) is MISSING


class Order(BaseModel):
    model_config = ConfigDict(strict=True)

    total: Decimal
    day: date


def test_a_strict_model_still_reads_what_json_can_only_say_in_text():
    made = validate(TypeAdapter(Order), {"o": {"total": "9.90", "day": "2026-01-31"}}, "o")
    assert made == Order(total=Decimal("9.90"), day=date(2026, 1, 31))


def test_large_integers_keep_every_digit():
    assert validate(TypeAdapter(int), {"id": 2**64 + 1}, "id") == 2**64 + 1


def test_a_body_that_is_no_structure_is_validated_as_bytes_or_text():
    assert validate(TypeAdapter(bytes), b"\x00raw", "") == b"\x00raw"
    assert validate(TypeAdapter(str), b"plain", "") == "plain"
    with pytest.raises(Invalid):
        validate(TypeAdapter(Order), b"plain", "")


def test_a_payload_without_the_part_is_invalid_and_says_where_it_looked():
    with pytest.raises(Invalid, match=r"nothing at 'data\.order'"):
        validate(TypeAdapter(Order), PAYLOAD, "data.order")


def test_an_error_is_pydantics_own_message_without_the_senders_values():
    with pytest.raises(Invalid) as invalid:
        validate(TypeAdapter(Order), {"total": "canary", "day": "2026-01-31"}, "")
    assert str(invalid.value) == "1 validation error for Order\ntotal: Input should be a valid decimal"


def test_an_error_at_the_top_is_said_of_the_payload():
    with pytest.raises(Invalid, match="payload: Input should be a valid integer"):
        validate(TypeAdapter(int), "x", "")


def test_of_a_million_errors_a_person_reads_the_first_twenty():
    with pytest.raises(Invalid) as invalid:
        validate(TypeAdapter(list[int]), ["x"] * 1000, "")
    first, *lines, last = str(invalid.value).split("\n")
    assert first.startswith("1000 validation errors")
    assert len(lines) == MAX_ERRORS == 20
    assert last == "... and 980 more"


def test_exactly_twenty_errors_are_all_shown():
    with pytest.raises(Invalid) as invalid:
        validate(TypeAdapter(list[int]), ["x"] * 20, "")
    assert len(str(invalid.value).split("\n")) == 21


def test_an_annotation_that_pydantic_cannot_validate_is_an_error_of_configuration():
    class Opaque:
        pass

    with pytest.raises(ConfigurationError, match=r"here is annotated as .*Opaque.*which pydantic cannot"):
        adapter(Opaque, "here")


def test_a_model_that_names_a_type_nobody_defined_is_found_now_and_not_with_the_first_event():
    class Broken(BaseModel):
        other: Nowhere  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ConfigurationError, match="Nowhere"):
        adapter(Broken, "here")


class Later(BaseModel):
    kind: Literal["later"]
    child: Child | None = None


class Child(BaseModel):
    name: str


def test_a_model_that_names_a_type_defined_below_it_is_fine():
    assert adapter(Later, "here").validate_json('{"kind": "later", "child": {"name": "x"}}').child == Child(
        name="x"
    )


def test_the_data_is_at_its_usual_place_or_else_all_there_is():
    assert data_of({"data": {"object": 1}}, "data.object") == 1
    assert data_of({"data": {"object": None}}, "data.object") is None
    assert data_of({"command": "/pay"}, "event") == {"command": "/pay"}
    assert data_of(7, "") == 7
