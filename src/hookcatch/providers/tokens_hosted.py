"""Clouds, mail and monitoring services that send a secret along, configured by their user."""

from __future__ import annotations

from hookcatch.signing.fields import EveryItem
from hookcatch.signing.keys import UserPassword
from hookcatch.signing.places import BasicCredentials, Header, Query
from hookcatch.signing.schemes import Token

from .bespoke_handshakes import CLOUDEVENTS, EVENT_GRID
from .handshakes import POST, echo_query
from .row import Facts, Provider
from .shapes import AnyOf, Batch, Head, Joined, Occurred, Path, Shape

BASIC = Token(BasicCredentials(), key=UserPassword())
BEARER = Token(Header("authorization", prefix="Bearer "))
CLIENT_STATE = EveryItem("value", "clientState")

GRAPH_FACTS = Facts(
    ack_deadline=3.0,
    retry_horizon=4 * 3600.0,
    id_survives_retry=True,
    success_status=202,
    source="https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks",
    unconfirmed=frozenset({"id_survives_retry"}),
)

ROWS = (
    Provider(
        name="alertmanager",
        title="Prometheus Alertmanager",
        scheme=BEARER,
        # Alertmanager repeats itself as long as an alert lasts; groupKey says what is about the same.
        events=Shape(type=Path("status")),
        docs="https://prometheus.io/docs/alerting/latest/configuration/#webhook_config",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            # Both are a route's group_interval, by default; after it the alerts that last are told anew.
            ack_deadline=300.0,
            retry_horizon=300.0,
            disables="anything but 2xx and 5xx ends the retries of that delivery",
            source="https://github.com/prometheus/alertmanager/blob/main/docs/configuration.md",
        ),
    ),
    Provider(
        name="aws_eventbridge",
        title="Amazon EventBridge API destinations",
        scheme=BASIC,
        events=Shape(id=Path("id"), type=Path("detail-type"), data="detail", occurred_at=Occurred("time")),
        docs="https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            source="https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html",
            unconfirmed=frozenset({"ack_deadline", "id_survives_retry"}),
        ),
    ),
    Provider(
        name="azure_eventgrid",
        title="Azure Event Grid",
        scheme=Token(Query("secret")),
        events=Shape(
            id=Path("id"),
            type=AnyOf((Path("eventType"), Path("type"))),
            data="data",
            occurred_at=Occurred("eventTime"),
            batch=Batch(),
        ),
        docs="https://learn.microsoft.com/en-us/azure/event-grid/secure-webhook-delivery",
        handshakes=(EVENT_GRID, CLOUDEVENTS),
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            ack_deadline=30.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            disables="400 or 413 ends the retries of that delivery",
            source="https://learn.microsoft.com/en-us/azure/event-grid/delivery-and-retry",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="brevo",
        title="Brevo",
        scheme=BEARER,
        events=Shape(type=Path("event"), occurred_at=Occurred("ts_epoch", per_second=1000)),
        docs="https://developers.brevo.com/docs/secured-webhooks",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            retry_horizon=40_200.0,
            retry_schedule=(600.0, 4200.0, 11_400.0, 40_200.0),
            id_survives_retry=True,
            refusal_is_final=True,
            disables="a 4xx but 429, or a 5xx, ends the retries of that delivery",
            source="https://developers.brevo.com/docs/retry-mechanism",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="cloudflare",
        title="Cloudflare Notifications",
        scheme=Token(Header("cf-webhook-auth")),
        events=Shape(type=Path("alert_type"), data="data", occurred_at=Occurred("ts")),
        docs="https://developers.cloudflare.com/notifications/get-started/configure-webhooks/",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(source="https://github.com/cloudflare/cloudflare-docs"),
    ),
    Provider(
        name="datadog",
        title="Datadog",
        scheme=BASIC,
        # The body is a template of the user, who sets the headers too.
        events=Shape(),
        docs="https://docs.datadoghq.com/integrations/webhooks/",
        id_is_signed=False,
        body_is_signed=False,
        # It tries again after 5xx, and five times where it finds no connection.
        facts=Facts(ack_deadline=15.0, source="https://docs.datadoghq.com/integrations/webhooks/"),
    ),
    Provider(
        name="google_drive",
        title="Google Drive and Calendar notifications",
        scheme=Token(Header("x-goog-channel-token")),
        # The body is empty: the headers say what to fetch.
        events=Shape(
            id=Joined((Head("x-goog-channel-id"), Head("x-goog-message-number")), ":"),
            type=Head("x-goog-resource-state"),
        ),
        docs="https://developers.google.com/workspace/drive/api/guides/push",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            # It tries again after 500, 502, 503 and 504, after nothing else.
            id_survives_retry=True,
            disables="the channel expires",
            source="https://developers.google.com/workspace/drive/api/guides/push",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="hasura",
        title="Hasura event triggers",
        scheme=BEARER,
        events=Shape(
            id=Path("id"),
            type=Joined((Path("trigger.name"), Path("event.op"))),
            data="event.data",
            occurred_at=Occurred("created_at"),
        ),
        docs="https://hasura.io/docs/2.0/event-triggers/payload/",
        id_is_signed=False,
        body_is_signed=False,
        # The deadline is the default; how often it tries again is a setting too, by default not at all.
        facts=Facts(
            ack_deadline=60.0,
            id_survives_retry=True,
            source="https://hasura.io/docs/2.0/event-triggers/create-trigger/",
        ),
    ),
    Provider(
        name="hugging_face",
        title="Hugging Face",
        scheme=Token(Header("x-webhook-secret")),
        events=Shape(type=Joined((Path("event.scope"), Path("event.action")))),
        docs="https://huggingface.co/docs/hub/webhooks",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            disables="1,000 deliveries in 24 hours",
            source="https://huggingface.co/docs/hub/webhooks",
        ),
    ),
    Provider(
        name="postmark",
        title="Postmark",
        scheme=BASIC,
        events=Shape(
            id=AnyOf((Path("ID", number=True), Joined((Path("MessageID"), Path("RecordType")), ":"))),
            type=Path("RecordType"),
        ),
        docs="https://postmarkapp.com/developer/webhooks/webhooks-overview",
        id_is_signed=False,
        body_is_signed=False,
        # A wrong password gets a 401 and not a 403, after which that mail would never come again.
        facts=Facts(
            retry_horizon=37_260.0,
            retry_schedule=(60.0, 360.0, 960.0, 1560.0, 2160.0, 3060.0, 4860.0, 8460.0, 15_660.0, 37_260.0),
            id_survives_retry=True,
            disables="403 ends the retries of that delivery",
            source="https://postmarkapp.com/support/article/understanding-inbound-webhook-retries-in-postmark",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="sparkpost",
        title="SparkPost",
        scheme=BASIC,
        events=Shape(
            id=AnyOf(
                (
                    Path("message_event.event_id"),
                    Path("track_event.event_id"),
                    Path("unsubscribe_event.event_id"),
                    Path("gen_event.event_id"),
                )
            ),
            type=AnyOf(
                (
                    Path("message_event.type"),
                    Path("track_event.type"),
                    Path("unsubscribe_event.type"),
                    Path("gen_event.type"),
                )
            ),
            batch=Batch(unwrap="msys"),
        ),
        docs="https://developers.sparkpost.com/api/webhooks/",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=8 * 3600.0,
            id_survives_retry=True,
            source="https://github.com/SparkPost/developers.sparkpost.com/blob/master/content/api/webhooks.apib",
        ),
    ),
    Provider(
        name="strapi",
        title="Strapi",
        scheme=BEARER,
        events=Shape(
            type=AnyOf((Path("event"), Head("x-strapi-event"))),
            data="entry",
            occurred_at=Occurred("createdAt"),
        ),
        docs="https://docs.strapi.io/cms/backend-customization/webhooks",
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=0.0,
            retry_schedule=(),
            source="https://github.com/strapi/strapi/blob/develop/packages/core/core/src/services/webhook-runner.ts",
        ),
    ),
    Provider(
        name="ms_graph",
        title="Microsoft Graph",
        scheme=Token(CLIENT_STATE),
        events=Shape(
            id=Path("id"),
            type=Path("changeType"),
            data="resourceData",
            content=CLIENT_STATE.without,
            batch=Batch(items="value"),
        ),
        docs="https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks",
        handshakes=(echo_query("validationToken", methods=POST),),
        id_is_signed=False,
        body_is_signed=False,
        facts=GRAPH_FACTS,
    ),
)
