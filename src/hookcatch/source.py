"""Configuring a source: the user's wishes over the provider's facts over our defaults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, TypedDict, cast, get_args, get_origin, get_type_hints

from .core.endpoint import Ack, Endpoint, Policy
from .core.errors import ConfigurationError
from .core.keyring import OFFLINE, Keys
from .core.rows import is_credential
from .core.secret import Secret
from .probe import welcome
from .providers import Provider
from .providers import provider as row
from .providers.handshakes import Wishes
from .signing.keys import secrets_of

Secrets = str | bytes | Secret | Sequence[str | bytes | Secret]


class SourceOptions(TypedDict, total=False):
    """How a source verifies and answers. The keys not described here are those of `Policy`.

    Keys:
        path: where it is served below the mount; default `/` and the source's name.
        public_url: the URL that was registered with the sender, for schemes that sign it; default the
            app's `public_url` and the path. Nothing is ever taken from forwarded headers.
        tolerance: seconds that a signed timestamp may lie in the past or future; default the provider's.
        accept_loss: True to allow ack="handled" for a sender that never retries.
        unsigned: True for a sender that cannot prove who it is. Said at every start.
        verify_token, topics, origins, confirm: for handshakes, see `providers.handshakes.Wishes`.
    """

    path: str
    public_url: str
    tolerance: float
    accept_loss: bool
    unsigned: bool
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


def build_endpoint(
    name: str,
    known: Provider,
    secret: Secrets | None,
    options: SourceOptions,
    base_url: str,
    published: Keys = OFFLINE,
) -> Endpoint:
    """A source's endpoint, checked. Raises ConfigurationError with what to change."""
    _check_options(name, options)
    path = "/" + options.get("path", name).strip("/")
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
    try:
        known.check_secrets(secret)
        verifier = known.bind(secret, options.get("tolerance"), published)
        greeter = known.greeter(secret, _wishes(options))
    except ConfigurationError as why:
        raise ConfigurationError(f"source {name!r}: {why}") from None
    endpoint = Endpoint(
        name=name,
        path=path,
        provider=known.name,
        verifier=verifier,
        policy=_policy(known, options),
        data_path=known.events.data,
        url=url if known.url_is_signed else "",
        methods=known.methods,
        greeter=greeter,
    )
    return welcome(endpoint, all_of(secret) if known.signed else ())


def choose_provider(name: str, given: str | Provider | None, *, unsigned: bool) -> Provider:
    """The row for a source. Raises ConfigurationError for one that verifies nothing, unless that is asked for."""
    known = given if isinstance(given, Provider) else row("unsigned" if unsigned else given or name)
    if not known.signed and not unsigned:
        raise ConfigurationError(f"source {name!r} would take events from anybody: say so with unsigned=True")
    return known


def all_of(secrets: Secrets | None) -> tuple[Secret, ...]:
    """The secrets of a source; that which signs comes first."""
    return () if secrets is None else tuple(secrets_of(secrets))


def _check_options(name: str, options: SourceOptions) -> None:
    """What a type checker would have said, to those who use none: a mistyped wish must not go unheard."""
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


def _wishes(options: SourceOptions) -> Wishes:
    token = options.get("verify_token")
    return Wishes(
        verify_token=None if token is None else secrets_of(token)[0],
        topics=frozenset(options.get("topics", ())),
        origins=frozenset(options.get("origins", ())),
        confirm=options.get("confirm", False),
    )


def _policy(known: Provider, options: SourceOptions) -> Policy:
    """The user's wishes over the provider's facts over our defaults."""
    facts = known.facts
    deadline = facts.ack_deadline * 0.8 if facts.ack_deadline else 2.5
    wait_for_handlers = options.get("ack", "stored") != "stored"
    kept = {
        b"content-type",
        *known.events.headers(),
        *(h.lower().encode() for h in options.get("keep_headers", ())),
    }
    policy = Policy(
        ack_deadline=deadline if wait_for_handlers else min(2.5, deadline),
        success=facts.success_status,
        success_body=facts.success_body.encode(),
        bad_signature=facts.bad_signature_status,
        keep_headers=tuple(sorted(name for name in kept if not is_credential(name))),
    )
    wishes = {key: value for key, value in cast("dict[str, Any]", options).items() if key in _POLICY_KEYS}
    return replace(policy, **wishes)


_POLICY_TYPES = get_type_hints(Policy)
_POLICY_KEYS = frozenset(Policy.__dataclass_fields__) - {"keep_headers", "bad_signature", "success_body"}
