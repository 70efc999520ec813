"""Configuring a source: the user's wishes over the provider's facts over our defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypedDict, cast, get_args, get_origin, get_type_hints

from itsdangerous import Signer

from .core.endpoint import SEGMENT, Ack, Endpoint, Identity, Policy
from .core.errors import ConfigurationError
from .core.keyring import OFFLINE, Keys
from .core.networks import Networks, networks
from .core.order import Order
from .core.rows import is_credential
from .core.secret import Secret
from .order import order_of
from .probe import welcome
from .providers import Provider
from .providers import provider as row
from .providers.handshakes import Wishes
from .signing.keys import secrets_of
from .tenants import (
    Bind,
    Given,
    Learned,
    NoSecret,
    PathTenants,
    Secrets,
    by_secret,
    path_tenants,
    secrets_for,
    url_signer,
)


class SourceOptions(TypedDict, total=False):
    """How a source verifies and answers. The keys not described here are those of `Policy` and of `Order`.

    Keys:
        path: where it is served below the mount; default `/` and the source's name. A segment `{tenant}` in it names
            whose secrets verify; `secret` then is a function that looks them up, or a dict that has them.
        url_key: signs the segment, with a key of yours (or a rotation list), so that nobody finds a URL that you did
            not hand out: for senders that cannot sign, and those that bring their secret themselves.
            `Source.url(tenant)` makes the URLs. Default path: `/`, the source's name, `/{tenant}`.
        public_url: the URL that was registered with the sender, for schemes that sign it; default the
            app's `public_url` and the path. Nothing is ever taken from forwarded headers.
        tolerance: seconds that a signed timestamp may lie in the past or future; default the provider's.
        accept_loss: True to allow ack="handled" for a sender that never retries.
        unsigned: True for a sender that cannot prove who it is. Said at every start.
        networks: where the sender calls from, beside its signature and never instead of it: `["192.0.2.0/24"]`.
        proxies: how many proxies of your own add to `X-Forwarded-For` in front; default 0, the address at the socket.
        verify_token, topics, origins, confirm: for handshakes, see `providers.handshakes.Wishes`.
    """

    path: str
    url_key: Secrets
    public_url: str
    tolerance: float
    accept_loss: bool
    unsigned: bool
    networks: Iterable[str]
    proxies: int
    verify_token: str | Secret
    topics: Iterable[str]
    origins: Iterable[str]
    confirm: bool
    ack: Ack
    ack_deadline: float
    on_invalid: Literal["park", "reject"]
    on_conflict: Literal["first_wins", "reject"]
    on_replayed_content: Literal["flag", "reject", "accept"]
    revive: bool
    success: int
    max_body: int
    keep_headers: Iterable[str]
    order_by: str
    on_parked: Literal["skip", "block"]
    concurrency: int
    concurrency_key: str
    version: str
    stale: Literal["run", "skip", "refetch"]
    debounce: float


def build_endpoint(
    name: str,
    known: Provider,
    secret: Given | None,
    options: SourceOptions,
    base_url: str,
    published: Keys = OFFLINE,
    learned: Learned = lambda source, tenant: None,
) -> Endpoint:
    """A source's endpoint, checked. Raises ConfigurationError with what to change."""
    _check_options(name, options)
    path = _path(name, options)
    url = options.get("public_url") or (base_url and base_url + path)
    if known.url_is_signed and not url:
        raise ConfigurationError(
            f"source {name!r}: {known.title} signs the URL it calls; say which that is: "
            'public_url="https://..." here or in Hookcatch(...)'
        )
    if options.get("ack") == "handled" and known.facts.retry_horizon == 0 and not options.get("accept_loss"):
        raise ConfigurationError(
            f"source {name!r}: {known.title} never retries, so an event whose handler fails before the ack is lost: "
            'leave ack="stored", or say accept_loss=True'
        )
    if callable(secret) and SEGMENT not in path:
        raise ConfigurationError(
            f'source {name!r}: a function looks up the secrets of a tenant: say which, with path="/.../{SEGMENT}"'
        )
    bind = _binder(known, options, published)
    try:
        tenants: PathTenants | None = None
        owners: tuple[str, ...] = ()
        if SEGMENT in path:
            tenants = path_tenants(name, known, secret, bind, signer=_signer(name, options), learned=learned)
            identity = Identity(NoSecret(), known.greeter(None, _wishes(options, learn=tenants.learns)))
        elif isinstance(secret, Mapping):
            listed, owners = by_secret(secret)
            identity = bind(listed)
        else:
            identity = bind(secret)
        allowed = _networks(known, options)
    except ConfigurationError as why:
        raise ConfigurationError(f"source {name!r}: {why}") from None
    endpoint = Endpoint(
        name=name,
        path=path,
        provider=known.name,
        verifier=identity.verifier,
        policy=_policy(name, known, options),
        data_path=known.events.data,
        url=url if known.url_is_signed else "",
        methods=known.methods,
        greeter=identity.greeter,
        networks=allowed,
        owners=owners,
        tenants=tenants,
    )
    probed = known.signed and tenants is None
    return welcome(endpoint, secrets_for(secret, endpoint, "") if probed else ())


