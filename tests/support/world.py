"""A small world for the flow: a clock that stands, an inbox, handlers, and a sender whose word is believed."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import re
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from hookcatch.concurrency import Asyncio
from hookcatch.core import routing
from hookcatch.core.bridge import Blocking, step
from hookcatch.core.endpoint import App, Endpoint, Policy, Tenants
from hookcatch.core.errors import HookcatchError, KeysUnavailable, LeaseLost, Rejected
from hookcatch.core.flow import process, receive
from hookcatch.core.greeting import Greeter
from hookcatch.core.keyring import KeyRef, Keys, needed
from hookcatch.core.model import Close, Delivery, IncomingEvent, Lease, Outcome, Run, StoredEvent
from hookcatch.core.ports import Inbox, Ports, Query, Retention
from hookcatch.core.wire import Request, Response
from hookcatch.inbox.memory import MemoryInbox
from hookcatch.router import Router
from hookcatch.worker import Worker

NOW = 1_700_000_000.0

Mode = Literal["blocking", "threads", "awaited"]
"""Blocking leaves; an event loop with plain handlers, which run in threads; one with async handlers."""


@dataclass
class Clock:
    """Stands still until it is moved; `tick` moves it at every look."""

    now: float = NOW
    tick: float = 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


@dataclass
class Book:
    """An observer that writes down what it is told."""

    answers: list[tuple[int, str]] = field(default_factory=list)
    attempts: list[tuple[str, str, int]] = field(default_factory=list)
    deliveries: list[Delivery | None] = field(default_factory=list)

    def delivered(
        self, *, source: str, delivery: Delivery | None, status: int, verdict: str, seconds: float
    ) -> None:
        self.answers.append((status, verdict))
        self.deliveries.append(delivery)

    def attempted(
        self, *, lease: Lease, handler: str, outcome: Outcome, attempt: int, seconds: float
    ) -> None:
        self.attempts.append((handler, outcome.state, attempt))


KEY = KeyRef("https://keys.example.com/key.pem", re.compile(r"keys\.example\.com"), form="pem")


@dataclass(frozen=True)
class Believer:
    """A verifier that believes everybody but the forger. A list is a batch. With `published` it needs a key first."""

    id_is_signed: bool = True
    published: Keys | None = None

    def verify(self, request: Request, now: float) -> Delivery:
        if self.published:
            needed(self.published, KEY)
        if request.header(b"x-forged"):
            raise Rejected("bad_signature")
        body = json.loads(request.body)
        events = tuple(
            IncomingEvent(
                id=request.header(b"x-id").decode() if request.header(b"x-id") else one["id"],
                type=one["type"],
                payload=one,
                body=json.dumps(one).encode() if isinstance(body, list) else request.body,
                occurred_at=one.get("at"),
            )
            for one in (body if isinstance(body, list) else [body])
        )
        return Delivery("believed", events, key=0, id_is_signed=self.id_is_signed)

    def precheck(self, request: Request) -> None:
        """Nothing to say."""


class Shelf:
    """Published keys: what stands in `there` can be fetched, nothing else; `fetched` says what was asked for."""

    def __init__(self) -> None:
        self.there: dict[str, bytes] = {}
        self.known: dict[str, bytes] = {}
        self.fetched: list[str] = []

    def get(self, ref: KeyRef) -> bytes | None:
        return self.known.get(ref.url)

    def fetch(self, ref: KeyRef) -> Future[None]:
        self.fetched.append(ref.url)
        answer: Future[None] = Future()
        if ref.url in self.there:
            self.known[ref.url] = self.there[ref.url]
            answer.set_result(None)
        else:
            answer.set_exception(KeysUnavailable(f"{ref.url} does not answer"))
        return answer


class World:
    """Deliver, work, and look at what came of it, in one of the colours."""

    def __init__(self, mode: Mode, inbox: Inbox | None = None, clock: Clock | None = None) -> None:
        self.mode = mode
        self.clock = clock or Clock()
        self.inbox = inbox or MemoryInbox(clock=self.clock)
        self.inbox.open()
        self.book = Book()
        self.kept: list[Lease] = []
        self.keys = Shelf()
        self.visits: list[str] = []
        self.drawn = 1.0
        self._router = Router()
        self._endpoints: dict[str, Endpoint] = {}
        self._app: App | None = None
        self._tokens = itertools.count()
        self._loop = None if mode == "blocking" else asyncio.new_event_loop()
        self._ports: Ports | None = None
        self.source()

    # what is configured

    def source(
        self,
        name: str = "shop",
        *,
        id_is_signed: bool = True,
        published: Keys | None = None,
        greeter: Greeter | None = None,
        tenants: Tenants | None = None,
        **policy: Any,
    ) -> None:
        self._endpoints[name] = Endpoint(
            name,
            f"/{name}",
            "believed",
            Believer(id_is_signed, published),
            Policy(**policy),
            data_path="data",
            greeter=greeter,
            tenants=tenants,
        )
        self._app = None

    def on(self, types: str | Iterable[str] = "*", **options: Any) -> Callable[[Any], Any]:
        register = self._router.on(types, **options)
        return lambda function: register(self._coloured(function))

    def fallback(self, **options: Any) -> Callable[[Any], Any]:
        register = self._router.fallback(**options)
        return lambda function: register(self._coloured(function))

    def _coloured(self, function: Callable[..., Any]) -> Callable[..., Any]:
        self._app = None
        if self.mode != "awaited" or asyncio.iscoroutinefunction(function):
            return function

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            return function(*args, **kwargs)

        return awaited

    def forget_handlers(self) -> None:
        """As after a deploy."""
        self._router, self._app = Router(), None

    @property
    def app(self) -> App:
        if self._app is None:
            made = [(one, one.build()) for one in self._router._registered]
            self._app = App(
                endpoints=dict(self._endpoints),
                routes=routing.build(
                    [handler for one, handler in made if not one.fallback],
                    [handler for one, handler in made if one.fallback],
                ),
                has_replies=any(handler.reply for _, handler in made),
            )
        return self._app

    @property
    def ports(self) -> Ports:
        if self._ports is None:
            self._ports = Ports(
                inbox=self.inbox,
                clock=self.clock,
                colour=Blocking() if self._loop is None else Asyncio(self._loop, 4),
                observer=self.book,
                random=lambda: self.drawn,
                token=lambda: f"token-{next(self._tokens)}",
                keep=self._keep,
                work=self._work,
                keys=self.keys,
                visit=self.visits.append,
            )
        return self._ports

    def _keep(self, lease: Lease) -> Any:
        self.kept.append(lease)
        return nullcontext()

    def _work(self, lease: Lease) -> Future[Close]:
        if self._loop is not None:
            worker = Worker(self.app, self.ports, self._loop, 4, Retention())
            return worker.adopt(lease)
        answer: Future[Close] = Future()
        try:
            answer.set_result(step(process(lease, self.app, self.ports)))
        except HookcatchError as why:
            answer.set_exception(why)
        return answer

    # what happens

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return step(coroutine) if self._loop is None else self._loop.run_until_complete(coroutine)

    def receiving(
        self, request: Request, source: str = "shop", endpoint: Endpoint | None = None
    ) -> Coroutine[Any, Any, Response]:
        return receive(request, endpoint or self.app.endpoints[source], self.app, self.ports)

    def deliver(
        self, id: str = "1", type: str = "order.created", source: str = "shop", **said: Any
    ) -> Response:
        """One delivery of one event, whose payload has `said` in it, and under `data` an order."""
        return self.run(self.receiving(letter(id, type, **said), source))

    def work(self, *, lose: bool = False) -> list[Close]:
        """What is due now, once. With `lose` the worker dies before it has done anything."""
        now = self.clock.now
        leases = self.inbox.lease(
            token=f"token-{next(self._tokens)}", limit=100, now=now, until=now + 60
        ).result()
        return [] if lose else [self.run(process(lease, self.app, self.ports)) for lease in leases]

    def lose_the_lease_of(self, id: str = "1") -> None:
        """A minute passes, and another worker takes the event over."""
        self.clock.now += 61
        self.work(lose=True)

    # what came of it

    def events(self) -> list[StoredEvent]:
        return list(self.inbox.find(Query()))

    def event(self, id: str = "1", source: str = "shop") -> StoredEvent:
        (found,) = self.inbox.find(Query(id=id, source=source))
        return found

    def state(self, id: str = "1") -> str:
        return self.event(id).state

    def runs(self, id: str = "1") -> dict[str, Run]:
        found = self.inbox.get(self.event(id).seq)
        assert found is not None
        return {run.handler.rpartition(".")[2]: run for run in found[1]}

    def close(self) -> None:
        if self._loop is not None:
            if self._ports is not None:
                self._ports.colour.close()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
        self.inbox.close()


def letter(id: str = "1", type: str = "order.created", **said: Any) -> Request:
    """A request that tells of one event."""
    payload = {"id": id, "type": type, "data": {"id": "o1", "total": "9.90"}, **said}
    return Request("POST", "", [("content-type", "application/json")], json.dumps(payload))


__all__ = ["KEY", "NOW", "Believer", "Book", "Clock", "LeaseLost", "Mode", "World", "letter"]
