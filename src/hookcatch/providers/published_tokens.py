"""Senders that send a token along, signed with a key that they publish: it says who sends, not what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.parse import parse_json
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing.combined import AllOf
from hookcatch.signing.jose import KeySet
from hookcatch.signing.json_path import compact, dig, planted, text_of
from hookcatch.signing.jwt import Jwt
from hookcatch.signing.places import Header
from hookcatch.signing.scheme import Bound, Match
from hookcatch.signing.schemes import Made, Token

from .handshakes import GET, POST, echo_query, probe
from .published import identity_of
from .row import Facts, Provider
from .shapes import Batch, Head, Occurred, Path, Shape
from .tokens_hosted import CLIENT_STATE, GRAPH_FACTS

MAX_TOKENS = 16
GRAPH_APP = "0bf30f3b-4a52-48df-9a82-234910c4a086"
"""The application that sends Microsoft Graph's notifications."""

_ZOHO = re.compile(
    r"([0-9]+) ([0-9]+)(?: (desk\.zoho(?:cloud)?\.(?:com|eu|in|jp|sa|ca|uk|ae|com\.au|com\.cn)))?"
)


@dataclass(frozen=True, slots=True)
class FieldClaim:
    """The claim that says the same as a field of the body."""

    name: str
    path: str

    def value(self, request: Request) -> bytes | None:
        return text_of(dig(parse_json(request.body), self.path.split(".")))


@dataclass(frozen=True, slots=True)
class EachToken:
    """A list of tokens in the JSON body, each of which has to be right."""

    token: Jwt
    items: str

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        bound = self.token.bind(secrets, tolerance, published)

        def check(request: Request, now: float) -> Match:
            tokens = dig(parse_json(request.body), (self.items,))
            if not isinstance(tokens, list) or not tokens:
                raise Rejected("missing_signature", f"{self.items} in the body")
            if len(tokens) > MAX_TOKENS or not all(isinstance(token, str) for token in tokens):
                raise Rejected("malformed_signature", f"{self.items} is no short list of tokens")
            alone = request.replace(body=b"")
            matches = [
                bound.check(alone.with_header("authorization", f"Bearer {token}"), now) for token in tokens
            ]
            return matches[0]

        return Bound(check)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        header = self.token.sign(request, secret, now).header(b"authorization") or b""
        return request.replace(body=planted(request.body, self.items, [header.decode().split()[1]]))

    def check_strength(self, secret: Secret) -> None:
        self.token.check_strength(secret)


def without_tokens(body: bytes) -> bytes:
    """What of a body may be kept: credentials never are (ATTACKS A58)."""
    payload: Any = parse_json(CLIENT_STATE.without(body))
    payload.pop("validationTokens", None)
    return compact(payload)


def ms_graph_rich(secret: Secret) -> tuple[AllOf, Secret]:
    """The secret is `APP_ID TENANT_ID CLIENT_STATE`; to fetch nothing, Microsoft's key in PEM on the lines after it.
    The tokens prove Microsoft, the clientState that it is our subscription. What is encrypted in `encryptedContent`
    stays so: its key is for the handler."""
    identity, key = identity_of(secret)
    words = identity.split()
    if len(words) != 3:
        raise ConfigurationError(
            "the secret for ms_graph_rich is `APP_ID TENANT_ID CLIENT_STATE`: that of the app, of the tenant and of "
            "the subscription"
        )
    app, tenant, state = words
    token = Jwt(
        algorithm="RS256",
        body=None,
        issuer=f"https://sts.windows.net/{tenant}/",
        audience=app,
        claims=(("appid", GRAPH_APP),),
        key_set=KeySet("https://login.microsoftonline.com/common/discovery/keys"),
        tolerance=None,
        lifetime=3600.0,
    )
    ours = (Token(CLIENT_STATE), Secret(state.encode()))
    return AllOf((ours, (EachToken(token, "validationTokens"), key))), secret


