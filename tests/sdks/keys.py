"""Formats with published standards: JSON Web Tokens, Google's among them, JWS, WebSub, itsdangerous."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from hookcatch.core.wire import Request

from .sdk import Author, Sdk, Verifies, text


def pyjwt(request: Request, secret: str) -> object:
    import jwt

    claims = jwt.decode(text(request, "authorization").removeprefix("Bearer "), secret, algorithms=["HS256"])
    return claims["request_body_sha256"] == hashlib.sha256(request.body).hexdigest()


def pyjwt_signs(request: Request, secret: str, now: float) -> Request:
    import jwt

    digest = hashlib.sha256(request.body).hexdigest()
    token = jwt.encode({"iat": int(now), "request_body_sha256": digest}, secret, algorithm="HS256")
    return request.with_header("authorization", f"Bearer {token}")


def dangerous(secret: str) -> Any:
    import itsdangerous

    return itsdangerous.TimestampSigner(
        [b"an older key", secret], key_derivation="hmac", digest_method=hashlib.sha256
    )


def itsdangerous(request: Request, secret: str) -> object:
    return dangerous(secret).unsign(request.body, max_age=300)


def itsdangerous_signs(request: Request, secret: str, now: float) -> Request:
    return request.replace(body=dangerous(secret).sign(request.body))


def detached(header: str) -> Verifies:
    """A signature in a header, with the body for its payload (RFC 7515, appendix F)."""

    def verifies(request: Request, secret: str) -> object:
        from jwcrypto.jwk import JWK
        from jwcrypto.jws import JWS

        token = JWS()
        token.allowed_algs = ["RS256", "RS512"]
        token.deserialize(text(request, header))
        token.verify(JWK.from_pem(secret.encode()), detached_payload=request.body)
        return True

    return verifies


CHAT_CERTS = "https://www.googleapis.com/service_accounts/v1/metadata/x509/chat@system.gserviceaccount.com"


class Published:
    """The answer of Google's server, for google-auth: the public key of the secret."""

    status = 200

    def __init__(self, pem: str) -> None:
        private = load_pem_private_key(pem.encode(), None)
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.data = json.dumps({"1": public.decode()}).encode()

    def __call__(self, url: str, method: str = "GET") -> Published:
        return self


def google_pubsub(request: Request, secret: str) -> object:
    from google.oauth2.id_token import verify_oauth2_token

    whom, _, pem = secret.partition("\n")
    audience, email = whom.split()
    token = text(request, "authorization").removeprefix("Bearer ")
    claims = verify_oauth2_token(token, Published(pem), audience)
    return claims["email"] == email and claims["email_verified"]


def google_chat(request: Request, secret: str) -> object:
    from google.oauth2.id_token import verify_token

    audience, _, pem = secret.partition("\n")
    token = text(request, "authorization").removeprefix("Bearer ")
    claims = verify_token(token, Published(pem), audience, CHAT_CERTS)
    return claims["iss"] == "chat@system.gserviceaccount.com"


def websub(request: Request, secret: str) -> object:
    from flask import Flask
    from flask_websub.subscriber.blueprint import body_is_valid

    headers = {"X-Hub-Signature": text(request, "x-hub-signature")}
    with Flask("subscriber").test_request_context(method="POST", headers=headers, data=request.body):
        return body_is_valid({"secret": secret}, request.body)


def twitter(request: Request, secret: str) -> object:
    from twitterwebhooks import TwitterWebhookAdapter

    server = TwitterWebhookAdapter(secret).server
    headers = {"X-Twitter-Webhooks-Signature": text(request, "x-twitter-webhooks-signature")}
    with server.test_request_context(method="POST", headers=headers, data=request.body):
        return server.verify_request(request.body)


SDKS = (
    Sdk(row="google_chat", package="google-auth", verifies=google_chat, tamper=b""),
    Sdk(row="google_pubsub", package="google-auth", verifies=google_pubsub, tamper=b""),
    Sdk(
        row="fireblocks",
        package="jwcrypto",
        author=Author.STANDARD,
        verifies=detached("fireblocks-webhook-signature"),
    ),
    Sdk(
        row="itsdangerous",
        package="itsdangerous",
        author=Author.STANDARD,
        verifies=itsdangerous,
        signs=itsdangerous_signs,
    ),
    Sdk(row="jws", package="jwcrypto", author=Author.STANDARD, verifies=detached("x-jws-signature")),
    Sdk(row="jwt", package="PyJWT", author=Author.STANDARD, verifies=pyjwt, signs=pyjwt_signs),
    Sdk(row="websub", package="Flask-WebSub", author=Author.STANDARD, verifies=websub),
    Sdk(row="x", package="twitterwebhooks", author=Author.THIRD_PARTY, verifies=twitter),
)
