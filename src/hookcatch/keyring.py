"""The keys that senders publish: fetched once, safely, and kept for a while.

A request can name the URL of a key, so what is fetched and from where is bounded on every side: https only, to the
hosts of the sender alone, at public addresses, without redirects, so many bytes, so many seconds, and seldom.
"""

from __future__ import annotations

import http.client
import ipaddress
import logging
import os
import re
import socket
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from .core.errors import KeysUnavailable, Rejected
from .core.keyring import KeyRef
from .core.keyring import Pinned as Pinned
from .core.ports import Clock

MAX_DOCUMENT = 256 << 10
"""Bytes of what is fetched; a set of a hundred keys has about 50 KiB."""

MAX_SECONDS = 5.0
"""For a whole fetch, from the name to the last byte."""

MAX_URLS = 64
"""How many documents are kept; those not used for the longest time go first."""

MAX_UNDER_WAY = 16
"""How many documents are fetched at a time: whoever names ever new ones must not keep the others waiting."""

MAX_VISITS = 100
"""How many visits may be waiting."""

AGAIN = 60.0
"""Seconds before a document is fetched again for a kid that is not in it, or after it could not be fetched."""

FRESH, LEAST, MOST = 3600.0, 300.0, 86400.0
"""Seconds that a document is good for: if its server does not say, and the bounds of what it may say."""

STALE = 86400.0
"""Seconds that a document is used on after that, if it cannot be fetched again."""

logger: logging.Logger = logging.getLogger("hookcatch")

T = TypeVar("T")

_MAX_AGE = re.compile(r"max-age=([0-9]{1,9})")

Dial = Callable[[str], socket.socket]
"""Connects to a host's port 443."""


class Document(NamedTuple):
    """What was fetched: the body, and how many seconds it is good for."""

    body: bytes
    max_age: float


