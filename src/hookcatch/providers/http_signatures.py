"""Senders that sign by RFC 9421: HTTP Message Signatures."""

from __future__ import annotations

from hookcatch.signing.freshness import TOLERANCE
from hookcatch.signing.http_signature import COMPONENTS, Algorithm, MessageSignature
from hookcatch.signing.keys import KeyFormat, Utf8

from .row import Provider
from .shapes import Path, Shape


def rfc9421(
    *,
    algorithm: Algorithm = "hmac-sha256",
    components: tuple[str, ...] = COMPONENTS,
    label: str | None = None,
    keyid: str | None = None,
    tag: str | None = None,
    key: KeyFormat = Utf8(),
    tolerance: float | None = TOLERANCE,
    events: Shape = Shape(id=Path("id"), type=Path("type")),
    name: str = "rfc9421",
) -> Provider:
    """A sender of your own that signs its requests by RFC 9421.

    Args:
        algorithm: the only one accepted.
        components: what the signature has to cover; the body, by its Content-Digest, in any case.
        label: which signature counts; by default there has to be exactly one.
        keyid, tag: what it has to say about itself.
        key: how a shared secret is written; of all other algorithms the secret is a public key in PEM.
        tolerance: seconds that its time may be off; None where it has none.
        events: where id, type and data stand.
        name: what the row is called.
    """
    scheme = MessageSignature(
        algorithm=algorithm,
        components=components,
        label=label,
        keyid=keyid,
        tag=tag,
        key=key,
        tolerance=tolerance,
    )
    return Provider(
        name=name,
        title=f"HTTP Message Signatures ({algorithm})",
        scheme=scheme,
        events=events,
        docs="https://www.rfc-editor.org/rfc/rfc9421",
        url_is_signed=any(one.startswith("@") and one != "@method" for one in components),
    )


ROWS = (rfc9421(),)
