"""A connection of the inbox to Redis, which outlives the server's restarts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, parse_url
from redis.exceptions import NoScriptError
from redis.retry import Retry

from hookcatch.core.errors import ConfigurationError, HookcatchError, InboxUnavailable
from hookcatch.inbox.shared.clock import ServerClock

from .check import Verdict, look
from .lua import scripts
from .rows import Word

T = TypeVar("T")

TIMEOUT = 5.0
"""Seconds for an answer: a server that is gone has to be noticed while a sender still waits."""

log: logging.Logger = logging.getLogger("hookcatch.inbox")


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """A script, what it is told, and what its answer means.

    `lasts`: whether what it did has to be on disk before anybody hears of it.
    """

    script: str
    words: Sequence[Word]
    read: Callable[[Any], T | HookcatchError]
    lasts: bool = False

    def __call__(self, link: Link) -> T | HookcatchError:
        """Do it by itself. Raises what `run` answers or raises."""
        (answer,) = link.run([self])
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]


class Server:
    """Where a Redis is and how it is spoken to.

    Args:
        url: as redis-py takes it: `redis://user:password@host:6379/0`, `rediss://host?ssl_ca_certs=ca.pem`.
        prefix: what all keys begin with, in braces.
        strict: whether to refuse a server that may lose what it took.

    Raises:
        ConfigurationError: the URL is none that redis-py takes.
    """

    def __init__(self, url: str, prefix: str, *, strict: bool) -> None:
        self.place: str = _place(url)
        self.keys: str = f"{{{prefix}}}:"
        self.strict: bool = strict
        try:
            parsed: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
            self._make: Callable[..., Any] = parsed.pop("connection_class", Connection)
            # answers as the scripts give them; and nothing that was sent and not answered is sent again
            fixed = {"decode_responses": False, "protocol": 2, "retry": Retry(NoBackoff(), 0)}
            timeouts = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
            self._options: dict[str, Any] = {**timeouts, **parsed, **fixed}
            self.timeout: float = float(self._options["socket_timeout"])
            self._make(**self._options)
        except (TypeError, ValueError, redis.RedisError) as error:
            raise ConfigurationError(
                f"{self.place} is no Redis URL ({error}): write redis://user:password@host:6379/0"
            ) from None

    def connect(self) -> tuple[Any, Verdict]:
        """A connection, and what the server behind it is. Raises redis.RedisError."""
        connection = self._make(**self._options)
        try:
            connection.connect()
            return connection, look(lambda *words: ask(connection, *words))
        except redis.RedisError:
            connection.disconnect()
            raise

    def refusal(self, verdict: Verdict) -> str:
        """Why such a server is not taken; empty if it is."""
        if verdict.is_replica:
            return f"the Redis at {self.place} is a replica, where nothing can be written: name its master"
        if verdict.why_not and self.strict:
            return (
                f"the Redis at {self.place} may lose an event that was acknowledged: {'; '.join(verdict.why_not)}; "
                "mend it, or say that this is all right with ?durability=best_effort"
            )
        return ""


class Link:
    """What the writer speaks to: it knows no transactions, for each script is one.

    redis-py's connection alone, without its pool and its client: it belongs to one thread, and is thrown away
    whenever it is not sure that the next answer is that to the next question.
    """

    in_transaction = False

    def __init__(self, server: Server, clock: ServerClock) -> None:
        self._server = server
        self._clock = clock
        self._connection: Any | None = None
        self._scripts: dict[str, bytes] = {}
        self._waits = False

    def execute(self, sql: str) -> None:
        """At `BEGIN IMMEDIATE` see to it that there is a connection. Raises InboxUnavailable."""
        if sql != "BEGIN IMMEDIATE":
            return
        try:
            connection = self._ready()
            if self._clock.is_due():
                self._clock.measure(lambda: _seconds(ask(connection, "TIME")))
        except redis.RedisError as error:
            raise explained(error) from error

    def _ready(self) -> Any:
        if self._connection is not None and _is_gone(self._connection):
            log.info("the inbox connects again to %s", self._server.place)
            self.close()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Any:
        connection, verdict = self._server.connect()
        refusal = self._server.refusal(verdict)
        if refusal:  # it was restarted, or another one has its place now
            connection.disconnect()
            raise InboxUnavailable(refusal)
        try:
            self._teach(connection)
        except redis.RedisError:
            connection.disconnect()
            raise
        self._waits = verdict.waits
        return connection

    def _teach(self, connection: Any) -> None:
        self._scripts = {name: ask(connection, "SCRIPT", "LOAD", text) for name, text in scripts().items()}

    def run(self, steps: Sequence[Step[Any]]) -> list[Any]:
        """Do steps in order, in one way to the server and back; answers what each has come to, which may be an error.
        Raises InboxUnavailable if nobody knows what they have come to."""
        try:
            answers = self._run(steps)
        except redis.DataError:  # nothing was sent: the writer finds out whose it is
            raise
        except redis.RedisError as error:
            self.close()
            raise explained(error) from error
        return [_meaning(step, answer) for step, answer in zip(steps, answers, strict=True)]

    def _run(self, steps: Sequence[Step[Any]]) -> list[Any]:
        connection = self._connection or self._ready()
        answers = self._say(connection, steps)
        unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:  # somebody has said SCRIPT FLUSH, and nothing of these was done
            self._teach(connection)
            for place, answer in zip(
                unknown, self._say(connection, [steps[place] for place in unknown]), strict=True
            ):
                answers[place] = answer
        if any(isinstance(answer, redis.ResponseError) for answer in answers):
            self.close()  # whoever refuses may have become another: look at it again
        return answers

    def _say(self, connection: Any, steps: Sequence[Step[Any]]) -> list[Any]:
        keys = self._server.keys
        commands: list[tuple[Word, ...]] = [
            ("EVALSHA", self._scripts[step.script], 1, keys, *step.words) for step in steps
        ]
        waits = self._waits and any(step.lasts for step in steps)
        if waits:
            commands.append(("WAITAOF", 1, 0, int(self._server.timeout * 800)))
        connection.send_packed_command(connection.pack_commands(commands))
        answers = [_answer(connection) for _ in commands]
        if waits:
            _make_sure(answers.pop())
        return answers

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()


def _meaning(step: Step[Any], answer: Any) -> Any:
    """What a step has come to. It is done: what cannot be read is for whoever asked, and the others' steps are not
    done again for it."""
    if isinstance(answer, Exception):
        return explained(answer)
    try:
        return step.read(answer)
    except Exception as error:
        return error


def together(link: Link, steps: Sequence[Any]) -> list[Any]:
    """A batch of the writer's: all at once."""
    return link.run(steps)


def ask(connection: Any, *words: Word) -> Any:
    """What a server says to a command. Raises redis.RedisError."""
    connection.send_command(*words)
    return connection.read_response()


def _answer(connection: Any) -> Any:
    """What comes next; an error of one command is its answer, and the next one follows."""
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


def _make_sure(answer: Any) -> None:
    if isinstance(answer, Exception):
        raise answer
    if answer[0] < 1:
        raise redis.TimeoutError("it was not written to disk in time: WAITAOF")


def _is_gone(connection: Any) -> bool:
    """Whether the server has closed the connection meanwhile, or says what nobody asked."""
    try:
        return bool(connection.can_read(timeout=0))
    except redis.RedisError:
        return True


def _seconds(answer: Sequence[bytes]) -> float:
    return int(answer[0]) + int(answer[1]) / 1e6


def explained(error: Exception) -> Exception:
    """redis-py's errors as InboxUnavailable; any other as it is."""
    if not isinstance(error, redis.RedisError) or isinstance(error, redis.DataError):
        return error
    unavailable = InboxUnavailable(f"the inbox cannot be written or read: {str(error).strip()}")
    unavailable.__cause__ = error
    return unavailable


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
