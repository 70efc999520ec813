"""What is checked when an app is built or started: where the configuration cannot work, or goes against a fact."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from .core.endpoint import App, Policy
from .core.errors import ConfigurationError
from .core.handler import Handler, is_async
from .core.ports import Inbox
from .providers import Facts, Provider

_ANY_SUCCESS = Facts().success_status


def check_window(name: str, known: Provider, tolerance: float, kept: float) -> None:
    """An id must be known for as long as it may come again: as a retry, or replayed from `tolerance` before its time
    to `tolerance` after it. Raises ConfigurationError unless it is `kept` so long; all in seconds."""
    for again, why in ((known.facts.retry_horizon or 0.0, "retries"), (2 * tolerance, "could be replayed")):
        if again > kept:
            raise ConfigurationError(
                f"source {name!r}: {known.title} {why} for {again:g} s, but ids are kept for only {kept:g} s, "
                "so a late copy would run twice: keep them longer, with Retention(key=...)"
            )


def check_handler(handler: Handler, sources: Collection[str], inbox: Inbox) -> None:
    """Raises ConfigurationError for a handler that asks for a source, or a transaction, that there is not."""
    if handler.source is not None and handler.source not in sources:
        raise ConfigurationError(
            f"handler {handler.name}: there is no source {handler.source!r}, only "
            f"{', '.join(sorted(sources)) or 'none at all'}"
        )
    if handler.wants_transaction and not inbox.transactional:
        raise ConfigurationError(
            f"handler {handler.name} asks for a Transaction, which this inbox cannot give; use sqlite:///..."
        )


def check_blocking(app: App) -> None:
    """Raises ConfigurationError for what needs an event loop before the ack, where there is none."""
    for endpoint in app.endpoints.values():
        if endpoint.tenants is not None and is_async(endpoint.tenants.resolve):
            raise ConfigurationError(
                f"source {endpoint.name!r}: an async function looks up its secrets, and WSGI has no event loop: "
                "make it a plain one, or serve with ASGI"
            )
        for handler in app.routes.of_source(endpoint.name):
            if handler.is_async and (handler.reply or endpoint.policy.ack == "handled"):
                raise ConfigurationError(
                    f"handler {handler.name} is async and has to run before the ack of {endpoint.name}, where WSGI "
                    'has no event loop: make it a plain function, use ack="deadline", or serve with ASGI'
                )


def contradictions(known: Provider, policy: Policy) -> Iterator[str]:
    """Where a policy goes against what is known of the sender: each with the fact."""
    facts = known.facts
    if facts.ack_deadline and policy.ack_deadline > facts.ack_deadline:
        yield (
            f"ack_deadline={policy.ack_deadline:g} is later than {known.title} waits: it gives up after "
            f"{facts.ack_deadline:g} s ({facts.source})"
        )
    if facts.max_body and policy.max_body < facts.max_body:
        yield (
            f"max_body={policy.max_body} refuses what {known.title} sends: up to {facts.max_body} bytes "
            f"({facts.source})"
        )
    if policy.success != facts.success_status and facts.success_status != _ANY_SUCCESS:
        yield (
            f"success={policy.success} is not what {known.title} takes for one: it wants {facts.success_status} "
            f"({facts.source})"
        )
    if policy.ack == "handled" and facts.id_survives_retry is False:
        yield (
            f'ack="handled" leaves failures to the retries of {known.title}, which have another id each: what was '
            f"half done is not known again ({facts.source})"
        )
