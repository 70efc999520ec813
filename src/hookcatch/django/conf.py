"""`settings.HOOKCATCH`, read once and strictly."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.conf import settings
from django.core import mail
from django.utils.module_loading import import_string

from hookcatch.app import Hookcatch
from hookcatch.core.errors import ConfigurationError
from hookcatch.core.ports import LEASE, Retention
from hookcatch.inbox.shared.inbox import ServerOptions
from hookcatch.inbox.spool import Spool
from hookcatch.runtime import Runtime
from hookcatch.source import SourceOptions

from .inbox import DjangoInbox, SpooledDjangoInbox
from .signals import Signals

SETTING = "HOOKCATCH"
_OF_SOURCE = frozenset({"provider", "secret", *SourceOptions.__annotations__})
_OF_RELAY = ("engine", "secret", "patience", "timeout")
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Conf:
    """What settings.HOOKCATCH may hold; its keys are these names in upper case.

    Attributes:
        sources: by name, the arguments of `Hookcatch.source` as a dict: `{"stripe": {"secret": "whsec_..."}}`.
        public_url: the URL under which the include is reached from outside, for senders that sign it:
            `https://shop.example.com/hooks`.
        database: the alias of the database that keeps the inbox. For `atomic` handlers it is that of their models.
        durability: `best_effort` to go on with a server that may lose a commit, which is refused otherwise.
        notify: tell other processes of new events, and hear of theirs, by PostgreSQL's NOTIFY.
        spool: a directory on this machine where deliveries are kept, and acknowledged, while the database is away.
        worker: whether the processes that serve also run handlers; False with `manage.py hookcatch worker` beside.
        concurrency: how many events a process works on at a time.
        lease: seconds until another worker takes over the event of one that died.
        keep_payload, keep_key: days that the payloads of ended events, and the ids that dedupe compares, are kept.
        asynchronous: True to serve by an async view, for projects under ASGI.
        relay: the arguments of `Hookcatch.relay` as a dict, to have an engine run the handlers:
            `{"engine": "shop.celery.app", "secret": "..."}`, the engine as it is or by its dotted path.
    """

    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    public_url: str = ""
    database: str = "default"
    durability: Literal["strict", "best_effort"] = "strict"
    notify: bool = True
    spool: str | os.PathLike[str] | None = None
    worker: bool = True
    concurrency: int = 10
    lease: float = LEASE
    keep_payload: float = 14.0
    keep_key: float = 90.0
    asynchronous: bool = False
    relay: Mapping[str, Any] | None = None


KEYS: tuple[str, ...] = tuple(name.upper() for name in Conf.__dataclass_fields__)


def read(given: Any) -> Conf:
    """The settings, checked. Raises ConfigurationError with what to change."""
    if not isinstance(given, Mapping):
        raise ConfigurationError(f'settings.{SETTING} is a dict: {SETTING} = {{"SOURCES": {{...}}}}')
    _refuse_unknown(given, KEYS, f"settings.{SETTING}")
    conf = Conf(**{key.lower(): value for key, value in given.items()})
    if not isinstance(conf.sources, Mapping):
        raise ConfigurationError(
            f'settings.{SETTING}["SOURCES"] is a dict of dicts, by the names of the sources'
        )
    if conf.durability not in ("strict", "best_effort"):
        raise ConfigurationError(
            f'settings.{SETTING}["DURABILITY"] is "strict" or "best_effort", not {conf.durability!r}'
        )
    if conf.relay is not None and (not isinstance(conf.relay, Mapping) or "engine" not in conf.relay):
        raise ConfigurationError(
            f'settings.{SETTING}["RELAY"] is a dict: {{"engine": "shop.celery.app", "secret": ...}}'
        )
    _refuse_unknown(conf.relay or (), _OF_RELAY, f'settings.{SETTING}["RELAY"]')
    for name, options in conf.sources.items():
        where = f'settings.{SETTING}["SOURCES"][{name!r}]'
        if not isinstance(options, Mapping):
            raise ConfigurationError(f'{where} is a dict: {{"secret": ...}}')
        _refuse_unknown(options, _OF_SOURCE, where)
    return conf


def _refuse_unknown(given: Iterable[str], known: Iterable[str], where: str) -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1, 0.5) or [
                one for one in known if one.lower() == str(key).lower()
            ]
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
            raise ConfigurationError(f"{where} has no key {key!r}: {hint}")


class ProjectHooks(Hookcatch):
    """A project's Hookcatch. In tests it runs nothing by itself: see `hookcatch.django.testing`."""

    def runtime(self) -> Runtime:
        """As `Hookcatch.runtime`."""
        self.embedded = self.embedded and not is_test()
        return super().runtime()


def is_test() -> bool:
    """Whether Django has set up its test environment, which is what puts this outbox there."""
    return hasattr(mail, "outbox")


def build(conf: Conf) -> Hookcatch:
    """The Hookcatch that the settings describe, without handlers. Raises ConfigurationError."""
    if conf.database not in settings.DATABASES:
        raise ConfigurationError(
            f'settings.{SETTING}["DATABASE"] is {conf.database!r}, but settings.DATABASES has only '
            f"{', '.join(settings.DATABASES)}"
        )

    def clock() -> float:
        return hooks.clock()

    inbox = DjangoInbox(
        conf.database,
        clock=clock,
        options=ServerOptions(conf.durability, notify=conf.notify),
        is_test=is_test,
    )
    hooks = ProjectHooks(
        inbox if conf.spool is None else SpooledDjangoInbox(inbox, Spool(conf.spool), is_test=is_test),
        public_url=conf.public_url,
        concurrency=conf.concurrency,
        worker=conf.worker,
        retention=Retention(payload=conf.keep_payload * _DAY, key=conf.keep_key * _DAY),
        lease=conf.lease,
        observer=Signals(at_once=is_test),
    )
    if conf.relay is not None:
        _relay(hooks, **conf.relay)
    for name, options in conf.sources.items():
        hooks.source(name, **options)
    return hooks


def _relay(hooks: Hookcatch, engine: Any, secret: Any = "", **options: Any) -> None:
    if isinstance(engine, str):
        try:
            engine = import_string(engine)
        except ImportError as why:
            raise ConfigurationError(f'settings.{SETTING}["RELAY"]["engine"]: {why}') from why
    hooks.relay(engine, secret, **options)
