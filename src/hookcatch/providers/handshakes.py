"""How senders ask an endpoint to prove itself, and what they get: the kinds that several of them share.

An answer repeats at most what a sender is known to send: short, printable, as plain text that no browser takes for
anything else (ATTACKS A55). Where an agreed token goes with it, the token is compared first. Where a challenge is
signed with the key of the deliveries, it must not be something that would pass for a delivery.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hookcatch.core.answers import JSON
from hookcatch.core.errors import Rejected
from hookcatch.core.greeting import Greeting
from hookcatch.core.model import Delivery, IncomingEvent
from hookcatch.core.parse import parse_json
from hookcatch.core.secret import Secret
from hookcatch.core.wire import TEXT, Pair, Request, Response
from hookcatch.signing.json_path import compact, dig, steps
from hookcatch.signing.places import query_pairs

GET = frozenset({"GET"})
HEAD = frozenset({"HEAD"})
POST = frozenset({"POST"})

MAX_CHALLENGE = 256
"""Characters; Microsoft's validationToken, the longest known, has about 120."""

MAX_UNSIGNED = 4 << 10
"""Bytes of a body that is looked into before anything proves where it is from."""

_TEXT = re.compile(r"[ !#-%(-;=?-~]+")  # printable ASCII without the signs that HTML is made of
_OPAQUE = re.compile(r"[A-Za-z0-9+/=_.-]+")

