"""Tenants of one path: named by a segment of it, which may be signed; their secrets looked up by the user's own code,
or brought by the sender itself.

A segment alone names a tenant and proves nothing: the secret that is looked up for it does. Where a sender can prove
nothing, or has yet to bring its secret, the segment itself is signed, so that nobody finds a path that we did not
hand out.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from itsdangerous import BadSignature, Signer

from .core.endpoint import Endpoint, Identity, Tenants
from .core.errors import ConfigurationError, Rejected
from .core.handler import is_async
from .core.model import Delivery
from .core.secret import Secret
from .core.wire import Request
from .providers import Provider
from .signing.keys import MAX_SECRETS, check_strength, secrets_of

Secrets = str | bytes | Secret | Sequence[str | bytes | Secret]
"""One secret, or while it is being rotated several."""

Lookup = Callable[[str], Secrets | Awaitable[Secrets | None] | None]
"""The secrets of a tenant; None if there is no such tenant."""

T = TypeVar("T")

Given = Secrets | Mapping[str, Secrets] | Lookup
"""What a source is told of its secrets: those of one tenant, those of each by name, or what looks them up."""

Bind = Callable[[Any], Identity]

Learned = Callable[[str, str], Secret | None]
"""The secret that a sender brought, by source and tenant."""

FRESH = 60.0
"""Seconds that secrets are used before they are looked up again: so long does one that was withdrawn still verify."""

MAX_KNOWN = 10_000
"""Tenants whose secrets are kept in memory, and names of which it is known that nobody has them; those not heard of
for the longest time go first. Whoever guesses names pushes out other guesses, and no tenants."""

MAX_NAME = 255
"""Characters of a tenant's name."""


class PathTenants:
    """The tenants of a path with a `{tenant}` in it: `core.endpoint.Tenants`.

    Args:
        resolve: looks up a tenant's secrets, called as `resolve(tenant=...)`.
        bind: makes the identity of a tenant from its secrets, None where it has none yet.
        signer: what signs the segments; None where the path names the tenant in plain words.
        learns: whether a tenant without a secret is one whose sender has yet to bring it.
    """

    def __init__(
        self,
        resolve: Callable[..., Any],
        bind: Callable[[Secrets | None], Identity],
        signer: Signer | None = None,
        *,
        learns: bool = False,
    ) -> None:
        self.resolve = resolve
        self.learns: bool = learns
        self._bind = bind
        self._signer = signer
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Identity]] = OrderedDict()
        self._missing: OrderedDict[str, tuple[float, None]] = OrderedDict()

    def named(self, segment: str) -> str:
        """The tenant that a segment names. Raises Rejected."""
        if self._signer is not None:
            try:
                return self._signer.unsign(segment).decode()
            except (BadSignature, UnicodeError):
                raise Rejected("bad_signature", "this URL is none that we handed out") from None
        if len(segment) > MAX_NAME or not segment.isprintable():
            raise Rejected("unknown_tenant", "no tenant has such a name")
        return segment

    def segment(self, tenant: str) -> str:
        """The segment that names a tenant. Raises ConfigurationError for what can be no tenant's name."""
        check_name(tenant)
        return tenant if self._signer is None else self._signer.sign(tenant).decode()

    def get(self, tenant: str, now: float) -> Identity | None:
        """What is known of a tenant; None if it has to be looked up. Raises Rejected for one that there is not."""
        with self._lock:
            since, identity = self._known.get(tenant) or self._missing.get(tenant) or (-FRESH, None)
            if not now - FRESH <= since <= now:
                return None
            if identity is None:
                raise _unknown(tenant)
            self._known.move_to_end(tenant)
            return identity

    def put(self, tenant: str, secrets: Any, now: float) -> Identity:
        """Bind what was looked up, and know it for a while. Raises Rejected if there is no such tenant,
        ConfigurationError if its secrets cannot be used."""
        if secrets is None and self.learns:
            return self._bind(None)  # not remembered: the next request may come after the secret was brought
        self.forget(tenant)
        if secrets is None:
            self._remember(self._missing, tenant, (now, None))
            raise _unknown(tenant)
        identity = self._bind(secrets)
        self._remember(self._known, tenant, (now, identity))
        return identity

    def forget(self, tenant: str) -> None:
        """Look it up again the next time."""
        with self._lock:
            self._known.pop(tenant, None)
            self._missing.pop(tenant, None)

    def _remember(self, where: OrderedDict[str, T], tenant: str, what: T) -> None:
        with self._lock:
            where[tenant] = what
            if len(where) > MAX_KNOWN:
                where.popitem(last=False)


