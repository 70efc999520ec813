"""A provider: a frozen row of facts on how a sender signs and how it behaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from hookcatch.core.endpoint import POST
from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.greeting import Greeter
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.model import Delivery
from hookcatch.core.wire import Request
from hookcatch.signing.keys import SecretInput, secrets_of
from hookcatch.signing.scheme import Check, Match, Open, Opened, Precheck, Scheme, Unsigned
from hookcatch.signing.schemes import Token

from .handshakes import Doorman, Handshake, Wishes
from .shapes import Shape

CHECKED = date(2026, 11, 25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How a sender behaves.

    Attributes:
        ack_deadline: seconds until it gives up waiting for the answer; None if it does not say.
        retry_horizon: seconds from the first try to the last; 0 if it never retries, None if unknown.
        retry_schedule: when each further try comes, in seconds after the first; empty if it never retries, None if
            unknown.
        id_survives_retry: whether a retry carries the same event id.
        bad_signature_status: the HTTP status it wants for a bad signature.
        refusal_is_final: whether it never sends again what got that.
        success_status: the HTTP status it wants for success.
        success_body: the text it gets with it; empty for a sender that takes any for a failure.
        max_body: the largest body it sends, in bytes; None if it does not say.
        disables: what makes it stop sending.
        order_guaranteed: whether events arrive in the order they happened.
        source: where the facts were read.
        checked: the day they were; None if that page was not read again. Without a `source` they are only our
            defaults, as of a row that has no sender.
        unconfirmed: the names of those for which no first-hand source was found.
    """

    ack_deadline: float | None = None
    retry_horizon: float | None = None
    retry_schedule: tuple[float, ...] | None = None
    id_survives_retry: bool | None = None
    bad_signature_status: int = 401
    refusal_is_final: bool = False
    success_status: int = 200
    success_body: str = "ok\n"
    max_body: int | None = None
    disables: str = ""
    order_guaranteed: bool = False
    source: str = ""
    checked: date | None = CHECKED
    unconfirmed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A kind of sender.

    Attributes:
        name: what configuration calls it.
        title: what people call it.
        scheme: how it signs.
        events: where id, type and data stand.
        facts: how it behaves.
        docs: the URL of its documentation on webhooks.
        id_is_signed: whether the signature covers the event id.
        body_is_signed: whether it covers the whole body.
        url_is_signed: whether it covers the URL, which then has to be configured.
        methods: the HTTP methods in which deliveries come.
        handshakes: how the endpoint proves itself to the sender.
        repeats: whether equal deliveries without ids mean different things, as a mere hint that something
            changed does: then nothing is a duplicate, not even a retry.
        confirmed: whether a first-hand source says how it signs; if not, try it before you rely on it.
    """

    name: str
    title: str
    scheme: Scheme
    events: Shape = Shape()
    facts: Facts = Facts(checked=None)
    docs: str = ""
    id_is_signed: bool = True
    body_is_signed: bool = True
    url_is_signed: bool = False
    methods: frozenset[str] = POST
    handshakes: tuple[Handshake, ...] = ()
    repeats: bool = False
    confirmed: bool = True

    @property
    def signed(self) -> bool:
        """False for a row that lets everything pass."""
        return not isinstance(self.scheme, Unsigned)

    @property
    def teaches(self) -> bool:
        """Whether the sender itself brings the secret."""
        return any(one.teaches for one in self.handshakes)

    @property
    def challenge(self) -> str:
        """What a 401 asks for, in the words of `WWW-Authenticate`; empty where HTTP has none."""
        return self.scheme.challenge if isinstance(self.scheme, Token) else ""

    def bind(
        self,
        secrets: SecretInput | Sequence[SecretInput] | None,
        tolerance: float | None = None,
        published: Keys = OFFLINE,
    ) -> Verifier:
        """Decode and check the secrets, once. `tolerance` is how many seconds a signed time may be off, either
        way; None takes the sender's own. `published` has the sender's public keys, where the secret does not.
        Raises ConfigurationError, saying what to change."""
        self.events.check_extras()
        known = () if isinstance(self.scheme, Unsigned) else secrets_of(secrets)
        bound = self.scheme.bind(known, tolerance, published)
        return Verifier(self, bound.check, bound.precheck, bound.open)

    def verify(
        self,
        request: Request,
        *,
        secret: SecretInput | Sequence[SecretInput] | None,
        now: float,
        tolerance: float | None = None,
    ) -> Delivery:
        """The verified delivery. `now` is in seconds since the epoch. Raises Rejected for whatever is wrong
        with the request, ConfigurationError for a secret that cannot be used."""
        return self.bind(secret, tolerance).verify(request, now)

    def sign(
        self, request: Request, *, secret: SecretInput | Sequence[SecretInput] | None, now: float
    ) -> Request:
        """The request as the sender would send it at `now`; of a list of secrets the first one
        signs. Raises ConfigurationError for what cannot be signed."""
        known = secrets_of(secret or "unsigned" if isinstance(self.scheme, Unsigned) else secret)
        try:
            return self.scheme.sign(request, known[0], now)
        except Rejected as refusal:
            raise ConfigurationError(f"this request cannot be signed for {self.name}: {refusal}") from None

    def greeter(
        self, secrets: SecretInput | Sequence[SecretInput] | None, wishes: Wishes = Wishes()
    ) -> Greeter | None:
        """What answers this sender's handshakes, without `secrets` those that need none; None where there are none.
        Raises ConfigurationError."""
        answered = tuple(one for one in self.handshakes if wishes.learn or not one.teaches)
        if not answered:
            return None
        known = () if secrets is None or isinstance(self.scheme, Unsigned) else secrets_of(secrets)
        return Doorman(answered, tuple(known), wishes)

    def check_secrets(self, secrets: SecretInput | Sequence[SecretInput] | None) -> None:
        """Raises ConfigurationError for a secret that is too easy to guess, or cannot be used at all."""
        if isinstance(self.scheme, Unsigned):
            return
        for secret in secrets_of(secrets):
            self.scheme.check_strength(secret)


@dataclass(frozen=True, slots=True)
class Verifier:
    """A provider bound to its secrets.

    `check(request, now)` proves who sent the request and that it is fresh, and returns a `Match`;
    `verify` reads its events too. Both raise only Rejected, whatever was sent.
    """

    provider: Provider
    check: Check = field(repr=False)
    _precheck: Precheck = field(repr=False)
    _open: Open | None = field(repr=False, default=None)

    def verify(self, request: Request, now: float) -> Delivery:
        """The verified delivery. `now` is in seconds since the epoch."""
        provider = self.provider
        try:
            match: Match = self.check(request, now)
            # Spelt out: nearly nobody encrypts, and this is on the way of every request.
            opened, ack = (request, None) if self._open is None else self._open(request, match)
            events = provider.events.read(opened)
        except Rejected as refusal:
            raise _without_frames(refusal) from None
        return Delivery(
            provider=provider.name,
            events=events,
            key=match.key,
            signed_at=match.signed_at,
            id_is_signed=provider.id_is_signed,
            repeats=provider.repeats,
            ack=ack,
        )

    def open(self, request: Request, match: Match) -> Opened:
        """The request as its events are read, once `check` has found it authentic."""
        return Opened(request) if self._open is None else self._open(request, match)

    def precheck(self, request: Request, now: float | None = None) -> None:
        """Raise Rejected for what is wrong already in the head of a request, before its body is read: a
        signature that is missing or ambiguous, a wrong token; with `now`, a stale time."""
        try:
            self._precheck(request, now)
        except Rejected as refusal:
            raise _without_frames(refusal) from None


def _without_frames(refusal: Rejected) -> Rejected:
    """What tells of an error with all its variables (error trackers do) must not find the keys in a scheme's."""
    refusal.__context__ = None
    return refusal.with_traceback(None)
