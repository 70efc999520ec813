"""Handshakes that one sender alone has; each says where it was read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from urllib.parse import parse_qsl

from hookcatch.core.errors import Rejected
from hookcatch.core.greeting import Greeting
from hookcatch.core.secret import Secret
from hookcatch.core.wire import TEXT, Response
from hookcatch.signing.json_path import dig

from .handshakes import (
    GET,
    POST,
    Asked,
    Handshake,
    as_json,
    check_token,
    empty,
    first,
    head,
    hexmac,
    matching,
    opaque,
    plain,
    query,
    small_json,
)

OPTIONS = frozenset({"OPTIONS"})

_NOTION = frozenset({"verification_token"})
"""All that there is in its body."""

_NO_JSON = re.compile(r"(?!(?:true|false|null)$)(?=.*[A-DF-Za-df-z/=_])[A-Za-z0-9+/=_.-]+")
_UUID = re.compile(r"[A-Za-z0-9-]+")
_HEX = re.compile(r"[0-9a-f]{20,32}")
_TOKEN = re.compile(r"[A-Za-z0-9]{1,1024}")
_ORIGIN = re.compile(r"[A-Za-z0-9.:-]+")
_TOPIC = re.compile(r"arn:aws(-cn|-us-gov)?:sns:([a-z0-9-]{3,32}):[0-9]{12}:[A-Za-z0-9_.-]{1,256}")


def slack_ssl_check(asked: Asked) -> Greeting | None:
    """Slack looks now and then whether the certificate of a slash command's URL is good, unsigned.
    https://docs.slack.dev/interactivity/implementing-slash-commands"""
    request = asked.request
    form = request.body if len(request.body) < 1024 else b""
    said = {**dict(parse_qsl(form.decode("latin-1"))), **query(asked)}
    return empty("ssl_check") if said.get("ssl_check") == "1" else None


def x_crc(asked: Asked) -> Greeting | None:
    """X asks every hour for an HMAC of its token, under the key of the deliveries: a token that is JSON would be a
    signed delivery, and is refused. https://docs.x.com/x-api/webhooks/quickstart"""
    token = query(asked).get("crc_token")
    if token is None:
        return None
    made = hmac.digest(first(asked), matching(_NO_JSON, token).encode(), "sha256")
    return as_json("crc", {"response_token": f"sha256={base64.b64encode(made).decode()}"})


def linkedin_challenge(asked: Asked) -> Greeting | None:
    """LinkedIn asks every two hours. Its deliveries are signed with `hmacsha256=` in front, which no code of letters
    and digits can be. https://learn.microsoft.com/linkedin/shared/api-guide/webhook-validation"""
    code = query(asked).get("challengeCode")
    if code is None:
        return None
    made = hexmac(first(asked), matching(_UUID, code))
    return as_json("challengeCode", {"challengeCode": code, "challengeResponse": made})


def braintree_challenge(asked: Asked) -> Greeting | None:
    """The public key, and an HMAC of the challenge under the hash of the private one.
    https://github.com/braintree/braintree_python webhook_notification_gateway.py"""
    challenge = query(asked).get("bt_challenge")
    if challenge is None:
        return None
    public, _, private = first(asked).partition(b":")
    key = hashlib.sha1(private, usedforsecurity=False).digest()
    made = hexmac(key, matching(_HEX, challenge), "sha1")
    return plain("bt_challenge", f"{public.decode()}|{made}")


def discord_ping(asked: Asked) -> Greeting | None:
    """Type 1 is a ping of interactions, but of webhook events any event; there 0 is the ping, answered with 204.
    https://docs.discord.com/developers/events/webhook-events"""
    payload = asked.events[0].payload if asked.events else None
    kind = dig(payload, ("type",))
    if kind == 1 and dig(payload, ("event",)) is None:
        return as_json("ping", {"type": 1})
    if kind == 0:
        return empty("ping", 204, (b"content-type", b"application/json"))
    return None


def zoom_validation(asked: Asked) -> Greeting | None:
    """Made when the endpoint is configured and every 72 hours; the answer is an HMAC of the token.
    https://developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint"""
    if not asked.events or asked.events[0].type != "endpoint.url_validation":
        return None
    token = opaque(dig(asked.events[0].payload, ("payload", "plainToken")))
    return as_json(
        "endpoint.url_validation", {"plainToken": token, "encryptedToken": hexmac(first(asked), token)}
    )


