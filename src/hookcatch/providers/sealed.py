"""Senders that encrypt what they send, and the handshakes and answers that are encrypted with it.

Their secret is written `TOKEN:ENCODING_AES_KEY:RECEIVER_ID`, the three values from the sender's console.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from dataclasses import replace

from hookcatch.core.answers import JSON
from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.greeting import Greeting
from hookcatch.core.parse import parse_json
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request, Response
from hookcatch.signing.fields import Field
from hookcatch.signing.freshness import MILLISECONDS, SECONDS, Digits, Timestamp
from hookcatch.signing.json_path import compact, dig
from hookcatch.signing.mac import Hash, Side
from hookcatch.signing.parts import TIME, At, Nonce, Sorted
from hookcatch.signing.places import FirstOf, Place, Query, query_pairs
from hookcatch.signing.schemes import Made, Signed
from hookcatch.signing.sealed import Box, LeadingIv, Sealed, ToReceiver, XmlField

from .bespoke_handshakes import wechat_echo
from .handshakes import GET, Asked, Handshake, as_json, check_token, opaque, plain, query, small_json
from .row import Facts, Provider
from .shapes import AnyOf, Joined, Occurred, Path, Shape

_SECRET = re.compile(rb"([^:\s]+):([A-Za-z0-9+/]{43}):([^:\s]+)")

ENCRYPTED = XmlField("xml.Encrypt")


def lark_box(secret: Secret) -> LeadingIv:
    """https://open.larksuite.com/document/server-docs/event-subscription-guide/event-subscription-configure-/encrypt-key-encryption-configuration-case"""
    return LeadingIv(hashlib.sha256(secret.reveal()).digest())


def three_of(secret: Secret) -> tuple[bytes, ToReceiver]:
    """The token, and what opens. Raises ConfigurationError."""
    parts = _SECRET.fullmatch(secret.reveal())
    if parts is None:
        raise ConfigurationError(
            "the secret is `TOKEN:ENCODING_AES_KEY:RECEIVER_ID`, as the sender's console shows them: the key has 43 "
            "letters and digits, and the receiver is the app's or the company's id"
        )
    # Of the last letter only some bits count, so it may be written in several ways.
    return parts[1], ToReceiver(binascii.a2b_base64(parts[2] + b"="), parts[3])


def wechat_sealed(secret: Secret) -> tuple[Sealed, Secret]:
    """The secret is `TOKEN:ENCODING_AES_KEY:RECEIVER_ID`: SHA-1 over the token, the time, the nonce and the encrypted
    body, sorted, in msg_signature of the query."""
    token, box = three_of(secret)
    signed = _signed(token, Query("msg_signature"), ENCRYPTED, SECONDS)
    return Sealed(scheme=signed, envelope=ENCRYPTED, box=box), Secret(token)


def dingtalk(secret: Secret) -> tuple[Sealed, Secret]:
    """The secret is `TOKEN:ENCODING_AES_KEY:RECEIVER_ID`: SHA-1 over the token, the time, the nonce and the encrypted
    body, sorted, in msg_signature of the query. The answer is signed and encrypted in the same way."""
    token, box = three_of(secret)
    envelope = Field("encrypt")
    signed = _signed(token, FirstOf((Query("msg_signature"), Query("signature"))), envelope, MILLISECONDS)
    return Sealed(
        scheme=signed,
        envelope=envelope,
        box=box,
        answer=lambda request: dingtalk_answer(token, box, request, b"success"),
    ), Secret(token)


def dingtalk_answer(token: bytes, box: Box, request: Request, text: bytes) -> bytes:
    """A text, as DingTalk wants to be answered. https://github.com/open-dingtalk/DingTalk-Callback-Crypto"""
    said = dict(query_pairs(request.url))
    time, nonce, sealed = said.get("timestamp", ""), said.get("nonce", ""), box.close(text)
    return compact(
        {
            "msg_signature": _sorted_hash(token, time.encode(), nonce.encode(), sealed),
            "timeStamp": time,
            "nonce": nonce,
            "encrypt": sealed.decode(),
        }
    )


def _signed(token: bytes, signature: Query | FirstOf, envelope: Place, unit: Digits) -> Signed:
    return Signed(
        algorithm=Hash("sha1", Side.WITHIN),
        signature=signature,
        time=Timestamp(Query("timestamp"), unit, tolerance=None),
        message=(Sorted((token, TIME, Nonce(Query("nonce")), At(envelope))),),
    )


def _sorted_hash(*texts: bytes) -> str:
    return hashlib.sha1(b"".join(sorted(texts)), usedforsecurity=False).hexdigest()


# handshakes


