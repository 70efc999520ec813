"""The mistakes that are tried: what the request or the secret would have been without each of them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from hookcatch.core.wire import Request
from hookcatch.providers import provider

from .case import Case, Mistake, Trial
from .catalogue import finding
from .places import prefixes_of, rows_for, signature_headers_of


def other_secrets(case: Case) -> Iterator[Trial]:
    """Meant for another source: test instead of live, another shop."""
    for name, (row, secrets) in case.others.items():
        found = finding(
            "another_source",
            f"it is signed with the secret of the source {name!r}",
        )
        yield Trial(found, case.request, case.provider, secrets, case.now)
        yield Trial(found, case.request, row, secrets, case.now)


def secret_spellings(case: Case) -> Iterator[Trial]:
    """The secret was decoded when it should not have been, or not when it should, or copied with something around."""
    for secret in case.secrets:
        text = secret.reveal()
        if b"-----BEGIN" in text:  # of a PEM file no spelling but the right one can be read at all
            continue
        for name, what, spelt in _secrets(text):
            if spelt and spelt != text:
                yield case.with_secrets(finding(name, f"the signature is right if the secret {what}"), spelt)


def _secrets(text: bytes) -> Iterator[tuple[str, str, bytes]]:
    yield "secret_padded", "has no quotes or white space around it", text.strip(b" \t\r\n\"'")
    yield "secret_padded", "ends in a line feed", text + b"\n"
    for prefix in (b"whsec_", b"v1,whsec_", b"sk_", b"base64:"):
        yield "secret_prefix", f"is taken without {prefix.decode()}", text.removeprefix(prefix)
    bare = text.removeprefix(b"v1,").removeprefix(b"whsec_")
    yield "secret_prefix", "is written with whsec_ before it", b"whsec_" + bare
    yield "secret_not_base64", "is a text as it stands, and not base64", b"whsec_" + base64.b64encode(text)
    yield "secret_not_base64", "is a text as it stands, and not base64", base64.b64encode(text)
    yield "secret_not_hex", "is a text as it stands, and not hexadecimal", text.hex().encode()
    for decode, name in (
        (base64.b64decode, "base64"),
        (base64.urlsafe_b64decode, "base64"),
        (binascii.unhexlify, "hex"),
    ):
        try:
            decoded = decode(bare + b"=" * (-len(bare) % 4 if name == "base64" else 0))
        except ValueError:
            continue
        yield f"secret_is_{name}", f"is decoded from {name} first", decoded


def body_spellings(case: Case) -> Iterator[Trial]:
    """Something on the way has read the body and written it again."""
    seen = {case.request.body}
    for name, what, body in bodies(case.request.body):
        if body not in seen:
            seen.add(body)
            yield case.trial(
                finding(name, f"the body was changed on its way: {what}"),
                case.request.with_body(body),
            )


def bodies(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    """A body as it would have been written by others: the finding, what was done, and the body."""
    for end in (b"\n", b"\r\n"):
        yield "newline_added", "a line feed was added at its end", body.removesuffix(end)
        yield "newline_removed", "the line feed at its end was taken away", body + end
    yield "newline_changed", "its line ends were changed", body.replace(b"\r\n", b"\n")
    yield (
        "newline_changed",
        "its line ends were changed",
        body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    )
    yield "whitespace_changed", "white space around it was taken away or added", body.strip()
    yield "charset_changed", "a byte order mark was added or taken away", body.removeprefix(b"\xef\xbb\xbf")
    yield "charset_changed", "a byte order mark was added or taken away", b"\xef\xbb\xbf" + body
    yield from _charsets(body)
    yield from _jsons(body)
    yield from _forms(body)


def _charsets(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    for was, became in (("utf-8", "latin-1"), ("utf-8", "cp1252"), ("latin-1", "utf-8"), ("cp1252", "utf-8")):
        try:
            yield "charset_changed", f"read as {became} and written as {was}", body.decode(became).encode(was)
            yield "charset_changed", f"read as {was} and written as {became}", body.decode(was).encode(became)
        except UnicodeError:
            continue


def _jsons(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    """JSON that was parsed and written again: as the usual writers would have written it at first."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    for spaces, title in (((",", ":"), "without spaces"), ((", ", ": "), "with spaces")):
        for ascii_only in (False, True):
            for in_order in (False, True):
                text = json.dumps(value, separators=spaces, ensure_ascii=ascii_only, sort_keys=in_order)
                what = f"parsed as JSON and written again; it was {title}"
                for spelt in (text, text.replace("/", "\\/")):
                    yield "json_rewritten", what, spelt.encode("utf-8", "surrogatepass")
    for indent in (2, 4, "\t"):
        for ascii_only in (False, True):
            text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
            yield (
                "json_rewritten",
                "parsed as JSON and written again; it was indented",
                text.encode("utf-8", "surrogatepass"),
            )


