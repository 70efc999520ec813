"""A body that is itself a signed value: `value.time.signature` of itsdangerous."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from itsdangerous import BadData, TimestampSigner
from itsdangerous.encoding import base64_encode, int_to_bytes

from hookcatch.core.errors import Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .freshness import TOLERANCE, judge, limit
from .keys import check_strength
from .scheme import Bound, Match


@dataclass(frozen=True, slots=True)
class SignedText:
    """The whole body is signed by a `TimestampSigner` with SHA-256 and `hmac` key derivation."""

    salt: bytes = b"itsdangerous.Signer"
    tolerance: float | None = TOLERANCE

    def _signer(self, secret: Secret) -> TimestampSigner:
        return TimestampSigner(
            secret.reveal(), salt=self.salt, key_derivation="hmac", digest_method=hashlib.sha256
        )

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        signers = [self._signer(secret) for secret in secrets]
        allowed = limit(self.tolerance, tolerance)

        def check(request: Request, now: float) -> Match:
            signed, _, signature = request.body.rpartition(b".")
            if not signed:
                raise Rejected("missing_signature", "the body is not value.time.signature")
            # Compared as text: the library decodes base64 loosely, so several texts would pass.
            found = [
                position
                for position, signer in enumerate(signers)
                if hmac.compare_digest(signer.get_signature(signed), signature)
            ]
            if not found:
                raise Rejected("bad_signature")
            signed_at = _signed_at(signers[found[0]], request.body)
            judge(signed_at, now, allowed)
            return Match(found[0], signed_at)

        return Bound(check)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        signed = request.body + b"." + base64_encode(int_to_bytes(int(now)))
        return request.replace(body=signed + b"." + self._signer(secret).get_signature(signed))

    def check_strength(self, secret: Secret) -> None:
        check_strength(secret.reveal())


def value_of(body: bytes) -> bytes:
    """The value in a verified body."""
    return body.rsplit(b".", 2)[0]


def _signed_at(signer: TimestampSigner, body: bytes) -> float:
    try:
        return signer.unsign(body, return_timestamp=True)[1].timestamp()
    except (BadData, ValueError, OverflowError, OSError):
        raise Rejected("malformed_timestamp", "the signed time cannot be read") from None
