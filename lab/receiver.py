"""The app under test: it takes orders, and notes down each effect it had.

`uvicorn lab.receiver:hooks`, `gunicorn lab.receiver:wsgi`, `hookcatch worker lab.receiver:hooks`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from hookcatch import Event, Hookcatch, Retry, Transaction
from hookcatch.core.order import Order
from hookcatch.core.retry import Backoff
from hookcatch.inbox import open_inbox
from hookcatch.inbox.spool import Spool

from . import ledger
from .broken import broken
from .options import SECRET, Options, from_environ


def build(options: Options, wrapped: Callable[[Any], Any] = lambda inbox: inbox) -> Hookcatch:
    """The app, whole or broken on purpose, with its inbox wrapped in something."""
    clock = clock_of(options)
    inbox = wrapped(broken(options.broken, open_inbox(options.inbox_url, clock=clock)))
    spool = Spool(options.spool, disk_floor=0) if options.spool else None
    hooks = Hookcatch(
        inbox,
        spool=spool,
        concurrency=options.concurrency,
        worker=options.worker,
        lease=options.lease,
        clock=clock,
    )
    if options.order:
        register_in_order(hooks, options)
    else:
        register(hooks, options)
    return hooks


def clock_of(options: Options) -> Callable[[], float]:
    """The machine's clock, or one that is off."""
    if not options.clock:
        return time.time
    return lambda: time.time() + float(Path(options.clock).read_text() or 0)


def order_of(options: Options) -> Order:
    """What the shop wants of the order of its events."""
    version = "" if options.stale == "run" else "data.number"
    return Order(order_by="data.key", version=version, stale=cast("Any", options.stale))


def register_in_order(hooks: Hookcatch, options: Options) -> None:
    """The shop, where events of a key are in order; one in twenty fails the first time."""
    order = order_of(options)
    versions: Any = {"version": order.version, "stale": order.stale} if order.version else {}
    source = hooks.source("shop", "standard_webhooks", SECRET, order_by=order.order_by, **versions)

    @source.on("order.paid", name="note", backoff=Backoff(base=0.05, cap=0.1), max_attempts=99)
    async def note(event: Event) -> None:
        begun = f"{event.data['key']}:{event.data['number']}"
        ledger.append(options.ledger, begun, event.attempt)
        await asyncio.sleep(options.before)
        if event.attempt == 1 and random.random() < 0.05:
            raise Retry
        ledger.append(options.ledger, begun, event.attempt)


def register(hooks: Hookcatch, options: Options, **more: Any) -> None:
    """The shop, and what is done about its orders."""
    source: Any = hooks.source(
        "shop", provider="standard_webhooks", secret=SECRET, ack=options.ack, ack_deadline=5.0, **more
    )
    retry = Backoff(base=0.2, cap=1.0)
    if options.tx:

        @source.on("order.paid", name="book", backoff=retry)
        async def book(event: Event, tx: Transaction) -> None:
            await before(event, options)
            async with tx as db:
                ledger.insert(db, options, event.id, event.attempt)
            await asyncio.sleep(options.after)

    else:

        @source.on("order.paid", name="note", backoff=retry)
        def note(event: Event) -> None:
            time.sleep(options.before)
            ledger.append(options.ledger, event.id, event.attempt)
            time.sleep(options.after)


async def before(event: Event, options: Options) -> None:
    """The work before the effect; a poisonous order kills its worker."""
    if event.data.get("poison"):
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(options.before)


def __getattr__(name: str) -> Any:
    """Servers ask for the one they serve; it is built then, and checked for that kind of server."""
    if name not in ("hooks", "wsgi"):
        raise AttributeError(name)
    hooks = globals().setdefault("_hooks", None) or build(from_environ())
    globals()["_hooks"] = hooks
    return hooks.wsgi if name == "wsgi" else hooks
