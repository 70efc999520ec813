"""Senders that sign nothing and send what their user configures: a header of his own, or nothing but the URL.

Where a header can be set, the secret of these rows is the whole Authorization header, as it is configured there:
`Bearer ...`, `Basic ...` or a bare word; for a header of another name there is `token(header=...)`. Where only the
URL can be chosen, it ends in `?secret=` and the secret, which any log of URLs then holds.
"""

from __future__ import annotations

from collections.abc import Callable

from hookcatch.core.parse import parse_json
from hookcatch.signing.fields import Field
from hookcatch.signing.json_path import compact
from hookcatch.signing.places import FirstOf, Header, Query
from hookcatch.signing.scheme import Scheme
from hookcatch.signing.schemes import Token

from .bespoke_handshakes import LARK, MONDAY
from .handshakes import GET, Handshake, probe
from .row import Facts, Provider
from .shapes import AnyOf, Batch, Joined, Occurred, OtherKey, Path, Shape
from .timestamped_pairs import MAILCHIMP_DOCS, MAILCHIMP_EVENTS, MAILCHIMP_FACTS
from .tokens import EVENTS, token

IN_HEADER = Token(Header("authorization"))
IN_URL = Token(Query("secret"))

ACK = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    "</soapenv:Body></soapenv:Envelope>"
)
"""What Salesforce takes for success; without it, it sends again for a day."""


def configured(
    name: str,
    title: str,
    docs: str,
    events: Shape = Shape(),
    *,
    scheme: Scheme = IN_HEADER,
    confirmed: bool = True,
    facts: Facts | None = None,
    handshakes: tuple[Handshake, ...] = (),
    repeats: bool = False,
) -> Provider:
    """A row of this kind."""
    return Provider(
        name=name,
        title=title,
        scheme=scheme,
        events=events,
        docs=docs,
        id_is_signed=False,
        body_is_signed=False,
        confirmed=confirmed,
        facts=facts or Facts(source=docs),
        handshakes=handshakes,
        repeats=repeats,
    )


def without(*names: str) -> Callable[[bytes], bytes]:
    """What of a JSON body may be kept: credentials never are (ATTACKS A58)."""
    steps = [name.split(".") for name in names]

    def kept(body: bytes) -> bytes:
        payload = parse_json(body)
        for *above, last in steps:
            inside = payload
            for step in above:
                inside = inside.get(step) if isinstance(inside, dict) else None
            if isinstance(inside, dict):
                inside.pop(last, None)
        return compact(payload)

    return kept


