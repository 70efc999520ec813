"""A detached JSON Web Signature over the body: RFC 7515, appendix F, and RFC 7797, where the body is signed as it is.
Needs the extra `crypto`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hookcatch.core.errors import Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request

from .encoding import BASE64URL
from .jose import KeySet, algorithm_of, keys_of, object_of, signing_key
from .json_path import compact
from .keys import check_strength
from .places import Header
from .scheme import Bound, Match


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachedJws:
    """`header..signature`, the body left out between the dots.

    Attributes:
        algorithm: the only one accepted.
        signature: the header it stands in.
        encoded: whether the body is signed in base64url; else as it is, and the header has to say so: `b64` false,
            among the `crit`ical names.
        key_set: where the sender publishes its keys, for a source without one of its own.
    """

    algorithm: str
    signature: Header
    encoded: bool = False
    key_set: KeySet | None = None

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        algorithm = algorithm_of(self.algorithm)
        keys = keys_of(algorithm, secrets, self.key_set, published)
        read, title = self.signature.reader(), self.signature.title

        def taken_apart(request: Request) -> tuple[bytes, Mapping[str, Any], bytes]:
            text = read(request)
            if not text:
                raise Rejected("missing_signature", title)
            first, dots, last = text.partition(b"..")
            signature = BASE64URL.decode(last)
            if not dots or not signature:
                raise Rejected("malformed_signature", "not `header..signature`")
            head = object_of(BASE64URL.decode(first))
            if head.get("alg") != self.algorithm or not self._agrees(head):
                raise Rejected("malformed_signature", f"not a {self.algorithm} signature of this kind")
            return first, head, signature

        def check(request: Request, now: float) -> Match:
            first, head, signature = taken_apart(request)
            message = first + b"." + self._payload(request)
            found = [at for at, key in enumerate(keys(head)) if algorithm.verify(message, key, signature)]
            if not found:
                raise Rejected("bad_signature")
            return Match(found[0])

        def precheck(request: Request, now: float | None) -> None:
            taken_apart(request)

        return Bound(check, precheck)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        algorithm, key = signing_key(self.algorithm, secret)
        said: dict[str, Any] = {"alg": self.algorithm}
        if not self.encoded:
            said |= {"b64": False, "crit": ["b64"]}
        first = BASE64URL.encode(compact(said))
        made = algorithm.sign(first + b"." + self._payload(request), key)
        return self.signature.write(request, first + b".." + BASE64URL.encode(made))

    def check_strength(self, secret: Secret) -> None:
        if self.algorithm.startswith("HS"):
            check_strength(secret.reveal())

    def _agrees(self, head: Mapping[str, Any]) -> bool:
        """Nothing critical is overlooked (RFC 7515, 4.1.11), and the body is signed as the row says (RFC 7797, 6)."""
        if self.encoded:
            return "crit" not in head and head.get("b64", True) is True
        return head.get("crit") == ["b64"] and head.get("b64") is False

    def _payload(self, request: Request) -> bytes:
        return BASE64URL.encode(request.body) if self.encoded else request.body
