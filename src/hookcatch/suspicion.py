"""Why a delivery was refused, in the log: looked into seldom, away from the request's path.

Whoever floods the receiver with forgeries gets one of them looked at: a source waits a minute for the next, all
sources together rest twenty times as long as a look took, and while one is under way no other begins.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic

from .core.errors import ConfigurationError
from .core.wire import Request
from .doctor import Diagnosis, Limits
from .observe.logs import escape

EVERY = 60.0
"""Seconds from one look at a source's refusals to the next."""

REST = 20.0
"""For how many times the seconds that a look took nothing is looked at: it costs at most a twentieth of a core."""

LIMITS = Limits(trials=500, body=64 << 10, hashed=8 << 20)
"""Less than a person at a terminal would wait for: the threads that serve requests share the processor with this."""

TOLD = 3
"""Findings in one line."""

CLOSING = 5.0
"""Seconds to wait for a look when the process ends; it dies with the process otherwise."""

REASONS: frozenset[str] = frozenset(
    {
        "missing_signature",
        "malformed_signature",
        "bad_signature",
        "unknown_key",
        "missing_timestamp",
        "malformed_timestamp",
        "stale_timestamp",
        "future_timestamp",
        "duplicate_header",
        "ambiguous_header",
        "malformed_header",
        "malformed_body",
        "truncated_body",
    }
)
"""The refusals that a mistake on the way can explain."""

logger: logging.Logger = logging.getLogger("hookcatch")

Look = Callable[[Request, str, str, Limits], Diagnosis]
"""Diagnoses a request to a source, for a tenant."""


class Suspicion:
    """Looks into refusals, one at a time, in a thread of its own that lasts as long as the look.

    Args:
        look: finds out why.
        clock: seconds, from whenever.
    """

    def __init__(self, look: Look, clock: Callable[[], float] = monotonic) -> None:
        self._look = look
        self._clock = clock
        self._next: dict[str, float] = {}
        self._rest = float("-inf")
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def suspect(self, request: Request, source: str, tenant: str, reason: str) -> None:
        """Look into a refusal, soon, if it is time for one."""
        now = self._clock()
        if now < self._next.get(source, now) or now < self._rest or reason not in REASONS:
            return
        with self._lock:
            if self._closed or self._thread is not None or now < self._next.get(source, now):
                return
            self._next[source] = now + EVERY
            thread = threading.Thread(
                target=self._examine, args=(request, source, tenant), name="hookcatch-doctor", daemon=True
            )
            with suppress(RuntimeError):  # no more threads: the process has other troubles, or ends
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """Begin no more looks, and let the one under way end, if it does so soon."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            thread.join(CLOSING)

    def _examine(self, request: Request, source: str, tenant: str) -> None:
        started = self._clock()
        try:
            diagnosis = self._look(request, source, tenant, LIMITS)
            if not diagnosis.ok:
                logger.warning(
                    "%s was refused, %s",
                    source,
                    _told(diagnosis),
                    extra={
                        "hookcatch_source": source,
                        "hookcatch_verdict": escape(diagnosis.refusal),
                        "hookcatch_findings": [finding.name for finding in diagnosis.findings],
                    },
                )
        except ConfigurationError as why:  # secrets that an async function looks up: there is no loop here
            logger.debug("why a request to %s was refused is not looked into: %s", source, why)
        except Exception:  # it was only a look; whatever is wrong with it must not go unheard either
            logger.exception("why a request to %s was refused cannot be found out", source)
        finally:
            now = self._clock()
            with self._lock:
                self._rest = now + REST * (now - started)
                self._thread = None


def _told(diagnosis: Diagnosis) -> str:
    """`bad_signature: json_rewritten: the body was changed on its way: ...`."""
    return f"{escape(diagnosis.refusal)}: {'; '.join(_findings(diagnosis))}"


def _findings(diagnosis: Diagnosis) -> Iterable[str]:
    for finding in diagnosis.findings[:TOLD]:
        yield f"{finding.name} - {escape(finding.what, 400)} - {escape(finding.remedy, 400)}"
