"""Standard Webhooks, those who send it under other names, and itsdangerous.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import re
from dataclasses import replace

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


def standard(*prefixes: str, key: keys.KeyFormat = keys.Base64("whsec_"), between: bytes = b" ") -> Scheme:
    """Standard Webhooks with headers of these prefixes, the first present counting: `v1` for a shared secret,
    `v1a` for a key that begins with `whpk_` (public) or `whsk_` (private). `between` is what stands between two
    signatures."""

    def signed(tag: str, algorithm: Hmac | Ed25519, key: keys.KeyFormat) -> Signed:
        return Signed(
            algorithm=algorithm,
            signature=Tagged(tuple(f"{prefix}-signature" for prefix in prefixes), tag, between),
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


# What the specification recommends.
_FACTS = Facts(
    ack_deadline=15.0,
    retry_horizon=272_105.0,
    retry_schedule=(5.0, 305.0, 2105.0, 9305.0, 27_305.0, 63_305.0, 113_705.0, 185_705.0, 272_105.0),
    id_survives_retry=True,
    disables="410",
    source="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
)

SVIX_FACTS = Facts(
    ack_deadline=15.0,
    retry_horizon=99_305.0,
    retry_schedule=(5.0, 305.0, 2105.0, 9305.0, 27_305.0, 63_305.0, 99_305.0),
    id_survives_retry=True,
    disables="five days of failures",
    source="https://docs.svix.com/retries",
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
        facts=SVIX_FACTS,
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
            disables="about twenty failures in a row; a redirect or a private address at once",
            source="https://github.com/anthropics/skills/blob/main/skills/claude-api/shared/managed-agents-webhooks.md",
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
            retry_horizon=173_040.0,
            retry_schedule=(
                60.0,
                240.0,
                540.0,
                1140.0,
                2040.0,
                3840.0,
                7440.0,
                14_640.0,
                36_240.0,
                86_640.0,
                173_040.0,
            ),
            id_survives_retry=True,
            disables="48 hours of failures; a success rate under 90 % in two minutes pauses the domain",
            source="https://github.com/bigcommerce/docs/blob/main/docs/integrations/webhooks/https-webhook-overview.mdx",
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
        docs="https://clerk.com/docs/guides/development/webhooks/overview",
        # Clerk sends through Svix.
        facts=SVIX_FACTS,
    ),
    Provider(
        name="openai",
        title="OpenAI",
        scheme=standard("webhook", key=keys.Base64("whsec_", bare=keys.Utf8())),
        events=Shape(
            id=Head("webhook-id"), type=Path("type"), data="data", occurred_at=Occurred("created_at")
        ),
        docs="https://developers.openai.com/api/docs/guides/webhooks",
        facts=Facts(
            retry_horizon=72 * 3600.0,
            id_survives_retry=True,
            source="https://developers.openai.com/api/docs/guides/webhooks",
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
        # Nine further tries, after a random part of 4, 8, 16 ... 1024 seconds.
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=2044.0,
            id_survives_retry=True,
            disables="ten failed deliveries in a row",
            source="https://github.com/polarsource/polar/blob/main/server/polar/webhook/tasks.py",
        ),
    ),
    Provider(
        name="resend",
        title="Resend",
        scheme=standard("svix"),
        events=Shape(id=Head("svix-id"), type=Path("type"), data="data", occurred_at=Occurred("created_at")),
        docs="https://resend.com/docs/dashboard/webhooks/verify-webhooks-requests",
        # The schedule is Svix's: https://resend.com/docs/webhooks/retries-and-replays.
        facts=replace(SVIX_FACTS, unconfirmed=frozenset({"ack_deadline", "disables"})),
    ),
    Provider(
        name="supabase",
        title="Supabase Auth Hooks",
        # The secret is `v1,whsec_...`, or several joined by `|`. What is answered decides: use a reply handler.
        scheme=standard("webhook", key=keys.Several("|", keys.Base64("v1,whsec_")), between=b", "),
        events=Shape(id=Head("webhook-id")),
        docs="https://supabase.com/docs/guides/auth/auth-hooks",
        # The deadline is that of all tries together.
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=4.0,
            retry_schedule=(2.0, 4.0),
            id_survives_retry=False,
            success_body="{}",
            max_body=20 * 1024,
            source="https://github.com/supabase/auth/blob/master/internal/hooks/hookshttp/hookshttp.go",
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
            retry_schedule=(),
            id_survives_retry=True,
            max_body=25 * 1024 * 1024,
            disables="four failures in a row for a while, forty for good",
            source="https://gitlab.com/gitlab-org/gitlab/-/blob/master/app/services/web_hook_service.rb",
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
        # Only the last webhook of a prediction is tried again, until about a minute after it ended.
        facts=Facts(
            retry_horizon=60.0,
            id_survives_retry=True,
            source="https://replicate.com/docs/topics/webhooks/receive-webhook",
        ),
    ),
)