ROWS = (
    token(header="x-api-key", prefix="", name="api_key"),
    token(query="secret", name="secret_in_url"),
    configured(
        "docker_hub",
        "Docker Hub",
        "https://docs.docker.com/docker-hub/repos/manage/webhooks/",
        Shape(
            id=Joined((Path("repository.repo_name"), Path("push_data.tag"), Path("push_data.pushed_at")), ":")
        ),
        scheme=IN_URL,
        facts=Facts(source="https://github.com/docker/docs"),
    ),
    # Before it sends, it asks for /.well-known/fastly/logging/challenge on the same host.
    configured(
        "fastly",
        "Fastly log streaming",
        "https://www.fastly.com/documentation/guides/integrations/logging-endpoints/log-streaming-https/",
        Shape(batch=Batch(lines=True)),
        facts=Facts(
            max_body=100_000_000,
            source="https://docs.fastly.com/documentation/reference/api/logging/https",
        ),
    ),
    # Actions of a service without accounts of its users; it tries again several times, without saying when.
    configured(
        "ifttt",
        "IFTTT",
        "https://ifttt.com/docs/api_reference",
        Shape(data="actionFields"),
        scheme=Token(Header("ifttt-service-key")),
        facts=Facts(success_body='{"data":[{"id":"ok"}]}', source="https://ifttt.com/docs/api_reference"),
    ),
    configured(
        "lark_token",
        "Lark and Feishu (without an encrypt key)",
        "https://open.larksuite.com/document/server-docs/event-subscription-guide/overview",
        Shape(
            id=AnyOf((Path("header.event_id"), Path("uuid"))),
            type=AnyOf((Path("header.event_type"), Path("event.type"))),
            data="event",
            occurred_at=Occurred("header.create_time", per_second=1000),
            content=without("header.token", "token"),
        ),
        scheme=Token(FirstOf((Field("header.token"), Field("token")))),
        handshakes=(LARK,),
        facts=Facts(
            ack_deadline=3.0,
            retry_horizon=7.1 * 3600,
            id_survives_retry=True,
            source="https://github.com/larksuite/oapi-sdk-python",
            unconfirmed=frozenset({"ack_deadline", "retry_horizon"}),
        ),
    ),
    # Webhooks that were made before Mailchimp signed, or whose secret nobody kept.
    configured(
        "mailchimp_url",
        "Mailchimp Marketing (with a secret in the URL)",
        MAILCHIMP_DOCS,
        MAILCHIMP_EVENTS,
        scheme=IN_URL,
        handshakes=(probe("reachable", GET),),
        facts=MAILCHIMP_FACTS,
    ),
    configured("make", "Make", "https://apps.make.com/http", EVENTS),
    configured(
        "miro",
        "Miro",
        "https://developers.miro.com/reference/webhooks-overview",
        Shape(type=Path("event.type"), data="event"),
        scheme=IN_URL,
        handshakes=(MONDAY,),
        facts=Facts(
            disables="a user who has no access to the board any more",
            source="https://developers.miro.com/reference/webhooks-overview",
        ),
    ),
    # A hint that something about the payment changed, without saying what.
    configured(
        "mollie_classic",
        "Mollie (classic webhooks)",
        "https://docs.mollie.com/reference/webhooks",
        Shape(id=Path("id"), form=True),
        scheme=IN_URL,
        repeats=True,
        facts=Facts(
            ack_deadline=15.0,
            retry_horizon=26 * 3600.0,
            retry_schedule=(60.0, 180.0, 420.0, 900.0, 1860.0, 3600.0, 7200.0, 14_400.0, 93_600.0),
            source="https://github.com/mollie/api-documentation/blob/master/source/overview/webhooks.rst",
        ),
    ),
    configured(
        "n8n",
        "n8n",
        "https://docs.n8n.io/integrations/builtin/core-nodes/n8n-nodes-base.httprequest/",
        EVENTS,
    ),
    configured(
        "new_relic",
        "New Relic",
        "https://docs.newrelic.com/docs/alerts/get-notified/notification-integrations/",
        facts=Facts(
            disables="failures, for a few minutes at a time",
            source="https://docs.newrelic.com/docs/alerts/get-notified/destinations/",
        ),
    ),
    configured(
        "onesignal", "OneSignal event streams", "https://documentation.onesignal.com/docs/event-streams"
    ),
    configured(
        "opsgenie",
        "Opsgenie",
        "https://docs.opsgenie.com/v1.0/docs/webhook-integration",
        Shape(type=Path("action"), data="alert"),
    ),
    configured(
        "salesforce",
        "Salesforce outbound messages",
        "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging_notifications.htm",
        Shape(
            id=Path("Id"),
            type=Path("sObject.@type"),
            data="sObject",
            format="xml",
            kind="text/xml",
            batch=Batch("Envelope.Body.notifications.Notification", lone=True),
        ),
        scheme=IN_URL,
        confirmed=False,
        # Between two tries it waits longer and longer, up to two hours.
        facts=Facts(
            retry_horizon=86400.0,
            id_survives_retry=True,
            success_body=ACK,
            source="https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging_notifications.htm",
            unconfirmed=frozenset({"success_body"}),
        ),
    ),
    configured(
        "statuspage",
        "Statuspage",
        "https://support.atlassian.com/statuspage/docs/enable-webhook-notifications/",
        Shape(type=OtherKey(frozenset({"meta", "page", "component"}))),
        scheme=IN_URL,
        facts=Facts(
            ack_deadline=30.0,
            source="https://support.atlassian.com/statuspage/docs/enable-webhook-notifications/",
        ),
    ),
    configured(
        "supabase_database",
        "Supabase database webhooks",
        "https://supabase.com/docs/guides/database/webhooks",
        Shape(type=Joined((Path("table"), Path("type"))), data="record"),
        # Its requests are those of pg_net, which takes each from its queue once.
        facts=Facts(
            retry_horizon=0.0,
            retry_schedule=(),
            source="https://github.com/supabase/pg_net",
        ),
    ),
    configured(
        "zapier",
        "Zapier",
        "https://help.zapier.com/hc/en-us/articles/8496326446989-Send-webhooks-in-Zaps",
        EVENTS,
    ),
    configured(
        "zoho_crm",
        "Zoho CRM notifications",
        "https://zoho.com/crm/developer/docs/api/v2.1/notifications/update-details.html",
        Shape(type=Joined((Path("module"), Path("operation"))), content=without("token")),
        scheme=Token(Field("token")),
        facts=Facts(
            disables="the end of the channel: an hour, unless it is told a later one",
            source="https://zoho.com/crm/developer/docs/api/v2.1/notifications/update-details.html",
            unconfirmed=frozenset({"disables"}),
        ),
    ),
)
