"""Senders that sign a canonical form of the request: its method, path, query, some of its headers."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing import keys
from hookcatch.signing.certified import Certified
from hookcatch.signing.encoding import BASE64
from hookcatch.signing.freshness import MILLISECONDS, RFC3339, Timestamp
from hookcatch.signing.jwt import Jwt
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, METHOD, TIME, Message, Nonce, Render
from hookcatch.signing.places import FirstOf, Header, Query
from hookcatch.signing.public_key import Rsa
from hookcatch.signing.scheme import Bound
from hookcatch.signing.schemes import Made, Signed

from .row import Facts, Provider
from .shapes import Head, Occurred, Path, Shape

MAX_HEADERS = 64


def _url(request: Request) -> str:
    if not request.url:
        raise Rejected("bad_signature", "the sender signs the URL, and it is not known: set public_url")
    return request.url


@dataclass(frozen=True, slots=True)
class QueryHash:
    """Atlassian's `qsh`: the SHA-256 of method, path and sorted query. The app's base URL is its host.

    https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/
    """

    name: str = "qsh"

    def value(self, request: Request) -> bytes:
        try:
            parts = urlsplit(_url(request))
            query = parse_qs(parts.query, keep_blank_values=True, max_num_fields=1000)
        except ValueError:
            raise Rejected("bad_signature", "the URL cannot be read") from None
        path = "/" + parts.path.strip("/").replace("&", "%26")
        # Values are sorted as they are, not as they are quoted: Atlassian's own order.
        pairs = sorted(
            (quote(name, "~"), ",".join(quote(value, "~") for value in sorted(values)))
            for name, values in query.items()
            if name != "jwt"
        )
        text = "&".join((request.method, path, "&".join(f"{name}={value}" for name, value in pairs)))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest().encode()


@dataclass(frozen=True, slots=True)
class ContentfulPath:
    """Path and query, the query quoted once more."""

    def render(self) -> Render:
        def render(request: Request, _: bytes) -> bytes:
            rest = _url(request).partition("://")[2]
            path, mark, query = rest[rest.find("/") :].partition("?") if "/" in rest else ("/", "", "")
            again = quote(query, safe="!'()*", errors="surrogatepass")
            # What encodeURI of JavaScript leaves alone.
            return quote(path + mark + again, safe=";,/?:@&=+$!'()*#", errors="surrogatepass").encode()

        return render


@dataclass(frozen=True, slots=True)
class SignedHeaders:
    """The headers that the sender lists, sorted; they have to be there, and the list and the time among them."""

    listed: str
    needed: frozenset[str]

    def render(self) -> Render:
        read = Header(self.listed).reader()

        def render(request: Request, _: bytes) -> bytes:
            names = (read(request) or b"").decode("latin-1").split(",")
            if not self.needed.union({self.listed}) <= set(names) or len(names) > MAX_HEADERS:
                raise Rejected("bad_signature", f"{self.listed} leaves something out")
            values = {name: request.header(name.encode("latin-1")) for name in names}
            if None in values.values():
                raise Rejected("bad_signature", "a header that is signed is missing")
            return b";".join(
                name.encode("latin-1") + b":" + (values[name] or b"").strip() for name in sorted(values)
            )

        return render


@dataclass(frozen=True, slots=True)
class Contentful:
    """A scheme that needs its list of signed headers written before it signs."""

    scheme: Signed
    listed: str
    headers: tuple[str, ...]

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        return self.scheme.bind(secrets, tolerance, published)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        return self.scheme.sign(request.with_header(self.listed, ",".join(self.headers)), secret, now)

    def check_strength(self, secret: Secret) -> None:
        self.scheme.check_strength(secret)


_LISTED, _TIME = "x-contentful-signed-headers", "x-contentful-timestamp"
_CANONICAL: Message = (
    METHOD, b"\n", ContentfulPath(), b"\n", SignedHeaders(_LISTED, frozenset({_TIME})), b"\n", BODY,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crc32:
    """The CRC-32 of the body in decimal digits. Who sees one signed request can make other bodies for it."""

    def render(self) -> Render:
        return lambda request, _: str(zlib.crc32(request.body)).encode()


def paypal(secret: Secret) -> tuple[Certified, Secret]:
    """The secret is the id of the webhook; to fetch nothing, after it a colon and PayPal's certificate as PEM."""
    webhook, mark, key = secret.reveal().partition(b":")
    if not _ID.fullmatch(webhook) or (mark and not key.strip()):
        raise ConfigurationError(
            "the secret for PayPal is the id of your webhook; to fetch nothing, "
            "`WEBHOOK_ID:-----BEGIN CERTIFICATE-----...`"
        )
    sent = Header("paypal-transmission-id", only=_ID)
    signed = Signed(
        algorithm=Rsa("sha256"),
        signature=Header("paypal-transmission-sig"),
        encoding=BASE64,
        key=keys.PublicKey(),
        time=Timestamp(Header("paypal-transmission-time"), RFC3339, tolerance=None),
        message=(Nonce(sent), b"|", TIME, b"|", webhook, b"|", Crc32()),
    )
    url = Header("paypal-cert-url")
    return Certified(scheme=signed, url=url, hosts=_PAYPAL_HOSTS, names=_PAYPAL_NAMES), Secret(key.strip())


_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")
_PAYPAL_HOSTS = re.compile(r"api(-m)?(\.sandbox)?\.paypal\.com")
_PAYPAL_NAMES = re.compile(r"[a-z0-9.-]+\.paypal\.com")

ROWS = (
    Provider(
        name="atlassian_connect",
        title="Atlassian Connect",
        scheme=Jwt(
            algorithm="HS256",
            token=FirstOf((Header("authorization", prefix="JWT "), Query("jwt"))),
            body=QueryHash(),
            lifetime=180.0,
        ),
        events=Shape(type=Path("webhookEvent"), occurred_at=Occurred("timestamp", per_second=1000)),
        docs="https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/",
        id_is_signed=False,
        body_is_signed=False,
        url_is_signed=True,
        # Jira tries again, Confluence does not.
        facts=Facts(
            source="https://developer.atlassian.com/platform/marketplace/"
            "cloud-fortified-apps-program-webhook-delivery-success-rate/",
        ),
    ),
    Provider(
        name="contentful",
        title="Contentful",
        scheme=Contentful(
            Signed(
                algorithm=Hmac("sha256"),
                signature=Header("x-contentful-signature"),
                time=Timestamp(Header(_TIME), MILLISECONDS, 30.0),
                message=_CANONICAL,
            ),
            _LISTED,
            (_LISTED, _TIME),
        ),
        events=Shape(id=Head("x-contentful-idempotency-key"), type=Head("x-contentful-topic")),
        docs="https://www.contentful.com/developers/docs/webhooks/request-verification/",
        id_is_signed=False,
        url_is_signed=True,
        facts=Facts(
            ack_deadline=30.0,
            retry_horizon=60.0,
            retry_schedule=(30.0, 60.0),
            id_survives_retry=True,
            source="https://www.contentful.com/developers/docs/webhooks/retry-policy/",
            unconfirmed=frozenset({"ack_deadline", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="paypal",
        title="PayPal",
        scheme=Made(paypal),
        events=Shape(
            id=Path("id"), type=Path("event_type"), data="resource", occurred_at=Occurred("create_time")
        ),
        docs="https://developer.paypal.com/api/rest/webhooks/rest/",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            retry_horizon=3 * 86400.0,
            id_survives_retry=True,
            source="https://github.com/paypal/PayPal-Python-SDK",
            unconfirmed=frozenset({"retry_horizon", "id_survives_retry"}),
        ),
    ),
)
