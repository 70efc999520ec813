"""Senders that encrypt what they send: signed as it comes, opened once the signature is right. Needs the extra
`crypto`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hookcatch.core.errors import MissingExtra, Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.parse import parse
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .encoding import BASE64
from .json_path import dig, text_of
from .places import One, Place, Read
from .scheme import Bound, Match, Opened, Scheme

_LENGTH = 4


class Box(Protocol):
    """A key with which texts are sealed, written in base64."""

    def open(self, sealed: bytes) -> bytes:
        """What is inside. Raises Rejected, and does not say what was wrong with it."""
        ...

    def close(self, plain: bytes) -> bytes:
        """The sealed text; always the same for the same content."""
        ...


@dataclass(frozen=True, slots=True)
class LeadingIv:
    """AES-256-CBC with the initialisation vector in front: Lark."""

    key: bytes = field(repr=False)

    def open(self, sealed: bytes) -> bytes:
        raw = _raw(sealed)
        return _decrypted(self.key, raw[:16], raw[16:], 16)

    def close(self, plain: bytes) -> bytes:
        iv = _chance(self.key, plain)
        return BASE64.encode(iv + _encrypted(self.key, iv, plain, 16))


@dataclass(frozen=True, slots=True)
class ToReceiver:
    """AES-256-CBC around 16 bytes of chance, the length of the message, the message, and the id of whom it is meant
    for: WeChat and DingTalk."""

    key: bytes = field(repr=False)
    receiver: bytes

    def open(self, sealed: bytes) -> bytes:
        plain = _decrypted(self.key, self.key[:16], _raw(sealed), 32)
        start = 16 + _LENGTH
        end = start + int.from_bytes(plain[16:start], "big")
        if not start <= end <= len(plain):
            raise _unopened()
        if not hmac.compare_digest(plain[end:], self.receiver):
            raise Rejected("bad_signature", "what is sealed is meant for somebody else")
        return plain[start:end]

    def close(self, plain: bytes) -> bytes:
        framed = _chance(self.key, plain) + len(plain).to_bytes(_LENGTH, "big") + plain + self.receiver
        return BASE64.encode(_encrypted(self.key, self.key[:16], framed, 32))


@dataclass(frozen=True, slots=True)
class XmlField(One):
    """The text of an element of the XML body, by its dotted path. Needs the extra `xml`."""

    path: str

    @property
    def title(self) -> str:
        return f"{self.path} in the body"

    @property
    def in_head(self) -> bool:
        return False

    def reader(self) -> Read:
        steps = self.path.split(".")
        return lambda request: text_of(dig(parse(request.body, "xml"), steps))

    def write(self, request: Request, value: bytes) -> Request:
        """The request with this element for a body."""
        steps = [step.encode() for step in self.path.split(".")]
        before = b"".join(b"<%b>" % step for step in steps)
        after = b"".join(b"</%b>" % step for step in reversed(steps))
        return request.replace(body=before + b"<![CDATA[" + value + b"]]>" + after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A scheme over a request whose body holds its content sealed.

    Attributes:
        scheme: how the sealed request is signed.
        envelope: where in the body the content stands.
        box: what opens it.
        answer: the text of the ack for a signed request, where that has to be sealed too.
    """

    scheme: Scheme
    envelope: Place
    box: Box
    answer: Callable[[Request], bytes] | None = field(default=None, repr=False)

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        bound = self.scheme.bind(secrets, tolerance, published)
        self.box.close(b"")  # says now what is not installed
        read, title = self.envelope.reader(), self.envelope.title

        def opened(request: Request, match: Match) -> Opened:
            sealed = read(request)
            if sealed is None:
                raise Rejected("malformed_body", f"{title} is missing")
            plain = request.replace(body=self.box.open(sealed))
            return Opened(plain, None if self.answer is None else self.answer(request))

        return Bound(bound.check, bound.precheck, opened)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        sealed = self.envelope.write(request.replace(body=b""), self.box.close(request.body))
        return self.scheme.sign(sealed, secret, now)

    def check_strength(self, secret: Secret) -> None:
        self.scheme.check_strength(secret)


def _chance(key: bytes, plain: bytes) -> bytes:
    """Sixteen bytes that nobody can foresee without the key."""
    return hmac.digest(key, plain, hashlib.sha256)[:16]


def _raw(sealed: bytes) -> bytes:
    raw = BASE64.decode(sealed)
    if raw is None:
        raise _unopened()
    return raw


def _decrypted(key: bytes, iv: bytes, data: bytes, block: int) -> bytes:
    from cryptography.hazmat.primitives.padding import PKCS7

    try:
        decryptor = _aes(key, iv).decryptor()
        unpadder = PKCS7(block * 8).unpadder()
        padded = decryptor.update(data) + decryptor.finalize()
        return bytes(unpadder.update(padded) + unpadder.finalize())
    except ValueError:
        raise _unopened() from None


def _encrypted(key: bytes, iv: bytes, plain: bytes, block: int) -> bytes:
    encryptor = _aes(key, iv).encryptor()
    rest = block - len(plain) % block
    return bytes(encryptor.update(plain + bytes([rest]) * rest) + encryptor.finalize())


def _aes(key: bytes, iv: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import CBC
    except ImportError:
        raise MissingExtra("cryptography", "crypto") from None
    return Cipher(AES(key), CBC(iv))


def _unopened() -> Rejected:
    """One refusal for whatever is wrong, so that nobody learns the content from it."""
    return Rejected("malformed_body", "what is sealed cannot be opened with this key")
