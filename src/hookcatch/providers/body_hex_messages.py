"""Senders of messages, of content and of identity checks that sign the body, in hexadecimal."""

from __future__ import annotations

from hookcatch.signing.listed import AnyHeader
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY
from hookcatch.signing.schemes import Signed

from .bespoke_handshakes import LINKEDIN, SMARTSHEET
from .body import of_body
from .handshakes import GET, probe
from .row import Facts, Provider
from .shapes import AnyOf, Batch, Joined, Occurred, Path, Shape

ROWS = (
    Provider(
        name="agora",
        title="Agora",
        scheme=of_body("agora-signature-v2"),
        # Agora wants both together compared, yet sends a notice again with another time: only what it sends twice
        # in the same moment is known again.
        events=Shape(
            id=Joined((Path("noticeId"), Path("notifyMs")), ":"),
            type=Path("eventType"),
            data="payload",
            occurred_at=Occurred("notifyMs", per_second=1000),
        ),
        docs="https://docs.agora.io/en/video-calling/advanced-features/receive-notifications",
        facts=Facts(
            # It tries three times more, at growing intervals.
            ack_deadline=10.0,
            id_survives_retry=False,
            success_body="{}",
            source="https://docs.agora.io/en/video-calling/advanced-features/receive-notifications",
        ),
    ),
    Provider(
        name="alchemy",
        title="Alchemy",
        scheme=of_body("x-alchemy-signature"),
        events=Shape(id=Path("id"), type=Path("type"), data="event", occurred_at=Occurred("createdAt")),
        docs="https://www.alchemy.com/docs/reference/notify-api-quickstart",
        facts=Facts(
            ack_deadline=5.0,
            # Up to 10 minutes, an hour for enterprises.
            retry_horizon=3600.0,
            id_survives_retry=True,
            disables="an endpoint that keeps failing is paused",
            source="https://www.alchemy.com/docs/reference/notify-api-faq",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="checkr",
        title="Checkr",
        scheme=of_body("x-checkr-signature"),
        events=Shape(
            id=Path("id"), type=Path("type"), data="data.object", occurred_at=Occurred("created_at")
        ),
        docs="https://docs.checkr.com/#section/Webhooks",
        facts=Facts(source="https://github.com/checkr/webhook-verification-examples"),
    ),
    Provider(
        name="clickup",
        title="ClickUp",
        scheme=of_body("x-signature"),
        # One delivery may tell of many history items: its content names it.
        events=Shape(type=Path("event")),
        docs="https://developer.clickup.com/docs/webhooksignature",
        facts=Facts(
            ack_deadline=7.0,
            id_survives_retry=True,
            disables="410; a hundred events that failed five times each",
            source="https://developer.clickup.com/docs/webhookhealth",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="grafana",
        title="Grafana Alerting",
        scheme=of_body("x-grafana-alerting-signature"),
        # Grafana repeats itself as long as an alert lasts; groupKey says what is about the same.
        events=Shape(type=Path("status")),
        docs="https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/",
        facts=Facts(
            ack_deadline=30.0,
            # No failure is tried again, but the alerts that last are told anew at the next group_interval.
            source="https://github.com/grafana/alerting/blob/main/receivers/util.go",
        ),
    ),
    Provider(
        name="linkedin",
        title="LinkedIn",
        scheme=of_body("x-li-signature", message=(b"hmacsha256=", BODY)),
        # Up to ten notifications at once; a lead comes alone, and has no id.
        events=Shape(
            id=Path("notificationId", number=True),
            type=Joined((Path("type"), AnyOf((Path("action"), Path("leadAction"))))),
            batch=Batch("notifications", shared=("type",)),
        ),
        docs="https://learn.microsoft.com/en-us/linkedin/shared/api-guide/webhook-validation",
        handshakes=(LINKEDIN,),
        facts=Facts(
            # Every five minutes for eight hours.
            retry_horizon=8 * 3600.0,
            retry_schedule=tuple(300.0 * number for number in range(1, 97)),
            id_survives_retry=True,
            disables="three failed validations, which are made every two hours",
            source="https://learn.microsoft.com/en-us/linkedin/marketing/community-management/organizations/organization-social-action-notifications",
        ),
    ),
    Provider(
        name="mailgun_optimize",
        title="Mailgun Optimize alerts",
        scheme=of_body("x-sign"),
        events=Shape(),
        docs="https://documentation.mailgun.com/docs/inboxready/alerts",
        handshakes=(probe("reachable", GET),),
        facts=Facts(
            retry_horizon=8 * 3600.0,
            disables="the last failed try",
            source="https://github.com/mailgun/documentation/blob/master/source/api-deliverability-alerts.rst",
        ),
    ),
    Provider(
        name="onfido",
        title="Onfido",
        scheme=of_body("x-sha2-signature"),
        # payload.object.id names the object, which has many events.
        events=Shape(
            type=Path("payload.action"),
            data="payload",
            occurred_at=Occurred("payload.object.completed_at_iso8601"),
        ),
        docs="https://documentation.onfido.com/api/latest/#webhooks",
        facts=Facts(
            ack_deadline=10.0,
            id_survives_retry=True,
            source="https://github.com/onfido/onfido-openapi-spec/blob/master/paths/webhooks.yaml",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="sinch_numbers",
        title="Sinch Numbers",
        scheme=of_body("x-sinch-signature", digest="sha1"),
        events=Shape(id=Path("eventId"), type=Path("eventType"), occurred_at=Occurred("timestamp")),
        docs="https://developers.sinch.com/docs/numbers/api-reference/numbers/tag/Numbers-Callbacks/",
        facts=Facts(
            id_survives_retry=True,
            source="https://github.com/sinch/sinch-sdk-python",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="smartsheet",
        title="Smartsheet",
        scheme=of_body("smartsheet-hmac-sha256"),
        # Their ids are those of sheets, rows and cells.
        events=Shape(
            type=AnyOf((Joined((Path("objectType"), Path("eventType"))), Path("newWebhookStatus"))),
            occurred_at=Occurred("timestamp"),
            batch=Batch("events", shared=("nonce", "webhookId", "scope", "scopeObjectId")),
        ),
        docs="https://developers.smartsheet.com/api/smartsheet/guides/webhooks",
        handshakes=(SMARTSHEET,),
        facts=Facts(
            # Seven more tries, ever later, then seven every three hours.
            disables="15 failures; 410, 3xx or 2xx but 200; a wrong answer to the check of every 100th callback",
            source="https://github.com/smartsheet-platform/api-docs/blob/master/source/_webhooks.html.md.erb",
        ),
    ),
    Provider(
        name="veriff",
        title="Veriff",
        scheme=Signed(
            algorithm=Hmac("sha256"), signature=AnyHeader(("vrf-hmac-signature", "x-hmac-signature"))
        ),
        # The ids are those of sessions and attempts, which have many events.
        events=Shape(type=AnyOf((Path("action"), Path("verification.status")))),
        docs="https://devdocs.veriff.com/docs/hmac-authentication-and-endpoint-security",
        facts=Facts(
            # About once an hour.
            retry_horizon=7 * 86400.0,
            id_survives_retry=True,
            source="https://help.veriff.com/en/articles/3250261-how-long-does-it-take-for-veriff-to-communicate-a-decision",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="viber",
        title="Viber",
        scheme=of_body("x-viber-content-signature"),
        events=Shape(
            id=Path("message_token", number=True),
            type=Path("event"),
            occurred_at=Occurred("timestamp", per_second=1000),
        ),
        docs="https://developers.viber.com/docs/api/rest-bot-api/",
        facts=Facts(
            retry_horizon=3600.0,
            id_survives_retry=True,
            source="https://developers.viber.com/docs/faq/",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
)
