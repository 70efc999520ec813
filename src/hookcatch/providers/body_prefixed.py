"""Senders that sign the body, in hexadecimal after a prefix: `sha256=...`."""

from __future__ import annotations

from hookcatch.signing.keys import Base64
from hookcatch.signing.mac import Hmac
from hookcatch.signing.places import Tagged
from hookcatch.signing.schemes import Signed

from .bespoke_handshakes import NOTION
from .body import of_body
from .handshakes import echo_query, probe
from .row import Facts, Provider
from .shapes import AnyOf, Batch, Head, Joined, Occurred, Path, Shape
from .trial_handshakes import BITBUCKET_PING

GITHUB_EVENTS = Shape(
    id=Head("x-github-delivery"),
    type=Joined((Head("x-github-event"), Path("action"))),
    form_payload=True,
)
GITHUB_FACTS = Facts(
    ack_deadline=10.0,
    retry_horizon=0.0,
    retry_schedule=(),
    id_survives_retry=True,
    max_body=25 * 1024 * 1024,
    source="https://docs.github.com/en/webhooks/using-webhooks/best-practices-for-using-webhooks",
)


ROWS = (
    Provider(
        name="github",
        title="GitHub",
        scheme=of_body("x-hub-signature-256", prefix="sha256="),
        events=GITHUB_EVENTS,
        docs="https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        id_is_signed=False,
        facts=GITHUB_FACTS,
    ),
    Provider(
        name="github_sha1",
        title="GitHub (legacy SHA-1)",
        scheme=of_body("x-hub-signature", prefix="sha1=", digest="sha1"),
        events=GITHUB_EVENTS,
        docs="https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers",
        id_is_signed=False,
        facts=GITHUB_FACTS,
    ),
    Provider(
        name="airtable",
        title="Airtable",
        scheme=of_body("x-airtable-content-mac", prefix="hmac-sha256=", key=Base64()),
        # Only a hint that there is something to fetch.
        events=Shape(occurred_at=Occurred("timestamp")),
        docs="https://airtable.com/developers/web/api/webhooks-overview",
        facts=Facts(
            # Thirteen tries more, the first after 10 s and each after twice the time of the one before.
            ack_deadline=25.0,
            retry_horizon=86_400.0,
            success_body="",
            disables="the last failed try; 7 days without a refresh",
            source="https://airtable.com/developers/web/api/webhooks-overview",
        ),
    ),
    Provider(
        name="bitbucket",
        title="Bitbucket Cloud",
        scheme=of_body("x-hub-signature", prefix="sha256="),
        events=Shape(id=Head("x-request-uuid"), type=Head("x-event-key")),
        docs="https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
        id_is_signed=False,
        facts=Facts(
            ack_deadline=10.0,
            id_survives_retry=True,
            max_body=256 * 1024,
            source="https://support.atlassian.com/bitbucket-cloud/docs/troubleshoot-webhooks/",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="bitbucket_server",
        title="Bitbucket Data Center",
        scheme=of_body("x-hub-signature", prefix="sha256="),
        events=Shape(id=Head("x-request-id"), type=Head("x-event-key"), occurred_at=Occurred("date")),
        docs="https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html",
        handshakes=(BITBUCKET_PING,),
        id_is_signed=False,
        facts=Facts(
            disables="five failures, for 10 seconds, then for longer, up to 10 hours",
            source="https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html",
            unconfirmed=frozenset({"disables"}),
        ),
    ),
    Provider(
        name="circleci",
        title="CircleCI",
        # Only the version known: another one beside it proves nothing.
        scheme=Signed(algorithm=Hmac("sha256"), signature=Tagged("circleci-signature", "v1", b",", b"=")),
        events=Shape(id=Path("id"), type=Path("type"), occurred_at=Occurred("happened_at")),
        docs="https://circleci.com/docs/guides/integration/outbound-webhooks/",
        facts=Facts(
            ack_deadline=10.0,
            id_survives_retry=True,
            source="https://circleci.com/docs/guides/integration/outbound-webhooks/",
        ),
    ),
    Provider(
        name="confluence",
        title="Confluence Data Center",
        scheme=of_body("x-hub-signature", prefix="sha256="),
        events=Shape(
            type=AnyOf((Path("event"), Head("x-event-key"))),
            occurred_at=Occurred("timestamp", per_second=1000),
        ),
        docs="https://confluence.atlassian.com/doc/managing-webhooks-1021225606.html",
        # That it is HMAC-SHA256 over the body, in this header, is documented; how it is written there is not.
        confirmed=False,
        facts=Facts(source="https://confluence.atlassian.com/doc/managing-webhooks-1021225606.html"),
    ),
    Provider(
        name="intercom",
        title="Intercom",
        scheme=of_body("x-hub-signature", prefix="sha1=", digest="sha1"),
        events=Shape(id=Path("id"), type=Path("topic"), data="data.item", occurred_at=Occurred("created_at")),
        docs="https://developers.intercom.com/docs/references/webhooks/webhook-models",
        handshakes=(probe("reachable"),),
        facts=Facts(
            # A 429 makes it wait, from a minute up to two hours in all.
            ack_deadline=5.0,
            retry_horizon=60.0,
            id_survives_retry=True,
            disables="errors for seven days (private apps); over 1000 in a row in 15 minutes, for 15 minutes",
            source="https://developers.intercom.com/docs/webhooks/webhook-notifications",
            unconfirmed=frozenset({"retry_horizon", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="jira",
        title="Jira Cloud",
        scheme=of_body("x-hub-signature", prefix="sha256="),
        events=Shape(
            id=Head("x-atlassian-webhook-identifier"),
            type=Path("webhookEvent"),
            occurred_at=Occurred("timestamp", per_second=1000),
        ),
        docs="https://developer.atlassian.com/cloud/jira/platform/webhooks/",
        id_is_signed=False,
        facts=Facts(
            retry_horizon=75 * 60.0,
            id_survives_retry=True,
            refusal_is_final=True,
            disables="a 4xx but 408, 409, 425 and 429 ends the retries of that delivery",
            source="https://developer.atlassian.com/cloud/jira/platform/webhooks/",
            unconfirmed=frozenset({"retry_horizon"}),
        ),
    ),
    Provider(
        name="mollie",
        title="Mollie (next-gen webhooks)",
        scheme=of_body("x-mollie-signature", prefix="sha256="),
        events=Shape(id=Path("id"), type=Path("type"), occurred_at=Occurred("createdAt")),
        docs="https://docs.mollie.com/reference/webhooks-new",
        facts=Facts(
            ack_deadline=15.0,
            retry_horizon=26 * 3600.0,
            id_survives_retry=True,
            source="https://docs.mollie.com/reference/webhooks-new",
            unconfirmed=frozenset({"retry_horizon", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="notion",
        title="Notion",
        scheme=of_body("x-notion-signature", prefix="sha256="),
        events=Shape(id=Path("id"), type=Path("type"), data="data", occurred_at=Occurred("timestamp")),
        handshakes=(NOTION,),
        docs="https://developers.notion.com/reference/webhooks",
        facts=Facts(
            retry_horizon=86400.0,
            id_survives_retry=True,
            source="https://github.com/makenotion/notion-sdk-js",
            unconfirmed=frozenset({"retry_horizon", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="pagerduty",
        title="PagerDuty",
        scheme=Signed(algorithm=Hmac("sha256"), signature=Tagged("x-pagerduty-signature", "v1", b",", b"=")),
        events=Shape(
            id=Path("event.id"),
            type=Path("event.event_type"),
            data="event.data",
            occurred_at=Occurred("event.occurred_at"),
        ),
        docs="https://developer.pagerduty.com/docs/webhook-signatures",
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=48 * 3600.0,
            id_survives_retry=True,
            refusal_is_final=True,
            disables="three given up in a row, for a day; a 4xx but 429 is never tried again",
            source="https://github.com/PagerDuty/developer-docs/blob/main/docs/webhooks/02-Behavior.md",
        ),
    ),
    Provider(
        name="discourse",
        title="Discourse",
        scheme=of_body("x-discourse-event-signature", prefix="sha256="),
        # A retry gets a new x-discourse-event-id: only the content stays the same.
        events=Shape(type=Head("x-discourse-event")),
        docs="https://meta.discourse.org/t/configure-webhooks-that-trigger-on-discourse-events-to-integrate-with-external-services/49045",
        facts=Facts(
            ack_deadline=20.0,
            # If the site tries again at all.
            retry_horizon=156 * 60.0,
            retry_schedule=(60.0, 360.0, 1860.0, 9360.0),
            id_survives_retry=True,
            disables="404 or 410 at the last try",
            source="https://github.com/discourse/discourse/blob/main/app/jobs/regular/emit_web_hook_event.rb",
        ),
    ),
    Provider(
        name="meta",
        title="Meta (Facebook, Instagram, Messenger, WhatsApp)",
        scheme=of_body("x-hub-signature-256", prefix="sha256="),
        # Up to a thousand entries at once, and no ids.
        events=Shape(type=Path("object"), batch=Batch("entry", shared=("object",))),
        docs="https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
        handshakes=(
            echo_query("hub.challenge", when=(("hub.mode", "subscribe"),), agreed="hub.verify_token"),
        ),
        facts=Facts(
            retry_horizon=36 * 3600.0,
            id_survives_retry=True,
            source="https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
            unconfirmed=frozenset({"retry_horizon", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="uploadcare",
        title="Uploadcare",
        scheme=of_body("x-uc-signature", prefix="v1="),
        events=Shape(type=Path("hook.event"), data="data"),
        docs="https://uploadcare.com/docs/webhooks/",
        facts=Facts(source="https://uploadcare.com/docs/webhooks/"),
    ),
)
