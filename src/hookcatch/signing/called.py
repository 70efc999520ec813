"""Senders that put the event into the URL or into a form, as they like, and sign its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from hookcatch.core.errors import Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.parse import form_pairs, parse_json
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .fields import Field, Form, is_form
from .json_path import text_of
from .parts import Render
from .places import One, Place, Query, Read, query_pairs, single
from .scheme import Bound, Match, Opened, Scheme

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class QueryAsBody:
    """A scheme whose sender may call with GET: the query is the event then, and is read as the form that it is."""

    scheme: Scheme

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        bound = self.scheme.bind(secrets, tolerance, published)

        def opened(request: Request, match: Match) -> Opened:
            if request.method != "GET":
                return Opened(request)
            body = urlencode(query_pairs(request.url), errors="surrogatepass").encode()
            return Opened(request.replace(body=body).with_header("content-type", FORM))

        return Bound(bound.check, bound.precheck, opened)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        return self.scheme.sign(request, secret, now)

    def check_strength(self, secret: Secret) -> None:
        self.scheme.check_strength(secret)


def parameters(request: Request) -> list[tuple[str, str]]:
    """The parameters of a request: of a GET those of its query, else the fields of a form, or of an object in JSON
    without anything nested. Each there once. Raises Rejected."""
    if request.method == "GET":
        pairs = query_pairs(request.url)
    elif is_form(request):
        pairs = form_pairs(request.body)
    else:
        pairs = [(name, _text(name, value)) for name, value in _object(request.body).items()]
    if len({name for name, _ in pairs}) < len(pairs):
        raise Rejected("malformed_body", "a parameter is there twice")
    return pairs


@dataclass(frozen=True, slots=True)
class Parameter(One):
    """One of the parameters."""

    name: str

    @property
    def title(self) -> str:
        return f"the parameter {self.name}"

    @property
    def in_head(self) -> bool:
        return False

    def reader(self) -> Read:
        return lambda request: single([v for k, v in parameters(request) if k == self.name], self.title)

    def write(self, request: Request, value: bytes) -> Request:
        place: Place = Form(self.name) if is_form(request) else Field(self.name)
        return (Query(self.name) if request.method == "GET" else place).write(request, value)


@dataclass(frozen=True, slots=True)
class SortedParameters:
    """Every parameter but the one that signs them, sorted, as `&name=value`, the two signs that separate them
    replaced in the values: Vonage. So `a&b`, `a=b` and `a_b` are signed alike."""

    but: str

    def render(self) -> Render:
        def render(request: Request, _: bytes) -> bytes:
            pairs = sorted((name, value) for name, value in parameters(request) if name != self.but)
            if any("&" in name or "=" in name for name, _ in pairs):
                raise Rejected("malformed_body", "a parameter's name looks cut out of two others")
            texts = [f"&{name}={value.replace('&', '_').replace('=', '_')}" for name, value in pairs]
            return "".join(texts).encode("utf-8", "surrogatepass")

        return render


@dataclass(frozen=True, slots=True)
class SortedQuery:
    """The parameters of the URL, sorted, and written again as a query."""

    def render(self) -> Render:
        return lambda request, _: urlencode(sorted(query_pairs(request.url)), errors="surrogatepass").encode()


@dataclass(frozen=True, slots=True)
class UrlWithoutQuery:
    """The full URL the sender called, as configured, up to its query."""

    def render(self) -> Render:
        def url(request: Request, _: bytes) -> bytes:
            if not request.url:
                raise Rejected(
                    "bad_signature", "the sender signs the URL, and it is not known: set public_url"
                )
            return request.url.partition("?")[0].encode("utf-8", "surrogatepass")

        return url


def _object(body: bytes) -> dict[str, object]:
    payload = parse_json(body)
    if not isinstance(payload, dict):
        raise Rejected("malformed_body", "neither a form nor an object")
    return payload


def _text(name: str, value: object) -> str:
    text = text_of(value)
    if text is None:
        raise Rejected("malformed_body", f"{name} is neither text nor a whole number")
    return text.decode()
