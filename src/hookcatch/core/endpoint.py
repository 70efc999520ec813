"""What was configured, as frozen values: the policy of a source, its endpoint, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from .greeting import Greeter
from .model import Delivery
from .networks import Networks
from .routing import Routes
from .wire import Request

Ack = Literal["stored", "handled", "deadline"]

POST = frozenset({"POST"})


class Verifier(Protocol):
    """A provider row with its secrets: pure, and raises only Rejected."""

    def verify(self, request: Request, now: float) -> Delivery:
        """Everything: signature, freshness, and the events that are told."""
        ...

    def precheck(self, request: Request) -> None:
        """What can be said before the body is there: the request's body is empty."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """How a source answers; the defaults are the ones to keep.

    Attributes:
        ack: when to say 2xx: `stored`, once the event is on disk; `handled`, once its handlers are done;
            `deadline`, when they are done or when the time for the ack is nearly spent.
        ack_deadline: seconds until the answer has to be on its way.
        on_invalid: what becomes of a payload that breaks its schema: `park` it (2xx) or `reject` it (422).
        on_conflict: a known id with another body: `first_wins` (2xx) or `reject` (409).
        on_replayed_content: known content under a new, unsigned id: `flag` it, `reject` it (409) or `accept` it.
        revive: whether the sender's own resend gives a dead event a fresh series of attempts.
        success, success_body: the status and the text of the ack.
        bad_signature: the status that this sender wants to see for one.
        max_body: bytes.
        keep_headers: names of the headers to store with the event, in lower case.
    """

    ack: Ack = "stored"
    ack_deadline: float = 2.5
    on_invalid: Literal["park", "reject"] = "park"
    on_conflict: Literal["first_wins", "reject"] = "first_wins"
    on_replayed_content: Literal["flag", "reject", "accept"] = "flag"
    revive: bool = True
    success: int = 200
    success_body: bytes = b"ok\n"
    bad_signature: int = 401
    max_body: int = 1 << 20
    keep_headers: tuple[bytes, ...] = (b"content-type",)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A source, as built: what verifies, how it answers, and where in its payloads the data stands.

    `path` is where it is served, below the mount. `url` is the URL that the sender was given, for schemes
    that sign it; `""` where none does. `methods` are those of deliveries, `greeter` answers handshakes, `networks`
    are those that anything may come from.
    """

    name: str
    path: str
    provider: str
    verifier: Verifier
    policy: Policy = field(default_factory=Policy)
    data_path: str = ""
    url: str = ""
    methods: frozenset[str] = POST
    greeter: Greeter | None = None
    networks: Networks | None = None

    @property
    def allowed(self) -> frozenset[str]:
        """Every HTTP method that may come: deliveries and handshakes."""
        return self.methods | self.greeter.methods if self.greeter else self.methods

    def answering(self, delivery: Delivery) -> Endpoint:
        """This endpoint, answering as one delivery wants it."""
        if delivery.ack is None:
            return self
        return replace(self, policy=replace(self.policy, success_body=delivery.ack))

    def called(self, query: str) -> str:
        """The URL that the sender called, as far as it is needed: some sign all of it, some put their proof in
        the query. The query is the one that came; the rest is never taken from the request."""
        return f"{self.url.partition('?')[0]}?{query}" if query else self.url


@dataclass(frozen=True, slots=True)
class App:
    """All endpoints, by source name, and all handlers."""

    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    routes: Routes = field(default_factory=Routes)
    has_replies: bool = False