def _path(name: str, options: SourceOptions) -> str:
    path = "/" + options.get("path", f"{name}/{SEGMENT}" if "url_key" in options else name).strip("/")
    if path.count(SEGMENT) != path.count("{") or path.count("{") > 1 or path.count("{") != path.count("}"):
        raise ConfigurationError(
            f"source {name!r}: {path!r} may have one {SEGMENT} in it, and no other braces"
        )
    if SEGMENT in path and SEGMENT not in path.split("/"):
        raise ConfigurationError(
            f"source {name!r}: {SEGMENT} is a whole segment of a path: /.../{SEGMENT}/..."
        )
    if "url_key" in options and SEGMENT not in path:
        raise ConfigurationError(
            f"source {name!r}: url_key signs the segment {SEGMENT} of a path, which {path!r} lacks"
        )
    if SEGMENT in path and SEGMENT not in options.get("public_url", SEGMENT):
        raise ConfigurationError(f"source {name!r}: public_url has to have the {SEGMENT} of the path in it")
    return path


def _signer(name: str, options: SourceOptions) -> Signer | None:
    return url_signer(options["url_key"], name) if "url_key" in options else None


def _binder(known: Provider, options: SourceOptions, published: Keys) -> Bind:
    """What makes the identity of a tenant from its secrets; None where its sender has yet to bring one."""
    learn = known.teaches and "url_key" in options
    wishes = _wishes(options, learn=learn)

    def bind(secret: Any) -> Identity:
        if secret is None and learn:
            return Identity(NoSecret(), known.greeter(None, wishes))
        known.check_secrets(secret)
        return Identity(
            known.bind(secret, options.get("tolerance"), published), known.greeter(secret, wishes)
        )

    return bind


def choose_provider(
    name: str, given: str | Provider | None, *, unsigned: bool, by_url: bool = False
) -> Provider:
    """The row for a source. Raises ConfigurationError for one that verifies nothing, unless that is asked for, or the
    URL proves who sends."""
    known = given if isinstance(given, Provider) else row("unsigned" if unsigned else given or name)
    if not known.signed and not (unsigned or by_url):
        raise ConfigurationError(f"source {name!r} would take events from anybody: say so with unsigned=True")
    return known


def _check_options(name: str, options: SourceOptions) -> None:
    """What a type checker would have said, to those who use none: a mistyped wish must not go unheard."""
    if len(name) > MAX_NAME:
        raise ConfigurationError(f"source {name[:20]!r}...: a name has at most {MAX_NAME} characters")
    for key, value in options.items():
        if key not in SourceOptions.__annotations__:
            raise ConfigurationError(
                f"source {name!r}: there is no option {key!r}, only {', '.join(SourceOptions.__annotations__)}"
            )
        hint = _POLICY_TYPES.get(key)
        if get_origin(hint) is Literal and value not in get_args(hint):
            raise ConfigurationError(
                f"source {name!r}: {key} is one of {', '.join(get_args(hint))}, not {value!r}"
            )


def _wishes(options: SourceOptions, *, learn: bool = False) -> Wishes:
    token = options.get("verify_token")
    return Wishes(
        verify_token=None if token is None else secrets_of(token)[0],
        topics=frozenset(options.get("topics", ())),
        origins=frozenset(options.get("origins", ())),
        confirm=options.get("confirm", False),
        learn=learn,
    )


def _networks(known: Provider, options: SourceOptions) -> Networks | None:
    if "networks" not in options:
        if "proxies" in options:
            raise ConfigurationError(
                "proxies says how to read who is calling, for networks=[...]: name those too"
            )
        return None
    if not known.signed and "url_key" not in options:
        raise ConfigurationError(
            "an address proves nobody: networks come beside a signature or a secret, never instead of one"
        )
    return networks(options["networks"], options.get("proxies", 0))


def _policy(name: str, known: Provider, options: SourceOptions) -> Policy:
    """The user's wishes over the provider's facts over our defaults."""
    facts = known.facts
    deadline = facts.ack_deadline * 0.8 if facts.ack_deadline else 2.5
    wait_for_handlers = options.get("ack", "stored") != "stored"
    kept = {
        b"content-type",
        *known.events.headers(),
        *(h.lower().encode() for h in options.get("keep_headers", ())),
    }
    wanted = {key: value for key, value in options.items() if key in _ORDER_TYPES}
    policy = Policy(
        order=order_of(name, wanted, options.get("ack", "stored")),
        ack_deadline=deadline if wait_for_handlers else min(2.5, deadline),
        success=facts.success_status,
        success_body=facts.success_body.encode(),
        bad_signature=facts.bad_signature_status,
        challenge=known.challenge,
        keep_headers=tuple(sorted(name for name in kept if not is_credential(name))),
    )
    wishes = {key: value for key, value in cast("dict[str, Any]", options).items() if key in _POLICY_KEYS}
    return replace(policy, **wishes)


MAX_NAME = 200
"""Characters of a source's name: a column with an index holds it."""

_ORDER_TYPES = get_type_hints(Order)
_POLICY_TYPES = {**get_type_hints(Policy), **_ORDER_TYPES}
_POLICY_KEYS = frozenset(Policy.__dataclass_fields__) - {
    "keep_headers",
    "order",
    "bad_signature",
    "challenge",
    "success_body",
}
