"""What was configured, as frozen values: the policy of a source, its endpoint, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import quote

from .greeting import Greeter
from .model import Delivery
from .networks import Networks
from .order import Order
from .ports import Relay
from .routing import Routes
from .wire import Request

Ack = Literal["stored", "handled", "deadline"]

POST = frozenset({"POST"})

SEGMENT = "{tenant}"
"""Stands in a path for the segment that names the tenant."""


class Verifier(Protocol):
    """A provider row with its secrets: pure, and raises only Rejected."""

    def verify(self, request: Request, now: float) -> Delivery:
        """Everything: signature, freshness, and the events that are told."""
        ...

    def precheck(self, request: Request) -> None:
        """What can be said before the body is there: the request's body is empty."""
        ...


class Identity(NamedTuple):
    """What knows one tenant's requests: its secrets, bound."""

    verifier: Verifier
    greeter: Greeter | None


class Tenants(Protocol):
    """The tenants of one path, told apart by a segment of it. Never blocks: `resolve` is for the flow to call.

    `resolve(tenant=...)`, plain or async, looks up a tenant's secrets; None for a tenant that there is not. It may
    raise anything. `learns` says that the sender itself brings the secret, in a handshake.
    """

    resolve: Callable[..., Any]
    learns: bool

    def named(self, segment: str) -> str:
        """The tenant that a segment of the path names. Raises Rejected for one that we did not hand out."""
        ...

    def segment(self, tenant: str) -> str:
        """The segment that names a tenant. Raises ConfigurationError for a name that none can have."""
        ...

    def get(self, tenant: str, now: float) -> Identity | None:
        """What is known of a tenant; None if it has to be looked up. Raises Rejected for one that there is not."""
        ...

    def put(self, tenant: str, secrets: Any, now: float) -> Identity:
        """Bind what was looked up, and know it for a while. Raises Rejected if there is no such tenant,
        ConfigurationError if its secrets cannot be used."""
        ...

    def forget(self, tenant: str) -> None:
        """Look it up again the next time."""
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
        challenge: what a 401 asks for, in the words of `WWW-Authenticate`; empty where HTTP has none.
        max_body: bytes.
        keep_headers: names of the headers to store with the event, in lower case.
        order: how its events stand to each other.
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
    challenge: str = ""
    max_body: int = 1 << 20
    keep_headers: tuple[bytes, ...] = (b"content-type",)
    order: Order = Order()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A source, as built: what verifies, how it answers, and where in its payloads the data stands.

    `path` is where it is served, below the mount. `url` is the URL that the sender was given, for schemes
    that sign it; `""` where none does. `methods` are those of deliveries, `greeter` answers handshakes, `networks`
    are those that anything may come from.

    Of several tenants a request's is either the one whose secret verified it (`owners`: whose each secret is), or the
    one whom a segment of the path names, whose secrets `tenants` has; never what the request says otherwise.
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
    owners: tuple[str, ...] = ()
    tenants: Tenants | None = None
    segment: str = ""
    tenant: str = ""

    def at(self, segment: str) -> Endpoint:
        """As it is called at a path with this segment."""
        return replace(self, segment=segment, url=self.url.replace(SEGMENT, quote(segment, safe="")))

    def of(self, tenant: str, identity: Identity) -> Endpoint:
        """As it is for one tenant."""
        return replace(self, tenant=tenant, verifier=identity.verifier, greeter=identity.greeter)

    def owner(self, delivery: Delivery) -> str:
        """The tenant that a verified delivery is from."""
        return self.owners[delivery.key] if self.owners and delivery.key is not None else self.tenant

    @property
    def is_known(self) -> bool:
        """Whether its secrets are there: False where the tenant has yet to be found."""
        return self.tenants is None or self.tenant != ""

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
    """All endpoints, by source name, all handlers, and the engine that runs them where it is not the worker."""

    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    routes: Routes = field(default_factory=Routes)
    has_replies: bool = False
    relay: Relay | None = None

    @property
    def caps(self) -> Mapping[str, int]:
        """How many events of a source may be in work, where there is a limit."""
        caps = {name: endpoint.policy.order.cap for name, endpoint in self.endpoints.items()}
        return {name: cap for name, cap in caps.items() if cap is not None}

    def order(self, source: str) -> Order:
        """What a source wants of the order of its events."""
        endpoint = self.endpoints.get(source)
        return endpoint.policy.order if endpoint else Order()