def twitch_challenge(asked: Asked) -> Greeting | None:
    """Signed like a notification, answered with its challenge as text.
    https://dev.twitch.tv/docs/eventsub/handling-webhook-events/"""
    name = "webhook_callback_verification"
    if not asked.events or head(asked, b"twitch-eventsub-message-type") != name:
        return None
    return plain(name, opaque(dig(asked.events[0].payload, ("challenge",))))


def okta_challenge(asked: Asked) -> Greeting | None:
    """https://developer.okta.com/docs/concepts/event-hooks/"""
    challenge = head(asked, b"x-okta-verification-challenge")
    return None if challenge is None else as_json("verification", {"verification": opaque(challenge)})


def smartsheet_challenge(asked: Asked) -> Greeting | None:
    """Made when a webhook is switched on and ever again later; the answer is in a header and in the body.
    https://developers.smartsheet.com/api/smartsheet/guides/webhooks"""
    given = head(asked, b"smartsheet-hook-challenge")
    if given is None:
        return None
    challenge = opaque(given)
    header = (b"smartsheet-hook-response", challenge.encode())
    return as_json("hook_challenge", {"smartsheetHookResponse": challenge}, header)


def monday_challenge(asked: Asked) -> Greeting | None:
    """Nothing but a challenge, unsigned. https://developer.monday.com/apps/docs/webhooks"""
    said = small_json(asked, b'"challenge"')
    if not isinstance(said, dict) or said.keys() != {"challenge"}:
        return None
    return as_json("challenge", {"challenge": opaque(said["challenge"])})


def woocommerce_ping(asked: Asked) -> Greeting | None:
    """A form with the webhook's number, unsigned, when it is saved.
    https://github.com/woocommerce/woocommerce class-wc-webhook.php deliver_ping()"""
    return empty("ping") if re.fullmatch(rb"webhook_id=[0-9]{1,20}", asked.request.body) else None


def daily_test(asked: Asked) -> Greeting | None:
    """Sent unsigned when a webhook is made. https://docs.daily.co/reference/rest-api/webhooks"""
    return empty("test") if small_json(asked, b'"test"') == {"test": "test"} else None


def wechat_echo(asked: Asked) -> Greeting | None:
    """Signed like a message: the SHA-1 of token, time and nonce, sorted.
    https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Access_Overview.html"""
    said = query(asked)
    if "echostr" not in said:
        return None
    for secret in asked.secrets:
        parts = sorted([secret.reveal(), said.get("timestamp", "").encode(), said.get("nonce", "").encode()])
        made = hashlib.sha1(b"".join(parts), usedforsecurity=False).hexdigest()
        if hmac.compare_digest(made.encode(), said.get("signature", "").encode()):
            return plain("echostr", opaque(said["echostr"]))
    raise Rejected("bad_signature")


def lark_challenge(asked: Asked) -> Greeting | None:
    """With the verification token inside instead of a signature.
    https://open.larksuite.com/document/server-docs/event-subscription-guide/event-subscription-configure-/request-url-configuration-case"""
    said = small_json(asked, b'"url_verification"')
    if dig(said, ("type",)) != "url_verification":
        return None
    token = dig(said, ("token",))
    check_token(token if isinstance(token, str) else None, asked, "token")
    return as_json("url_verification", {"challenge": opaque(dig(said, ("challenge",)))})


def websub_intent(asked: Asked) -> Greeting | None:
    """A hub asks whether we want what somebody asked it for: to subscribe to what is among the source's `topics`,
    or to give up what is not. https://www.w3.org/TR/websub/#hub-verifies-intent"""
    said = query(asked)
    mode = said.get("hub.mode")
    if mode == "denied":
        return empty("denied")
    if mode not in {"subscribe", "unsubscribe"} or "hub.challenge" not in said:
        return None
    if asked.wishes.verify_token is not None:
        check_token(said.get("hub.verify_token"), asked, "hub.verify_token")
    wanted = said.get("hub.topic") in asked.wishes.topics
    if wanted is not (mode == "subscribe"):
        return Greeting(f"{mode} refused", Response(404, b"Not Found\n", TEXT))
    return plain(mode, said["hub.challenge"])