class _KeySet(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The keys of one document."""

    keys: dict[str, bytes]
    fetched: float
    fresh: float
    """Until when it is good."""


class Published:
    """The keys that are known, and what fetches them: `Keys` and `KeyFetcher` in one.

    Args:
        clock: seconds since the epoch.
        dial: connects to a host; default to a public address of it.
        context: how TLS is checked; default by the system's authorities.
    """

    def __init__(self, clock: Clock, dial: Dial | None = None, context: ssl.SSLContext | None = None) -> None:
        self._clock = clock
        self._dial = dial or dial_public
        self._context = context
        self._lock = threading.Lock()
        self._shelves: OrderedDict[str, _Shelf] = OrderedDict()
        self._failed: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._under_way: dict[str, Future[None]] = {}
        self._visits = 0
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def get(self, ref: KeyRef) -> bytes | None:
        """The key; None if it has to be fetched. Raises Rejected("unknown_key") for a kid that was not in a document
        that is too young to be fetched again."""
        with self._lock:
            shelf = self._shelves.get(ref.url)
            if shelf is None:
                return None
            self._shelves.move_to_end(ref.url)
        now = self._clock()
        if now >= shelf.fresh:
            return None
        key = shelf.keys.get(ref.kid)
        if key is None and now < shelf.fetched + AGAIN:
            raise Rejected("unknown_key", f"{ref.kid!r} is not among the keys of its sender")
        return key

    def fetch(self, ref: KeyRef) -> Future[None]:
        """Make the key known, once for all who ask while it is under way. Fails with KeysUnavailable."""
        with self._lock:
            under_way = self._under_way.get(ref.url)
            if under_way is not None:
                return under_way
            answer: Future[None] = Future()
            until, why = self._failed.get(ref.url, (0.0, ""))
            now = self._clock()
            if now < until:
                answer.set_exception(KeysUnavailable(why, until - now))
                return answer
            if len(self._under_way) >= MAX_UNDER_WAY:
                answer.set_exception(KeysUnavailable("too many keys are asked for at a time", AGAIN))
                return answer
            self._under_way[ref.url] = answer
            pool = self._threads()
        pool.submit(self._fetch, ref, answer)
        return answer

    def visit(self, url: str) -> None:
        """Call a URL, soon, and log what came of it."""
        with self._lock:
            if self._visits >= MAX_VISITS:
                logger.warning("too many confirmations at once: %s is not called", url.partition("?")[0])
                return
            self._visits += 1
            pool = self._threads()
        pool.submit(self._visit, url)

    def close(self) -> None:
        """Let go of the threads; what is under way ends by itself."""
        with self._lock:
            if self._pool is not None and self._process == os.getpid():
                self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _threads(self) -> ThreadPoolExecutor:
        """Two threads, made on first use and again in a fork's child. Called with the lock held."""
        if self._pool is None or self._process != os.getpid():
            self._pool = ThreadPoolExecutor(2, thread_name_prefix="hookcatch-keys")
            self._process = os.getpid()
        return self._pool

    def _fetch(self, ref: KeyRef, answer: Future[None]) -> None:
        failure: KeysUnavailable | None = None
        shelf: _Shelf | None = None
        try:
            document = get(ref.url, self._dial, self._context)
            now = self._clock()
            shelf = _Shelf(keys_in(document.body, ref.form), now, now + document.max_age)
        except Exception as error:  # whatever it is, those who wait have to be told
            failure = KeysUnavailable(f"{ref.url} cannot be fetched: {error}", AGAIN)
            logger.warning("%s", failure)
        with self._lock:
            if shelf is not None:
                self._failed.pop(ref.url, None)
                _remember(self._shelves, ref.url, shelf)
            elif self._keeps_on(ref.url):
                failure = None
            else:
                _remember(self._failed, ref.url, (self._clock() + AGAIN, str(failure)))
            self._under_way.pop(ref.url, None)
        if failure is None:
            answer.set_result(None)
        else:
            answer.set_exception(failure)

    def _keeps_on(self, url: str) -> bool:
        """After a failure: whether the keys that were known are used for a while longer. The next who asks for an
        unknown one waits as long as after a success."""
        shelf, now = self._shelves.get(url), self._clock()
        if shelf is None or now >= shelf.fresh + STALE:
            return False
        self._shelves[url] = replace(shelf, fetched=now, fresh=max(shelf.fresh, now + AGAIN))
        return True

    def _visit(self, url: str) -> None:
        place = url.partition("?")[0]
        try:
            get(url, self._dial, self._context)
        except Exception as error:  # whatever it is, it has to be told
            logger.warning("%s cannot be called, so nothing is confirmed: %s", place, error)
        else:
            logger.info("confirmed at %s", place)
        finally:
            with self._lock:
                self._visits -= 1


def dial_public(host: str) -> socket.socket:
    """A connection to a public address of a host: the one that was looked at is the one that is called, whatever the
    name says a moment later (ATTACKS A14). Raises OSError."""
    found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, address in found:
        if not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global:
            raise OSError(f"{host} has an address that is not public")
        opened = socket.socket(family, kind, protocol)
        opened.settimeout(MAX_SECONDS)
        try:
            opened.connect(address)
        except OSError:
            opened.close()
        else:
            return opened
    raise OSError(f"none of the addresses of {host} answers")


def get(url: str, dial: Dial, context: ssl.SSLContext | None = None) -> Document:
    """What is at an https URL, within MAX_DOCUMENT bytes and MAX_SECONDS. Raises OSError, ValueError or HTTPException
    for anything but a 200."""
    split = urlsplit(url)
    host = split.hostname or ""
    context = context or ssl.create_default_context()
    plain = dial(host)
    line = plain.dup()  # TLS takes the socket over
    # a server that dawdles never lets a read time out
    alarm = threading.Timer(MAX_SECONDS, _hang_up, [line])
    alarm.daemon = True
    alarm.start()
    try:
        plain.settimeout(MAX_SECONDS)
        with context.wrap_socket(plain, server_hostname=host) as secured:
            connection = http.client.HTTPConnection(host)
            connection.sock = secured
            connection.request(
                "GET", split._replace(scheme="", netloc="").geturl(), headers={"accept-encoding": "identity"}
            )
            with connection.getresponse() as response:
                if response.status != http.HTTPStatus.OK:
                    raise ValueError(f"{host} answers {response.status}")
                body = response.read(MAX_DOCUMENT + 1)
                if len(body) > MAX_DOCUMENT:
                    raise ValueError(f"{host} answers more than {MAX_DOCUMENT} bytes")
                if response.length:
                    raise ValueError(f"{host} broke off")
                return Document(body, _max_age(response.getheader("cache-control", "")))
    finally:
        alarm.cancel()
        line.close()
        plain.close()


def keys_in(body: bytes, form: str) -> dict[str, bytes]:
    """The keys of a document, by kid. Raises ValueError."""
    if form == "pem":
        return {"": body.strip()}
    try:
        if form == "certificates":
            return {kid: pem.encode() for kid, pem in TypeAdapter(dict[str, str]).validate_json(body).items()}
        return {str(key.get("kid", "")): to_json(key) for key in _KeySet.model_validate_json(body).keys}
    except ValidationError:
        raise ValueError(f"it is no document of {form}") from None


def _remember(known: OrderedDict[str, T], url: str, what: T) -> None:
    known[url] = what
    known.move_to_end(url)
    while len(known) > MAX_URLS:
        known.popitem(last=False)


def _max_age(control: str) -> float:
    said = _MAX_AGE.search(control)
    return min(max(float(said[1]), LEAST), MOST) if said else FRESH


def _hang_up(line: socket.socket) -> None:
    """What reads from it at this moment gets an end or an error."""
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
