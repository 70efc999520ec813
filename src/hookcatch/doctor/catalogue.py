"""Everything that the doctor can find, by name: what it means and what to do about it."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from .case import Finding


class Known(NamedTuple):
    """What a finding means, and what to do about it unless something better is known in the case at hand."""

    means: str
    remedy: str


_AS_SHOWN = "configure the secret exactly as the sender shows it"
_RAW_BODY = (
    "hand over the bytes as they came: before any body parser, middleware or gateway that rewrites them"
)
_RAW_HEADER = "hand over the header as it came; if the sender wrote it so, look at its newest documentation"
_CLOCK = "set the clock of this machine (NTP), or that of the sender"

SIGNATURE = MappingProxyType(
    {
        # the secret
        "another_source": Known(
            "the secret of another source of the app is right",
            "send it to that source's URL, or copy the secret of this one again: live and test have their own",
        ),
        "secret_padded": Known("the secret has quotes or white space around it", _AS_SHOWN),
        "secret_prefix": Known(
            "the secret has something before it that does not belong to it, or lacks what does", _AS_SHOWN
        ),
        "secret_is_base64": Known("the secret is base64, and was taken as text", _AS_SHOWN),
        "secret_is_hex": Known("the secret is hexadecimal, and was taken as text", _AS_SHOWN),
        "secret_not_base64": Known("the secret is text, and was decoded from base64", _AS_SHOWN),
        "secret_not_hex": Known("the secret is text, and was decoded from hexadecimal", _AS_SHOWN),
        # the body
        "body_eaten": Known(
            "the body is empty: something has read it before",
            "put the receiver before whatever parses bodies, or hand it the raw bytes",
        ),
        "body_truncated": Known(
            "the body has another length than was promised",
            "look for a size limit or a rewriting proxy before the receiver",
        ),
        "body_compressed": Known(
            "the body is labelled as compressed",
            "switch off decompression before the receiver, or compression at the sender",
        ),
        "json_rewritten": Known("the body was parsed as JSON and written again", _RAW_BODY),
        "form_rewritten": Known("the body was parsed as a form and written again", _RAW_BODY),
        "newline_added": Known("a line feed was added at the end of the body", _RAW_BODY),
        "newline_removed": Known("the line feed at the end of the body was taken away", _RAW_BODY),
        "newline_changed": Known("the line ends of the body were changed", _RAW_BODY),
        "whitespace_changed": Known("white space around the body was added or taken away", _RAW_BODY),
        "charset_changed": Known("the body was read in one charset and written in another", _RAW_BODY),
        # the URL
        "another_url": Known(
            "the sender signed another URL than the one that is configured",
            "say that one as `public_url`, or register the other URL with the sender",
        ),
        # headers
        "header_missing": Known(
            "the header with the signature is not there",
            "check that a secret is set at the sender, and that no proxy drops the header",
        ),
        "header_renamed": Known(
            "the header arrives under another name",
            "hand over the headers as they were on the wire, or undo the renaming of the proxy or gateway",
        ),
        "header_doubled": Known(
            "a header that decides came more than once",
            "look for a proxy that adds headers instead of setting them",
        ),
        "wrong_provider": Known("the headers are those of another sender", "configure that provider"),
        "another_scheme": Known(
            "the signature is right as that of another row: an older version, or another product of the sender",
            "configure that provider",
        ),
        "signature_prefix": Known(
            "the signature lacks what stands before it, or has something else there", _RAW_HEADER
        ),
        "signature_padded": Known("the signature has white space or quotes around it", _RAW_HEADER),
        "signature_encoding": Known("the signature is hexadecimal instead of base64, or so", _RAW_HEADER),
        # the time
        "time_unit": Known(
            "the signed time is in seconds instead of milliseconds, or the other way round",
            "hand over the header as it came; if it came so, the sender has changed: tell us",
        ),
        "too_old": Known(
            "the signature is right, and too old",
            "set the clock of this machine (NTP); raise `tolerance` if the sender's retries keep their first time",
        ),
        "clock_behind": Known("the signature is right, and made in our future", _CLOCK),
        # nothing of all that
        "signature_right": Known(
            "the signature is right, and the request is refused for something else",
            "look at what the refusal says: a body that cannot be parsed, an id that is missing",
        ),
        "unexplained": Known(
            "no mistake that we know explains the signature",
            "if the sender is who you think, copy the secret again from where it shows it; else it is a forgery",
        ),
    }
)
"""Why a signature is refused."""

DOOR = MappingProxyType(
    {
        # nobody there
        "unreachable": Known(
            "nothing answers at the URL", "check the name, the port, the firewall, and that the server runs"
        ),
        "certificate": Known(
            "the TLS certificate is not one that senders trust",
            "serve the whole chain of a certificate for this name that is not expired",
        ),
        # somebody else is there
        "redirected": Known(
            "the URL answers with a redirect, which senders do not follow or follow with a GET",
            "register the URL that it leads to, or serve this one without the redirect",
        ),
        "slash_redirect": Known(
            "the URL with another slash at its end is where it leads",
            "register the URL exactly as it is served, or switch off the slash redirect (Django: APPEND_SLASH)",
        ),
        "csrf": Known(
            "a framework's CSRF check refuses the request before it reaches the receiver",
            "put the receiver before the CSRF check, or exempt its path",
        ),
        "auth_wall": Known(
            "a login stands before the receiver",
            "let the path of the receiver pass without it: the signature is its proof",
        ),
        "not_served": Known(
            "the path is served by nobody, or by somebody else",
            "compare the URL with the mount's prefix and the source's path",
        ),
        "method_refused": Known(
            "something before the receiver refuses the method",
            "let the path's POST requests pass",
        ),
        "always_ok": Known(
            "a request without any signature is answered with a 2xx: it was not the receiver who did",
            "find what answers there; senders take it for success, and their events are lost",
        ),
        "layer_error": Known(
            "something before the receiver answers with an error",
            "look into its log",
        ),
        "probe_refused": Known(
            "the receiver is there, and does not know the probe: its header was dropped on the way, or the app there "
            "has another secret, another version or the source at another path",
            "let the header x-hookcatch-probe pass, and deploy the same configuration as here",
        ),
        # what arrives is something else
        "body_lost": Known(
            "the body is empty when it arrives",
            "put the receiver before whatever parses bodies (Express-like middleware, Django's request.POST)",
        ),
        "body_rewritten": Known("the body is another one when it arrives", _RAW_BODY),
        "body_refused": Known(
            "something before the receiver refuses a body that it should not look into",
            "exempt the path from body checks (a firewall's rules, a JSON validator)",
        ),
        "body_unpacked": Known(
            "something before the receiver unpacks compressed bodies, and signatures are over what was sent",
            "switch it off for the path",
        ),
        "chunked_refused": Known(
            "a body in chunks does not arrive, and some senders send so",
            "let the proxy buffer requests (nginx: proxy_request_buffering on), or use a server that reads chunks",
        ),
        "size_limit": Known(
            "bodies that the source would take are refused",
            "raise the limit (nginx: client_max_body_size; Django: DATA_UPLOAD_MAX_MEMORY_SIZE), or lower max_body",
        ),
        "header_dropped": Known(
            "a header that this sender signs with does not arrive",
            "let it pass (nginx drops names with underscores: underscores_in_headers on)",
        ),
        "header_respelt": Known(
            "a header that this sender signs with arrives under another name",
            "undo the renaming in the proxy or gateway",
        ),
        "query_changed": Known(
            "the query of the URL is another one when it arrives", "hand the query over as it came"
        ),
        "wrong_url": Known(
            "the receiver verifies signatures over another URL than this one",
            "say `public_url` exactly as it is registered with the sender, with its scheme and slash",
        ),
        "signature_refused": Known(
            "a request that is signed as the sender would is refused, for none of the reasons above",
            "compare the secret and the options of the source there with those here",
        ),
        # how it is answered
        "clock_off": Known(
            "the clock of the receiver is not ours, and signed times are compared with it",
            "set both clocks (NTP)",
        ),
        "status_changed": Known(
            "something changes the status of the receiver's answers",
            "hand answers over as they are: senders go by the status",
        ),
        "slow": Known(
            "an answer takes longer than this sender waits",
            "look for what is slow between the two: name look-ups, cold starts, a full queue",
        ),
    }
)
"""What is wrong between a sender and the receiver."""

FINDINGS = MappingProxyType({**SIGNATURE, **DOOR})


def finding(name: str, what: str, remedy: str = "") -> Finding:
    """A finding of the catalogue; `remedy` if there is a better one in the case at hand."""
    return Finding(name, what, remedy or FINDINGS[name].remedy)
