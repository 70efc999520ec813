"""Senders of messages, calls and chats."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

from hookcatch.core.wire import Request
from support.senders import URL

from .sdk import Author, Sdk, head, text


def form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def query(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


def slack(request: Request, secret: str) -> object:
    from slack_sdk.signature import SignatureVerifier

    return SignatureVerifier(secret).is_valid_request(request.body, head(request))


def slack_signs(request: Request, secret: str, now: float) -> Request:
    from slack_sdk.signature import SignatureVerifier

    made = SignatureVerifier(secret).generate_signature(timestamp=str(int(now)), body=request.body)
    assert made is not None
    stamped = request.with_header("x-slack-request-timestamp", str(int(now)))
    return stamped.with_header("x-slack-signature", made)


def discord(request: Request, secret: str) -> object:
    from discord_interactions import verify_key

    said = [text(request, f"x-signature-{name}") for name in ("ed25519", "timestamp")]
    return verify_key(request.body, *said, bytes.fromhex(secret)[32:].hex())


def discord_signs(request: Request, secret: str, now: float) -> Request:
    from nacl.signing import SigningKey

    made = SigningKey(bytes.fromhex(secret)[:32]).sign(str(int(now)).encode() + request.body).signature.hex()
    stamped = request.with_header("x-signature-timestamp", str(int(now)))
    return stamped.with_header("x-signature-ed25519", made)


def twilio(request: Request, secret: str) -> object:
    from twilio.request_validator import RequestValidator

    return RequestValidator(secret).validate(URL, form(request), text(request, "x-twilio-signature"))


def twilio_signs(request: Request, secret: str, now: float) -> Request:
    from twilio.request_validator import RequestValidator

    made = RequestValidator(secret).compute_signature(URL, form(request))
    return request.with_header("x-twilio-signature", made)


def twilio_json_event() -> Request:
    return Request("POST", URL, [("content-type", "application/json")], b'{"amount":"12"}')


def twilio_json(request: Request, secret: str) -> object:
    from twilio.request_validator import RequestValidator

    validator, signature = RequestValidator(secret), text(request, "x-twilio-signature")
    return validator.validate(request.url, request.body.decode(), signature)


def plivo(request: Request, secret: str) -> object:
    from plivo.utils import validate_v3_signature

    nonce, signature = text(request, "x-plivo-signature-v3-nonce"), text(request, "x-plivo-signature-v3")
    return validate_v3_signature("POST", request.url, nonce, secret, signature, form(request))


def plivo_signs(request: Request, secret: str, now: float) -> Request:
    from plivo.utils.signature_v3 import construct_post_url, get_signature_v3

    url = construct_post_url(request.url, form(request)).decode()
    made = get_signature_v3(secret.encode(), url, b"12345")
    return request.with_header("x-plivo-signature-v3-nonce", "12345").with_header(
        "x-plivo-signature-v3", made
    )


def vonage(request: Request, secret: str) -> object:
    from vonage_jwt import verify_signature

    return verify_signature(text(request, "authorization").removeprefix("Bearer "), secret)


def messagebird(request: Request, secret: str) -> object:
    from messagebird.request_validator import RequestValidator

    token = text(request, "messagebird-signature-jwt")
    return RequestValidator(secret).validate_signature(token, request.url, request.body)


def telnyx(request: Request, secret: str) -> object:
    from base64 import b64decode, b64encode

    from telnyx.lib.webhook_verification import verify_webhook_signature

    public = b64encode(b64decode(secret)[32:]).decode()
    verify_webhook_signature(request.body, head(request), public)
    return True


def sinch(request: Request, secret: str) -> object:
    from sinch.domains.conversation.sinch_events.v1.conversation_sinch_event import ConversationSinchEvent

    return ConversationSinchEvent(secret).validate_authentication_header(head(request), request.body)


def sinch_numbers(request: Request, secret: str) -> object:
    from sinch.domains.numbers.sinch_events.v1.sinch_events import SinchEvents

    return SinchEvents(secret).validate_authentication_header(head(request), request.body)


def sinch_voice(request: Request, secret: str) -> object:
    """Their code is for the second Voice API, which calls the same scheme `Service`."""
    from sinch.domains.voice.api.v2.sinch_events import SinchEvents

    key, _, private = secret.partition(":")
    respelt = {
        **head(request),
        "authorization": text(request, "authorization").replace("Application", "Service"),
    }
    path = urlsplit(request.url).path
    return SinchEvents().validate_authentication_header("POST", path, respelt, request.body, key, private)


def line(request: Request, secret: str) -> object:
    from linebot.v3.webhook import SignatureValidator

    return SignatureValidator(secret).validate(request.body.decode(), text(request, "x-line-signature"))


def viber(request: Request, secret: str) -> object:
    from viberbot import Api, BotConfiguration

    api = Api(BotConfiguration(name="bot", avatar="", auth_token=secret))
    return api.verify_signature(request.body, text(request, "x-viber-content-signature"))


def wechat(request: Request, secret: str) -> object:
    from wechatpy.utils import check_signature

    said = query(request)
    check_signature(secret, said["signature"], said["timestamp"], said["nonce"])
    return True


def lark(request: Request, secret: str) -> object:
    from lark_oapi.core.model import RawRequest
    from lark_oapi.event.dispatcher_handler import EventDispatcherHandler

    raw = RawRequest()
    raw.headers = {name.title(): value for name, value in head(request).items()}
    raw.body = request.body
    EventDispatcherHandler()._verify_sign(raw, secret)
    return True


def livekit(request: Request, secret: str) -> object:
    from livekit.api import TokenVerifier, WebhookReceiver

    key, _, own = secret.partition(":")
    verifier = TokenVerifier(key, own)
    return WebhookReceiver(verifier).receive(request.body.decode(), text(request, "authorization"))


def livekit_signs(request: Request, secret: str, now: float) -> Request:
    from base64 import b64encode
    from hashlib import sha256

    from livekit.api import AccessToken

    body = json.dumps({"event": "order.created", "id": "evt_1", "createdAt": "12"}).encode()
    key, _, own = secret.partition(":")
    token = AccessToken(key, own).with_sha256(b64encode(sha256(body).digest()).decode())
    return request.replace(body=body).with_header("authorization", token.to_jwt())


def telegram(request: Request, secret: str) -> object:
    from telegram.ext._utils.webhookhandler import TelegramHandler, WebhookAppClass
    from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

    start, headers = RequestStartLine("POST", "/", "HTTP/1.1"), HTTPHeaders(head(request))
    incoming = HTTPServerRequest(start_line=start, headers=headers, body=request.body)
    incoming.connection = Nowhere()
    app = WebhookAppClass("/", None, None, secret)  # type: ignore[arg-type]
    options = {"bot": None, "update_queue": None, "secret_token": secret}
    TelegramHandler(app, incoming, **options)._validate_post()
    return True


class Nowhere:
    """Where tornado answers to; nothing is answered here."""

    def set_close_callback(self, callback: object) -> None:
        """Nobody hangs up."""


def whatsapp(request: Request, secret: str) -> object:
    from pywa.utils import webhook_updates_validator

    return webhook_updates_validator(secret, request.body, text(request, "x-hub-signature-256"))


SDKS = (
    Sdk(row="discord", package="discord-interactions", verifies=discord, signs=discord_signs),
    Sdk(row="lark", package="lark-oapi", verifies=lark, tamper=b'"}'),
    Sdk(row="line", package="line-bot-sdk", verifies=line),
    Sdk(
        row="livekit",
        package="livekit-api",
        verifies=livekit,
        signs=livekit_signs,
        tamper=b"order",
    ),
    Sdk(row="messagebird", package="messagebird", verifies=messagebird),
    Sdk(row="meta", package="pywa", author=Author.THIRD_PARTY, verifies=whatsapp),
    Sdk(row="plivo", package="plivo", verifies=plivo, signs=plivo_signs),
    Sdk(row="sinch", package="sinch", verifies=sinch),
    Sdk(row="sinch_numbers", package="sinch", verifies=sinch_numbers),
    Sdk(row="sinch_voice", package="sinch", verifies=sinch_voice),
    Sdk(row="slack", package="slack-sdk", verifies=slack, signs=slack_signs),
    Sdk(
        row="telegram",
        package="python-telegram-bot",
        author=Author.THIRD_PARTY,
        verifies=telegram,
        tamper=b"",
    ),
    Sdk(row="telnyx", package="telnyx", verifies=telnyx),
    Sdk(row="twilio", package="twilio", verifies=twilio, signs=twilio_signs),
    Sdk(row="twilio", package="twilio", note="json", verifies=twilio_json, event=twilio_json_event),
    Sdk(row="viber", package="viberbot", verifies=viber),
    Sdk(row="vonage", package="vonage-jwt", verifies=vonage, tamper=b""),
    Sdk(row="wechat", package="wechatpy", author=Author.THIRD_PARTY, verifies=wechat, tamper=b""),
)
