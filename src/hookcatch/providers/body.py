"""The body and nothing else is signed: nothing says when, so only dedupe stands against a replay."""

from __future__ import annotations

from hookcatch.signing.encoding import HEX, Encoding
from hookcatch.signing.keys import KeyFormat, Utf8
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, Message
from hookcatch.signing.places import Header
from hookcatch.signing.schemes import Signed

from .row import Provider
from .shapes import Path, Shape


def of_body(
    header: str,
    *,
    prefix: str = "",
    digest: str = "sha256",
    encoding: Encoding = HEX,
    key: KeyFormat = Utf8(),
    message: Message = (BODY,),
) -> Signed:
    """HMAC in a header, over the body or what of it is signed."""
    return Signed(
        algorithm=Hmac(digest),
        signature=Header(header, prefix=prefix),
        encoding=encoding,
        key=key,
        message=message,
    )


def hmac(
    *,
    header: str = "x-signature",
    prefix: str = "",
    digest: str = "sha256",
    encoding: Encoding = HEX,
    events: Shape = Shape(id=Path("id"), type=Path("type")),
    name: str = "hmac",
) -> Provider:
    """A sender of your own that signs the body with HMAC and puts the signature in a header."""
    return Provider(
        name=name,
        title="HMAC over the body",
        scheme=of_body(header.lower(), prefix=prefix, digest=digest, encoding=encoding),
        events=events,
        docs="https://www.rfc-editor.org/rfc/rfc2104",
    )
