"""Places in the body: they are known only once it is read, and reading them parses it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from hookcatch.core.errors import Rejected
from hookcatch.core.parse import detect, form_pairs, parse_json
from hookcatch.core.wire import Request

from .json_path import dig, planted, text_of
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
            return single([v for k, v in form_pairs(request.body) if k == self.name], self.title)

        return read

    def write(self, request: Request, value: bytes) -> Request:
        kept = [(k, v) for k, v in form_pairs(request.body) if k != self.name]
        return request.replace(body=urlencode([*kept, (self.name, value.decode())]).encode())


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


def is_form(request: Request) -> bool:
    """Whether the body is a urlencoded form, by its content type."""
    return detect(request.header(b"content-type"), request.body) == "form"
