"""The schemes that rows are made of: signed messages, static tokens, and nothing at all."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .encoding import HEX, Encoding
from .freshness import Moment, Timestamp
from .keys import KeyFormat, Utf8, check_strength
from .mac import Algorithm, Matcher
from .parts import BODY, Fills, Message, renderer
from .places import Place, Signatures, challenge, together
from .scheme import Bound, Match, Opened, Scheme
from .scheme import Unsigned as Unsigned


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature over a message, with a shared secret or a public key.

    Attributes:
        algorithm: what makes the signature.
        signature: where the signatures stand.
        encoding: how they are written.
        key: how the secret is written.
        message: what is signed.
        time: the signed time; None where nothing says when.
    """

    algorithm: Algorithm
    signature: Signatures
    encoding: Encoding = HEX
    key: KeyFormat = field(default_factory=Utf8)
    message: Message = (BODY,)
    time: Timestamp | None = None

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        keys = [(owner, key) for owner, secret in enumerate(secrets) for key in self.key.decode(secret)]
        distinct = {key for _, key in keys}
        if len(distinct) < len(keys):
            raise ConfigurationError("two of the secrets are the same key: drop one of them")
        owners = [owner for owner, _ in keys]
        match = self.algorithm.matcher([key for _, key in keys], self.encoding)
        if self.time is None:
            return _timeless(self, owners, match)
        return _timed(self, self.time, self.time.moment(tolerance), owners, match)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        text = b""
        for part in self.message:
            if isinstance(part, Fills):
                request = part.fill(request)
        if self.time is not None:
            request = self.time.write(request, now)
            text = self.time.unit.format(now)
        message = renderer(self.message)(request, text)
        made = [self.algorithm.sign(key, message) for key in self.key.decode(secret)]
        return self.signature.write_all(request, [self.encoding.encode(one) for one in made])

    def check_strength(self, secret: Secret) -> None:
        for key in self.key.decode(secret):
            self.algorithm.check_strength(key)


@dataclass(frozen=True, slots=True)
class Token:
    """The secret itself, sent along. It says who sends, not what: anyone who sees one request can make others."""

    place: Place
    key: KeyFormat = field(default_factory=Utf8)

    @property
    def challenge(self) -> str:
        """What a 401 asks for, in the words of `WWW-Authenticate`."""
        return challenge(self.place)

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        # Hashed, so that what is compared has one length whatever was sent.
        known = [_hashed(key) for secret in secrets for key in self.key.decode(secret)]
        read, title = self.place.reader(), self.place.title

        def check(request: Request, now: float | None) -> Match:
            presented = read(request)
            if not presented:
                raise Rejected("missing_signature", title)
            token = _hashed(presented)
            found = [position for position, key in enumerate(known) if hmac.compare_digest(key, token)]
            if not found:
                raise Rejected("bad_signature")
            return Match(found[0])

        def precheck(request: Request, now: float | None) -> None:
            if self.place.in_head:
                check(request, now)

        return Bound(check, precheck)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        return self.place.write(request, self.key.decode(secret)[0])

    def check_strength(self, secret: Secret) -> None:
        for key in self.key.decode(secret):
            check_strength(key)


@dataclass(frozen=True, slots=True)
class BySecret:
    """Several schemes of one sender, told apart by how the configured secret begins; never by the request."""

    cases: tuple[tuple[str, Scheme], ...]
    otherwise: Scheme

    def _scheme(self, secret: Secret) -> Scheme:
        text = secret.reveal()
        return next(
            (scheme for prefix, scheme in self.cases if text.startswith(prefix.encode())), self.otherwise
        )

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        groups: list[tuple[Scheme, list[int]]] = []
        for position, secret in enumerate(secrets):
            scheme = self._scheme(secret)
            known = next((positions for one, positions in groups if one is scheme), None)
            if known is None:
                groups.append((scheme, [position]))
            else:
                known.append(position)
        bound = [
            (one.bind([secrets[at] for at in places], tolerance, published), places) for one, places in groups
        ]
        return bound[0][0] if len(bound) == 1 else any_of(bound)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        return self._scheme(secret).sign(request, secret, now)

    def check_strength(self, secret: Secret) -> None:
        self._scheme(secret).check_strength(secret)


@dataclass(frozen=True, slots=True)
class Made:
    """A scheme that is made for each secret, because something of the configuration that is signed along is
    written beside the key; `make` gives the scheme and the key. Raises ConfigurationError for a bad secret.
    `like` is the scheme where it is the same for all secrets."""

    make: Callable[[Secret], tuple[Scheme, Secret]] = field(repr=False)
    like: Scheme | None = None

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        made = [self.make(secret) for secret in secrets]
        bound = [(scheme.bind([key], tolerance, published), [at]) for at, (scheme, key) in enumerate(made)]
        return any_of(bound)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        scheme, key = self.make(secret)
        return scheme.sign(request, key, now)

    def check_strength(self, secret: Secret) -> None:
        scheme, key = self.make(secret)
        scheme.check_strength(key)


def any_of(bound: Sequence[tuple[Bound, list[int]]]) -> Bound:
    """A check that any of several can pass; beside each the positions of its secrets among all."""
    opens = {
        place: (one.open, position)
        for one, places in bound
        if one.open is not None
        for position, place in enumerate(places)
    }

    def check(request: Request, now: float) -> Match:
        matches, refusals = [], []
        for one, places in bound:
            try:
                match = one.check(request, now)
            except Rejected as refusal:
                refusals.append(refusal)
            else:
                matches.append(Match(None if match.key is None else places[match.key], match.signed_at))
        if not matches:
            raise _most_telling(refusals)
        return matches[0]

    def precheck(request: Request, now: float | None) -> None:
        refusals = []
        for one, _ in bound:
            try:
                one.precheck(request, now)
            except Rejected as refusal:
                refusals.append(refusal)
        if len(refusals) == len(bound):
            raise _most_telling(refusals)

    def opened(request: Request, match: Match) -> Opened:
        if match.key not in opens:
            return Opened(request)
        open_it, position = opens[match.key]
        return open_it(request, Match(position, match.signed_at))

    return Bound(check, precheck, opened if opens else None)


def _most_telling(refusals: Sequence[Rejected]) -> Rejected:
    """That of the scheme the sender tried, if it tried one; above all that of a key which is still to be fetched."""
    tells_less = {"missing_signature": 2, "malformed_signature": 1, "unknown_key": -1}
    return min(refusals, key=lambda one: tells_less.get(one.reason, 0))


def _timed(scheme: Signed, time: Timestamp, moment: Moment, owners: Sequence[int], match: Matcher) -> Bound:
    read, render = together(scheme.signature, time.place), renderer(scheme.message)
    candidates, read_time = scheme.signature.candidates(), time.place.reader()

    def check(request: Request, now: float) -> Match:
        found, text = read(request)
        signed_at = moment(text, now)
        return Match(owners[match(render(request, text or b""), found)], signed_at)

    def precheck(request: Request, now: float | None) -> None:
        if scheme.signature.in_head:
            candidates(request)
        if time.place.in_head:
            moment(read_time(request), now)

    return Bound(check, precheck)


def _timeless(scheme: Signed, owners: Sequence[int], match: Matcher) -> Bound:
    candidates, render = scheme.signature.candidates(), renderer(scheme.message)

    def check(request: Request, now: float) -> Match:
        found = candidates(request)
        return Match(owners[match(render(request, b""), found)])

    def precheck(request: Request, now: float | None) -> None:
        if scheme.signature.in_head:
            candidates(request)

    return Bound(check, precheck)


def _hashed(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
