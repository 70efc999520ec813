"""Senders whose public keys are fetched from where they publish them."""

from __future__ import annotations

from hookcatch.core.errors import ConfigurationError
from hookcatch.core.secret import Secret
from hookcatch.signing.jose import KeySet
from hookcatch.signing.jws import DetachedJws
from hookcatch.signing.jwt import Jwt
from hookcatch.signing.places import Header, Place
from hookcatch.signing.scheme import Scheme
from hookcatch.signing.schemes import Made

from .row import Facts, Provider
from .shapes import Occurred, Path, Shape

GOOGLE = KeySet("https://www.googleapis.com/oauth2/v3/certs")
GOOGLE_CHAT = "chat@system.gserviceaccount.com"


def google_pubsub(secret: Secret) -> tuple[Jwt, Secret]:
    """The secret is the audience and the e-mail of the service account, with a space between; to fetch nothing,
    Google's key in PEM on the lines after it. Anybody can have a token made for any audience, so the account is
    what proves the sender."""
    identity, key = identity_of(secret)
    audience, _, email = identity.partition(" ")
    if "@" not in email:
        raise ConfigurationError(
            "the secret for google_pubsub is `AUDIENCE SERVICE-ACCOUNT-EMAIL`, as in the push subscription"
        )
    scheme = Jwt(
        algorithm="RS256",
        body=None,
        issuer="https://accounts.google.com",
        audience=audience,
        claims=(("email", email), ("email_verified", True)),
        key_set=GOOGLE,
        tolerance=None,
        lifetime=3600.0,
    )
    return scheme, key


def google_chat(secret: Secret) -> tuple[Jwt, Secret]:
    """The secret is the number of the project; to fetch nothing, Google's key in PEM on the lines after it."""
    number, key = identity_of(secret)
    if not number.isdecimal():
        raise ConfigurationError("the secret for google_chat is the number of your Google Cloud project")
    scheme = Jwt(
        algorithm="RS256",
        body=None,
        issuer=GOOGLE_CHAT,
        audience=number,
        key_set=KeySet(
            f"https://www.googleapis.com/service_accounts/v1/metadata/x509/{GOOGLE_CHAT}", "certificates"
        ),
        tolerance=None,
        lifetime=3600.0,
    )
    return scheme, key


def identity_of(secret: Secret) -> tuple[str, Secret]:
    """The first line, and the key behind it if there is one."""
    first, mark, rest = secret.reveal().partition(b"-----BEGIN")
    return first.strip().decode("utf-8", "replace"), Secret(mark + rest)


def _published(scheme: Scheme) -> Made:
    """There is nothing to agree upon but where the keys are: the secret is the word `published`, or to fetch nothing
    the key in PEM."""
    return Made(lambda secret: (scheme, Secret(b"") if secret.reveal() == b"published" else secret), scheme)


def oidc(
    *,
    issuer: str,
    audience: str,
    jwks: str,
    algorithm: str = "RS256",
    token: Place = Header("authorization", prefix="Bearer "),
    claims: tuple[tuple[str, str], ...] = (),
    events: Shape = Shape(id=Path("id"), type=Path("type")),
    name: str = "oidc",
) -> Provider:
    """A sender of your own that proves itself with a token of an OpenID provider.

    Args:
        issuer, audience: what `iss` and `aud` have to say.
        jwks: the https URL of the issuer's keys.
        algorithm: the only one accepted.
        token: where it stands.
        claims: what others have to say: who the sender is, where the issuer makes tokens for many.
        events: where id, type and data stand.
        name: what the row is called.
    """
    scheme = Jwt(
        algorithm=algorithm,
        token=token,
        body=None,
        issuer=issuer,
        audience=audience,
        claims=claims,
        key_set=KeySet(jwks),
        tolerance=None,
        lifetime=3600.0,
    )
    return Provider(
        name=name,
        title=f"OpenID Connect ({issuer})",
        scheme=_published(scheme),
        events=events,
        docs="https://openid.net/specs/openid-connect-core-1_0.html",
        id_is_signed=False,
        body_is_signed=False,
    )


def jws(
    *,
    algorithm: str = "RS256",
    signature: Header = Header("x-jws-signature"),
    encoded: bool = False,
    jwks: str = "",
    events: Shape = Shape(id=Path("id"), type=Path("type")),
    name: str = "jws",
) -> Provider:
    """A sender of your own that signs the body with a detached JSON Web Signature.

    Args:
        algorithm: the only one accepted.
        signature: the header it stands in.
        encoded: whether the body is signed in base64url; by default as it is (RFC 7797).
        jwks: the https URL of the sender's keys, for a source whose secret is the word `published`.
        events: where id, type and data stand.
        name: what the row is called.
    """
    scheme = DetachedJws(
        algorithm=algorithm, signature=signature, encoded=encoded, key_set=KeySet(jwks) if jwks else None
    )
    return Provider(
        name=name,
        title=f"Detached JWS ({algorithm})",
        scheme=_published(scheme),
        events=events,
        docs="https://www.rfc-editor.org/rfc/rfc7797",
    )


ROWS = (
    jws(),
    Provider(
        name="fireblocks",
        title="Fireblocks",
        scheme=_published(
            DetachedJws(
                algorithm="RS512",
                signature=Header("fireblocks-webhook-signature"),
                encoded=True,
                key_set=KeySet("https://keys.fireblocks.io/.well-known/jwks.json"),
            )
        ),
        events=Shape(
            id=Path("id"),
            type=Path("eventType"),
            data="data",
            occurred_at=Occurred("createdAt", per_second=1000),
        ),
        docs="https://developers.fireblocks.com/reference/validating-webhooks",
        facts=Facts(
            retry_horizon=28_360.0,
            retry_schedule=(10.0, 40.0, 160.0, 460.0, 1360.0, 3160.0, 6760.0, 13_960.0, 28_360.0),
            id_survives_retry=True,
            source="https://developers.fireblocks.com/reference/webhooks-gettingstarted-responsesretries",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="google_chat",
        title="Google Chat",
        scheme=Made(google_chat),
        events=Shape(type=Path("type"), occurred_at=Occurred("eventTime")),
        docs="https://developers.google.com/workspace/chat/verify-requests-from-chat",
        id_is_signed=False,
        body_is_signed=False,
        # It may try again for some minutes. An answer is a message; an object without a text says nothing.
        facts=Facts(
            ack_deadline=30.0,
            success_body="{}",
            source="https://developers.google.com/workspace/chat/receive-respond-interactions",
        ),
    ),
    Provider(
        name="google_pubsub",
        title="Google Cloud Pub/Sub (push)",
        scheme=Made(google_pubsub),
        events=Shape(
            id=Path("message.messageId"),
            type=Path("message.attributes.eventType"),
            data="message",
            occurred_at=Occurred("message.publishTime"),
        ),
        docs="https://docs.cloud.google.com/pubsub/docs/authenticate-push-subscriptions",
        id_is_signed=False,
        body_is_signed=False,
        # The deadline and the horizon are settings of the subscription; these are the defaults.
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=7 * 86400.0,
            id_survives_retry=True,
            success_status=204,
            source="https://docs.cloud.google.com/pubsub/docs/push",
        ),
    ),
)