def wechat_work_echo(asked: Asked) -> Greeting | None:
    """Signed like a message and encrypted like one; what is inside is sent back.
    https://developer.work.weixin.qq.com/document/path/90238"""
    said = query(asked)
    if "echostr" not in said:
        return None
    texts = [
        said.get(name, "").encode("utf-8", "surrogatepass") for name in ("timestamp", "nonce", "echostr")
    ]
    given = said.get("msg_signature", "").encode("utf-8", "surrogatepass")
    for secret in asked.secrets:
        token, box = three_of(secret)
        if hmac.compare_digest(_sorted_hash(token, *texts).encode(), given):
            return plain("echostr", opaque(box.open(texts[2]).decode("latin-1")))
    raise Rejected("bad_signature")


def wechat_safe_echo(asked: Asked) -> Greeting | None:
    """Not encrypted even where the messages are."""
    tokens = tuple(Secret(three_of(secret)[0]) for secret in asked.secrets)
    return wechat_echo(replace(asked, secrets=tokens))


def dingtalk_check(asked: Asked) -> Greeting | None:
    """Asks for an encrypted `success`, and of a suite for its own text.
    https://github.com/open-dingtalk/DingTalk-Callback-Crypto"""
    event = asked.events[0]
    if event.type == "check_url":
        text = "success"
    elif event.type in {"check_create_suite_url", "check_update_suite_url"}:
        text = opaque(dig(event.payload, ("Random",)))
    else:
        return None
    token, box = three_of(asked.secrets[0])
    return Greeting(
        event.type, Response(200, dingtalk_answer(token, box, asked.request, text.encode()), JSON)
    )


def lark_sealed_challenge(asked: Asked) -> Greeting | None:
    """With an encrypt key the question is encrypted too, which only Lark can do; a token that was agreed upon is
    looked at besides. Whatever else is inside is left to the check of the signature, so that nobody learns from the
    answer what could be opened.
    https://open.larksuite.com/document/server-docs/event-subscription-guide/event-subscription-configure-/request-url-configuration-case"""
    sealed = dig(small_json(asked, b'"encrypt"'), ("encrypt",))
    said = None
    for secret in asked.secrets if isinstance(sealed, str) else ():
        try:
            said = parse_json(lark_box(secret).open(sealed.encode("utf-8", "surrogatepass")))
        except Rejected:
            continue
        break
    if dig(said, ("type",)) != "url_verification":
        return None
    if asked.wishes.verify_token is not None:
        token = dig(said, ("token",))
        check_token(token if isinstance(token, str) else None, asked, "token")
    return as_json("url_verification", {"challenge": opaque(dig(said, ("challenge",)))})


WECHAT_WORK = Handshake("echostr", wechat_work_echo, GET)
WECHAT_SAFE = Handshake("echostr", wechat_safe_echo, GET)
DINGTALK = Handshake("check_url", dingtalk_check, signed=True)
LARK_SEALED = Handshake("url_verification", lark_sealed_challenge)

_WECHAT_EVENTS = Shape(
    id=AnyOf(
        (
            Path("xml.MsgId"),
            Joined((Path("xml.FromUserName"), Path("xml.CreateTime"), Path("xml.Event")), ":"),
        )
    ),
    type=AnyOf((Path("xml.Event"), Path("xml.MsgType"))),
    data="xml",
    occurred_at=Occurred("xml.CreateTime"),
    format="xml",
    kind="text/xml",
)
_WECHAT_FACTS = Facts(
    ack_deadline=5.0,
    # Three tries, each when the one before got no answer.
    retry_horizon=15.0,
    id_survives_retry=True,
    success_body="success",
    source="https://developers.weixin.qq.com/doc/service/en/Message_Management/Passive_user_reply_message.html",
    unconfirmed=frozenset({"retry_horizon"}),
)

ROWS = (
    Provider(
        name="dingtalk",
        title="DingTalk events",
        scheme=Made(dingtalk),
        events=Shape(type=Path("EventType"), occurred_at=Occurred("TimeStamp", per_second=1000)),
        docs="https://github.com/open-dingtalk/DingTalk-Callback-Crypto",
        handshakes=(DINGTALK,),
        body_is_signed=False,
        facts=Facts(
            ack_deadline=1.5,
            source="https://github.com/open-dingtalk/DingTalk-Callback-Crypto",
            unconfirmed=frozenset({"ack_deadline"}),
        ),
    ),
    Provider(
        name="wechat_safe",
        title="WeChat (safe mode)",
        scheme=Made(wechat_sealed),
        events=_WECHAT_EVENTS,
        docs="https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Message_encryption_and_decryption.html",
        handshakes=(WECHAT_SAFE,),
        body_is_signed=False,
        facts=_WECHAT_FACTS,
    ),
    Provider(
        name="wechat_work",
        title="WeCom (WeChat Work)",
        scheme=Made(wechat_sealed),
        events=_WECHAT_EVENTS,
        docs="https://developer.work.weixin.qq.com/document/path/90238",
        handshakes=(WECHAT_WORK,),
        body_is_signed=False,
        facts=replace(_WECHAT_FACTS, source="https://developer.work.weixin.qq.com/document/path/90238"),
    ),
)
