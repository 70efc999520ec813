"""Requests signed by the senders' own code, published by them or made with their libraries; one file a provider."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from hookcatch import providers
from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request
from hookcatch.providers import Provider, names, provider
from hookcatch.signing.scheme import Match

HERE = Path(__file__).parent
LATER = 1_700_000_000.0


@dataclass(frozen=True)
class Vector:
    provider: str
    row: Provider
    request: Request
    secret: str
    now: float
    valid: bool
    note: str
    source: str
    proof_only: bool
    """The body is the sender's test text, not an event."""
    response: str | None
    """The text that a handshake gets; None for a delivery."""
    plaintext: str | None
    """What an encrypted delivery holds."""
    unsigned: bool
    """An example of the encryption alone."""
    tolerance: float | None

    def verified(self, request: Request | None = None) -> bool:
        verifier = self.row.bind(self.secret, self.tolerance)
        judge = verifier.check if self.proof_only else verifier.verify
        try:
            judge(request or self.request, self.now)
        except Rejected:
            return False
        return True


def load(path: Path) -> list[Vector]:
    return [vector(path.stem, json.loads(line)) for line in path.read_text().splitlines()]


def vector(name: str, row: dict) -> Vector:
    body = base64.b64decode(row["body_base64"])
    if "body_gen" in row:
        letter, _, count = row["body_gen"].partition("*")
        body = letter.encode() * int(count)
    request = Request(
        row["method"], row.get("url"), row["headers"].items() if row.get("headers") else [], body
    )
    now = LATER if row["now"] is None else row["now"]
    valid = row["valid"] and row.get("expect") != "reject_timestamp"
    return Vector(
        name,
        maker(name, row["made"]) if "made" in row else provider(name),
        request,
        row["secret"],
        now,
        valid,
        row.get("note", ""),
        row.get("source", ""),
        row.get("proof_only", False),
        row.get("expect_response"),
        row.get("expect_plaintext"),
        row.get("unsigned", False),
        row.get("tolerance"),
    )


def maker(name: str, given: dict) -> Provider:
    """The row of a standard, as a sender of one's own uses it."""
    return getattr(providers, name)(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


VECTORS = [one for path in sorted(HERE.glob("*.jsonl")) for one in load(path)]
DELIVERIES = [one for one in VECTORS if one.response is None and not one.unsigned]
HANDSHAKES = [one for one in VECTORS if one.response is not None]
ENCRYPTED = [one for one in VECTORS if one.plaintext is not None]
VALID = [one for one in DELIVERIES if one.valid]
INVALID = [one for one in DELIVERIES if not one.valid]


def title(one: Vector) -> str:
    return f"{one.provider}: {one.note or one.source}"


# What the sender leaves unsigned may change without anybody noticing.
BODY_IS_SIGNED = [
    one for one in VALID if one.row.body_is_signed and b"x-gitlab-token" not in one.request.index
]


def test_every_provider_has_a_vector() -> None:
    without = {name for name in names() if not any(one.provider == name for one in VALID)}
    assert without == {"unsigned"}


def test_every_vector_says_where_it_comes_from() -> None:
    assert [one for one in VECTORS if not one.source] == []


@pytest.mark.parametrize("one", VALID, ids=title)
def test_a_request_of_the_sender_is_verified(one: Vector) -> None:
    verifier = one.row.bind(one.secret, one.tolerance)
    assert verifier.check(one.request, one.now).key == 0
    events = () if one.proof_only else verifier.verify(one.request, one.now).events
    assert all(event.id for event in events)


@pytest.mark.parametrize("one", INVALID, ids=title)
def test_a_request_that_the_sender_would_not_send_is_rejected(one: Vector) -> None:
    assert not one.verified()


@pytest.mark.parametrize("one", HANDSHAKES, ids=title)
def test_a_handshake_of_the_sender_is_answered_as_it_wants_and_no_other(one: Vector) -> None:
    greeter = one.row.greeter(one.secret)
    assert greeter is not None
    if one.valid:
        greeting = greeter.before(one.request, one.now)
        assert greeting is not None
        assert greeting.response.body.decode() == one.response
    else:
        with pytest.raises(Rejected):
            greeter.before(one.request, one.now)


@pytest.mark.parametrize("one", ENCRYPTED, ids=title)
def test_what_the_sender_encrypted_is_read(one: Vector) -> None:
    verifier = one.row.bind(one.secret)
    match = Match(0) if one.unsigned else verifier.check(one.request, one.now)
    assert verifier.open(one.request, match).request.body.decode() == one.plaintext


@pytest.mark.parametrize("one", BODY_IS_SIGNED, ids=title)
def test_a_changed_body_is_rejected(one: Vector) -> None:
    body = one.request.body
    places = {0, len(body) // 2, len(body) - 1} if body else set()
    changed = [body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] for at in places] + [body + b" ", body[:-1]]
    accepted = [new for new in changed if new != body and one.verified(one.request.replace(body=new))]
    assert accepted == []


PROOFS = (b"signature", b"hmac", b"token", b"authorization", b"timestamp", b"mac", b"hash")


def proofs(one: Vector) -> list[int]:
    """The positions of the headers that prove something: without one of them the request is rejected."""
    headers = one.request.headers
    named = [at for at, (name, _) in enumerate(headers) if any(word in name.lower() for word in PROOFS)]
    return [
        at for at in named if not one.verified(one.request.replace(headers=headers[:at] + headers[at + 1 :]))
    ]


@pytest.mark.parametrize("one", [one for one in VALID if proofs(one)], ids=title)
def test_a_changed_signature_or_time_is_rejected(one: Vector) -> None:
    accepted = []
    for at in proofs(one):
        name, value = one.request.headers[at]
        for changed in changes_of(one, name.lower(), value):
            headers = [*one.request.headers[:at], (name, changed), *one.request.headers[at + 1 :]]
            if one.verified(one.request.replace(headers=headers)):
                accepted.append(changed)
    assert accepted == []


def changes_of(one: Vector, name: bytes, value: bytes) -> list[bytes]:
    """The value with each byte of the signature that matters changed."""
    matters = value.index(b"=") + 1 if b"=" in value[:12] else 0
    right = [at for at in range(matters, len(value)) if carries(one, name, value, at)]
    return [value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :] for at in right]


def carries(one: Vector, name: bytes, value: bytes, at: int) -> bool:
    """Whether the byte is of a signature that verified, and not of another one in the same list."""
    for between in (b", ", b" ", b",", b";", b"&"):
        if between in value:
            before = value.rfind(between, 0, at)
            start = before + len(between) if before >= 0 else 0
            end = value.find(between, at)
            item = value[start : end if end >= 0 else None]
            others = between.join(other for other in value.split(between) if other != item)
            if one.verified(one.request.with_header(name.decode(), others)):
                return False
    return True
