"""The older signatures of senders that have newer ones, still in use where an account was never moved."""

from __future__ import annotations

import re

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.secret import Secret
from hookcatch.signing.called import (
    Parameter,
    QueryAsBody,
    SortedParameters,
    SortedQuery,
    UrlWithoutQuery,
)
from hookcatch.signing.encoding import BASE64, HEX_ANY_CASE
from hookcatch.signing.freshness import Timestamp
from hookcatch.signing.mac import Algorithm, Hash, Hmac
from hookcatch.signing.parts import TIME, BodyHash, Nonce
from hookcatch.signing.places import Header
from hookcatch.signing.schemes import Made, Signed

from .bespoke import TwilioForm
from .row import Facts, Provider
from .shapes import AnyOf, Joined, Path, Shape

GET_OR_POST = frozenset({"GET", "POST"})

_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")

VONAGE_METHODS: dict[bytes, Algorithm] = {
    b"md5hash": Hash("md5"),
    b"md5": Hmac("md5"),
    b"sha1": Hmac("sha1"),
    b"sha256": Hmac("sha256"),
    b"sha512": Hmac("sha512"),
}
"""As the dashboard names them."""


def vonage_sms(secret: Secret) -> tuple[QueryAsBody, Secret]:
    """The secret is `METHOD:SIGNATURE_SECRET`; the method signs all parameters, sorted, and stands in the account's
    settings: `sha512`, `sha256`, `sha1`, `md5` or `md5hash`."""
    name, _, key = secret.reveal().partition(b":")
    algorithm = VONAGE_METHODS.get(name)
    if algorithm is None or not key:
        raise ConfigurationError(
            "the secret for vonage_sms is `METHOD:SIGNATURE_SECRET`, as in the settings of the account; methods are "
            + ", ".join(sorted(name.decode() for name in VONAGE_METHODS))
        )
    signed = Signed(
        algorithm=algorithm,
        signature=Parameter("sig"),
        encoding=HEX_ANY_CASE,
        time=Timestamp(Parameter("timestamp"), tolerance=None),
        message=(SortedParameters("sig"),),
    )
    return QueryAsBody(signed), Secret(key)


PLIVO_EVENTS = Shape(
    id=Joined((AnyOf((Path("MessageUUID"), Path("CallUUID"))), AnyOf((Path("Status"), Path("Event")))), ":"),
    type=AnyOf((Path("Status"), Path("Event"), Path("CallStatus"))),
    format="form",
    form=True,
)
# Of messages; those of calls wait and try again as the fragment of their URL says.
PLIVO_FACTS = Facts(
    ack_deadline=8.0,
    retry_horizon=420.0,
    retry_schedule=(60.0, 180.0, 420.0),
    id_survives_retry=True,
    source="https://support.plivo.com/hc/en-us/articles/360041344652",
    unconfirmed=frozenset({"id_survives_retry"}),
)

ROWS = (
    Provider(
        name="messagebird_hmac",
        title="MessageBird (before JWT)",
        scheme=QueryAsBody(
            Signed(
                algorithm=Hmac("sha256"),
                signature=Header("messagebird-signature"),
                encoding=BASE64,
                time=Timestamp(Header("messagebird-request-timestamp"), tolerance=10.0),
                message=(TIME, b"\n", SortedQuery(), b"\n", BodyHash("sha256")),
            )
        ),
        events=Shape(
            id=Joined((Path("id"), Path("status")), ":"), type=AnyOf((Path("status"), Path("type")))
        ),
        docs="https://developers.messagebird.com/api/#verifying-http-requests",
        methods=GET_OR_POST,
        # It tries again a few times.
        facts=Facts(
            source="https://github.com/messagebird/java-rest-api/blob/master/examples/src/main/java/ExampleRequestSignatureValidation.java",
        ),
    ),
    Provider(
        name="plivo_v1",
        title="Plivo (first signature)",
        scheme=Signed(
            algorithm=Hmac("sha1"),
            signature=Header("x-plivo-signature"),
            encoding=BASE64,
            message=(TwilioForm(names=frozenset(), distinct=False),),
        ),
        events=PLIVO_EVENTS,
        docs="https://www.plivo.com/docs/concepts/signature-validation/",
        url_is_signed=True,
        facts=PLIVO_FACTS,
    ),
    Provider(
        name="plivo_v2",
        title="Plivo (signature v2)",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-plivo-signature-v2"),
            encoding=BASE64,
            message=(UrlWithoutQuery(), Nonce(Header("x-plivo-signature-v2-nonce", only=_ID))),
        ),
        # The body is not signed: whoever sees one request can send others.
        events=PLIVO_EVENTS,
        docs="https://www.plivo.com/docs/concepts/signature-validation/",
        id_is_signed=False,
        body_is_signed=False,
        url_is_signed=True,
        facts=PLIVO_FACTS,
    ),
    Provider(
        name="vonage_sms",
        title="Vonage SMS (signed parameters)",
        scheme=Made(vonage_sms),
        events=Shape(
            id=Joined((Path("messageId"), Path("status")), ":"), type=AnyOf((Path("status"), Path("type")))
        ),
        docs="https://developer.vonage.com/en/getting-started/concepts/signing-messages",
        body_is_signed=False,
        methods=GET_OR_POST,
        facts=Facts(
            retry_horizon=86400.0, source="https://developer.vonage.com/messaging/sms/guides/inbound-sms"
        ),
    ),
)
