"""From a stored event to what a handler asks for: paths into the payload, and validation with pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import (
    PydanticSchemaGenerationError,
    PydanticUndefinedAnnotation,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import to_json

from .errors import ConfigurationError, Invalid

MAX_ERRORS = 20
"""A hostile payload can break a schema a million times; a person reads the first few (ATTACKS A52)."""

MISSING = object()


@dataclass(frozen=True, slots=True)
class At:
    """Where in the payload a handler's argument stands: `Annotated[Charge, At("data.object")]`.

    Args:
        path: keys and list positions joined by dots; `""` is the whole payload.
    """

    path: str = ""


def look_up(payload: Any, path: str) -> Any:
    """What stands at a dotted path, or MISSING."""
    if not path:
        return payload
    for step in path.split("."):
        if isinstance(payload, Mapping):
            payload = payload.get(step, MISSING)
        elif isinstance(payload, list) and step.isdecimal() and int(step) < len(payload):
            payload = payload[int(step)]
        else:
            return MISSING
    return payload


def data_of(payload: Any, path: str) -> Any:
    """The business data: what stands at its provider's usual place, or all of a payload that lacks it, as of
    senders whose kinds of message differ (Slack's events and commands)."""
    found = look_up(payload, path)
    return payload if found is MISSING else found


def adapter(wanted: Any, where: str) -> TypeAdapter[Any]:
    """pydantic's validator for an annotation, made once when the app is built."""
    try:
        made = TypeAdapter(wanted)
        if not made.pydantic_complete:  # it would say so only when the first event is there
            made.rebuild(raise_errors=True)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError) as error:
        raise ConfigurationError(
            f"{where} is annotated as {wanted!r}, which pydantic cannot validate; use a pydantic model, a "
            f"dataclass, a TypedDict or a plain type ({error})"
        ) from None
    return made


def validate(wanted: TypeAdapter[Any], payload: Any, path: str) -> Any:
    """The part of the payload at `path`, as `wanted`.

    It is validated as JSON, so that "9.90" is a Decimal and "2026-01-01" a date also in strict models; a body
    that is neither JSON, a form nor XML is validated as the bytes that it is.

    Raises:
        Invalid: with pydantic's own message.
    """
    part = look_up(payload, path)
    if part is MISSING:
        raise Invalid(f"the payload has nothing at {path!r}")
    try:
        return (
            wanted.validate_python(part) if isinstance(part, bytes) else wanted.validate_json(to_json(part))
        )
    except ValidationError as error:
        raise Invalid(_message(error)) from None


def _message(error: ValidationError) -> str:
    lines = [
        f"{'.'.join(str(part) for part in one['loc']) or 'payload'}: {one['msg']}"
        for one in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]
    ]
    count = error.error_count()
    more = [f"... and {count - MAX_ERRORS} more"] if count > MAX_ERRORS else []
    return "\n".join(
        [f"{count} validation error{'s' if count != 1 else ''} for {error.title}", *lines, *more]
    )
