"""What can be seen of a refused request without trying anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request

from .case import ANY_TIME, Case, Finding
from .catalogue import finding
from .places import headers_of, rows_for, signature_headers_of

Look = Callable[[Case, Rejected], Iterator[Finding]]


def body_is_gone(case: Case, why: Rejected) -> Iterator[Finding]:
    """An empty body where there was one. Without a signature it need not have been read yet."""
    if why.reason.startswith("missing_"):
        return
    promised = _promised(case.request)
    signed = case.provider.body_is_signed and why.reason in {"bad_signature", "malformed_body"}
    if not case.request.body and (promised or (promised is None and signed)):
        yield finding(
            "body_eaten",
            "the body is empty: something has read it before",
        )


def body_is_cut_off(case: Case, why: Rejected) -> Iterator[Finding]:
    """Fewer bytes than were promised, or more."""
    promised, got = _promised(case.request), len(case.request.body)
    if promised is not None and got and promised != got:
        less = "cut off" if got < promised else "changed"
        yield finding(
            "body_truncated",
            f"the body was {less} on its way: {promised} bytes were promised, {got} are here",
        )


def body_was_unpacked(case: Case, why: Rejected) -> Iterator[Finding]:
    """Compressed by the sender, unpacked by a proxy, or still packed."""
    encoding = case.request.index.get(b"content-encoding", b"").strip().lower()
    if encoding not in (b"", b"identity"):
        yield finding(
            "body_compressed",
            f"the body is labelled {encoding.decode('latin-1')}: what was signed is what was on the wire",
        )


def header_is_missing(case: Case, why: Rejected) -> Iterator[Finding]:
    """No signature where this sender puts it: renamed, of another sender, or lost."""
    if why.reason not in {"missing_signature", "missing_timestamp", "ambiguous_header"}:
        return
    ours = headers_of(case.provider.scheme)
    there = frozenset(name.decode("latin-1") for name in case.request.index)
    renamed = sorted(
        (name, other)
        for name in ours - there
        for other in there
        if other != name and other.removeprefix("http_").replace("_", "-") == name
    )
    if renamed:
        name, other = renamed[0]
        yield finding(
            "header_renamed",
            f"the header {name} arrives as {other}",
        )
    elif why.reason == "ambiguous_header":
        return
    elif others := rows_for(there, case.provider):
        yield finding(
            "wrong_provider",
            f"these are not the headers of {case.provider.title}, they look like those of {' or '.join(others[:5])}",
            f'try provider="{others[0]}"',
        )
    elif wanted := sorted(signature_headers_of(case.provider.scheme) - there):
        yield finding(
            "header_missing",
            f"the header {' or '.join(wanted)} is not there",
        )


def header_is_doubled(case: Case, why: Rejected) -> Iterator[Finding]:
    """One header twice."""
    twins = why.reason == "ambiguous_header" and why.detail.encode() in case.request.index
    if why.reason == "duplicate_header" or twins:
        yield finding(
            "header_doubled",
            f"a header that decides came more than once: {why.detail}",
        )


def time_is_off(case: Case, why: Rejected) -> Iterator[Finding]:
    """A right signature of another time."""
    if why.reason not in {"stale_timestamp", "future_timestamp"}:
        return
    try:
        signed_at = (
            case.provider.bind(list(case.secrets), ANY_TIME, case.published)
            .check(case.request, case.now)
            .signed_at
        )
    except Rejected:
        return
    off = (signed_at or case.now) - case.now
    if off > 0:
        yield finding(
            "clock_behind",
            f"the signature is right, and made {off:.0f} s in our future: the clock here is behind",
        )
    else:
        yield finding(
            "too_old",
            f"the signature is right, and {-off:.0f} s old: a late or repeated delivery, or the clock here is ahead",
        )


FACTS: tuple[Look, ...] = (
    body_is_gone,
    body_is_cut_off,
    body_was_unpacked,
    header_is_doubled,
    header_is_missing,
    time_is_off,
)


def _promised(request: Request) -> int | None:
    value = request.index.get(b"content-length", b"")
    return int(value) if value.isdigit() and len(value) < 16 else None
