"""Through the real door: probes are sent to the public URL, and what arrives is compared with what was sent.

The first request has neither token nor signature, and the next ones no signature: a signed one is sent only after
the receiver has answered as one that knows probes, so that none can be taken for an event.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from hookcatch.core.endpoint import Policy
from hookcatch.core.errors import ConfigurationError
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.probe import HEADER, Asking, Report, plain, read_report, token
from hookcatch.providers import Provider

from .answers import Answer, Unanswered, explain, is_ours, who
from .case import Finding
from .catalogue import finding
from .mistakes import bodies
from .places import headers_of

Knock = Callable[[Request, bool], Answer]
"""Sends a request to its URL, in chunks if it is True. Raises Unanswered."""

SKEW = 5.0
"""Seconds by which a clock may be off."""

PATIENCE = 10.0
"""Seconds for an answer, for a sender that does not say how long it waits."""

JSON = b'{ "name" : "Zo\\u00eb / Zo\xc3\xab",\n  "b":1.10, "a":  [ ] }\n'
"""Whoever parses it and writes it again writes something else."""

FORM = b"b=2&a=1+x&c=%7e&a=%C3%A9&d"
QUERY = "p=a+b%20c&q=%7e%2F&r"

TYPE = "hookcatch.probe"
"""The event type of a signed probe."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Where to knock, and as whom.

    Attributes:
        url: as it is registered with the sender.
        policy: the source's.
        knock: sends.
        now: our clock.
        nonce: marks the reports of this visit.
    """

    url: str
    provider: Provider
    secrets: tuple[Secret, ...] = field(repr=False)
    policy: Policy
    knock: Knock
    now: Callable[[], float]
    nonce: str

    def send(
        self,
        body: bytes = b"{}",
        kind: str = "application/json",
        *,
        headers: Sequence[tuple[str, str]] = (),
        query: str = "",
        chunked: bool = False,
    ) -> Answer:
        """A probe without a signature."""
        url = self.url + (f"{'&' if '?' in self.url else '?'}{query}" if query else "")
        probe = Request("POST", url, [("content-type", kind), *headers, *self.token(())], body)
        return self.knock(probe, chunked)

    def token(self, wanted: Sequence[str]) -> list[tuple[str, str]]:
        """The header that makes a request a probe, and asks for headers by name."""
        asking = Asking(self.nonce, self.now(), tuple(wanted))
        return [(HEADER, token(self.secrets, asking))]

    def report(self, answer: Answer) -> Report | None:
        """What the receiver says in an answer; None if it is not the one who answers."""
        try:
            said = json.loads(answer.body)
        except ValueError:
            return None
        return read_report(said, self.nonce) if isinstance(said, dict) else None

    def explain(self, answer: Answer) -> Finding:
        """Why there is no report in an answer."""
        return explain(answer, self.url, self.policy.bad_signature)


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was looked at; `found` is None if it is as it should be, `note` says what was seen."""

    what: str
    found: Finding | None = None
    note: str = ""


def visit(door: Visit) -> Iterator[Checked]:
    """Look at everything that can be looked at, in an order in which each needs what went before it."""
    try:
        stranger = _stranger(door)
        yield stranger
        if stranger.found is not None and stranger.found.name != "always_ok":
            return
        answer = door.send()
        arrived = door.report(answer)
        if arrived is None:
            yield Checked("probe", door.explain(answer))
            return
        yield Checked("probe", note="the receiver answers")
        seen = [*_of_the_answer(door, answer, arrived)]
        for look in _LOOKS:
            seen += look(door)
        yield from seen
        yield _signature(door, [one.found for one in seen if one.found is not None])
    except Unanswered as nobody:
        yield Checked("reachable", nobody.found)


def _stranger(door: Visit) -> Checked:
    """A request without any proof has to be refused, by the receiver itself."""
    answer = door.knock(Request("POST", door.url, [("content-type", "application/json")], b"{}"), False)
    if is_ours(answer, door.policy.bad_signature) and answer.status != 404:
        return Checked(
            "stranger", note=f"an unsigned request is refused with {answer.status}{_finality(door, answer)}"
        )
    return Checked("stranger", door.explain(answer))