def ms_bot(secret: Secret) -> tuple[Jwt, Secret]:
    """The secret is the app id of the bot; to fetch nothing, Microsoft's key in PEM on the lines after it."""
    app, key = identity_of(secret)
    if not re.fullmatch(r"[0-9A-Fa-f-]{36}", app):
        raise ConfigurationError("the secret for ms_bot is the Microsoft app id of the bot")
    scheme = Jwt(
        algorithm="RS256",
        body=FieldClaim("serviceurl", "serviceUrl"),
        issuer="https://api.botframework.com",
        audience=app,
        key_set=KeySet("https://login.botframework.com/v1/.well-known/keys"),
        tolerance=None,
        lifetime=3600.0,
    )
    return scheme, key


def zoho_desk(secret: Secret) -> tuple[Jwt, Secret]:
    """The secret is `ORG_ID WEBHOOK_ID`, and after another space the host of your data centre if that is not
    desk.zoho.com; to fetch nothing, Zoho's key in PEM on the lines after it."""
    identity, key = identity_of(secret)
    parts = _ZOHO.fullmatch(identity)
    if parts is None:
        raise ConfigurationError(
            "the secret for zoho_desk is `ORG_ID WEBHOOK_ID`, or in another data centre "
            "`ORG_ID WEBHOOK_ID desk.zoho.eu`"
        )
    scheme = Jwt(
        algorithm="RS256",
        token=Header("x-zdesk-jwt"),
        body=None,
        issuer=f"orgId:{parts[1]}",
        audience=f"webhookId:{parts[2]}",
        key_set=KeySet(f"https://{parts[3] or 'desk.zoho.com'}/.well-known/jwks.json"),
        tolerance=None,
        lifetime=300.0,
    )
    return scheme, key


ROWS = (
    Provider(
        name="jira_oauth",
        title="Jira Cloud (webhooks of OAuth 2.0 apps)",
        # The key is the secret of the app; the token is made for the app, not for the message.
        scheme=Jwt(algorithm="HS256", body=None, tolerance=None, lifetime=300.0),
        events=Shape(
            id=Head("x-atlassian-webhook-identifier"),
            type=Path("webhookEvent"),
            occurred_at=Occurred("timestamp", per_second=1000),
        ),
        docs="https://developer.atlassian.com/cloud/jira/platform/webhooks/",
        id_is_signed=False,
        body_is_signed=False,
        confirmed=False,
        facts=Facts(
            retry_horizon=75 * 60.0,
            id_survives_retry=True,
            refusal_is_final=True,
            disables="a 4xx but 408, 409, 425 and 429 ends the retries of that delivery",
            source="https://community.developer.atlassian.com/t/new-jira-cloud-webhook-retry-policy/30554",
            unconfirmed=frozenset({"retry_horizon", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="ms_bot",
        title="Microsoft Teams bots (Bot Framework)",
        scheme=Made(ms_bot),
        events=Shape(id=Path("id"), type=Path("type"), occurred_at=Occurred("timestamp")),
        docs="https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-authentication",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            source="https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-authentication",
        ),
    ),
    Provider(
        name="ms_graph_rich",
        title="Microsoft Graph (rich notifications)",
        scheme=Made(ms_graph_rich),
        events=Shape(
            id=Path("id"),
            type=Path("changeType"),
            data="resourceData",
            content=without_tokens,
            batch=Batch(items="value"),
        ),
        docs="https://learn.microsoft.com/en-us/graph/change-notifications-with-resource-data",
        handshakes=(echo_query("validationToken", methods=POST),),
        id_is_signed=False,
        body_is_signed=False,
        facts=replace(
            GRAPH_FACTS,
            source="https://learn.microsoft.com/en-us/graph/change-notifications-with-resource-data",
        ),
    ),
    Provider(
        name="zoho_desk",
        title="Zoho Desk",
        scheme=Made(zoho_desk),
        events=Shape(
            type=Path("eventType"),
            data="payload",
            occurred_at=Occurred("eventTime", per_second=1000),
            batch=Batch(),
        ),
        docs="https://desk.zoho.com/support/WebhookDocument.do",
        handshakes=(probe("reachable", GET),),
        id_is_signed=False,
        body_is_signed=False,
        confirmed=False,
        # Of two editions of the page one says five seconds, the other ten.
        facts=Facts(
            ack_deadline=5.0,
            disables="410",
            source="https://desk.zoho.com/support/WebhookDocument.do",
        ),
    ),
)
