"""Requests that are honest but for a few things, of the senders whose libraries are compared with ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import parse_qsl

from hookcatch.core.wire import Request
from support.senders import NOW, URL, text, whsec

Encode = Callable[[bytes], str]
Knobs = frozenset[str]
"""What of a request is not to be honest: secret, body, time, id, signature, list, header, or any bytes of it."""

KNOBS = ("secret", "body", "time", "id", "signature", "list", "header", "bytes")


@dataclass(frozen=True, slots=True)
class Case:
    """One request to the receiver of one sender, and the secret that is configured there."""

    name: str
    secret: str
    request: Request


HONEST_BODIES = (b'{"id":"evt_1","type":"order.created","data":{"name":"Zo\xc3\xab"}}', b"{}", b"a=b&c=d%20e")
OTHER_BODIES = (
    b"", b"\xff\xfe", b'{"a":"\xe9"}', b"\xef\xbb\xbf{}", b".1700000000.{}", b"\x00", b"\xed\xa0\x80", b"a" * 9000,
    b"{}\r\n", b"%", "\u2028".encode(), b":v0:",
)  # fmt: skip
FORMS = (
    b"MessageSid=SM1&Body=a+b&From=%2B1&MessageStatus=sent",
    b"MessageSid=SM1&A=&Body=%C3%AB&B=1&B=2&B=1",
)
OTHER_FORMS = (
    b"", b"MessageSid=SM1&Body=%FF", b"MessageSid=SM1&flag", b"MessageSid=SM1&&Body=x", b"MessageSid", b"&",
    b"=x&MessageSid=SM1", b"MessageSid=SM1&oFrom=%2B1", b"MessageSid=SM1&Bo\xc3\xab=1", b"MessageSid=SM1;Body=2",
    b"MessageSid=SM1&a=%ED%A0%80", b"MessageSid=SM1&" + b"&".join(b"p%d=1" % n for n in range(1200)),
)  # fmt: skip

OFFSETS = (0, -1, 1, 299, -299, 300, -300, 301, -301, -3600, 86400, 315_360_000)
RESPELT: tuple[Callable[[str], str], ...] = (
    lambda t: "+" + t, lambda t: " " + t, lambda t: t + " ", lambda t: "0" + t, lambda t: t + ".0",
    lambda t: t + ".7", lambda t: t[:3] + "_" + t[3:], lambda t: t + "e0", lambda t: "-" + t, lambda t: t + "000",
    lambda t: "".join(chr(0xFF10 + int(c)) for c in t), lambda t: "".join(chr(0x660 + int(c)) for c in t),
    lambda t: "", lambda t: "abc", lambda t: "nan", lambda t: "inf", lambda t: "1e400", lambda t: "9" * 5000,
    lambda t: t + "\t", lambda t: t + "\u00b2", lambda t: "0" * 6 + t, lambda t: "1_7e8",
)  # fmt: skip

IDS = ("msg_1", "evt-A_9")
OTHER_IDS = ("a.b", "a.1700000000", "", "a b", "x" * 300, "ë", "a,b", "a/b", "..", "\x7f")

NAMES = {"standard_webhooks": ("webhook",), "svix": ("svix", "webhook")}


def case(name: str, r: Random) -> Case:
    """One at random; in every fourth all is honest."""
    wanted = r.choice((0, 1, 1, 1, 2, 2, 3))
    knobs = frozenset(r.sample(KNOBS, wanted))
    return BUILDERS[name](name, knobs, r)


def _stripe(name: str, knobs: Knobs, r: Random) -> Case:
    secret, key = _secret(name, knobs, r)
    body, stamp, spoken = _body(knobs, r), *_time(knobs, r)
    digest = hmac.digest(key, spoken.encode() + b"." + body, "sha256")
    entries = [f"t={stamp}", *_listed(knobs, r, "v1", "=", _hex(knobs, r, digest))]
    if "list" in knobs:
        strange = ("t", "v1", "", "t=1", f"t={stamp}", "v1=", "=", "v0=a b", "t=", "x", "v1=é", "v1=é" * 3)
        entries.insert(r.randrange(len(entries) + 1), r.choice(strange))
    between = r.choice((",", ", ", ",,", ";", " ,")) if "list" in knobs and r.random() < 0.4 else ","
    return _sent(name, knobs, r, secret, [("Stripe-Signature", between.join(entries))], body)


def _standard(name: str, knobs: Knobs, r: Random) -> Case:
    secret, key = _secret(name, knobs, r)
    body, stamp, spoken = _body(knobs, r), *_time(knobs, r)
    identity = r.choice(OTHER_IDS if "id" in knobs else IDS)
    message = f"{identity}.{spoken}.".encode() + body
    if "id" in knobs and r.random() < 0.3:  # the border between id, time and body, moved
        identity, _, rest = message.decode("utf-8", "replace").partition(".")
        stamp, _, rest = rest.partition(".")
        body = rest.encode()
    digest = hmac.digest(key, message, "sha256")
    entries = _listed(knobs, r, "v1", ",", _base64(knobs, r, digest))
    if "list" in knobs:
        strange = ("", "v1", "v1,", ",", "v1,a,b", "v1,!", "v2,AAAA", "v1a,AAAA", "v1,é", "x" * 9000)
        entries.insert(r.randrange(len(entries) + 1), r.choice(strange))
    between = r.choice(("  ", ",", "\t", ", ")) if "list" in knobs and r.random() < 0.3 else " "
    parts = [("Id", identity), ("Timestamp", stamp), ("Signature", between.join(entries))]
    head = r.choice(NAMES[name])
    headers = [(f"{head}-{part}", value) for part, value in parts]
    if name == "svix" and "header" in knobs and r.random() < 0.5:  # some under the other name, or under both
        part, value = r.choice(parts)
        headers.append((f"webhook-{part}", r.choice((value, "", "other"))))
        headers.insert(0, (f"svix-{part}", value)) if r.random() < 0.3 and head != "svix" else None
    return _sent(name, knobs, r, secret, headers, body)


def _slack(name: str, knobs: Knobs, r: Random) -> Case:
    secret, key = _secret(name, knobs, r)
    body, stamp, spoken = _body(knobs, r), *_time(knobs, r)
    made = _hex(knobs, r, hmac.digest(key, f"v0:{spoken}:".encode() + body, "sha256"))
    prefix = r.choice(("v0=", "v1=", "V0=", "", "v0", "v0= ", " v0=")) if "list" in knobs else "v0="
    headers = [("X-Slack-Signature", prefix + made), ("X-Slack-Request-Timestamp", stamp)]
    return _sent(name, knobs, r, secret, headers, body)


def _github(name: str, knobs: Knobs, r: Random) -> Case:
    secret, key = _secret(name, knobs, r)
    body = _body(knobs, r)
    digest = r.choice(("sha256", "sha1")) if "list" in knobs else "sha256"
    made = _hex(knobs, r, hmac.digest(key, body, digest))
    prefix = r.choice((f"{digest}=", "SHA256=", "", "sha256= ", "sha1=")) if "list" in knobs else f"{digest}="
    return _sent(name, knobs, r, secret, [("X-Hub-Signature-256", prefix + made)], body)


def _twilio(name: str, knobs: Knobs, r: Random) -> Case:
    secret, key = _secret(name, knobs, r)
    url, message = URL, ""
    form = r.random() < 0.7
    if form:
        body = r.choice(OTHER_FORMS if "body" in knobs else FORMS)
        message = "".join(n + v for n, v in sorted(set(_pairs(body))))
    else:
        body = _body(knobs, r)
        digest = hashlib.sha256(body).hexdigest()
        kept = r.choice((digest, digest.upper(), digest[:-1], "")) if "list" in knobs else digest
        url += f"&bodySHA256={kept}" if "time" not in knobs else ""
    kinds = ("application/x-www-form-urlencoded", "application/json")
    kind = kinds[not form] if "header" not in knobs or r.random() < 0.7 else kinds[form]
    signed = url.replace("example.com", "example.com:443") if "id" in knobs else url
    digest_ = hmac.digest(key, (signed + message).encode("utf-8", "surrogatepass"), "sha1")
    headers = [("Content-Type", kind), ("X-Twilio-Signature", _base64(knobs, r, digest_))]
    return _sent(name, knobs, r, secret, headers, body, url)


BUILDERS: dict[str, Callable[[str, Knobs, Random], Case]] = {
    "github": _github,
    "slack": _slack,
    "standard_webhooks": _standard,
    "stripe": _stripe,
    "svix": _standard,
    "twilio": _twilio,
}


def _secret(name: str, knobs: Knobs, r: Random) -> tuple[str, bytes]:
    """A secret as it is configured, and the key that the library makes of it."""
    secret = whsec(0) if name in NAMES else text(0)
    if "secret" in knobs:
        secret = r.choice(
            (secret + "x", secret + "\n", " " + secret, "", "  ", secret[:9], secret.upper(), "geheim-ë" * 3)
        )
        if name in NAMES:
            bare = secret.removeprefix("whsec_")
            secret = r.choice(
                (secret, bare, secret.rstrip("="), f"whsec_{bare[:12]}", f"{secret}-_!", "whsec_QQ")
            )
    if name not in NAMES:
        return secret, secret.encode()
    try:
        return secret, base64.b64decode(secret.removeprefix("whsec_") + "==")
    except ValueError:
        return secret, b"no key"


def _body(knobs: Knobs, r: Random) -> bytes:
    return r.choice(OTHER_BODIES if "body" in knobs else HONEST_BODIES)


def _time(knobs: Knobs, r: Random) -> tuple[str, str]:
    """The text of the time as it is sent, and as it is signed: the same, or the number that it may be read as."""
    stamp = str(int(NOW) + (r.choice(OFFSETS) if "time" in knobs else 0))
    if "time" not in knobs or r.random() < 0.4:
        return stamp, stamp
    respelt = r.choice(RESPELT)(stamp)
    return respelt, r.choice((respelt, _number(respelt)))


def _number(stamp: str) -> str:
    try:
        return str(math.floor(float(stamp)))
    except (ValueError, OverflowError):
        return stamp


def _hex(knobs: Knobs, r: Random, digest: bytes) -> str:
    made = digest.hex()
    if "signature" not in knobs:
        return made
    return r.choice(
        (made.upper(), made[:-1], made[:-1] + ("0" if made[-1] != "0" else "1"), made + " ", " " + made, made + "=x",
         made + "é", "", made * 2, made[:32], made + "=", base64.b64encode(digest).decode())
    )  # fmt: skip


def _base64(knobs: Knobs, r: Random, digest: bytes) -> str:
    made = base64.b64encode(digest).decode()
    if "signature" not in knobs:
        return made
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet[alphabet.index(made.rstrip("=")[-1]) ^ 1]
    return r.choice(
        (base64.urlsafe_b64encode(digest).decode(), made.rstrip("="), made + "=", made[:5] + "!" + made[5:],
         made.rstrip("=")[:-1] + last + "=", made[:5] + "\n" + made[5:], made[:9] + "é", made[::-1], "", digest.hex(),
         made[:-4], made + "AAAA", made[:5] + "-" + made[5:], made[:3] + " " + made[3:], "é" * len(made))
    )  # fmt: skip


def _listed(knobs: Knobs, r: Random, tag: str, mark: str, made: str) -> list[str]:
    """The signature, among others if the list is to be strange."""
    entry = f"{tag}{mark}{made}"
    if "list" not in knobs:
        return [entry]
    wrong = f"{tag}{mark}{made[::-1]}"
    return r.choice(
        ([entry, wrong], [wrong, entry], [entry] * 2, [wrong] * 15 + [entry], [entry] + [wrong] * 19, [entry], [],
         [f"v0{mark}{made}", entry], [f"V1{mark}{made}"], [f"v1a{mark}{made}", entry], [f"{tag} {mark}{made}"])
    )[:]  # fmt: skip


def _sent(
    name: str,
    knobs: Knobs,
    r: Random,
    secret: str,
    pairs: Sequence[tuple[str, str]],
    body: bytes,
    url: str = URL,
) -> Case:
    """The request on the wire, its headers in any case, and some of them twice or under a false name."""
    headers = [(header, value.encode("utf-8", "surrogatepass")) for header, value in pairs]
    if "header" in knobs and headers:
        at = r.randrange(len(headers))
        header, value = headers[at]
        headers[at : at + 1] = r.choice(
            ([(header, value), (header, value)], [(header, value), (header.lower(), b"other")],
             [(header, b""), (header, value)], [(header, value), (header.replace("-", "_"), value)],
             [(header.replace("-", "_"), value)], [], [(header.upper(), value)], [(header.swapcase(), value)],
             [(header, b" " + value)], [(header, value + b"\t")], [(header, b"")])
        )  # fmt: skip
    if "bytes" in knobs:
        at = r.randrange(-1, len(headers))
        if at < 0:
            body = _spliced(body, r)
        else:
            headers[at] = headers[at][0], _spliced(headers[at][1], r)
    return Case(name, secret, Request("POST", url, headers, body))


def _spliced(value: bytes, r: Random) -> bytes:
    """With a few bytes taken out, and others in their place."""
    start = r.randrange(len(value) + 1)
    put = bytes(r.choice(b" ,=+&%._-\t01avAV/\xc3\xa9\xff\x00\n;") for _ in range(r.randrange(4)))
    return value[:start] + put + value[start + r.randrange(4) :]


def _pairs(body: bytes) -> Iterable[tuple[str, str]]:
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