def _forms(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    """A form that was parsed and written again."""
    if b"=" not in body or body.lstrip()[:1] in {b"{", b"[", b"<"}:
        return
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=None)
    for ordered in (pairs, sorted(pairs)):
        for spaces in ("plus", "percent"):
            text = urlencode(ordered, quote_via=quote) if spaces == "percent" else urlencode(ordered)
            yield (
                "form_rewritten",
                "parsed as a form and written again, in another order or spelling",
                text.encode(),
            )


def url_spellings(case: Case) -> Iterator[Trial]:
    """The sender called another URL than the one that is configured."""
    if not case.provider.url_is_signed or not case.request.url:
        return
    for url in dict.fromkeys(_urls(case.request)):
        if url != case.request.url:
            found = finding(
                "another_url",
                f"the sender signed {url.partition('?')[0]}, and not {case.request.url.partition('?')[0]}"
                + (", with its query" if "?" in url else ", without a query"),
                f'say public_url="{url.partition("?")[0]}", or register the other URL with the sender',
            )
            yield case.trial(found, case.request.replace(url=url))


def _urls(request: Request) -> Iterator[str]:
    try:
        split = urlsplit(request.url)
    except ValueError:
        return
    hosts = [split.netloc, *_hosts(request)]
    name = split.netloc.rpartition(":")[0] or split.netloc
    hosts += [name, *(f"{name}:{port}" for port in (443, 80, 8080, 8000, 8443))]
    path = split.path
    paths = [path, path + "/", path.rstrip("/"), quote(unquote(path)), unquote(path)]
    for scheme in ("https", "http"):
        for host in dict.fromkeys(hosts):
            for one in dict.fromkeys(paths):
                for query in dict.fromkeys((split.query, "", unquote(split.query))):
                    yield urlunsplit((scheme, host, one, query, ""))


def _hosts(request: Request) -> Iterable[str]:
    named = (request.index.get(name) for name in (b"host", b"x-forwarded-host", b"x-original-host"))
    return [name.decode("latin-1").partition(",")[0].strip() for name in named if name]


def time_spellings(case: Case) -> Iterator[Trial]:
    """The time in another unit."""
    for name, value in case.request.headers:
        if value.isdigit() and len(value) in {10, 13}:
            other = value + b"000" if len(value) == 10 else value[:10]
            unit = "milliseconds" if len(value) == 13 else "seconds"
            found = finding(
                "time_unit",
                f"the time in {name.decode('latin-1')} is in {unit}, which this sender does not use",
            )
            yield case.trial(found, case.request.with_header(name.decode("latin-1"), other))


def signature_spellings(case: Case) -> Iterator[Trial]:
    """The signature without what stands before it, or in other letters."""
    prefixes = prefixes_of(case.provider.scheme)
    for name in sorted(signature_headers_of(case.provider.scheme)):
        value = case.request.index.get(name.encode())
        if value is None:
            continue
        for kind, what, spelt in _signatures(value, prefixes.get(name, "").encode()):
            if spelt != value:
                found = finding(kind, f"the signature in {name} {what}")
                yield case.trial(found, case.request.with_header(name, spelt))


def _signatures(value: bytes, prefix: bytes) -> Iterator[tuple[str, str, bytes]]:
    yield "signature_prefix", f"lacks {prefix.decode()!r} before it", prefix + value
    yield "signature_padded", "has white space or quotes around it", value.strip(b" \t\"'")
    bare = value.removeprefix(prefix)
    for mark in (b"=", b",", b" ", b":"):
        yield "signature_prefix", "has something else before it", prefix + bare.partition(mark)[2]
    for decode, encode, what in (
        (binascii.unhexlify, base64.b64encode, "is in hex, and should be in base64"),
        (base64.b64decode, binascii.hexlify, "is in base64, and should be in hex"),
        (base64.urlsafe_b64decode, base64.b64encode, "is in the base64 of URLs"),
        (base64.b64decode, base64.urlsafe_b64encode, "is not in the base64 of URLs"),
    ):
        try:
            yield "signature_encoding", what, prefix + encode(decode(bare + b"=" * (-len(bare) % 4)))
        except ValueError:
            continue
    yield "signature_encoding", "is in capitals", prefix + bare.lower()


def other_rows(case: Case) -> Iterator[Trial]:
    """Signed in another way that looks alike: an older version, another product of the sender."""
    there = frozenset(name.decode("latin-1") for name in case.request.index)
    for name in rows_for(there, case.provider):
        found = finding(
            "another_scheme",
            f"the signature is right as one of {provider(name).title}",
            f'configure provider="{name}"',
        )
        yield Trial(found, case.request, provider(name), case.secrets, case.now)


MISTAKES = (
    Mistake(other_secrets),
    Mistake(secret_spellings),
    Mistake(signature_spellings),
    Mistake(time_spellings),
    Mistake(other_rows),
    Mistake(url_spellings),
    Mistake(body_spellings, respells_body=True),
)