@dataclass(frozen=True, slots=True)
class NoSecret:
    """Verifies nothing: the secret is not looked up yet, or the sender has yet to bring it."""

    def verify(self, request: Request, now: float) -> Delivery:
        raise Rejected("unknown_tenant", "its sender has not brought a secret yet")

    def precheck(self, request: Request) -> None:
        """Nothing can be said."""


def path_tenants(
    name: str,
    known: Provider,
    secret: Given | None,
    bind: Bind,
    *,
    signer: Signer | None,
    learned: Learned,
) -> PathTenants:
    """The tenants of a source whose path has a segment for them. Raises ConfigurationError."""
    if callable(secret):
        return PathTenants(_asked(secret), bind, signer)
    if isinstance(secret, Mapping):
        every = {check_name(tenant): one for tenant, one in secret.items()}
        for one in every.values():
            bind(one)
        return PathTenants(lambda *, tenant: every.get(tenant), bind, signer)
    if signer is None:
        raise ConfigurationError(
            "a path alone says nothing of who sends: give the secrets of each tenant, as a function or a dict, "
            "or sign the path with url_key=..."
        )
    if secret is None and known.signed:
        if not known.teaches:
            raise ConfigurationError(f"{known.title} does not bring its secret itself: say secret=...")
        return PathTenants(lambda *, tenant: learned(name, tenant), bind, signer, learns=True)
    shared = () if secret is None else secret
    bind(shared)
    return PathTenants(lambda *, tenant: shared, bind, signer)


def _asked(lookup: Lookup) -> Callable[..., Any]:
    """The user's function, as the flow calls it, in its own colour."""
    if is_async(lookup):

        async def resolve_async(*, tenant: str) -> Any:
            return await cast("Awaitable[Any]", lookup(tenant))

        return resolve_async

    def resolve(*, tenant: str) -> Any:
        return lookup(tenant)

    return resolve


def secrets_for(given: Given | None, endpoint: Endpoint, tenant: str) -> tuple[Secret, ...]:
    """The secrets of one tenant, that which signs first; of `""` all there are at the path. Raises ConfigurationError
    if there are none, or if they are looked up by an async function."""
    found: Any = given
    if endpoint.tenants is not None:
        found = look_up(endpoint.name, endpoint.tenants, tenant)
    elif isinstance(given, Mapping):
        found = given.get(tenant) if tenant else by_secret(given)[0]
    elif tenant:
        raise ConfigurationError(f"source {endpoint.name!r} has no tenants")
    if found is None and (tenant or endpoint.tenants is not None):
        raise ConfigurationError(f"source {endpoint.name!r} has no secrets of a tenant {tenant!r}")
    return secrets_of(found) if found else ()


def look_up(source: str, tenants: Tenants, tenant: str) -> Any:
    """What the flow would find, found here. Raises ConfigurationError if that would have to be awaited."""
    found = tenants.resolve(tenant=tenant)
    if isinstance(found, Coroutine):
        found.close()
        raise ConfigurationError(
            f"source {source!r}: an async function looks up its secrets, which cannot be awaited here"
        )
    return found


def url_signer(keys: Secrets, source: str) -> Signer:
    """What signs the URLs of a source; of several keys the first one signs. Raises ConfigurationError."""
    known = secrets_of(keys)
    for key in known:
        check_strength(key.reveal())
    return Signer(
        [key.reveal() for key in reversed(known)],  # there the last one signs
        salt=f"hookcatch.url.{source}".encode(),
        key_derivation="hmac",
        digest_method=hashlib.sha256,
    )


def by_secret(secrets: Mapping[str, Secrets]) -> tuple[tuple[Secret, ...], tuple[str, ...]]:
    """All secrets of several tenants, and whose each of them is. Raises ConfigurationError."""
    listed = [(check_name(tenant), one) for tenant, given in secrets.items() for one in secrets_of(given)]
    if len(listed) > MAX_SECRETS:
        raise ConfigurationError(
            f"{len(listed)} secrets at one path, of which at most {MAX_SECRETS} are tried: give each tenant a path "
            'of its own, with path="/.../{tenant}"'
        )
    return tuple(one for _, one in listed), tuple(tenant for tenant, _ in listed)


def check_name(tenant: str) -> str:
    """A tenant's name, as it may stand in a path. Raises ConfigurationError."""
    if (
        not isinstance(tenant, str)
        or not 0 < len(tenant) <= MAX_NAME
        or "/" in tenant
        or not tenant.isprintable()
    ):
        raise ConfigurationError(
            f"a tenant cannot be called {tenant!r}: a name has 1 to {MAX_NAME} printable characters and no slash"
        )
    return tenant


def _unknown(tenant: str) -> Rejected:
    return Rejected("unknown_tenant", f"no secrets are known for {tenant!r}")