def eventgrid_validation(asked: Asked) -> Greeting | None:
    """https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema"""
    name = "Microsoft.EventGrid.SubscriptionValidationEvent"
    if len(asked.events) != 1 or asked.events[0].type != name:
        return None
    code = opaque(dig(asked.events[0].payload, ("data", "validationCode")))
    return as_json(name, {"validationResponse": code})


def cloudevents_permission(asked: Asked) -> Greeting | None:
    """Who wants to send asks first whether it may: those whose names are among the source's `origins`.
    https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md#4-abuse-protection"""
    origin = head(asked, b"webhook-request-origin")
    if origin is None:
        return None
    if not asked.wishes.origins & {matching(_ORIGIN, origin), "*"}:
        raise Rejected("bad_signature", f"{origin} is not among the origins of this source")
    allowed = [(b"webhook-allowed-origin", origin.encode()), (b"webhook-allowed-rate", b"*")]
    return empty("abuse_protection", 200, *allowed, (b"allow", b"POST"))


def sns_confirmation(asked: Asked) -> Greeting | None:
    """Confirmed, where that is wished, at the API of the topic's own region, never at the URL that the message names
    (ATTACKS A15); the signature, and with it the topic, has been checked.
    https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html"""
    payload = asked.events[0].payload if asked.events else None
    if not asked.wishes.confirm or dig(payload, ("Type",)) != "SubscriptionConfirmation":
        return None
    topic, token = (dig(payload, (name,)) for name in ("TopicArn", "Token"))
    arn = _TOPIC.fullmatch(topic) if isinstance(topic, str) else None
    if arn is None or not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise Rejected("malformed_body", "a confirmation without topic or token")
    host = f"sns.{arn[2]}.amazonaws.com" + (".cn" if arn[1] == "-cn" else "")
    visit = f"https://{host}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}"
    return Greeting("SubscriptionConfirmation", Response(200, b"", ()), visit=visit)


def asana_secret(asked: Asked) -> Greeting | None:
    """The secret of a webhook that is being made, to be sent back; it never comes again.
    https://developers.asana.com/docs/webhooks-guide#the-webhook-handshake"""
    given = head(asked, b"x-hook-secret")
    if given is None:
        return None
    header = (b"x-hook-secret", opaque(given).encode())
    return Greeting("x-hook-secret", Response(200, b"", (header,)), learned=Secret(given.encode()))


def notion_token(asked: Asked) -> Greeting | None:
    """Nothing but the token that signs from now on; a person has to type it in at Notion's.
    https://developers.notion.com/reference/webhooks#step-2-verifying-the-subscription"""
    said = small_json(asked, b'"verification_token"')
    if not isinstance(said, dict) or said.keys() != _NOTION:
        return None
    token = opaque(said["verification_token"])
    return Greeting("verification_token", Response(200, b"", ()), learned=Secret(token.encode()))


SLACK_SSL_CHECK = Handshake("ssl_check", slack_ssl_check, GET | POST)
X_CRC = Handshake("crc", x_crc, GET)
LINKEDIN = Handshake("challengeCode", linkedin_challenge, GET)
BRAINTREE = Handshake("bt_challenge", braintree_challenge, GET)
DISCORD_PING = Handshake("ping", discord_ping, signed=True)
ZOOM = Handshake("endpoint.url_validation", zoom_validation, signed=True)
TWITCH = Handshake("webhook_callback_verification", twitch_challenge, signed=True)
OKTA = Handshake("verification", okta_challenge, GET)
SMARTSHEET = Handshake("hook_challenge", smartsheet_challenge)
MONDAY = Handshake("challenge", monday_challenge)
WOOCOMMERCE_PING = Handshake("ping", woocommerce_ping)
DAILY_TEST = Handshake("test", daily_test)
WECHAT = Handshake("echostr", wechat_echo, GET)
LARK = Handshake("url_verification", lark_challenge)
WEBSUB = Handshake("hub.challenge", websub_intent, GET)
EVENT_GRID = Handshake("SubscriptionValidationEvent", eventgrid_validation, signed=True)
CLOUDEVENTS = Handshake("abuse_protection", cloudevents_permission, OPTIONS)
SNS = Handshake("SubscriptionConfirmation", sns_confirmation, signed=True)
ASANA = Handshake("x-hook-secret", asana_secret, teaches=True)
NOTION = Handshake("verification_token", notion_token, teaches=True)
