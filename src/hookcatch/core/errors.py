"""Every exception of hookcatch, in one tree.

HookcatchError
├── ConfigurationError          the app is wrong: found when it is built or started
│   ├── MissingExtra            an optional library is not installed
│   └── InboxUnreachable        the store's server is away just now: found when it is opened
├── Rejected                    the request is wrong: carries a stable `reason` and a `status`
├── Invalid                     a verified payload does not have the shape that a handler asks for
├── ClientGone                  the sender closed the connection before its body was whole
├── InboxUnavailable            the store cannot keep anything now: the sender is told to come back
├── KeysUnavailable             a key cannot be fetched or looked up now: the sender is told to come back
├── LeaseLost                   another worker owns the event: nothing of ours may be written
├── Suspended                   something asynchronous was reached from synchronous code
└── Verdict                     raised by a handler to say how its run ends
    ├── Retry                   later, at a time of the handler's choice
    ├── Park                    never by itself: a person has to look
    └── Discard                 never, and that is all right
"""

from __future__ import annotations

from types import MappingProxyType

REASONS = MappingProxyType(
    {
        # who sent it
        "missing_signature": 401,
        "malformed_signature": 401,
        "bad_signature": 401,
        "unknown_key": 401,
        "unknown_tenant": 401,
        "missing_timestamp": 401,
        "malformed_timestamp": 401,
        "stale_timestamp": 401,
        "future_timestamp": 401,
        "unknown_network": 403,
        "duplicate_header": 400,
        "ambiguous_header": 400,
        "malformed_header": 400,
        # what was sent
        "malformed_id": 400,
        "malformed_body": 400,
        "invalid_payload": 422,
        "conflicting_body": 409,
        "replayed_content": 409,
        # how it was sent
        "not_found": 404,
        "method_not_allowed": 405,
        "slow_body": 408,
        "length_required": 411,
        "body_too_large": 413,
        "unsupported_encoding": 415,
        "headers_too_large": 431,
        "truncated_body": 400,
    }
)
"""Why a request is refused, and the HTTP status that says so. A sender's own wish for the status of a
bad signature (Mailgun: 406) is a fact of its provider row and wins over the 401 here."""


class HookcatchError(Exception):
    """The root of everything hookcatch raises."""


class ConfigurationError(HookcatchError):
    """The app cannot work as configured; the message says what to change."""


class MissingExtra(ConfigurationError):
    """An optional library is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is needed here: pip install 'hookcatch[{extra}]'")


class InboxUnreachable(ConfigurationError):
    """The store's server cannot be reached when the inbox is opened: its place is wrong, or it is away for now. Where
    the server answers and says no, it is a plain ConfigurationError."""


class Rejected(HookcatchError):
    """A request is refused.

    `reason` is one of `REASONS` and never changes its meaning; `status` is the HTTP status that goes
    with it; `detail` is for the receiver's own log and is never sent to the sender.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.status: int = REASONS[reason]


class Invalid(HookcatchError):
    """A verified payload does not have the shape that a handler asks for. The text is pydantic's own."""


class ClientGone(HookcatchError):
    """The sender closed the connection before its body was whole; there is nobody to answer."""


class InboxUnavailable(HookcatchError):
    """The store is unreachable, full or past its floor. `retry_after` is in seconds."""

    def __init__(self, why: str, retry_after: float = 10.0) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class RelayUnavailable(HookcatchError):
    """The engine or its broker did not confirm that it has an event. It stays ours."""


class KeysUnavailable(HookcatchError):
    """A sender's published key cannot be fetched, or a tenant's secret not looked up. `retry_after` is in seconds."""

    def __init__(self, why: str, retry_after: float = 30.0) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class LeaseLost(HookcatchError):
    """The lease ran out and another worker took the event over; this worker's result does not count."""


class Suspended(HookcatchError):
    """An async-only store or handler was used from synchronous code."""


class Verdict(HookcatchError):
    """A handler's own word on how its run ends; raise `Retry`, `Park` or `Discard`."""

    def __init__(self, why: str = "") -> None:
        super().__init__(why or type(self).__name__)
        self.why = why


class Retry(Verdict):
    """Try again. `after` is in seconds; without it the usual backoff applies. Counts as an attempt."""

    def __init__(self, why: str = "", *, after: float | None = None) -> None:
        super().__init__(why)
        self.after: float | None = None if after is None else max(0.0, float(after))


class Park(Verdict):
    """Stop trying and keep the event visible: it will not heal by waiting.

    `hookcatch events replay` runs it again.
    """


class Discard(Verdict):
    """Stop, on purpose: there is nothing to do for this event and nobody needs to look."""
