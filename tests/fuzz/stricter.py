"""Where we and the senders' libraries differ, and how each difference is recognised; docs/stricter.md tells more.

A difference in which we accept more is one in which the library stumbles over what it should pass over.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

from fuzz.honest import Case
from fuzz.libraries import Verdict
from hookcatch.core.parse import MAX_FIELDS
from hookcatch.signing.encoding import BASE64
from hookcatch.signing.freshness import TOLERANCE
from hookcatch.signing.keys import MIN_BYTES
from hookcatch.signing.places import MAX_CANDIDATES, MAX_VALUE
from support.senders import NOW

LISTS = ("standard_webhooks", "svix")
TIMED = ("slack", "standard_webhooks", "stripe", "svix")
ALL = ("github", "slack", "standard_webhooks", "stripe", "svix", "twilio")


@dataclass(frozen=True, slots=True)
class Difference:
    """Attributes:
    name: what docs/stricter.md calls it.
    why: what would be possible otherwise, in short.
    rows: the rows it concerns.
    recognises: whether a request, and the secret it is sent to, are of this kind.
    laxer: whether it is we who accept.
    """

    name: str
    why: str
    rows: tuple[str, ...]
    recognises: Callable[[Case], bool]
    laxer: bool = False

    def explains(self, one: Case, mine: Verdict) -> bool:
        """Whether this is why we say something else than the library."""
        of_this_kind = one.name in self.rows and mine.accepted == self.laxer and self.recognises(one)
        return of_this_kind and (not self.laxer or _is_signed(one))


SIGNATURES = {"github": b"x-hub-signature-256", "slack": b"x-slack-signature", "stripe": b"stripe-signature",
              "twilio": b"x-twilio-signature"}  # fmt: skip


def _part(one: Case, part: str) -> bytes:
    """The id, time or signature of Standard Webhooks, under either name."""
    index = one.request.index
    heads = (b"svix-", b"webhook-") if one.name == "svix" else (b"webhook-",)
    return next((index[head + part.encode()] for head in heads if head + part.encode() in index), b"")


def _signature(one: Case) -> bytes:
    return (
        one.request.index.get(SIGNATURES[one.name], b"")
        if one.name in SIGNATURES
        else _part(one, "signature")
    )


def _items(one: Case) -> list[bytes]:
    return _signature(one).split(b"," if one.name == "stripe" else b" ")


def _candidates(one: Case) -> list[bytes]:
    mark = b"v1=" if one.name == "stripe" else b"v1,"
    return [item[len(mark) :] for item in _items(one) if item.startswith(mark)]


def _time(one: Case) -> bytes:
    if one.name == "stripe":
        return next((item[2:] for item in _items(one) if item.startswith(b"t=")), b"")
    return (
        one.request.index.get(b"x-slack-request-timestamp", b"")
        if one.name == "slack"
        else _part(one, "timestamp")
    )


def _form(one: Case) -> bool:
    return b"urlencoded" in one.request.index.get(b"content-type", b"")


def _is_signed(one: Case) -> bool:
    """Whether the secret's owner signed these very bytes, by the plainest reading of the senders' formulas."""
    body, key = one.request.body, one.secret.encode()
    if one.name in LISTS:
        key = base64.b64decode(one.secret.removeprefix("whsec_") + "==")
        message = b".".join((_part(one, "id"), _time(one), body))
        return base64.b64encode(hmac.digest(key, message, "sha256")) in _candidates(one)
    if one.name == "stripe":
        return hmac.digest(key, _time(one) + b"." + body, "sha256").hex().encode() in _candidates(one)
    if one.name == "slack":
        made = hmac.digest(key, b"v0:" + _time(one) + b":" + body, "sha256").hex()
        return _signature(one) == f"v0={made}".encode()
    urls = (one.request.url, one.request.url.replace("example.com", "example.com:443"))
    made_of = [base64.b64encode(hmac.digest(key, url.encode(), "sha1")) for url in urls]
    return _signature(one) in made_of and hashlib.sha256(body).hexdigest() in one.request.url


# --- the secret


def _weak(one: Case) -> bool:
    if one.name not in LISTS:
        return len(one.secret.encode()) < MIN_BYTES or not one.secret.strip()
    try:
        return len(base64.b64decode(one.secret.removeprefix("whsec_") + "==")) < MIN_BYTES
    except ValueError:
        return False


def _spaced_secret(one: Case) -> bool:
    return one.secret != one.secret.strip()


def _loose_secret(one: Case) -> bool:
    bare = one.secret.removeprefix("whsec_").rstrip("=")
    return BASE64.decode((bare + "=" * (-len(bare) % 4)).encode()) is None


# --- the headers


def _twice(one: Case) -> bool:
    names = [name.lower() for name, _ in one.request.headers]
    return len(set(names)) < len(names)


def _twin(one: Case) -> bool:
    return any(b"_" in name for name, _ in one.request.headers)


def _long(one: Case) -> bool:
    return any(len(value) > MAX_VALUE for _, value in one.request.headers)


def _spaced_list(one: Case) -> bool:
    return b" " in _signature(one)


def _two_times(one: Case) -> bool:
    return sum(item.startswith(b"t=") for item in _items(one)) > 1


def _many(one: Case) -> bool:
    return len(_candidates(one)) > MAX_CANDIDATES


def _more_behind(one: Case) -> bool:
    return any(re.match(rb"[0-9a-f]{64}=", text) for text in _candidates(one))


def _loose_base64(one: Case) -> bool:
    return any(BASE64.decode(text) is None for text in _candidates(one))


def _other_digest(one: Case) -> bool:
    return _signature(one).startswith(b"sha1=")


# --- the time and the id


def _respelt(one: Case) -> bool:
    return not re.fullmatch(rb"[0-9]{1,12}", _time(one))


def _padded(one: Case) -> bool:
    return _time(one).startswith(b"0")


def _future(one: Case) -> bool:
    return _time(one).isdigit() and int(_time(one)) > NOW + TOLERANCE


def _other_id(one: Case) -> bool:
    return not re.fullmatch(rb"[A-Za-z0-9_-]{1,255}", _part(one, "id"))


# --- the body


def _cut(one: Case) -> bool:
    return bool(
        re.search(rb"(^|&)([a-z]\w*(From|To|Body|AccountSid|CallSid|MessageSid|SmsSid))?=", one.request.body)
    )


def _empty_hash(one: Case) -> bool:
    return one.request.url.endswith("bodySHA256=")


def _no_form(one: Case) -> bool:
    body = one.request.body
    fields = body.split(b"&")
    if not _form(one) or any(b"=" not in field for field in fields) or not body.isascii():
        return _form(one)
    return len(fields) > MAX_FIELDS or bool(re.search(rb"%(FF|ED%A0)", body))


def _bytes(one: Case) -> bool:
    try:
        one.request.body.decode()
    except UnicodeDecodeError:
        return True
    return False


def _broken_entry(one: Case) -> bool:
    if one.name == "stripe":
        return any(item in (b"t", b"v1") for item in _items(one))
    return any(item.count(b",") != 1 for item in _items(one)) or any(map(_undecodable, _candidates(one)))


def _undecodable(text: bytes) -> bool:
    try:
        base64.b64decode(text.decode())
    except ValueError:
        return True
    return False


def _not_ascii(one: Case) -> bool:
    return any(not text.isascii() for text in _candidates(one))


DIFFERENCES = (
    Difference(
        "a secret that can be guessed", "forged at leisure: an unset variable is an empty key", ALL, _weak
    ),
    Difference(
        "a secret with white space around it",
        "a mistake of the configuration, told at the start",
        ALL,
        _spaced_secret,
    ),
    Difference(
        "a secret that is not quite base64", "a mistyped secret is another, shorter key", LISTS, _loose_secret
    ),
    Difference(
        "a header that came twice", "two headers joined splice a stranger's items into a list", ALL, _twice
    ),
    Difference("a header spelt with underscores", "two names that servers fold into one", ALL, _twin),
    Difference("a header of more than 8 KiB", "work for nothing, before anything is proven", ALL, _long),
    Difference(
        "more than 16 signatures", "thousands of signatures burn the processor", ("stripe", *LISTS), _many
    ),
    Difference("spaces in the list", "the trace of two headers joined", ("stripe",), _spaced_list),
    Difference("two times in one list", "a time that is open to choice", ("stripe",), _two_times),
    Difference("more behind the signature", "one signature in many spellings", ("stripe",), _more_behind),
    Difference(
        "a signature that is not quite base64", "one signature in many spellings", LISTS, _loose_base64
    ),
    Difference(
        "SHA-1 where SHA-256 is configured", "the request chooses its algorithm", ("github",), _other_digest
    ),
    Difference("a time spelt in another way", "readers differ in how old it is", TIMED, _respelt),
    Difference(
        "a time with zeros before it, signed without",
        "another text is signed than was sent",
        ("stripe", *LISTS),
        _padded,
    ),
    Difference("a time in the future", "signed once, valid for years", ("stripe",), _future),
    Difference(
        "an id with a dot or more",
        "the border between id, time and body can be moved: a replay under a new id",
        LISTS,
        _other_id,
    ),
    Difference(
        "a parameter cut out of two", "the border between name and value can be moved", ("twilio",), _cut
    ),
    Difference("a hash of the body left empty", "a body that nothing vouches for", ("twilio",), _empty_hash),
    Difference(
        "a form that is none",
        "form parsers differ: the handler sees another form than was signed",
        ("twilio",),
        _no_form,
    ),
    Difference(
        "a body that is not text",
        "a sender may send any bytes, and signs those",
        ("slack", "stripe", "twilio", *LISTS),
        _bytes,
        laxer=True,
    ),
    Difference(
        "not ASCII beside a good signature",
        "an error where the next entry is the good one",
        ("stripe", *LISTS),
        _not_ascii,
        laxer=True,
    ),
    Difference(
        "a broken entry beside a good one",
        "an error where the next entry is the good one",
        ("stripe", *LISTS),
        _broken_entry,
        laxer=True,
    ),
    Difference(
        "a time with zeros before it, signed with them",
        "the text that was sent is what is signed",
        ("stripe", *LISTS),
        _padded,
        laxer=True,
    ),
)
"""The first that explains a difference is its name."""
