"""For each provider: secrets that can sign, made on the spot, and an event it could send."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import CertificateBuilder, GeneralName, Name, NameAttribute, SubjectAlternativeName
from cryptography.x509.oid import NameOID

from hookcatch.core.wire import Request
from hookcatch.providers import Provider, provider

NOW = 1_700_000_000.0
URL = "https://hooks.example.com/in?a=1"


def whsec(number: int) -> str:
    return "whsec_" + base64.b64encode(bytes([65 + number]) * 24).decode()


def text(number: int) -> str:
    return f"a canary of a secret, number {number}, long enough"


def ed25519(number: int) -> bytes:
    private = Ed25519PrivateKey.from_private_bytes(bytes([number + 1]) * 32)
    return private.private_bytes_raw() + private.public_key().public_bytes_raw()


def ed25519_pem(number: int) -> str:
    private = Ed25519PrivateKey.from_private_bytes(bytes([number + 1]) * 32)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def whsk(number: int) -> str:
    return "whsk_" + base64.b64encode(ed25519(number)).decode()


@cache
def ecdsa(number: int) -> str:
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@cache
def rsa(number: int) -> str:
    key = generate_rsa(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def hexadecimal(number: int) -> str:
    return f"{number:02x}" * 32


def user_password(number: int) -> str:
    return f"user{number}:{text(number)}"


def base64_(number: int) -> str:
    return base64.b64encode(text(number).encode()).decode()


def token_key_receiver(number: int) -> str:
    return (
        f"canary-of-a-token-{number}:{base64.b64encode(bytes([number + 1]) * 32).decode()[:43]}:wx1234567890"
    )


@cache
def certificate(number: int, *names: GeneralName) -> str:
    """A client certificate in PEM, good for ten days around now."""
    key = generate_private_key(SECP256R1())
    subject = Name([NameAttribute(NameOID.COMMON_NAME, f"client {number}")])
    now = datetime.fromtimestamp(NOW, UTC)
    builder = (
        CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(number + 1)
        .not_valid_before(now - timedelta(days=5))
        .not_valid_after(now + timedelta(days=5))
    )
    if names:
        builder = builder.add_extension(SubjectAlternativeName(names), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode().strip()


SECRETS: dict[str, Callable[[int], str]] = {
    "adyen": hexadecimal,
    "adyen_platforms": hexadecimal,
    "airtable": base64_,
    "anthropic": whsec,
    "basic_auth": user_password,
    "braintree": user_password,
    "chargebee": user_password,
    "clerk": whsec,
    "discord": lambda number: ed25519(number).hex(),
    "gitlab": whsec,
    "openai": whsec,
    "paddle_classic": rsa,
    "paypal": lambda number: f"WH-ID:{rsa(number).strip()}",
    "plaid": ecdsa,
    "resend": whsec,
    "sendgrid": ecdsa,
    "standard_webhooks": whsec,
    "supabase": lambda number: f"v1,{whsec(number)}",
    "svix": whsec,
    "wise": rsa,
    "daily": base64_,
    "livekit": lambda number: f"API{number}:{text(number)}",
    "ms_teams": base64_,
    "replicate": whsec,
    "telnyx": lambda number: base64.b64encode(ed25519(number)).decode(),
    "aws_eventbridge": user_password,
    "datadog": user_password,
    "postmark": user_password,
    "sparkpost": user_password,
    "fireblocks_v1": rsa,
    "fireblocks": rsa,
    "sinch_voice": lambda number: f"key:{base64_(number)}",
    "tiktok_shop": lambda number: f"app{number}:{text(number)}",
    "google_chat": lambda number: "1234567890\n" + rsa(number).strip(),
    "google_pubsub": lambda number: (
        f"https://me.example.com push@p.iam.gserviceaccount.com\n{rsa(number).strip()}"
    ),
    "jws": rsa,
    "aws_sns": lambda number: "arn:aws:sns:us-east-1:1:topic\n" + rsa(number).strip(),
    "dingtalk": token_key_receiver,
    "brex": whsec,
    "finch": base64_,
    "incident_io": whsec,
    "loops": whsec,
    "render": whsec,
    "sendgrid_inbound": ecdsa,
    "stytch": whsec,
    "ms_bot": lambda number: f"0bf30f3b-4a52-48df-9a82-234910c4a08{number}\n{rsa(number).strip()}",
    "ms_graph_rich": lambda number: f"app tenant canary-of-a-state-{number}\n{rsa(number).strip()}",
    "vonage_sms": lambda number: f"sha256:{text(number)}",
    "zoho_desk": lambda number: f"1234 5678\n{rsa(number).strip()}",
    "mtls": lambda number: f"canary-of-a-word-{number} {certificate(number)}",
    "wechat_safe": token_key_receiver,
    "wechat_work": token_key_receiver,
}

IDS = {
    "adyen": "8815:AUTHORISATION:true",
    "docusign": "env:order.created:2026-01-02T03:04:05Z",
    "hubspot_v1": "1000:33:25:1246965",
    "hubspot_v2": "1000:33:25:1246965",
    "hubspot_v3": "1000:33:25:1246965",
    "telegram": "1000",
    "twilio": "SM1:delivered",
    "cloudflare_stream": "evt_1:order.created",
    "viber": "1000",
    "postmark": "1000",
    "vonage": "evt_1:order.created",
    "plivo": "evt_1:order.created",
    "sinch_voice": "evt_1:order.created",
    "cloudevents": "/shop#evt_1",
    "docker_hub": "shop/order:latest:1",
    "messagebird": "evt_1:order.created",
    "messagebird_hmac": "evt_1:order.created",
    "plivo_v1": "evt_1:order.created",
    "plivo_v2": "evt_1:order.created",
    "vonage_sms": "evt_1:order.created",
    "youtube": "evt_1@2026-01-02T03:04:05Z",
    "mailchimp": "order.created|evt_1|2026-01-02 03:04:05",
    "mailchimp_url": "order.created|evt_1|2026-01-02 03:04:05",
}
TYPES = {
    "adyen": "AUTHORISATION",
    "twilio": "delivered",
    "telegram": "message",
    "x": "message",
    "tiktok_shop": "1",
    "statuspage": "message",
}


def secret(name: str, number: int = 0) -> str:
    return SECRETS.get(name, text)(number)


def event(row: Provider, amount: str = "12") -> Request:
    """An unsigned request with one event."""
    empty = Request("POST", URL, [("host", "hooks.example.com"), ("user-agent", "sender/1")])
    name, data = row.name, {"amount": amount, "name": "Zoë"}
    return row.events.write(empty, IDS.get(name, "evt_1"), TYPES.get(name, "order.created"), data)


@cache
def signed(name: str, number: int = 0, now: float = NOW) -> Request:
    """The request as the provider would send it."""
    row = provider(name)
    return row.sign(event(row), secret=secret(name, number), now=now)
