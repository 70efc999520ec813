"""Senders that sign a canonical form of the request."""

from __future__ import annotations

import hashlib

import pytest

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.wire import Request
from hookcatch.providers import provider
from hookcatch.providers.bespoke import box_spellings
from hookcatch.providers.canonical import ContentfulPath, QueryHash
from support.senders import NOW, rsa, secret, signed


def refused(name: str, request: Request) -> str:
    with pytest.raises(Rejected) as refusal:
        provider(name).verify(request, secret=secret(name), now=NOW)
    return refusal.value.reason


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        (
            "https://a.example/path/to/service?zee_last=param&repeated=parameter%201&first=param&repeated=parameter%202",
            "GET&/path/to/service&first=param&repeated=parameter%201,parameter%202&zee_last=param",
        ),
        ("https://a.example", "GET&/&"),
        ("https://a.example/x/?jwt=a.b.c", "GET&/x&"),
        ("https://a.example/a&b?~k=%7E&empty=", "GET&/a%26b&empty=&~k=~"),
        ("https://a.example/?a=b%2Fc", "GET&/&a=b%2Fc"),
    ],
)
def test_atlassian_hashes_method_path_and_sorted_query(url: str, canonical: str) -> None:
    hashed = hashlib.sha256(canonical.encode()).hexdigest().encode()
    assert QueryHash().value(Request("GET", url, [])) == hashed


@pytest.mark.parametrize("url", ["", "https://[bad/", "https://a.example/?" + "&".join(["a=1"] * 1001)])
def test_an_atlassian_url_that_cannot_be_read_proves_nothing(url: str) -> None:
    with pytest.raises(Rejected, match="bad_signature"):
        QueryHash().value(Request("GET", url, []))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://a.example/api/1", b"/api/1"),
        ("https://a.example", b"/"),
        ("https://a.example/?a=b", b"/?a%253Db"),
        ("https://a.example/x%20y?q=1%26", b"/x%2520y?q%253D1%252526"),
        ("https://a.example/é?", b"/%C3%A9?"),
    ],
)
def test_contentful_quotes_the_query_twice(url: str, path: bytes) -> None:
    assert ContentfulPath().render()(Request("GET", url, []), b"") == path


LISTED = "x-contentful-signed-headers"


@pytest.mark.parametrize(
    "listed",
    [
        "",
        "x-contentful-timestamp",
        LISTED,
        f"{LISTED},x-contentful-timestamp,x-missing",
        f"{LISTED},x-contentful-timestamp," + ",".join(f"x-{number}" for number in range(64)),
        f"{LISTED},x-contentful-timestamp,é",
    ],
)
def test_a_contentful_list_that_leaves_something_out_proves_nothing(listed: str) -> None:
    assert refused("contentful", signed("contentful").with_header(LISTED, listed)) == "bad_signature"


def test_a_header_that_contentful_lists_twice_is_ambiguous() -> None:
    request = signed("contentful")
    twice = [*request.headers, ("x-app", "1"), ("x-app", "2")]
    listed = request.replace(headers=twice).with_header(LISTED, f"{LISTED},x-contentful-timestamp,x-app")
    assert refused("contentful", listed) == "duplicate_header"


@pytest.mark.parametrize("given", ["WH-ID:", "WH-ID: ", "WH ID", ":" + rsa(0).strip()])
def test_a_paypal_secret_is_an_id_and_perhaps_a_key(given: str) -> None:
    with pytest.raises(ConfigurationError):
        provider("paypal").bind(given)


def test_a_paypal_request_for_another_webhook_is_refused() -> None:
    row, key = provider("paypal"), rsa(0).strip()
    with pytest.raises(Rejected, match="bad_signature"):
        row.verify(signed("paypal"), secret=f"WH-OTHER:{key}", now=NOW)
    both = row.verify(signed("paypal"), secret=[f"WH-OTHER:{key}", f"WH-ID:{key}"], now=NOW)
    assert both.key == 1


def test_the_id_of_a_paypal_request_cannot_move_the_borders_of_what_is_signed() -> None:
    request = signed("paypal").with_header("paypal-transmission-id", "a|b")
    assert refused("paypal", request) == "malformed_id"


def test_box_signs_a_body_with_everything_beyond_ascii_escaped() -> None:
    bodies = [spelt.body for spelt in box_spellings(Request("POST", "", [], '{"n":"é😀\\/"}'.encode()))]
    assert bodies == ['{"n":"é😀\\/"}'.encode(), b'{"n":"\\u00e9\\ud83d\\ude00\\/"}']
    assert len(box_spellings(Request("POST", "", [], b"\xff"))) == 1
