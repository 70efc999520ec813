"""What came back from a URL, and who it was that answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from hookcatch.core.answers import phrase
from hookcatch.core.errors import REASONS

from .case import Finding
from .catalogue import finding


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `headers` are by lower-case name; `sent` and `came` are seconds since the epoch, by our clock."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: float
    came: float

    @property
    def seconds(self) -> float:
        """From the first byte that was sent to the whole answer."""
        return self.came - self.sent


class Unanswered(Exception):
    """Nothing came back; the finding says why."""

    def __init__(self, found: Finding) -> None:
        super().__init__(found.what)
        self.found = found


def is_ours(answer: Answer, bad_signature: int = 401) -> bool:
    """Whether it is a refusal of the receiver's own."""
    if answer.status not in {*REASONS.values(), bad_signature}:
        return False
    text = answer.headers.get("content-type") == "text/plain; charset=utf-8"
    return text and answer.body in (b"", f"{phrase(answer.status)}\n".encode())


def who(answer: Answer) -> str:
    """Who answered, as far as that can be seen."""
    server = answer.headers.get("server", "")
    named = next((name for header, name in _MARKS if header in answer.headers), "")
    page = " with an HTML page" if answer.body.lstrip()[:1] == b"<" else ""
    return f"{named or server or 'something that does not say its name'}{page}"


_MARKS = (
    ("cf-ray", "Cloudflare"),
    ("x-amz-cf-id", "CloudFront"),
    ("x-amzn-requestid", "API Gateway"),
    ("x-vercel-id", "Vercel"),
)

_LOGINS = ("login", "signin", "sign-in", "oauth", "sso", "saml")


def explain(answer: Answer, url: str, bad_signature: int = 401) -> Finding:
    """What it means that this was answered, and no report."""
    status = answer.status
    by = f"{status} by {who(answer)}"
    if 300 <= status < 400:
        return _redirect(answer, url)
    if status == HTTPStatus.FORBIDDEN and b"csrf" in answer.body.lower():
        return finding("csrf", f"the request is refused by a CSRF check: {by}")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        if is_ours(answer):
            return finding("not_served", "the receiver is there, but none of its sources is at this path")
        return finding("not_served", f"nothing is served at this path: {by}")
    if is_ours(answer, bad_signature):
        return finding("probe_refused", f"the receiver answers {status}: it does not know the probe")
    if status in (
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    ):
        return finding("auth_wall", f"somebody else wants a proof first: {by}")
    if status in (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED):
        return finding("method_refused", f"POST is refused before the receiver: {by}")
    if 200 <= status < 300:
        return finding("always_ok", f"somebody else than the receiver says that all is well: {by}")
    return finding("layer_error", f"the receiver is not reached: {by}")


def _redirect(answer: Answer, url: str) -> Finding:
    target = urljoin(url, answer.headers.get("location", ""))
    here, there = urlsplit(url), urlsplit(target)
    if any(word in f"{there.netloc}{there.path}".lower() for word in _LOGINS):
        return finding(
            "auth_wall", f"the request is sent to a login: {answer.status} to {target.partition('?')[0]}"
        )
    becomes_get = "" if answer.status in (307, 308) else ", after which a POST becomes a GET"
    what = f"{answer.status} by {who(answer)} to {target.partition('?')[0]}{becomes_get}"
    if (
        here.netloc == there.netloc
        and here.path != there.path
        and here.path.rstrip("/") == there.path.rstrip("/")
    ):
        return finding("slash_redirect", what)
    return finding("redirected", what)
