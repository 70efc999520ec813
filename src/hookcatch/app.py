"""What a user builds and decorates: Hookcatch and its sources."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, Unpack

from .core import routing
from .core.endpoint import App, Endpoint
from .core.errors import ConfigurationError
from .core.handler import Handler
from .core.keyring import Keys
from .core.model import Delivery
from .core.ports import LEASE, Clock, Inbox, Observer, Retention
from .core.secret import Secret
from .core.wire import Request
from .inbox import open_inbox
from .keyring import Published
from .observe.logs import Logs, logger
from .providers import Provider
from .router import F, HandlerOptions, Router
from .source import Secrets, SourceOptions, all_of, build_endpoint, choose_provider

if TYPE_CHECKING:
    from .doctor import Diagnosis, Limits
    from .doctor.door import Knock, Visit
    from .runtime import Runtime

DEFAULT_INBOX = "sqlite:///hookcatch.db"


@cache
def _asgi() -> Callable[..., Awaitable[None]]:
    """Imported on first use, so that importing hookcatch loads no server's half."""
    from .asgi import serve

    return serve


@dataclass(frozen=True, slots=True)
class Source:
    """A provider with this app's secrets, served at a path. Made by `Hookcatch.source`."""

    name: str
    provider: Provider
    endpoint: Endpoint
    _hooks: Hookcatch = field(repr=False)
    _secrets: tuple[Secret, ...] = field(repr=False)
    _tolerance: float | None

    def on(self, types: str | Iterable[str], **options: Unpack[HandlerOptions]) -> Callable[[F], F]:
        """As `Hookcatch.on`, for events of this source only."""
        return self._hooks.on(types, source=self.name, **options)

    def verify(self, request: Request) -> Delivery:
        """Only verify: no inbox, no handlers. Raises Rejected and nothing else."""
        return self.endpoint.verifier.verify(request, self._hooks.clock())

    def sign(
        self,
        type: str,
        data: Any,
        *,
        id: str,
        url: str = "",
        key: str | bytes | None = None,
    ) -> Request:
        """The request with which the sender would tell of an event now: to test and to try out.

        Args:
            type: the event's type.
            data: its business data, as JSON values.
            id: its id, where the sender has a place for one.
            url: the URL to call, if it is signed; default the source's own.
            key: the private key, where the source knows a public one only; default the source's (first) secret.

        Raises:
            ConfigurationError: it cannot be signed, or not with this key.
        """
        blank = Request("POST", url or self.endpoint.url, ())
        written = self.provider.events.write(blank, id=id, type=type, data=data)
        return self.provider.sign(
            written, secret=key or (self._secrets or (None,))[0], now=self._hooks.clock()
        )

    def door(self, url: str, knock: Knock, nonce: str) -> Visit:
        """What `doctor.door.visit` needs to look at this source through a public URL."""
        from .doctor.door import Visit

        policy, clock = self.endpoint.policy, self._hooks.clock
        return Visit(url, self.provider, self._secrets, policy, knock, clock, nonce)

    def diagnose(
        self, request: Request, *, now: float | None = None, limits: Limits | None = None
    ) -> Diagnosis:
        """Why a request is refused, and what to do about it. Nothing is kept, and nothing accepted.

        Args:
            request: as it came, with the URL that the sender called.
            now: the time at which to judge it, in seconds since the epoch; default now.
            limits: how much is tried.
        """
        from .doctor import Limits, diagnose

        others = {
            name: (source.provider, list(source._secrets))
            for name, source in self._hooks.sources.items()
            if name != self.name and source._secrets
        }
        return diagnose(
            request,
            self.provider,
            list(self._secrets) or ["unsigned"],
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
        self._published = keys if isinstance(keys, Published) else Published(clock)
        self._keys = keys or self._published
        self._built: App | None = None
        self._runtime: Runtime | None = None
        self._lock = threading.Lock()

    def source(
        self,
        name: str,
        provider: str | Provider | None = None,
        secret: Secrets | None = None,
        **options: Unpack[SourceOptions],
    ) -> Source:
        """Serve a provider at a path.

        Args:
            name: names the source, its path, and a part of every event key. Keep it.
            provider: a name from the catalogue, or a Provider of your own; default the name of the source.
            secret: the secret, or while one is being rotated a list of them; for public-key providers the
                public key. Decoded and checked now.
            **options: see SourceOptions.

        Raises:
            ConfigurationError: with what to change.
        """
        self._check_open()
        if name in self._sources:
            raise ConfigurationError(f"there is a source {name!r} already; two accounts are two sources")
        known = choose_provider(name, provider, unsigned=options.get("unsigned", False))
        endpoint = build_endpoint(name, known, secret, options, self._public_url, self._keys)
        self._check_window(name, known, options.get("tolerance", 0.0))
        if endpoint.path in self._paths:
            raise ConfigurationError(f"source {name!r}: {endpoint.path} is the path of another source")
        source = Source(name, known, endpoint, self, all_of(secret), options.get("tolerance"))
        self._sources[name] = source
        self._paths[endpoint.path] = endpoint
        return source

    @property
    def sources(self) -> dict[str, Source]:
        """The sources, by name."""
        return dict(self._sources)

    def match(self, path: str) -> Endpoint | None:
        """The endpoint that is served at a path below the mount, with or without a slash at its end."""
        return self._paths.get(path) or self._paths.get(path.rstrip("/") or "/")

    def build(self, *, blocking: bool = False) -> App:
        """Check everything and freeze it; done at the first use, `blocking` where no event loop runs the
        receiver. Raises ConfigurationError."""
        if self._built is None:
            handlers = [(one, one.build()) for one in self._registered]
            for _, handler in handlers:
                self._check(handler)
            self._built = App(
                endpoints={name: source.endpoint for name, source in self._sources.items()},
                routes=routing.build(
                    [handler for one, handler in handlers if not one.fallback],
                    [handler for one, handler in handlers if one.fallback],
                ),
                has_replies=any(handler.reply for _, handler in handlers),
            )
        if blocking:
            _refuse_async_before_ack(self._built)
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

    def _start(self) -> Runtime:
        from .runtime import Runtime, Settings
        from .suspicion import Suspicion

        app = self.build()
        for source in self._sources.values():
            if not source.provider.signed:
                logger.warning("source %s is unsigned: anybody can send events to it", source.name)
        inbox = self.inbox()
        if not inbox.durable:
            logger.warning(
                "the inbox does not survive this process: events are lost with it, acknowledged or not"
            )
        settings = Settings(self.concurrency, self.embedded, self._retention, lease=self._lease)
        suspicion = Suspicion(
            lambda request, name, limits: self._sources[name].diagnose(request, limits=limits)
        )
        return Runtime(app, inbox, settings, self.clock, self._observer, self._published, suspicion)

    def _check_open(self) -> None:
        if self._built is not None:
            raise ConfigurationError(
                "hookcatch has started: register sources and handlers when your app is imported"
            )

    def _check_window(self, name: str, known: Provider, tolerance: float) -> None:
        """An id must be known for as long as it may come again: as a retry, or replayed from `tolerance` before
        its time to `tolerance` after it."""
        kept = self._retention.key
        for again, why in (
            (known.facts.retry_horizon or 0.0, "retries"),
            (2 * tolerance, "could be replayed"),
        ):
            if again > kept:
                raise ConfigurationError(
                    f"source {name!r}: {known.title} {why} for {again:g} s, but ids are kept for only {kept:g} s, "
                    "so a late copy would run twice: keep them longer, with Retention(key=...)"
                )

    def _check(self, handler: Handler) -> None:
        if handler.source is not None and handler.source not in self._sources:
            raise ConfigurationError(
                f"handler {handler.name}: there is no source {handler.source!r}, only "
                f"{', '.join(sorted(self._sources)) or 'none at all'}"
            )
        if handler.wants_transaction and not self._named_inbox().transactional:
            raise ConfigurationError(
                f"handler {handler.name} asks for a Transaction, which this inbox cannot give; use sqlite:///..."
            )


def _refuse_async_before_ack(app: App) -> None:
    for endpoint in app.endpoints.values():
        for handler in app.routes.of_source(endpoint.name):
            if handler.is_async and (handler.reply or endpoint.policy.ack == "handled"):
                raise ConfigurationError(
                    f"handler {handler.name} is async and has to run before the ack of {endpoint.name}, where WSGI "
                    'has no event loop: make it a plain function, use ack="deadline", or serve with ASGI'
                )
