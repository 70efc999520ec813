"""Senders that prove themselves to the proxy that ends TLS: by a client certificate (mTLS)."""

from __future__ import annotations

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.secret import Secret
from hookcatch.signing.combined import AllOf
from hookcatch.signing.places import Header, Place
from hookcatch.signing.schemes import Made, Token
from hookcatch.signing.terminated import ByteSequence, ClientCertificate
from hookcatch.signing.terminated import EscapedPem as EscapedPem
from hookcatch.signing.terminated import ForwardedClientCert as ForwardedClientCert

from .row import Provider
from .shapes import Path, Shape


def mtls(
    *,
    certificate: Place = ByteSequence(),
    word: str = "x-proxy-secret",
    verified: str = "",
    events: Shape = Shape(id=Path("id"), type=Path("type")),
    name: str = "mtls",
) -> Provider:
    """A sender of your own that shows a client certificate to your proxy.

    The secret is a word that only the proxy knows, a space, and which certificate is meant: `sha256:` and its
    fingerprint, the certificate itself in PEM, or with `verified` one of its names (`dns:...`, `uri:...`). The proxy
    has to send the word with every request, and to drop all these headers from what comes in.

    Args:
        certificate: where the proxy puts the certificate; `ByteSequence` (RFC 9440), `EscapedPem` (nginx, AWS) or
            `ForwardedClientCert` (Envoy).
        word: the header in which it sends the word.
        verified: the header in which it says `SUCCESS` once it has verified the certificate
            (`$ssl_client_verify` of nginx).
        events: where id, type and data stand.
        name: what the row is called.
    """
    proven = ClientCertificate(certificate, Header(verified.lower()) if verified else None)
    told = Token(Header(word.lower()))

    def make(secret: Secret) -> tuple[AllOf, Secret]:
        """The secret is `WORD sha256:FINGERPRINT`: a word that only the proxy knows and sends in a header, and which
        client certificate it has to pass on beside it."""
        parts = secret.reveal().split(None, 1)
        if len(parts) != 2:
            raise ConfigurationError(
                "the secret for mTLS is a word that only your proxy knows and sends along, a space, and which "
                "certificate is meant: `WORD sha256:FINGERPRINT`"
            )
        return AllOf(((told, Secret(parts[0])), (proven, Secret(parts[1])))), secret

    return Provider(
        name=name,
        title="Client certificate (mTLS), from a proxy",
        scheme=Made(make),
        events=events,
        docs="https://www.rfc-editor.org/rfc/rfc9440",
        id_is_signed=False,
        body_is_signed=False,
    )


ROWS = (mtls(),)
