"""How senders ask an endpoint to prove itself, and what they get.

An answer repeats at most what the sender is known to send: short, printable, as plain text that no browser takes
for anything else (ATTACKS A54). Where a token goes with it, the token is compared first.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hookcatch.core.answers import JSON
from hookcatch.core.errors import Rejected
from hookcatch.core.greeting import Greeting
from hookcatch.core.model import Delivery, IncomingEvent
from hookcatch.core.secret import Secret
from hookcatch.core.wire import TEXT, Pair, Request, Response
from hookcatch.signing.json_path import compact, dig, steps
from hookcatch.signing.places import query_pairs

GET = frozenset({"GET"})
POST = frozenset({"POST"})

MAX_CHALLENGE = 1024
"""Characters; the longest known is Microsoft's validationToken, of a few hundred."""

_CHALLENGE = re.compile(r"[ -~]+")

NOSNIFF: Pair = (b"x-content-type-options", b"nosniff")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user has to say about handshakes.

    Attributes:
        verify_token: the token that was agreed upon for handshakes, beside the signing secret (Meta, WebSub).
        topics: what may be subscribed to; empty for anything.
        origins: who may send (CloudEvents); empty for anybody.
        confirm: whether a subscription is confirmed by calling the sender back (Amazon SNS).
    """

    verify_token: Secret | None = None
    topics: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What a handshake may need: the source's secrets, as configured, and the user's wishes."""

    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    wishes: Wishes = Wishes()


class Handshake(Protocol):
    """One kind of handshake. Frozen data, no state."""

    @property
    def methods(self) -> frozenset[str]:
        """The HTTP methods in which it comes."""
        ...

    @property
    def signed(self) -> bool:
        """Whether it carries the sender's usual signature, which then has to be right before it is answered."""
        ...

    def answer(self, request: Request, events: Sequence[IncomingEvent], known: Known) -> Greeting | None:
        """The answer; None for a request that is something else. `events` are those of a signed request, and
        empty before the signature is checked. Raises Rejected for a handshake that must not be answered."""
        ...


@dataclass(frozen=True, slots=True)
class Doorman:
    """A row's handshakes with a source's secrets: the Greeter."""

    handshakes: tuple[Handshake, ...]
    known: Known = field(repr=False)

    @property
    def methods(self) -> frozenset[str]:
        return frozenset[str]().union(*(one.methods for one in self.handshakes))

    @property
    def unsigned(self) -> frozenset[str]:
        return frozenset[str]().union(*(one.methods for one in self.handshakes if not one.signed))

    def before(self, request: Request, now: float) -> Greeting | None:
        return self._first(request, (), signed=False)

    def after(self, request: Request, delivery: Delivery) -> Greeting | None:
        return self._first(request, delivery.events, signed=True)

    def _first(self, request: Request, events: Sequence[IncomingEvent], *, signed: bool) -> Greeting | None:
        for one in self.handshakes:
            if one.signed is signed and request.method in one.methods:
                greeting = one.answer(request, events, self.known)
                if greeting is not None:
                    return greeting
        return None


def plain(name: str, challenge: str, status: int = 200) -> Greeting:
    """The challenge as it came, as text. Raises Rejected for one that no sender would make."""
    return Greeting(name, Response(status, checked(challenge).encode(), (*TEXT, NOSNIFF)))


def as_json(name: str, value: Any, status: int = 200) -> Greeting:
    """An answer in JSON."""
    return Greeting(name, Response(status, compact(value), (*JSON, NOSNIFF)))


def empty(name: str, status: int = 200) -> Greeting:
    """A status and nothing else."""
    return Greeting(name, Response(status, b"", ()))


def checked(challenge: object) -> str:
    """A text short and plain enough to be sent back. Raises Rejected."""
    if (
        not isinstance(challenge, str)
        or len(challenge) > MAX_CHALLENGE
        or not _CHALLENGE.fullmatch(challenge)
    ):
        raise Rejected("malformed_body", "a challenge that is no short plain text is not sent back")
    return challenge


def has_token(presented: str | None, token: Secret) -> bool:
    """Whether the token of a handshake is the agreed one."""
    return hmac.compare_digest((presented or "").encode("utf-8", "surrogatepass"), token.reveal())


@dataclass(frozen=True, slots=True)
class EchoQuery:
    """A GET whose query holds a challenge that is sent back as text.

    Attributes:
        challenge: the name of its parameter.
        when: parameters that have to say this.
        agreed: the parameter that holds the agreed token; empty for a sender that has none. Without the user's
            `verify_token` such a handshake is refused.
    """

    challenge: str
    when: tuple[tuple[str, str], ...] = ()
    agreed: str = ""
    methods: frozenset[str] = GET
    signed: bool = False

    def answer(self, request: Request, events: Sequence[IncomingEvent], known: Known) -> Greeting | None:
        query = dict(query_pairs(request.url))
        if self.challenge not in query or any(query.get(name) != value for name, value in self.when):
            return None
        token = known.wishes.verify_token
        if self.agreed and (token is None or not has_token(query.get(self.agreed), token)):
            raise Rejected("bad_signature", f"{self.agreed} is not the verify_token of this source")
        return plain(self.challenge, query[self.challenge])


@dataclass(frozen=True, slots=True)
class EchoField:
    """A JSON body with a challenge that is sent back in JSON.

    Attributes:
        challenge: the field that holds it, and under which it goes back.
        type: a type of event that has to go with it; empty for none.
    """

    challenge: str = "challenge"
    type: str = ""
    methods: frozenset[str] = POST
    signed: bool = True

    def answer(self, request: Request, events: Sequence[IncomingEvent], known: Known) -> Greeting | None:
        if len(events) != 1 or events[0].type != self.type:
            return None
        challenge = dig(events[0].payload, steps(self.challenge))
        return as_json(self.type, {self.challenge: checked(challenge)})
