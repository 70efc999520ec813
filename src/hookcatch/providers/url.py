"""Senders that sign the URL they call: it has to be configured (`public_url`), proxies rewrite it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hookcatch.core.errors import Rejected
from hookcatch.core.parse import form_pairs
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing import keys
from hookcatch.signing.called import QueryAsBody
from hookcatch.signing.encoding import BASE64
from hookcatch.signing.fields import is_form
from hookcatch.signing.freshness import MILLISECONDS, RFC3339, Timestamp
from hookcatch.signing.jwt import BodyClaim, Jwt, UrlClaim
from hookcatch.signing.mac import Hash, Hmac, Side
from hookcatch.signing.parts import BODY, METHOD, TIME, URL, At, BodyHash, Nonce, Render, UrlPath
from hookcatch.signing.places import Header, Tagged, query_pairs
from hookcatch.signing.schemes import Made, Signed

from .body_hex import HUBSPOT_EVENTS, HUBSPOT_FACTS
from .handshakes import GET, POST, probe
from .older import PLIVO_EVENTS, PLIVO_FACTS
from .row import Facts, Provider
from .shapes import AnyOf, Joined, Occurred, Path, Shape


@dataclass(frozen=True, slots=True)
class PlivoMessage:
    """The URL without its query, its parameters, sorted, and the fields of a form, sorted, nothing between them:
    https://github.com/plivo/plivo-python plivo/utils/signature_v3.py. As with Twilio the border between two fields
    of a form can be moved (ATTACKS A10)."""

    def render(self) -> Render:
        def render(request: Request, _: bytes) -> bytes:
            if not request.url:
                raise Rejected("bad_signature", "Plivo signs the URL, and it is not known: set public_url")
            if request.body and not is_form(request):
                raise Rejected("malformed_body", "Plivo signs forms only")
            base, mark, _query = request.url.partition("?")
            query = "&".join(f"{name}={value}" for name, value in sorted(query_pairs(request.url)))
            form = "".join(f"{name}{value}" for name, value in sorted(form_pairs(request.body)))
            mark = "?" if mark or form else ""
            dot = "." if query and form else ""
            return f"{base}{mark}{query}{dot}{form}".encode("utf-8", "surrogatepass")

        return render


def sinch_voice(secret: Secret) -> tuple[Signed, Secret]:
    """The secret is `APPLICATION_KEY:APPLICATION_SECRET`; the key stands in the header."""
    key, _, private = keys.UserPassword().decode(secret)[0].partition(b":")
    scheme = Signed(
        algorithm=Hmac("sha256"),
        signature=Header("authorization", prefix=f"Application {key.decode()}:"),
        encoding=BASE64,
        key=keys.Base64(),
        time=Timestamp(Header("x-timestamp"), RFC3339),
        message=(
            METHOD, b"\n", BodyHash("md5", BASE64.encode), b"\n", At(Header("content-type")),
            b"\nx-timestamp:", TIME, b"\n", UrlPath(),
        ),
    )  # fmt: skip
    return scheme, Secret(private)


_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")

ROWS = (
    Provider(
        name="square",
        title="Square",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-square-hmacsha256-signature"),
            encoding=BASE64,
            message=(URL, BODY),
        ),
        events=Shape(
            id=Path("event_id"), type=Path("type"), data="data.object", occurred_at=Occurred("created_at")
        ),
        docs="https://developer.squareup.com/docs/webhooks/step3validate",
        url_is_signed=True,
        # That it waits 10 s its page said once; now it says: as soon as possible.
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            bad_signature_status=403,
            disables="three weeks without a 2xx",
            source="https://developer.squareup.com/docs/webhooks/troubleshooting",
            unconfirmed=frozenset({"ack_deadline"}),
        ),
    ),
    Provider(
        name="hubspot_v2",
        title="HubSpot (signature v2)",
        scheme=Signed(
            algorithm=Hash("sha256", Side.BEFORE),
            signature=Header("x-hubspot-signature"),
            message=(METHOD, URL, BODY),
        ),
        events=HUBSPOT_EVENTS,
        docs="https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
        url_is_signed=True,
        facts=HUBSPOT_FACTS,
    ),
    Provider(
        name="hubspot_v3",
        title="HubSpot (signature v3)",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-hubspot-signature-v3"),
            encoding=BASE64,
            time=Timestamp(Header("x-hubspot-request-timestamp"), MILLISECONDS),
            message=(METHOD, URL, BODY, TIME),
        ),
        events=HUBSPOT_EVENTS,
        docs="https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
        url_is_signed=True,
        facts=HUBSPOT_FACTS,
    ),
    Provider(
        name="messagebird",
        title="MessageBird",
        scheme=QueryAsBody(
            Jwt(
                algorithm="HS256",
                token=Header("messagebird-signature-jwt"),
                body=BodyClaim("payload_hash", empty=False),
                url=UrlClaim("url_hash"),
                issuer="MessageBird",
                tolerance=None,
                lifetime=60.0,
                begins=True,
            )
        ),
        # A report on a text message has the message's id, each time another status, and comes as a GET.
        events=Shape(
            id=Joined((Path("id"), Path("status")), ":"), type=AnyOf((Path("status"), Path("type")))
        ),
        docs="https://developers.messagebird.com/api/#verifying-http-requests",
        methods=GET | POST,
        url_is_signed=True,
        # It tries again a few times.
        facts=Facts(
            source="https://github.com/messagebird/java-rest-api/blob/master/examples/src/main/java/ExampleRequestSignatureValidation.java",
        ),
    ),
    Provider(
        name="plivo",
        title="Plivo",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Tagged("x-plivo-signature-v3", "", b",", b""),
            encoding=BASE64,
            message=(PlivoMessage(), b".", Nonce(Header("x-plivo-signature-v3-nonce", only=_ID))),
        ),
        events=PLIVO_EVENTS,
        docs="https://www.plivo.com/docs/concepts/signature-validation/",
        url_is_signed=True,
        facts=PLIVO_FACTS,
    ),
    Provider(
        name="sinch_voice",
        title="Sinch Voice and Verification",
        # The secret is `APPLICATION_KEY:APPLICATION_SECRET`.
        scheme=Made(sinch_voice),
        events=Shape(
            id=Joined((AnyOf((Path("callid"), Path("id"))), Path("event")), ":"),
            type=Path("event"),
            occurred_at=Occurred("timestamp"),
        ),
        docs="https://developers.sinch.com/docs/voice/api-reference/authentication/callback-signed-request/",
        url_is_signed=True,
        facts=Facts(
            id_survives_retry=True,
            # Where a call waits for what to do next the answer is a handler's.
            success_body="",
            source="https://github.com/sinch/skills/blob/main/skills/sinch-voice-api/references/callbacks.md",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="trello",
        title="Trello",
        scheme=Signed(
            algorithm=Hmac("sha1"),
            signature=Header("x-trello-webhook"),
            encoding=BASE64,
            message=(BODY, URL),
        ),
        events=Shape(
            id=Path("action.id"),
            type=Path("action.type"),
            data="action.data",
            occurred_at=Occurred("action.date"),
        ),
        docs="https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/",
        handshakes=(probe("reachable"),),
        url_is_signed=True,
        # Three times more. That it waits 30 s its page said once, and no longer does.
        facts=Facts(
            retry_horizon=210.0,
            id_survives_retry=True,
            disables="410",
            source="https://github.com/trello-archive/api-docs/blob/bentley/adding-enterprises/app/templates/apis/webhooks.html",
            unconfirmed=frozenset({"retry_horizon", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="bird",
        title="Bird",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("messagebird-signature"),
            encoding=BASE64,
            time=Timestamp(Header("messagebird-request-timestamp"), tolerance=None),
            message=(TIME, b"\n", URL, b"\n", BodyHash("sha256")),
        ),
        events=Shape(type=Path("event"), data="payload"),
        docs="https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions/verifying-a-webhook",
        url_is_signed=True,
        facts=Facts(
            retry_horizon=8 * 3600.0,
            id_survives_retry=True,
            source="https://docs.bird.com/api/notifications-api/retries",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
)