def _finality(door: Visit, answer: Answer) -> str:
    """What a refusal costs: with a wrong secret, whatever this sender brings until somebody sees it."""
    facts = door.provider.facts
    if not facts.refusal_is_final or answer.status != facts.bad_signature_status:
        return ""
    return f", and {door.provider.title} never sends again what got that: a wrong secret loses events"


def _of_the_answer(door: Visit, answer: Answer, arrived: Report) -> Iterator[Checked]:
    status = None
    if answer.status != 200:
        status = finding(
            "status_changed", f"an answer of 200 comes back as {answer.status}, by {who(answer)}"
        )
    yield Checked("status", status, "answers come back as they are")
    waits = door.provider.facts.ack_deadline or PATIENCE
    slow = None
    if answer.seconds > waits:
        slow = finding(
            "slow", f"an empty probe took {answer.seconds:.1f} s; {waits:g} s is how long it may take"
        )
    yield Checked("time", slow, f"answered after {answer.seconds * 1000:.0f} ms")
    yield _clock(answer, arrived)


def _clock(answer: Answer, arrived: Report) -> Checked:
    middle = (answer.sent + answer.came) / 2
    off = arrived.now - middle
    if abs(off) <= SKEW + answer.seconds:
        return Checked("clock", note="it is the same time here and there")
    way = "ahead of" if off > 0 else "behind"
    return Checked(
        "clock", finding("clock_off", f"its clock is {abs(off):.0f} s {way} ours{_third(answer, middle)}")
    )


def _third(answer: Answer, ours: float) -> str:
    """What a third clock says: that of the server that answers."""
    try:
        date = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return ""
    return f"; the server's Date is {date - ours:+.0f} s from ours"


def _bodies(door: Visit) -> Iterator[Checked]:
    for what, kind, body in (
        ("JSON body", "application/json", JSON),
        ("form body", "application/x-www-form-urlencoded", FORM),
    ):
        found = _compared(door, door.send(body, kind), body)
        yield Checked(what, found, "it arrives byte for byte")


def _compared(door: Visit, answer: Answer, body: bytes) -> Finding | None:
    arrived = door.report(answer)
    if arrived is None:
        return finding("body_refused", f"it is refused: {answer.status} by {who(answer)}")
    if arrived.sha256 == hashlib.sha256(body).hexdigest():
        return None
    if not arrived.length:
        return finding("body_lost", f"of {len(body)} bytes none arrives: something has read them before")
    how = next(
        (what for _, what, one in bodies(body) if hashlib.sha256(one).hexdigest() == arrived.sha256), ""
    )
    note = f": {how.partition(';')[0]}" if how else ""
    return finding("body_rewritten", f"of {len(body)} bytes {arrived.length} arrive, or others{note}")


def _chunks(door: Visit) -> Iterator[Checked]:
    answer = door.send(JSON, chunked=True)
    arrived = door.report(answer)
    found = None
    if arrived is None:
        found = finding("chunked_refused", f"a body in chunks is refused: {answer.status} by {who(answer)}")
    elif not arrived.length:
        found = finding("chunked_refused", f"of a body in chunks nothing arrives, by {who(answer)}")
    yield Checked("chunked body", found, "it arrives")


def _compressed(door: Visit) -> Iterator[Checked]:
    packed = gzip.compress(JSON)
    answer = door.send(packed, headers=[("content-encoding", "gzip")])
    arrived = door.report(answer)
    found = None
    if arrived is not None:
        how = "is unpacked" if arrived.sha256 != hashlib.sha256(packed).hexdigest() else "loses its label"
        found = finding("body_unpacked", f"a compressed body {how} before it arrives")
    yield Checked("compressed body", found, f"it is refused with {answer.status}, as it should be")


