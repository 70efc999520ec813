"""Senders that sign in one of several ways, or with something of the configuration inside the message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.keyring import OFFLINE, Keys
from hookcatch.core.parse import form_pairs, parse_json
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing.alternatives import EitherOf, Strongest
from hookcatch.signing.certified import Certified
from hookcatch.signing.encoding import BASE64
from hookcatch.signing.fields import Field
from hookcatch.signing.freshness import MILLISECONDS, RFC3339, Timestamp
from hookcatch.signing.json_path import planted
from hookcatch.signing.keys import PublicKey, UserPassword
from hookcatch.signing.mac import Hash, Hmac, Side
from hookcatch.signing.parts import BODY, TIME, URL, At, NamedHeaders, Nonce, Render, Sorted
from hookcatch.signing.places import Header, Pair, Query
from hookcatch.signing.public_key import Rsa
from hookcatch.signing.scheme import Bound, Match
from hookcatch.signing.schemes import Made, Signed
from hookcatch.signing.sealed import Sealed

from .bespoke import TwilioForm
from .bespoke_handshakes import LARK, SNS, WEBSUB, WECHAT
from .handshakes import probe
from .row import Facts, Provider
from .sealed import LARK_SEALED, lark_box
from .shapes import AnyOf, Batch, Head, Occurred, Path, Shape

_PLAIN = re.compile(rb"[A-Za-z0-9_-]{1,255}")

_ARN = re.compile(r"arn:aws(-cn|-us-gov)?:sns:([a-z0-9-]{3,32}):[0-9]+:[A-Za-z0-9_.-]{1,256}")
_SNS_NAMES = re.compile(r"sns(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?")

SNS_FIELDS = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


@dataclass(frozen=True, slots=True)
class SnsFields:
    """The fields that Amazon SNS signs, those present, each with its name, a line each.

    Amazon signs for everybody with the same key: only the topic says that a message is meant for us. A line feed
    in any field but the first could move the border between two of them (ATTACKS A9).
    """

    topic: str

    def render(self) -> Render:
        def render(request: Request, _: bytes) -> bytes:
            payload = parse_json(request.body)
            fields = [(name, payload.get(name)) for name in SNS_FIELDS if payload.get(name) is not None]
            for name, value in fields:
                if not isinstance(value, str) or ("\n" in value and name != "Message"):
                    raise Rejected("malformed_body", f"{name} is not a line of text")
            if payload.get("TopicArn") != self.topic:
                raise Rejected("bad_signature", "from another topic")
            return "".join(f"{name}\n{value}\n" for name, value in fields).encode()

        return render

    def fill(self, request: Request) -> Request:
        """The request with the topic."""
        return request.replace(body=planted(request.body, "TopicArn", self.topic))


def sns(secret: Secret) -> tuple[Certified, Secret]:
    """The secret is the topic's ARN; after it, to fetch nothing, on a line of its own Amazon's certificate in PEM."""
    topic, mark, pem = secret.reveal().partition(b"-----BEGIN")
    arn = _ARN.fullmatch(topic.strip().decode("latin-1"))
    if arn is None:
        raise ConfigurationError(
            "the secret for aws_sns is the ARN of your topic; to fetch nothing, after it on the next line the "
            "certificate (-----BEGIN CERTIFICATE-----) at the SigningCertURL of its messages"
        )
    signed = [
        Signed(
            algorithm=Rsa(digest),
            signature=Field("Signature"),
            encoding=BASE64,
            key=PublicKey(),
            time=Timestamp(Field("Timestamp"), RFC3339, tolerance=None),
            message=(SnsFields(arn[0]),),
        )
        for digest in ("sha256", "sha1")
    ]
    host = re.compile(re.escape(f"sns.{arn[2]}.amazonaws.com{'.cn' if arn[1] == '-cn' else ''}"))
    certified = Certified(
        scheme=EitherOf(tuple(signed)), url=Field("SigningCertURL"), hosts=host, names=_SNS_NAMES
    )
    return certified, Secret(mark + pem)


@dataclass(frozen=True, slots=True)
class InField:
    """A scheme over the name and the value of the one field of a form; what is signed here is the value."""

    name: str
    scheme: Signed

    def bind(self, secrets: Sequence[Secret], tolerance: float | None, published: Keys = OFFLINE) -> Bound:
        bound = self.scheme.bind(secrets, tolerance, published)

        def check(request: Request, now: float) -> Match:
            bound.precheck(request, None)
            return bound.check(
                request.replace(body=self.name.encode() + field_of(request.body, self.name)), now
            )

        return Bound(check, bound.precheck)

    def sign(self, request: Request, secret: Secret, now: float) -> Request:
        signed = self.scheme.sign(request.replace(body=self.name.encode() + request.body), secret, now)
        return signed.replace(body=urlencode({self.name: request.body}).encode())

    def check_strength(self, secret: Secret) -> None:
        self.scheme.check_strength(secret)


def field_of(body: bytes, name: str) -> bytes:
    """The value of the one field of a form. Raises Rejected for any other body."""
    pairs = form_pairs(body)
    if [key for key, _ in pairs] != [name]:
        raise Rejected("malformed_body", f"not a form with the one field {name}")
    return pairs[0][1].encode()


def mandrill_events(body: bytes) -> bytes:
    """The list of events in the form."""
    return field_of(body, "mandrill_events")


def wechat(secret: Secret) -> tuple[Signed, Secret]:
    """The token is one of the texts that are sorted."""
    nonce = Nonce(Query("nonce"))
    scheme = Signed(
        algorithm=Hash("sha1", Side.WITHIN),
        signature=Query("signature"),
        time=Timestamp(Query("timestamp"), tolerance=None),
        message=(Sorted((secret.reveal(), TIME, nonce)),),
    )
    return scheme, secret


def dingtalk_robot(secret: Secret) -> tuple[Signed, Secret]:
    """The secret is both the key and a part of what is signed; the body is not."""
    scheme = Signed(
        algorithm=Hmac("sha256"),
        signature=Header("sign"),
        encoding=BASE64,
        time=Timestamp(Header("timestamp"), MILLISECONDS, 3600.0),
        message=(TIME, b"\n", secret.reveal()),
    )
    return scheme, secret


def tiktok_shop(secret: Secret) -> tuple[Signed, Secret]:
    """The secret is `APP_KEY:APP_SECRET`; the key stands before the body in what is signed."""
    app, _, key = UserPassword().decode(secret)[0].partition(b":")
    return Signed(algorithm=Hmac("sha256"), signature=Header("authorization"), message=(app, BODY)), Secret(
        key
    )


def lark(secret: Secret) -> tuple[Sealed, Secret]:
    """The encrypt key stands between the nonce and the body, which is encrypted with it."""
    signed = Signed(
        algorithm=Hash("sha256", Side.WITHIN),
        signature=Header("x-lark-signature"),
        time=Timestamp(Header("x-lark-request-timestamp")),
        message=(TIME, Nonce(Header("x-lark-request-nonce", only=_PLAIN)), secret.reveal(), BODY),
    )
    return Sealed(scheme=signed, envelope=Field("encrypt"), box=lark_box(secret)), secret


def _hook0(version: str) -> Signed:
    pair = [Pair("x-hook0-signature", key, spaces=True) for key in (version, "t", "h")]
    headers = (At(pair[2]), b".", NamedHeaders(pair[2], b"x-event-id"), b".") if version == "v1" else ()
    return Signed(
        algorithm=Hmac("sha256"),
        signature=pair[0],
        time=Timestamp(pair[1]),
        message=(TIME, b".", *headers, BODY),
    )


def _websub(digest: str) -> Signed:
    return Signed(algorithm=Hmac(digest), signature=Pair("x-hub-signature", digest))


ROWS = (
    Provider(
        name="aws_sns",
        title="Amazon SNS",
        scheme=Made(sns),
        # What was published is the text in Message.
        events=Shape(
            id=Path("MessageId"),
            type=Path("Type"),
            occurred_at=Occurred("Timestamp"),
            format="json",
            kind="text/plain; charset=UTF-8",
        ),
        docs="https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
        handshakes=(SNS,),
        body_is_signed=False,
        facts=Facts(
            ack_deadline=15.0,
            # Three tries 20 seconds apart, if the subscription does not say more; never longer than an hour.
            retry_horizon=3600.0,
            id_survives_retry=True,
            source="https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html",
            unconfirmed=frozenset({"ack_deadline"}),
        ),
    ),
    Provider(
        name="dingtalk_robot",
        title="DingTalk (robots)",
        scheme=Made(dingtalk_robot),
        events=Shape(
            id=Path("msgId"), type=Path("msgtype"), occurred_at=Occurred("createAt", per_second=1000)
        ),
        docs="https://open.dingtalk.com/document/orgapp/receive-message",
        id_is_signed=False,
        body_is_signed=False,
        confirmed=False,
        facts=Facts(source="https://open.dingtalk.com/document/orgapp/receive-message", checked=None),
    ),
    Provider(
        name="hook0",
        title="Hook0 and Coinbase CDP",
        scheme=Strongest((_hook0("v1"), _hook0("v0"))),
        events=Shape(
            id=AnyOf((Head("x-event-id"), Path("eventId"), Path("id"))),
            type=AnyOf((Path("event_type"), Path("eventType"), Path("event"), Path("type"))),
        ),
        docs="https://documentation.hook0.com/",
        id_is_signed=False,
        facts=Facts(
            ack_deadline=15.0,
            # 3 s, 10 s, 3 min, 30 min, 1 h, 3 h, 5 h, then every 10 h, each up to a tenth later, 24 times at most.
            retry_horizon=8 * 86400.0,
            id_survives_retry=True,
            source="https://github.com/hook0/hook0/blob/master/documentation/explanation/webhook-retry-logic.md",
        ),
    ),
    Provider(
        name="lark",
        title="Lark and Feishu",
        scheme=Made(lark),
        # Lark signs only what it encrypts.
        events=Shape(
            id=Path("header.event_id"),
            type=Path("header.event_type"),
            data="event",
            occurred_at=Occurred("header.create_time", per_second=1000),
        ),
        docs="https://open.larksuite.com/document/server-docs/event-subscription-guide/overview",
        handshakes=(LARK, LARK_SEALED),
        facts=Facts(
            ack_deadline=3.0,
            retry_horizon=25515.0,
            retry_schedule=(15.0, 315.0, 3915.0, 25515.0),
            id_survives_retry=True,
            source="https://open.feishu.cn/document/server-docs/event-subscription-guide/overview",
        ),
    ),
    Provider(
        name="mandrill",
        title="Mandrill",
        scheme=InField(
            "mandrill_events",
            Signed(
                algorithm=Hmac("sha1"),
                signature=Header("x-mandrill-signature"),
                encoding=BASE64,
                message=(URL, BODY),
            ),
        ),
        events=Shape(
            id=Path("_id"),
            type=AnyOf((Path("event"), Path("type"))),
            occurred_at=Occurred("ts"),
            format="json",
            kind="application/x-www-form-urlencoded",
            content=mandrill_events,
            batch=Batch(),
        ),
        docs="https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/",
        handshakes=(probe("reachable"),),
        url_is_signed=True,
        # It tries failed batches again; for how long, it does not say.
        facts=Facts(
            id_survives_retry=True,
            source="https://mailchimp.com/developer/transactional/docs/webhooks/",
            unconfirmed=frozenset({"id_survives_retry"}),
        ),
    ),
    Provider(
        name="signalwire",
        title="SignalWire",
        scheme=EitherOf(
            (
                Signed(
                    algorithm=Hmac("sha1"), signature=Header("x-signalwire-signature"), message=(URL, BODY)
                ),
                Signed(
                    algorithm=Hmac("sha1"),
                    signature=Header("x-signalwire-signature"),
                    encoding=BASE64,
                    message=(TwilioForm(distinct=False),),
                ),
            )
        ),
        events=Shape(
            id=AnyOf((Path("id"), Path("params.event_id"))),
            type=AnyOf((Path("event"), Path("event_type"))),
            data="params",
        ),
        docs="https://developer.signalwire.com/",
        url_is_signed=True,
        facts=Facts(
            ack_deadline=5.0,
            retry_horizon=15.0,
            bad_signature_status=403,
            source="https://github.com/signalwire/docs/blob/main/fern/products/compatibility-api/pages/cxml/guides/webhooks/index.mdx",
        ),
    ),
    Provider(
        name="tiktok_shop",
        title="TikTok Shop",
        # The secret is `APP_KEY:APP_SECRET`.
        scheme=Made(tiktok_shop),
        events=Shape(
            id=Path("tts_notification_id"),
            type=Path("type", number=True),
            data="data",
            occurred_at=Occurred("timestamp"),
        ),
        docs="https://partner.tiktokshop.com/docv2/page/tts-webhooks-overview",
        # When it tries again stands in its configuration guide, which others quote: 2 min, 30 min, 3 h, 12 h apart.
        facts=Facts(
            ack_deadline=3.0,
            retry_horizon=55_920.0,
            success_body="",
            source="https://partner.tiktokshop.com/docv2/page/tts-webhooks-overview",
            unconfirmed=frozenset({"ack_deadline", "retry_horizon", "success_body"}),
        ),
    ),
    Provider(
        name="websub",
        title="WebSub",
        scheme=Strongest((_websub("sha512"), _websub("sha384"), _websub("sha256"), _websub("sha1"))),
        # The body is whatever the topic is, a feed of YouTube say.
        events=Shape(),
        docs="https://www.w3.org/TR/websub/",
        handshakes=(WEBSUB,),
        facts=Facts(disables="410", source="https://www.w3.org/TR/websub/"),
    ),
    Provider(
        name="wechat",
        title="WeChat",
        scheme=Made(wechat),
        events=Shape(
            id=Path("xml.MsgId"),
            type=AnyOf((Path("xml.Event"), Path("xml.MsgType"))),
            data="xml",
            occurred_at=Occurred("xml.CreateTime"),
            format="xml",
            kind="text/xml",
        ),
        docs="https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_standard_messages.html",
        handshakes=(WECHAT,),
        id_is_signed=False,
        body_is_signed=False,
        facts=Facts(
            ack_deadline=5.0,
            # Three tries, each when the one before got no answer.
            retry_horizon=15.0,
            id_survives_retry=True,
            success_body="success",
            source="https://developers.weixin.qq.com/doc/service/en/Message_Management/Passive_user_reply_message.html",
            unconfirmed=frozenset({"retry_horizon"}),
        ),
    ),
)
