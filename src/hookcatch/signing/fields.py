"""Places in the body: they are known only once it is read, and reading them parses it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hookcatch.core.errors import Rejected
from hookcatch.core.parse import detect, form_pairs, parse_json
from hookcatch.core.wire import Request

from .json_path import compact, dig, planted, text_of
from .parts import Render
from .places import One, Place, Read, single


@dataclass(frozen=True, slots=True)
class Field(One):
    """A text or whole number in the JSON body, by its dotted path; `number` where the sender writes digits bare."""

    path: str
    number: bool = False

    @property
    def title(self) -> str:
        return f"{self.path} in the body"

    @property
    def in_head(self) -> bool:
        return False

    def reader(self) -> Read:
        steps = self.path.split(".")

        def read(request: Request) -> bytes | None:
            return text_of(dig(parse_json(request.body), steps))

        return read

    def write(self, request: Request, value: bytes) -> Request:
        text = value.decode()
        return request.replace(body=planted(request.body, self.path, int(text) if self.number else text))


@dataclass(frozen=True, slots=True)
class Form(One):
    """A field of the urlencoded body, there exactly once."""

    name: str

    @property
    def title(self) -> str:
        return f"{self.name} in the form"

    @property
    def in_head(self) -> bool:
        return False

    def reader(self) -> Read:
        def read(request: Request) -> bytes | None:
            # Without a single `=` it is no form at all, so nothing of one is malformed but all of it missing.
            pairs = form_pairs(request.body) if b"=" in request.body else []
            return single([v for k, v in pairs if k == self.name], self.title)

        return read

    def write(self, request: Request, value: bytes) -> Request:
        kept = [(k, v) for k, v in form_pairs(request.body) if k != self.name]
        return request.replace(body=urlencode([*kept, (self.name, value.decode())]).encode())


@dataclass(frozen=True, slots=True)
class EveryItem(One):
    """One text that every item of a list in the JSON body holds under a key: Microsoft Graph."""

    items: str
    key: str

    @property
    def title(self) -> str:
        return f"{self.key} in every item of {self.items}"

    @property
    def in_head(self) -> bool:
        return False

    def reader(self) -> Read:
        def read(request: Request) -> bytes | None:
            texts = [text_of(dig(item, [self.key])) for item in self._items(parse_json(request.body))]
            if len(set(texts)) > 1:
                raise Rejected("bad_signature", f"not one and the same {self.title}")
            return texts[0] if texts else None

        return read

    def write(self, request: Request, value: bytes) -> Request:
        payload = parse_json(request.body)
        for item in self._items(payload):
            item[self.key] = value.decode()
        return request.replace(body=compact(payload))

    def without(self, body: bytes) -> bytes:
        """The body without these texts: what may be kept (ATTACKS A58)."""
        payload = parse_json(body)
        for item in self._items(payload):
            if isinstance(item, dict):
                item.pop(self.key, None)
        return compact(payload)

    def _items(self, payload: Any) -> list[Any]:
        found = dig(payload, self.items.split("."))
        return found if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class FieldOrForm(One):
    """A place in the body that is JSON in one product of a sender and a form in another."""

    field: Field
    form: Form

    @property
    def title(self) -> str:
        return self.field.title

    @property
    def in_head(self) -> bool:
        return False

    def reader(self) -> Read:
        field, form = self.field.reader(), self.form.reader()
        return lambda request: form(request) if is_form(request) else field(request)

    def write(self, request: Request, value: bytes) -> Request:
        place: Place = self.form if is_form(request) else self.field
        return place.write(request, value)


@dataclass(frozen=True, slots=True)
class Payload:
    """The body, or of a form its only field, decoded: Gitea signs the JSON and may send it inside a form. Only
    the one way in which Go writes such a form is taken, so that no two bodies are the same."""

    name: str = "payload"

    def render(self) -> Render:
        def render(request: Request, _: bytes) -> bytes:
            if not is_form(request):
                return request.body
            pairs = form_pairs(request.body)
            if [name for name, _ in pairs] != [self.name] or urlencode(pairs).encode() != request.body:
                raise Rejected("malformed_body", f"not a plain form with the one field {self.name}")
            return pairs[0][1].encode()

        return render


@dataclass(frozen=True, slots=True)
class FirstItem:
    """The body; of a JSON list only its first item, as it stands there. The others are not signed: Segment."""

    def render(self) -> Render:
        def render(request: Request, _: bytes) -> bytes:
            body = request.body
            if not body.startswith(b"["):
                return body
            parse_json(body)  # what is read below is JSON, not deep, and in UTF-8
            text = body.decode()
            start = len(text) - len(text[1:].lstrip(" \t\r\n"))
            if text[start] == "]":
                raise Rejected("missing_signature", "a list without items is signed by nobody")
            return text[start : _PLAIN.raw_decode(text, start)[1]].encode()

        return render


# Digits stay text: how many there are does not matter.
_PLAIN = json.JSONDecoder(parse_int=str, parse_float=str)


def is_form(request: Request) -> bool:
    """Whether the body is a urlencoded form, by its content type."""
    return detect(request.header(b"content-type"), request.body) == "form"
