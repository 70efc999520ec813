"""Senders that sign the body, in base64."""

from __future__ import annotations

from hookcatch.signing import keys
from hookcatch.signing.encoding import BASE64
from hookcatch.signing.listed import AnyHeader
from hookcatch.signing.mac import Hmac
from hookcatch.signing.places import FirstOf, Header
from hookcatch.signing.schemes import Signed

from .bespoke_handshakes import WOOCOMMERCE_PING, X_CRC
from .body import of_body
from .row import Facts, Provider
from .shapes import AnyOf, Batch, Head, Joined, Occurred, OtherKey, Path, Shape

ROWS = (
    Provider(
        name="adyen_platforms",
        title="Adyen for Platforms, Balance and Management",
        scheme=of_body("hmacsignature", encoding=BASE64, key=keys.Hex()),
        events=Shape(type=Path("type"), data="data", occurred_at=Occurred("timestamp")),
        docs="https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures/",
        facts=Facts(
            ack_deadline=10.0,
            retry_horizon=30 * 86400.0,
            id_survives_retry=True,
            source="https://docs.adyen.com/development-resources/webhooks/troubleshoot",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="docusign",
        title="DocuSign Connect",
        # One header for each key of the account.
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=AnyHeader(tuple(f"x-docusign-signature-{number}" for number in range(1, 17))),
            encoding=BASE64,
        ),
        # A retry counts itself in the body, so its bytes are no id.
        events=Shape(
            id=Joined((Path("data.envelopeId"), Path("event"), Path("generatedDateTime")), ":"),
            type=Path("event"),
            data="data",
            occurred_at=Occurred("generatedDateTime"),
        ),
        docs="https://developers.docusign.com/platform/webhooks/connect/validate/",
        facts=Facts(
            # What it asks for, not when it gives up.
            ack_deadline=5.0,
            retry_horizon=15 * 86400.0,
            id_survives_retry=True,
            disables="14 days of failures",
            source="https://developers.docusign.com/platform/webhooks/connect/implement",
            unconfirmed=frozenset({"retry_horizon", "id_survives_retry", "disables"}),
        ),
    ),
    Provider(
        name="flutterwave",
        title="Flutterwave (v4)",
        scheme=of_body("flutterwave-signature", encoding=BASE64),
        events=Shape(
            id=Path("id"),
            type=Path("type"),
            data="data",
            occurred_at=Occurred("timestamp", per_second=1000),
        ),
        docs="https://developer.flutterwave.com/docs/webhooks",
        # Its page has been read with the bare secret in the header too.
        confirmed=False,
        # It tries again only where that is switched on.
        facts=Facts(
            ack_deadline=60.0,
            retry_horizon=5400.0,
            retry_schedule=(1800.0, 3600.0, 5400.0),
            id_survives_retry=True,
            source="https://developer.flutterwave.com/docs/webhooks",
        ),
    ),
    Provider(
        name="heroku",
        title="Heroku",
        scheme=of_body("heroku-webhook-hmac-sha256", encoding=BASE64),
        events=Shape(
            id=Path("id"),
            type=Joined((Path("resource"), Path("action"))),
            data="data",
            occurred_at=Occurred("created_at"),
        ),
        docs="https://devcenter.heroku.com/articles/app-webhooks",
        facts=Facts(
            retry_horizon=72 * 3600.0,
            id_survives_retry=True,
            source="https://devcenter.heroku.com/changelog-items/1966",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="quickbooks",
        title="Intuit QuickBooks",
        scheme=of_body("intuit-signature", encoding=BASE64),
        events=Shape(
            id=Path("id"), type=Path("type"), data="data", occurred_at=Occurred("time"), batch=Batch()
        ),
        docs="https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks/managing-webhooks-notifications",
        facts=Facts(
            ack_deadline=3.0,
            # 10 s, 20 s, 30 s, 5 min, 20 min, 2 h, 4 h, then every 6 h: it does not say until when.
            id_survives_retry=True,
            source="https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks/best-practices",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="typeform",
        title="Typeform",
        scheme=of_body("typeform-signature", prefix="sha256=", encoding=BASE64),
        events=Shape(
            id=Path("event_id"),
            type=Path("event_type"),
            data="form_response",
            occurred_at=Occurred("form_response.submitted_at"),
        ),
        docs="https://www.typeform.com/developers/webhooks/secure-your-webhooks/",
        facts=Facts(
            ack_deadline=30.0,
            # 408, 423, 429 and 503 are tried again every 2-3 minutes for 10 hours, others after 5, 10 and 20 minutes,
            # 1, 2, 3 and 4 hours, one after the other.
            retry_horizon=635 * 60.0,
            id_survives_retry=True,
            disables="404 and 410",
            source="https://www.typeform.com/developers/webhooks/",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="woocommerce",
        title="WooCommerce",
        scheme=of_body("x-wc-webhook-signature", encoding=BASE64, key=keys.Unescaped()),
        # The delivery id is a hash of the webhook and the second: two orders of one second share it.
        events=Shape(
            id=Joined((Head("x-wc-webhook-delivery-id"), Path("id")), ":"), type=Head("x-wc-webhook-topic")
        ),
        docs="https://woocommerce.com/document/webhooks/",
        handshakes=(WOOCOMMERCE_PING,),
        id_is_signed=False,
        facts=Facts(
            ack_deadline=60.0,
            retry_horizon=0.0,
            retry_schedule=(),
            id_survives_retry=False,
            disables="more than five failures in a row",
            source="https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/includes/class-wc-webhook.php",
        ),
    ),
    Provider(
        name="xero",
        title="Xero",
        scheme=of_body("x-xero-signature", encoding=BASE64),
        events=Shape(
            type=Joined((Path("eventCategory"), Path("eventType"))),
            occurred_at=Occurred("eventDateUtc"),
            batch=Batch("events"),
        ),
        docs="https://developer.xero.com/documentation/guides/webhooks/configuring-your-server/",
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=86400.0,
            id_survives_retry=True,
            success_body="",
            disables="a day of failures; an answer with a body or a cookie is one",
            source="https://developer.xero.com/documentation/guides/webhooks/configuring-your-server/",
        ),
    ),
    Provider(
        name="shopify",
        title="Shopify",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=FirstOf((Header("x-shopify-hmac-sha256"), Header("shopify-hmac-sha256"))),
            encoding=BASE64,
        ),
        events=Shape(
            id=AnyOf((Head("x-shopify-webhook-id"), Head("shopify-webhook-id"))),
            type=AnyOf((Head("x-shopify-topic"), Head("shopify-topic"))),
            occurred_at=Occurred("updated_at"),
        ),
        docs="https://shopify.dev/docs/apps/build/webhooks/verify-deliveries",
        id_is_signed=False,
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=4 * 3600.0,
            id_survives_retry=True,
            disables="8 failed tries in a row remove a subscription made through the API",
            source="https://shopify.dev/changelog/updates-to-webhook-retry-mechanism",
        ),
    ),
    Provider(
        name="line",
        title="LINE",
        scheme=of_body("x-line-signature", encoding=BASE64),
        events=Shape(
            id=Path("webhookEventId"),
            type=Path("type"),
            occurred_at=Occurred("timestamp", per_second=1000),
            batch=Batch(items="events"),
        ),
        docs="https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/",
        facts=Facts(
            # The deadline is on its page on error statistics. It tries again only where that is switched on, and
            # keeps to itself for how long.
            ack_deadline=2.0,
            id_survives_retry=True,
            disables="a server that fails for a long time",
            source="https://developers.line.biz/en/docs/messaging-api/receiving-messages/",
        ),
    ),
    Provider(
        name="ms_teams",
        title="Microsoft Teams outgoing webhooks",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("authorization", prefix="HMAC "),
            encoding=BASE64,
            key=keys.Base64(),
        ),
        events=Shape(id=Path("id"), type=Path("type"), occurred_at=Occurred("timestamp")),
        docs="https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook",
        facts=Facts(
            ack_deadline=5.0,
            source="https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook",
        ),
    ),
    Provider(
        name="x",
        title="X (Twitter)",
        scheme=Signed(
            algorithm=Hmac("sha256"),
            signature=Header("x-twitter-webhooks-signature", prefix="sha256="),
            encoding=BASE64,
        ),
        events=Shape(
            type=OtherKey(frozenset({"for_user_id", "user_has_blocked", "users", "apps"})), format="json"
        ),
        docs="https://docs.x.com/x-api/webhooks/introduction",
        handshakes=(X_CRC,),
        facts=Facts(
            ack_deadline=10.0,
            disables="a wrong answer to the check that comes every hour, or 28 hours without a right one",
            source="https://docs.x.com/x-api/webhooks/introduction",
        ),
    ),
)
