"""What a user builds and decorates: Hookcatch and its sources."""

from __future__ import annotations

import functools
import os
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, Unpack
from urllib.parse import quote

from .checks import check_blocking, check_handler, check_window, contradictions
from .core import routing
from .core.bridge import step
from .core.endpoint import SEGMENT, App, Endpoint
from .core.errors import ConfigurationError
from .core.keyring import Keys
from .core.model import Delivery, EventState
from .core.ports import LEASE, Clock, Inbox, Observer, Retention
from .core.secret import Secret
from .core.wire import Request
from .inbox import open_inbox
from .keyring import Published
from .observe.logs import Logs, logger
from .order import check_replies
from .providers import Provider
from .router import F, HandlerOptions, Router
from .source import SourceOptions, build_endpoint, choose_provider
from .tenants import Given, Secrets, look_up, secrets_for

if TYPE_CHECKING:
    from .doctor import Diagnosis, Limits
    from .doctor.door import Knock, Visit
    from .relay import Envelopes
    from .runtime import Runtime

DEFAULT_INBOX = "sqlite:///hookcatch.db"


@cache
def _asgi() -> Callable[..., Awaitable[None]]:
    """Imported on first use, so that importing hookcatch loads no server's half."""
    from .asgi import serve

    return serve


@dataclass(frozen=True, slots=True)
class Source:
    """A provider with this app's secrets, served at a path. Made by `Hookcatch.source`.

    Where it has several tenants, `tenant` says whose secrets are meant.
    """

    name: str
    provider: Provider
    endpoint: Endpoint
    _hooks: Hookcatch = field(repr=False)
    _given: Given | None = field(repr=False)
    _base: str
    _tolerance: float | None

    def on(self, types: str | Iterable[str], **options: Unpack[HandlerOptions]) -> Callable[[F], F]:
        """As `Hookcatch.on`, for events of this source only."""
        return self._hooks.on(types, source=self.name, **options)

    def now(self) -> float:
        """What time it is here, in seconds since the epoch."""
        return self._hooks.clock()

    def verify(self, request: Request, *, tenant: str = "") -> Delivery:
        """Only verify: no inbox, no handlers. Raises Rejected, and ConfigurationError for secrets that cannot be
        had here."""
        tenants, now = self.endpoint.tenants, self._hooks.clock()
        if tenants is None:
            return self.endpoint.verifier.verify(request, now)
        known = tenants.get(tenant, now) or tenants.put(tenant, look_up(self.name, tenants, tenant), now)
        return known.verifier.verify(request, now)

    def secrets(self, tenant: str = "") -> tuple[Secret, ...]:
        """The secrets that verify, that which signs first. Raises ConfigurationError for an unknown tenant."""
        return secrets_for(self._given, self.endpoint, tenant)

    def path(self, tenant: str = "") -> str:
        """Where it is called, below the mount. Raises ConfigurationError for a tenant's name that cannot be one."""
        tenants = self.endpoint.tenants
        if tenants is None:
            return self.endpoint.path
        return self.endpoint.path.replace(SEGMENT, quote(tenants.segment(tenant), safe=""))

    def url(self, tenant: str = "") -> str:
        """The URL to give to the sender. Raises ConfigurationError where no `public_url` is configured."""
        if not self._base:
            raise ConfigurationError(
                f'source {self.name!r}: say public_url="https://..." here or in Hookcatch(...), to have its URL'
            )
        tenants = self.endpoint.tenants
        segment = tenants.segment(tenant) if tenants else ""
        return self._base.replace(SEGMENT, quote(segment, safe=""))

    def sign(
        self,
        type: str,
        data: Any,
        *,
        id: str,
        url: str = "",
        key: str | bytes | None = None,
        tenant: str = "",
    ) -> Request:
        """The request with which the sender would tell of an event now: to test and to try out.

        Args:
            type: the event's type.
            data: its business data, as JSON values.
            id: its id, where the sender has a place for one.
            url: the URL to call, if it is signed; default the source's own.
            key: the private key, where the source knows a public one only; default the source's (first) secret.
            tenant: whose secret signs, where there are several.

        Raises:
            ConfigurationError: it cannot be signed, or not with this key.
        """
        blank = Request("POST", url or (self.url(tenant) if self.endpoint.url else ""), ())
        written = self.provider.events.write(blank, id=id, type=type, data=data)
        secret = key or (self.secrets(tenant) or (None,))[0]
        return self.provider.sign(written, secret=secret, now=self._hooks.clock())

    def door(self, url: str, knock: Knock, nonce: str) -> Visit:
        """What `doctor.door.visit` needs to look at this source through a public URL."""
        from .doctor.door import Visit

        policy, clock = self.endpoint.policy, self._hooks.clock
        return Visit(url, self.provider, self.secrets(), policy, knock, clock, nonce)

    def diagnose(
        self,
        request: Request,
        *,
        tenant: str = "",
        now: float | None = None,
        limits: Limits | None = None,
    ) -> Diagnosis:
        """Why a request is refused, and what to do about it. Nothing is kept, and nothing accepted.

        Args:
            request: as it came, with the URL that the sender called.
            tenant: whose secrets are meant, where there are several.
            now: the time at which to judge it, in seconds since the epoch; default now.
            limits: how much is tried.

        Raises:
            ConfigurationError: for secrets that cannot be had here.
        """
        from .doctor import Limits, diagnose

        others = {
            name: (source.provider, list(source.secrets()))
            for name, source in self._hooks.sources.items()
            if name != self.name and source.endpoint.tenants is None and source.secrets()
        }
        return diagnose(
            request,
            self.provider,
            list(self.secrets(tenant)) or ["unsigned"],
            now=self._hooks.clock() if now is None else now,
            others=others,
            tolerance=self._tolerance,
            published=self._hooks._keys,
            limits=limits or Limits(),
        )


