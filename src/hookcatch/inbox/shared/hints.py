"""Hints between processes: whoever made events due says so, and the workers of others look at once.

That is PostgreSQL's NOTIFY, and a hint it stays: what is not heard is found at the worker's next look. It is said
after the commit that keeps events and on another connection, because commits that notify take turns in the whole
server; and one is said for all that came together.
"""

from __future__ import annotations

import logging
import secrets
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from queue import SimpleQueue
from typing import Any

from .ear import Ear

PAUSE = 0.1
"""Seconds between two hints that a process gives, and between two that it follows."""

REST = (1.0, 60.0)
"""Seconds until a connection that broke is made anew: the first time, and at most. It doubles."""

PROVE = 60.0
"""Seconds of silence after which it is found out whether the server is there still."""

PATIENCE = 5.0
"""Seconds that a fork waits for the connection to be closed."""

log: logging.Logger = logging.getLogger("hookcatch.inbox")


class Hints:
    """What an inbox says to other processes, and hears from them. Each half starts with its first use.

    Args:
        say: tells the others, and who tells it, on any connection; blocks.
        listen: opens a connection of its own to listen on; None where nobody says anything.
        heard: called from a thread of its own after somebody else gave a hint, or may have. Must not block.
    """

    def __init__(
        self, say: Callable[[str], Any], listen: Callable[[], Ear] | None, heard: Callable[[], None]
    ) -> None:
        self._say = say
        self._listen = listen
        self._heard = heard
        self._reset()

    def _reset(self) -> None:
        self._changing = threading.Lock()
        self._own = secrets.token_hex(4)
        self._teller = Teller(self._tell)
        self._listener: Listener | None = None
        self._wanted = False

    def tell(self) -> None:
        """Say that events came due. Does not wait."""
        self._teller.ring()

    def _tell(self) -> None:
        self._say(self._own)

    def hear(self, wanted: bool) -> None:
        """Listen from now on, or no more. Does not wait."""
        with self._changing:
            self._wanted = wanted
            if wanted and self._listener is None and self._listen is not None:
                self._listener = Listener(self._listen, self._own, self._heard)
            elif not wanted and self._listener is not None:
                self._listener.stop()
                self._listener = None

    def close(self) -> None:
        """Say what was not said yet, and let go of the connection. Blocks. Both can start again."""
        self._teller.close()
        self._wanted = False
        self._fall_silent(None)

    def _fall_silent(self, patience: float | None) -> None:
        with self._changing:
            listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()
            listener.join(patience)

    def before_fork(self) -> None:
        """Leave no connection open for a child to inherit."""
        self._fall_silent(PATIENCE)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self.hear(self._wanted)

    def after_fork_in_child(self) -> None:
        """Start afresh; whoever wants to hear says so again."""
        self._reset()


class Teller:
    """Says something from a thread of its own, once for all who want it said within PAUSE seconds."""

    def __init__(self, say: Callable[[], Any]) -> None:
        self._say = say
        self._reset()

    def _reset(self) -> None:
        self._queue: SimpleQueue[bool] = SimpleQueue()
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        """Have it said. One thread calls this."""
        if self._queue.empty():
            self._queue.put(True)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="hookcatch-teller", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Say what waits to be said, and end."""
        self._ends.set()
        self._queue.put(False)
        if self._thread is not None:
            self._thread.join()
        self._reset()

    def _work(self) -> None:
        while self._queue.get():
            try:
                self._say()
            except Exception as error:  # whatever it is: it was a hint
                log.debug("other processes were not told of new events: %r", error)
            self._ends.wait(PAUSE)


class Listener:
    """A thread that listens until it is stopped, and connects again when it has to."""

    def __init__(self, connect: Callable[[], Ear], own: str, heard: Callable[[], None]) -> None:
        self._connect = connect
        self._own = own
        self._heard = heard
        self._rest = 0.0
        self._may_have_missed = False
        self._stopped, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._work, name="hookcatch-listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Have it end. Does not wait."""
        self._stop.close()

    def join(self, patience: float | None) -> None:
        """Wait for its end, at most `patience` seconds."""
        self._thread.join(patience)

    def _work(self) -> None:
        with self._stopped:
            while self._goes_on():
                pass

    def _goes_on(self) -> bool:
        try:
            with closing(self._connect()) as ear:
                self._follow(ear)
        except Exception as error:  # the thread must live, and be quiet: events are found without it
            self._may_have_missed = True
            shortest, longest = REST
            self._rest = min(longest, max(shortest, 2 * self._rest))
            log.log(
                logging.INFO if self._rest == 2 * shortest else logging.DEBUG,
                "hints of other processes are not heard now, their events are looked for: %s",
                str(error).strip(),
            )
            return not self._is_stopped(self._rest)
        return False

    def _follow(self, ear: Ear) -> None:
        """Returns once it is stopped, or if there is nothing to hear."""
        if not ear.listen():
            log.info(
                "a pooler stands between this process and PostgreSQL: hints of other processes do not pass, their "
                "events are looked for"
            )
            return
        self._rest = 0.0
        if self._may_have_missed:
            self._heard()
        with selectors.DefaultSelector() as selector:
            selector.register(self._stopped, selectors.EVENT_READ)
            selector.register(ear, selectors.EVENT_READ)
            while self._stopped not in (ready := [key.fileobj for key, _ in selector.select(PROVE)]):
                if not ready:
                    ear.prove()
                if any(who != self._own for who in ear.heard()):
                    self._heard()
                    if self._is_stopped(PAUSE):
                        return

    def _is_stopped(self, within: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stopped, selectors.EVENT_READ)
            return bool(selector.select(within))