def _sizes(door: Visit) -> Iterator[Checked]:
    most = door.policy.max_body
    answer = _large(door, most)
    if _arrives(door, answer, most):
        yield Checked("large body", note=f"{most} bytes arrive")
        return
    low, high = len(JSON), most
    while high - low > max(256, high // 50):
        middle = (low + high) // 2
        if _arrives(door, _large(door, middle), middle):
            low = middle
        else:
            high = middle
    what = f"bodies over about {low} bytes do not arrive ({_size_refusal(answer)}); the source takes {most}"
    yield Checked("large body", finding("size_limit", what))


def _large(door: Visit, size: int) -> Answer | None:
    try:
        return door.send(b'"%s"' % (b"x" * (size - 2)))
    except Unanswered:  # whoever does not want it may hang up
        return None


def _arrives(door: Visit, answer: Answer | None, size: int) -> bool:
    arrived = None if answer is None else door.report(answer)
    return arrived is not None and arrived.length == size


def _size_refusal(answer: Answer | None) -> str:
    return "the connection breaks off" if answer is None else f"{answer.status} by {who(answer)}"


def _query(door: Visit) -> Iterator[Checked]:
    arrived = door.report(door.send(query=QUERY))
    called = arrived.url if arrived is not None else ""
    if door.provider.url_is_signed:
        wanted = urlsplit(door.url)._replace(query="", fragment="").geturl()
        found = None
        if called.partition("?")[0] != wanted:
            found = finding(
                "wrong_url", f"it verifies over {called.partition('?')[0]}, and {wanted} is called"
            )
        yield Checked("URL", found, "it is the one that is verified")
    own = urlsplit(door.url).query
    came, sent = called.partition("?")[2], "&".join(filter(None, [own, QUERY]))
    found = None if came == sent else finding("query_changed", "the query is another one when it arrives")
    yield Checked("query", found, "it arrives as it is")


def _headers(door: Visit) -> Iterator[Checked]:
    wanted = sorted(headers_of(door.provider.scheme) - {"host", "content-length"})
    dummies = [(name, "1") for name in wanted if name not in ("content-type", "authorization")]
    probe = Request("POST", door.url, [("content-type", "text/plain"), *dummies, *door.token(wanted)], b"{}")
    arrived = door.report(door.knock(probe, False))
    came = arrived.headers if arrived is not None else ()
    yield Checked(
        "headers", _lost([name for name, _ in dummies], came), ", ".join(wanted) or "none is needed"
    )


def _lost(wanted: Sequence[str], came: Sequence[str]) -> Finding | None:
    lost = [name for name in wanted if name not in came]
    if not lost:
        return None
    other = [name for name in came if plain(name) in map(plain, lost)]
    if other:
        return finding("header_respelt", f"the header {lost[0]} arrives as {other[0]}")
    return finding("header_dropped", f"the header {' and '.join(lost)} does not arrive")


def _signature(door: Visit, known: Sequence[Finding]) -> Checked:
    """Signed as the sender would; the last of all, when it is sure that it is taken for a probe."""
    row = door.provider
    blank = Request("POST", door.url, [])
    id_ = f"hookcatch_probe_{door.nonce}"
    try:
        written = row.events.write(blank, id=id_, type=TYPE, data={"probe": door.nonce})
        signed = row.sign(written, secret=door.secrets[0], now=door.now())
    except ConfigurationError:
        return Checked("signature", note="not looked at: only the sender has the key that signs")
    probe = signed.replace(headers=[*signed.headers, *door.token(())])
    answer = door.knock(probe, False)
    arrived = door.report(answer)
    if arrived is not None and arrived.verified:
        return Checked("signature", note="a signed request is accepted")
    why = ", ".join(one.name for one in known)
    told = f"a signed request is refused{f', as was to be expected: {why}' if why else ''}"
    return Checked("signature", finding("signature_refused", told))


_LOOKS: tuple[Callable[[Visit], Iterator[Checked]], ...] = (
    _bodies,
    _chunks,
    _compressed,
    _sizes,
    _query,
    _headers,
)