class Hookcatch(Router):
    """The receiver: an ASGI app by itself, a WSGI app as `hooks.wsgi`, or a middleware in front of your own.

    Args:
        inbox: where events are kept: `sqlite:///file.db`, `memory:`, or an Inbox. Default
            `$HOOKCATCH_INBOX`, else `sqlite:///hookcatch.db`.
        public_url: the URL under which the mount is reached from outside, for schemes that sign it.
        concurrency: how many events a process works on at a time.
        worker: False for a process that only receives; run `hookcatch worker` beside it.
        retention: how long ended events are kept.
        lease: seconds until another worker takes over the event of one that died; the same in all processes.
        keys: senders' public keys: `Pinned` for a machine that fetches nothing, or `Published` with a TLS context of
            your own; default those that they publish.
        clock: seconds since the epoch.
        observer: who is told of deliveries and attempts; default the log.
    """

    def __init__(
        self,
        inbox: str | Inbox | None = None,
        *,
        public_url: str = "",
        concurrency: int = 10,
        worker: bool = True,
        retention: Retention = Retention(),
        lease: float = LEASE,
        keys: Keys | None = None,
        clock: Clock = time.time,
        observer: Observer | None = None,
    ) -> None:
        super().__init__()
        self.clock = clock
        self.concurrency = concurrency
        self._inbox = inbox or os.environ.get("HOOKCATCH_INBOX") or DEFAULT_INBOX
        self._public_url = public_url.rstrip("/")
        self.embedded = worker
        self._lease = lease
        self._retention = retention
        self._observer = observer or Logs()
        self._sources: dict[str, Source] = {}
        self._paths: dict[str, Endpoint] = {}
        self._patterns: list[tuple[re.Pattern[str], Endpoint]] = []
        self._published = keys if isinstance(keys, Published) else Published(clock)
        self._keys = keys or self._published
        self._relay: Envelopes | None = None
        self._built: App | None = None
        self._runtime: Runtime | None = None
        self._lock = threading.Lock()

    def source(
        self,
        name: str,
        provider: str | Provider | None = None,
        secret: Given | None = None,
        **options: Unpack[SourceOptions],
    ) -> Source:
        """Serve a provider at a path.

        Args:
            name: names the source, its path, and a part of every event key. Keep it.
            provider: a name from the catalogue, or a Provider of your own; default the name of the source.
            secret: the secret, or while one is being rotated a list of them; for public-key providers the
                public key. Decoded and checked now. With several tenants a dict of theirs, by name, or a function,
                plain or async, that answers a tenant's, or None.
            **options: see SourceOptions.

        Raises:
            ConfigurationError: with what to change.
        """
        self._check_open()
        if name in self._sources:
            raise ConfigurationError(f"there is a source {name!r} already; two accounts are two sources")
        known = choose_provider(
            name, provider, unsigned=options.get("unsigned", False), by_url="url_key" in options
        )
        endpoint = build_endpoint(name, known, secret, options, self._public_url, self._keys, self._learned)
        check_window(name, known, options.get("tolerance", 0.0), self._retention.key)
        if any(endpoint.path == other.endpoint.path for other in self._sources.values()):
            raise ConfigurationError(f"source {name!r}: {endpoint.path} is the path of another source")
        base = options.get("public_url") or (self._public_url and self._public_url + endpoint.path)
        source = Source(name, known, endpoint, self, secret, base, options.get("tolerance"))
        self._sources[name] = source
        if endpoint.tenants is None:
            self._paths[endpoint.path] = endpoint
        else:
            before, _, after = endpoint.path.partition(SEGMENT)
            pattern = re.compile(f"{re.escape(before)}([^/]+){re.escape(after)}/?")
            self._patterns.append((pattern, endpoint))
        return source

    def relay(
        self,
        engine: Any,
        secret: Secrets,
        *,
        patience: float = 3600.0,
        timeout: float = 10.0,
    ) -> None:
        """Have an engine do the work: what comes due is handed to it, and its workers run the handlers.

        Args:
            engine: the app of an engine that we know, `celery.Celery(...)`, or a `hookcatch.relay.Engine`.
            secret: signs what names an event to the engine's workers, the same in all processes; while it is being
                rotated a list, of which the first one signs.
            patience: seconds for which the engine is trusted with an event; one that has not come by then is handed
                over again. Longer than its queue ever gets.
            timeout: seconds in which the engine has to confirm that it has an event.

        Raises:
            ConfigurationError: with what to change.
        """
        from .relay import attach

        self._check_open()
        if self._relay is not None:
            raise ConfigurationError("there is one relay for all events, and there is one already")
        self._relay = attach(engine, self, secret, patience=patience, timeout=timeout)

    def perform(self, message: str) -> EventState | None:
        """Run the handlers of the event that a message of the relay names: what an engine's task does. Handlers of
        either colour; what they raise is recorded and tried again by us, not by the engine.

        Returns:
            The state that the event is in now; None if there was nothing to do, for the message came twice or late.

        Raises:
            ConfigurationError: the message was not signed with a secret of this relay, or there is none.
            InboxUnavailable: the engine should bring it again.
        """
        relay = self._relayed()
        return step(relay.perform(message, self.runtime().blocking(takes=False)))

    async def aperform(self, message: str) -> EventState | None:
        """`perform`, for an engine that awaits its tasks."""
        relay = self._relayed()
        return await relay.perform(message, self.runtime().in_loop(takes=False))

    def _relayed(self) -> Envelopes:
        self.build()
        if self._relay is None:
            raise ConfigurationError("a message of a relay came, and there is none: say hooks.relay(...)")
        return self._relay

    @property
    def sources(self) -> dict[str, Source]:
        """The sources, by name."""
        return dict(self._sources)

    def match(self, path: str) -> Endpoint | None:
        """The endpoint that is served at a path below the mount, with or without a slash at its end."""
        found = self._paths.get(path) or self._paths.get(path.rstrip("/") or "/")
        if found is None:
            for pattern, endpoint in self._patterns:
                called = pattern.fullmatch(path)
                if called:
                    return endpoint.at(called[1])
        return found

    def build(self, *, blocking: bool = False) -> App:
        """Check everything and freeze it; done at the first use, `blocking` where no event loop runs the
        receiver. Raises ConfigurationError."""
        if self._built is None:
            handlers = [(one, one.build()) for one in self._registered]
            for _, handler in handlers:
                check_handler(handler, self._sources, self._named_inbox())
            self._built = App(
                endpoints={name: source.endpoint for name, source in self._sources.items()},
                routes=routing.build(
                    [handler for one, handler in handlers if not one.fallback],
                    [handler for one, handler in handlers if one.fallback],
                ),
                has_replies=any(handler.reply for _, handler in handlers),
                relay=self._relay,
            )
            for name, endpoint in self._built.endpoints.items():
                check_replies(name, endpoint.policy.order, self._built.routes.of_source(name))
        if blocking:
            check_blocking(self._built)
        return self._built

    def inbox(self) -> Inbox:
        """The inbox, opened: to look into it or to replay."""
        inbox = self._named_inbox()
        inbox.open()
        return inbox

    def runtime(self) -> Runtime:
        """This process's runtime, made on first use: a forked child makes its own."""
        runtime = self._runtime
        if runtime is not None and runtime.alive:
            return runtime
        with self._lock:
            if self._runtime is None or not self._runtime.alive:
                self._runtime = self._start()
            return self._runtime

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """ASGI."""
        await _asgi()(self, scope, receive, send)

    @property
    def wsgi(self) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
        """The WSGI app: `wsgi = hooks.wsgi` at the end of the module. WSGI has no start of its own, so this is
        where everything is checked."""
        from .wsgi import serve

        self.build(blocking=True)
        return functools.partial(serve, self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Hookcatch holds secrets and cannot be pickled; import it where it is needed")

    def _named_inbox(self) -> Inbox:
        """The inbox, not opened yet."""
        if isinstance(self._inbox, str):
            self._inbox = open_inbox(self._inbox, clock=self.clock)
        return self._inbox

    def _learned(self, source: str, tenant: str) -> Secret | None:
        return self.inbox().learned(source, tenant)

    def _start(self) -> Runtime:
        from .runtime import Runtime, Settings
        from .suspicion import Suspicion

        app = self.build()
        for source in self._sources.values():
            if not source.provider.signed and source.endpoint.tenants is None:
                logger.warning("source %s is unsigned: anybody can send events to it", source.name)
            for said in contradictions(source.provider, source.endpoint.policy):
                logger.warning("source %s: %s", source.name, said)
        if self._relay is not None:
            self._relay.check(self._named_inbox())
        inbox = self.inbox()
        if not inbox.durable:
            logger.warning(
                "the inbox does not survive this process: events are lost with it, acknowledged or not"
            )
        settings = Settings(self.concurrency, self.embedded, self._retention, lease=self._lease)
        suspicion = Suspicion(
            lambda request, name, tenant, limits: self._sources[name].diagnose(
                request, tenant=tenant, limits=limits
            )
        )
        return Runtime(app, inbox, settings, self.clock, self._observer, self._published, suspicion)

    def _check_open(self) -> None:
        if self._built is not None:
            raise ConfigurationError(
                "hookcatch has started: register sources and handlers when your app is imported"
            )