_INERT: tuple[Pair, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox"),
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user has to say about handshakes.

    Attributes:
        verify_token: the token that was agreed upon for handshakes, beside the signing secret (Meta, WebSub, Lark).
        topics: what may be subscribed to (WebSub).
        origins: who may send (CloudEvents), as they name themselves; `*` for anybody.
        confirm: whether a subscription is confirmed by calling the sender back (Amazon SNS).
        learn: whether a secret that the sender brings is taken from it (Asana, Notion).
    """

    verify_token: Secret | None = None
    topics: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    confirm: bool = False
    learn: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as a handshake may look at it.

    Attributes:
        request: as it came.
        secrets: the source's secrets, as configured; of a signed handshake only the one that verified it.
        wishes: the user's.
        events: those that a signed request tells of; none before the signature is checked.
    """

    request: Request
    secrets: tuple[Secret, ...] = field(repr=False)
    wishes: Wishes
    events: Sequence[IncomingEvent] = ()


Answer = Callable[[Asked], Greeting | None]
"""The answer to a handshake; None for a request that is something else. Raises Rejected for a handshake that must
not be answered."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """One kind of handshake.

    Attributes:
        name: the sender's own word for it.
        answer: what it gets.
        methods: the HTTP methods in which it comes.
        signed: whether it carries the sender's usual signature, which then has to be right before it is answered.
        teaches: whether it brings the secret; answered only where that is to be learned.
    """

    name: str
    answer: Answer
    methods: frozenset[str] = POST
    signed: bool = False
    teaches: bool = False


@dataclass(frozen=True, slots=True)
class Doorman:
    """A row's handshakes with a source's secrets: the Greeter."""

    handshakes: tuple[Handshake, ...]
    secrets: tuple[Secret, ...] = field(repr=False)
    wishes: Wishes

    @property
    def methods(self) -> frozenset[str]:
        return frozenset[str]().union(*(one.methods for one in self.handshakes))

    def before(self, request: Request, now: float) -> Greeting | None:
        return self._first(Asked(request, self.secrets, self.wishes), signed=False)

    def after(self, request: Request, delivery: Delivery) -> Greeting | None:
        right = self.secrets if delivery.key is None else self.secrets[delivery.key : delivery.key + 1]
        return self._first(Asked(request, right, self.wishes, delivery.events), signed=True)

    def _first(self, asked: Asked, *, signed: bool) -> Greeting | None:
        for one in self.handshakes:
            if one.signed is signed and asked.request.method in one.methods:
                greeting = one.answer(asked)
                if greeting is not None:
                    return greeting
        return None


# answers


def plain(name: str, challenge: str) -> Greeting:
    """The challenge as it came, as text. Raises Rejected for one that no sender would make."""
    return Greeting(name, Response(200, matching(_TEXT, challenge).encode(), (*TEXT, *_INERT)))


def as_json(name: str, value: Mapping[str, Any], *headers: Pair) -> Greeting:
    """An answer in JSON."""
    return Greeting(name, Response(200, compact(value), (*JSON, *_INERT, *headers)))


def empty(name: str, status: int = 200, *headers: Pair) -> Greeting:
    """A status and nothing else."""
    return Greeting(name, Response(status, b"", headers))


# what is sent back


def opaque(challenge: object) -> str:
    """A challenge of the letters, digits and signs that random texts are written in. Raises Rejected."""
    return matching(_OPAQUE, challenge)


def matching(pattern: re.Pattern[str], challenge: object) -> str:
    """A challenge that is short and as the sender's are. Raises Rejected."""
    if not isinstance(challenge, str) or len(challenge) > MAX_CHALLENGE or not pattern.fullmatch(challenge):
        raise Rejected("malformed_body", "a challenge that is no short plain text is not sent back")
    return challenge


def first(asked: Asked) -> bytes:
    """The secret that answers: the one that verified, else of those being rotated the one that signs."""
    if not asked.secrets:
        raise Rejected("unknown_tenant", "no secret is known that could answer")
    return asked.secrets[0].reveal()


def hexmac(key: bytes, text: str, digest: str = "sha256") -> str:
    """An HMAC in hex digits."""
    return hmac.digest(key, text.encode(), digest).hex()


# what is looked for


def query(asked: Asked) -> dict[str, str]:
    """The parameters of the URL."""
    return dict(query_pairs(asked.request.url))


def head(asked: Asked, name: bytes) -> str | None:
    """A header, as text."""
    value = asked.request.header(name)
    return None if value is None else value.decode("latin-1")


def small_json(asked: Asked, hint: bytes) -> Any:
    """The body of an unsigned request, if it is short and has `hint` in it, so that no other delivery is parsed for
    nothing; None for any other."""
    body = asked.request.body
    if len(body) > MAX_UNSIGNED or hint not in body:
        return None
    try:
        return parse_json(body)
    except Rejected:
        return None


def check_token(presented: str | None, asked: Asked, title: str) -> None:
    """Raises Rejected unless the token of a handshake is the agreed one."""
    token = asked.wishes.verify_token
    given = (presented or "").encode("utf-8", "surrogatepass")
    if token is None or not hmac.compare_digest(given, token.reveal()):
        raise Rejected("bad_signature", f"{title} is not the verify_token of this source")


# the kinds


def echo_query(
    challenge: str,
    *,
    when: tuple[tuple[str, str], ...] = (),
    agreed: str = "",
    methods: frozenset[str] = GET,
) -> Handshake:
    """A parameter of the query that is sent back as text.

    Args:
        challenge: its name.
        when: parameters that have to say this.
        agreed: the parameter that holds the agreed token; empty for a sender that has none.
        methods: the HTTP methods in which it comes.
    """

    def answer(asked: Asked) -> Greeting | None:
        given = query(asked)
        if challenge not in given or any(given.get(name) != value for name, value in when):
            return None
        if agreed:
            check_token(given.get(agreed), asked, agreed)
        return plain(challenge, given[challenge])

    return Handshake(challenge, answer, methods)


def echo_field(challenge: str, *, type: str) -> Handshake:
    """A field of a signed JSON body of a certain type, that is sent back under its name."""

    def answer(asked: Asked) -> Greeting | None:
        if len(asked.events) != 1 or asked.events[0].type != type:
            return None
        given = dig(asked.events[0].payload, steps(challenge))
        return as_json(type, {challenge: matching(_TEXT, given)})

    return Handshake(type, answer, signed=True)


def probe(name: str, methods: frozenset[str] = HEAD) -> Handshake:
    """A request without a body that asks whether anybody is there."""
    return Handshake(name, lambda _: empty(name), methods)
