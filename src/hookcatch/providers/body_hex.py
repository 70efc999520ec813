"""Senders that sign the body, in hexadecimal."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hookcatch.signing.fields import Payload
from hookcatch.signing.mac import Hash, Hmac, Keccak256, Side
from hookcatch.signing.places import FirstOf, Header
from hookcatch.signing.schemes import Signed

from .bespoke_handshakes import ASANA
from .body import hmac, of_body
from .handshakes import echo_query
from .row import Facts, Provider
from .shapes import AnyOf, Batch, Head, Joined, Occurred, Path, Shape

GIT_FACTS = Facts(
    ack_deadline=5.0,
    retry_horizon=0.0,
    retry_schedule=(),
    # What somebody sends again by hand has another id.
    id_survives_retry=False,
    source="https://github.com/go-gitea/gitea/blob/main/models/webhook/hooktask.go",
)

HUBSPOT_EVENTS = Shape(
    # An `eventId` need not be unique, says HubSpot: so account, subscription and object go with it.
    id=Joined(
        tuple(Path(name, number=True) for name in ("eventId", "portalId", "subscriptionId", "objectId")), ":"
    ),
    type=Path("subscriptionType"),
    occurred_at=Occurred("occurredAt", per_second=1000),
    batch=Batch(),
)
HUBSPOT_FACTS = Facts(
    # Ten tries more, at varying intervals.
    ack_deadline=5.0,
    retry_horizon=86400.0,
    id_survives_retry=True,
    source="https://developers.hubspot.com/docs/api/webhooks",
)


ROWS = (
    hmac(),
    Provider(
        name="asana",
        title="Asana",
        # One secret a webhook, told in X-Hook-Secret when it is made.
        scheme=of_body("x-hook-signature"),
        events=Shape(
            type=Joined((Path("resource.resource_type"), Path("action"))),
            occurred_at=Occurred("created_at"),
            batch=Batch("events"),
        ),
        handshakes=(ASANA,),
        docs="https://developers.asana.com/docs/webhooks-guide",
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            disables="24 hours of failures delete the webhook",
            source="https://developers.asana.com/docs/webhooks-guide",
        ),
    ),
    Provider(
        name="cal_com",
        title="Cal.com",
        scheme=of_body("x-cal-signature-256"),
        events=Shape(type=Path("triggerEvent"), data="payload", occurred_at=Occurred("createdAt")),
        docs="https://cal.com/docs/developing/guides/automation/webhooks",
        facts=Facts(
            # Two more tries, after 10 and 15 s, each up to twice as late.
            retry_horizon=50.0,
            source="https://github.com/calcom/cal.com/blob/main/packages/features/webhooks/lib/tasker/trigger/config.ts",
        ),
    ),
    Provider(
        name="coinbase_commerce",
        title="Coinbase Commerce",
        scheme=of_body("x-cc-webhook-signature"),
        # The id at the top is another one at each attempt.
        events=Shape(
            id=Path("event.id"),
            type=Path("event.type"),
            data="event.data",
            occurred_at=Occurred("event.created_at"),
        ),
        docs="https://docs.cdp.coinbase.com/commerce/webhooks",
        facts=Facts(
            retry_horizon=3 * 86400.0,
            id_survives_retry=True,
            source="https://docs.cloud.coinbase.com/commerce-onchain/docs/webhooks",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="dropbox",
        title="Dropbox",
        scheme=of_body("x-dropbox-signature"),
        # Two changes in one account are told in the same words.
        events=Shape(data="list_folder"),
        docs="https://www.dropbox.com/developers/reference/webhooks",
        repeats=True,
        handshakes=(echo_query("challenge"),),
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=600.0,
            bad_signature_status=403,
            source="https://www.dropbox.com/developers/reference/webhooks",
        ),
    ),
    Provider(
        name="forgejo",
        title="Forgejo",
        scheme=of_body("x-forgejo-signature", message=(Payload(),)),
        events=Shape(id=Head("x-forgejo-delivery"), type=Head("x-forgejo-event"), form_payload=True),
        docs="https://forgejo.org/docs/latest/user/webhooks/",
        id_is_signed=False,
        facts=replace(GIT_FACTS, source="https://forgejo.org/docs/latest/user/webhooks/"),
    ),
    Provider(
        name="gitea",
        title="Gitea",
        scheme=of_body("x-gitea-signature", message=(Payload(),)),
        events=Shape(id=Head("x-gitea-delivery"), type=Head("x-gitea-event"), form_payload=True),
        docs="https://docs.gitea.com/usage/webhooks",
        id_is_signed=False,
        facts=GIT_FACTS,
    ),
    Provider(
        name="gogs",
        title="Gogs",
        scheme=of_body("x-gogs-signature", message=(Payload(),)),
        events=Shape(id=Head("x-gogs-delivery"), type=Head("x-gogs-event"), form_payload=True),
        docs="https://github.com/gogs/gogs",
        id_is_signed=False,
        facts=replace(
            GIT_FACTS,
            ack_deadline=15.0,
            id_survives_retry=True,
            source="https://github.com/gogs/gogs/blob/main/internal/database/webhook.go",
        ),
    ),
    Provider(
        name="gocardless",
        title="GoCardless",
        scheme=of_body("webhook-signature"),
        events=Shape(
            id=Path("id"),
            type=Joined((Path("resource_type"), Path("action"))),
            occurred_at=Occurred("created_at"),
            batch=Batch("events"),
        ),
        docs="https://developer.gocardless.com/getting-started/staying-up-to-date-with-webhooks/",
        # Eight tries more, at growing intervals.
        facts=Facts(
            ack_deadline=10.0,
            id_survives_retry=True,
            bad_signature_status=498,
            source="https://support.gocardless.com/hc/en-nz/articles/360000989989-Webhook-retries-failures",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="hubspot_v1",
        title="HubSpot (signature v1)",
        scheme=Signed(algorithm=Hash("sha256", Side.BEFORE), signature=Header("x-hubspot-signature")),
        events=HUBSPOT_EVENTS,
        docs="https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
        facts=HUBSPOT_FACTS,
    ),
    Provider(
        name="lemon_squeezy",
        title="Lemon Squeezy",
        scheme=of_body("x-signature"),
        events=Shape(type=Path("meta.event_name"), data="data"),
        docs="https://docs.lemonsqueezy.com/help/webhooks/signing-requests",
        facts=Facts(
            retry_horizon=155.0,
            retry_schedule=(5.0, 30.0, 155.0),
            source="https://docs.lemonsqueezy.com/help/webhooks/webhook-requests",
        ),
    ),
    Provider(
        name="moralis",
        title="Moralis Streams",
        scheme=Signed(algorithm=Keccak256(), signature=Header("x-signature", prefix="0x")),
        # A block comes twice: when it is seen, and when it is confirmed.
        events=Shape(type=Path("tag")),
        docs="https://docs.moralis.com/streams-api/evm/webhook-security",
        facts=Facts(
            retry_horizon=86400.0,
            retry_schedule=(60.0, 600.0, 3600.0, 7200.0, 21600.0, 43200.0, 86400.0),
            disables="less than 70 % delivered, or 10,000 in the queue; for good after 24 hours of it",
            source="https://docs.moralis.com/streams-api/evm/error-handling",
        ),
    ),
    Provider(
        name="paystack",
        title="Paystack",
        scheme=of_body("x-paystack-signature", digest="sha512"),
        events=Shape(type=Path("event"), data="data", occurred_at=Occurred("data.created_at")),
        docs="https://paystack.com/docs/payments/webhooks/",
        facts=Facts(
            retry_horizon=72 * 3600.0,
            id_survives_retry=True,
            source="https://github.com/PaystackOSS/doc-code-snippets/tree/main/src/doc/payments/webhooks",
            unconfirmed=frozenset({"retry_horizon", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="razorpay",
        title="Razorpay",
        scheme=of_body("x-razorpay-signature"),
        events=Shape(
            id=Head("x-razorpay-event-id"),
            type=Path("event"),
            data="payload",
            occurred_at=Occurred("created_at"),
        ),
        docs="https://razorpay.com/docs/webhooks/validate-test/",
        id_is_signed=False,
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            disables="24 hours of failures",
            source="https://razorpay.com/docs/webhooks/best-practices/",
        ),
    ),
    Provider(
        name="sentry",
        title="Sentry",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=FirstOf((Header("sentry-hook-signature"), Header("sentry-app-signature"))),
        ),
        events=Shape(
            id=Head("request-id"),
            type=Joined((Head("sentry-hook-resource"), Path("action"))),
            data="data",
        ),
        docs="https://docs.sentry.io/organization/integrations/integration-platform/webhooks/",
        id_is_signed=False,
        facts=Facts(
            ack_deadline=1.0,
            id_survives_retry=False,
            disables="1000 timeouts in 24 hours",
            source="https://docs.sentry.io/organization/integrations/integration-platform/webhooks/",
        ),
    ),
    Provider(
        name="terraform",
        title="HCP Terraform notifications",
        scheme=of_body("x-tfe-notification-signature", digest="sha512"),
        events=Shape(type=AnyOf((Path("trigger"), Path("notifications.0.trigger")))),
        docs="https://developer.hashicorp.com/terraform/cloud-docs/workspaces/settings/notifications",
        facts=Facts(
            disables="it is not enabled until the verification request gets a 2xx",
            source="https://developer.hashicorp.com/terraform/cloud-docs/workspaces/settings/notifications",
        ),
    ),
    Provider(
        name="terraform_run_task",
        title="HCP Terraform run tasks",
        scheme=of_body("x-tfc-task-signature", digest="sha512"),
        events=Shape(
            id=Path("task_result_id"), type=Path("stage"), occurred_at=Occurred("task_result_created_at")
        ),
        docs="https://developer.hashicorp.com/terraform/cloud-docs/api-docs/run-tasks/run-tasks-integration",
        facts=Facts(
            source="https://github.com/hashicorp/terraform-run-task-scaffolding-go",
            checked=date(2026, 11, 24),
        ),
    ),
    Provider(
        name="vercel",
        title="Vercel",
        scheme=of_body("x-vercel-signature", digest="sha1"),
        events=Shape(
            id=Path("id"),
            type=Path("type"),
            data="payload",
            occurred_at=Occurred("createdAt", per_second=1000),
        ),
        docs="https://vercel.com/docs/webhooks/webhooks-api",
        facts=Facts(
            # https://github.com/hookdeck/webhook-skills/blob/main/skills/vercel-webhooks/references/overview.md
            ack_deadline=30.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            source="https://github.com/vercel/example-marketplace-integration",
            unconfirmed=frozenset({"ack_deadline", "retry_horizon", "id_survives_retry"}),
        ),
    ),
)
