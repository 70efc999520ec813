"""Starting to speak and getting out: logging, signals, and the end of a process whose handlers will not end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

GRACE = 2.0
"""Seconds that threads get to end once everything is settled and closed."""


def speak(level: str) -> None:
    """Log to stderr."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(message)s")


def leave_soon(status: int = 0) -> None:
    """Let the interpreter end; if a handler's thread hangs it never would, so do not wait for that for long.

    The event of such a handler was given back, and another process will run it.
    """
    alarm = threading.Timer(GRACE, leave_now, (status,))
    alarm.daemon = True
    alarm.start()


def leave_now(status: int) -> None:
    """End this process, as it stands."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def stop_on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Call `stop` in the loop at the first SIGTERM or Ctrl-C; a second one ends the process at once."""
    stopping = False

    def told(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            leave_now(killed(number))
        stopping = True
        loop.call_soon_threadsafe(stop)

    for one in STOP_SIGNALS:
        signal.signal(one, told)


def killed(number: int) -> int:
    """The exit status of a process that a signal ended, as shells count it."""
    return 128 + number


def ignore(number: int, frame: FrameType | None) -> None:
    """A signal that was taken care of already."""


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
LEVELS = ("debug", "info", "warning", "error")
