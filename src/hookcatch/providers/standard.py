"""Standard Webhooks, those who send it under other names, and itsdangerous.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import re

from hookcatch.signing import keys
from hookcatch.signing.encoding import BASE64
from hookcatch.signing.freshness import Timestamp
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, TIME, Nonce
from hookcatch.signing.places import FirstOf, Header, Place, Tagged
from hookcatch.signing.public_key import Ed25519
from hookcatch.signing.scheme import Scheme
from hookcatch.signing.schemes import BySecret, Signed, Token
from hookcatch.signing.signed_text import SignedText, value_of

from .row import Facts, Provider
from .shapes import AnyOf, Head, Joined, Occurred, Path, Shape

# A dot in the id would move the border between id, time and body.
_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")


def standard(*prefixes: str, key: keys.KeyFormat = keys.Base64("whsec_")) -> Scheme:
    """Standard Webhooks with headers of these prefixes, the first present counting: `v1` for a shared secret,
    `v1a` for a key that begins with `whpk_` (public) or `whsk_` (private)."""

    def signed(tag: str, algorithm: Hmac | Ed25519, key: keys.KeyFormat) -> Signed:
        return Signed(
            algorithm=algorithm,
            signature=Tagged(tuple(f"{prefix}-signature" for prefix in prefixes), tag),
            encoding=BASE64,
            key=key,
            time=Timestamp(_either(tuple(Header(f"{prefix}-timestamp") for prefix in prefixes))),
            message=(Nonce(_either(tuple(Header(f"{prefix}-id", only=_ID) for prefix in prefixes)), "msg_"),
                     b".", TIME, b".", BODY),
        )  # fmt: skip

    public = signed("v1a", Ed25519(), keys.Base64("whpk_"))
    private = signed("v1a", Ed25519(), keys.Base64("whsk_"))
    return BySecret((("whpk_", public), ("whsk_", private)), otherwise=signed("v1", Hmac("sha256"), key))


def _either(places: tuple[Header, ...]) -> Place:
    return places[0] if len(places) == 1 else FirstOf(places)


_FACTS = Facts(
    ack_deadline=15.0,
    retry_horizon=272_105.0,
    id_survives_retry=True,
    disables="410",
    source="https://github.com/standard-webhooks/standard-webhooks",
)

ROWS = (
    Provider(
        name="standard_webhooks",
        title="Standard Webhooks",
        scheme=standard("webhook"),
        events=Shape(
            id=Head("webhook-id"), type=Path("type"), data="data", occurred_at=Occurred("timestamp")
        ),
        docs="https://www.standardwebhooks.com",
        facts=_FACTS,
    ),
    Provider(
        name="svix",
        title="Svix",
        scheme=standard("svix", "webhook"),
        events=Shape(
            id=AnyOf((Head("svix-id"), Head("webhook-id"))),
            type=Path("type"),
            data="data",
            occurred_at=Occurred("timestamp"),
        ),
        docs="https://docs.svix.com/receiving/verifying-payloads/how-manual",
        facts=Facts(
            ack_deadline=15.0,
            retry_horizon=99_305.0,
            id_survives_retry=True,
            disables="five days of failures",
            source="https://docs.svix.com/retries",
        ),
    ),
    Provider(
        name="anthropic",
        title="Anthropic",
        scheme=standard("webhook"),
        # At the top the type is always `event`.
        events=Shape(
            id=Head("webhook-id"),
            type=AnyOf((Path("data.type"), Path("type"))),
            data="data",
            occurred_at=Occurred("created_at"),
        ),
        docs="https://platform.claude.com/docs/en/managed-agents/webhooks",
        facts=Facts(
            id_survives_retry=True,
            source="https://github.com/anthropics/anthropic-sdk-python",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="bigcommerce",
        title="BigCommerce",
        scheme=standard("webhook", key=keys.Utf8()),
        # One hash for all deliveries of one event, also when it is fired twice.
        events=Shape(
            id=AnyOf((Head("webhook-id"), Path("hash"))),
            type=Path("scope"),
            data="data",
            occurred_at=Occurred("created_at"),
        ),
        docs="https://developer.bigcommerce.com/docs/integrations/webhooks",
        facts=Facts(
            retry_horizon=172_890.0,
            id_survives_retry=True,
            disables="48 hours of failures; a success rate under 90 % in two minutes pauses the domain",
            source="https://developer.bigcommerce.com/docs/integrations/webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="clerk",
        title="Clerk",
        scheme=standard("svix"),
        events=Shape(
            id=Head("svix-id"),
            type=Path("type"),
            data="data",
            occurred_at=Occurred("timestamp", per_second=1000),
        ),
        docs="https://clerk.com/docs/webhooks/overview",
        facts=Facts(
            ack_deadline=15.0,
            retry_horizon=99_305.0,
            id_survives_retry=True,
            disables="five days of failures",
            source="https://github.com/clerk/javascript",
        ),
    ),
    Provider(
        name="openai",
        title="OpenAI",
        scheme=standard("webhook", key=keys.Base64("whsec_", bare=keys.Utf8())),
        events=Shape(
            id=Head("webhook-id"), type=Path("type"), data="data", occurred_at=Occurred("created_at")
        ),
        docs="https://platform.openai.com/docs/guides/webhooks",
        facts=Facts(
            retry_horizon=72 * 3600.0,
            id_survives_retry=True,
            source="https://platform.openai.com/docs/guides/webhooks",
            unconfirmed=frozenset({"retry_horizon"}),
        ),
    ),
    Provider(
        name="polar",
        title="Polar",
        scheme=standard("webhook", key=keys.TextOrBase64("whsec_")),
        events=Shape(
            id=Head("webhook-id"), type=Path("type"), data="data", occurred_at=Occurred("timestamp")
        ),
        docs="https://polar.sh/docs/integrate/webhooks/delivery",
        facts=Facts(
            id_survives_retry=True,
            source="https://github.com/polarsource/polar-python",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="resend",
        title="Resend",
        scheme=standard("svix"),
        events=Shape(id=Head("svix-id"), type=Path("type"), data="data", occurred_at=Occurred("created_at")),
        docs="https://resend.com/docs/dashboard/webhooks/verify-webhooks-requests",
        facts=Facts(
            ack_deadline=15.0,
            retry_horizon=99_305.0,
            id_survives_retry=True,
            source="https://github.com/resend/resend-python",
            unconfirmed=frozenset({"ack_deadline", "retry_horizon"}),
        ),
    ),
    Provider(
        name="supabase",
        title="Supabase Auth Hooks",
        # The secret is `v1,whsec_...`, or several joined by `|`. What is answered decides: use a reply handler.
        scheme=standard("webhook", key=keys.Several("|", keys.Base64("v1,whsec_"))),
        events=Shape(id=Head("webhook-id")),
        docs="https://supabase.com/docs/guides/auth/auth-hooks",
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=6.0,
            id_survives_retry=True,
            success_body="{}",
            max_body=20 * 1024,
            source="https://supabase.com/docs/guides/auth/auth-hooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="gitlab",
        title="GitLab",
        # A signing token begins with whsec_; anything else is the older secret token.
        scheme=BySecret((("whsec_", standard("webhook")),), otherwise=Token(Header("x-gitlab-token"))),
        events=Shape(
            id=AnyOf((Head("webhook-id"), Head("idempotency-key"), Head("x-gitlab-event-uuid"))),
            type=Joined((Path("object_kind"), Path("object_attributes.action"))),
        ),
        docs="https://docs.gitlab.com/user/project/integrations/webhooks/",
        id_is_signed=False,
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=0.0,
            id_survives_retry=True,
            disables="four failures in a row for a while, forty for good",
            source="https://docs.gitlab.com/user/project/integrations/webhooks/",
            unconfirmed=frozenset({"ack_deadline", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="itsdangerous",
        title="itsdangerous",
        scheme=SignedText(),
        events=Shape(id=Path("id"), type=Path("type"), content=value_of),
        docs="https://itsdangerous.palletsprojects.com/en/stable/timed/",
    ),
    Provider(
        name="replicate",
        title="Replicate",
        scheme=standard("webhook"),
        events=Shape(id=Head("webhook-id"), type=Path("status"), occurred_at=Occurred("created_at")),
        docs="https://replicate.com/docs/topics/webhooks/verify-webhook",
        facts=Facts(
            id_survives_retry=True,
            source="https://github.com/replicate/replicate-python",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
)
