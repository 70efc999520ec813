"""What we sign, the senders' JavaScript code takes; what it signs, we take; and neither takes what was changed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookcatch.core.errors import Rejected
from hookcatch.core.wire import Request
from hookcatch.providers import provider
from support.proof import NODE_PACKAGES
from support.senders import event, secret

HERE = Path(__file__).parent
Ask = Callable[..., dict[str, Any]]

SIGNERS = ("atlassian_connect", "cloudinary", "cloudinary_sha256", "contentful", "github", "jws", "livekit",
           "notion", "sanity", "sinch", "sinch_voice", "workos")  # fmt: skip
"""Rows whose code can sign too."""

WHOLE = {
    "aws_sns": {
        "Type": "Notification",
        "MessageId": "evt_1",
        "TopicArn": "arn:aws:sns:us-east-1:1:topic",
        "Message": '{"amount":"12","name":"Zoë"}',
        "Timestamp": "2026-11-25T00:00:00.000Z",
        "SignatureVersion": "2",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem",
    },
    "lemon_squeezy": {"meta": {"event_name": "order_created", "custom_data": {}}, "data": {"id": "1"}},
    # Meta escapes what is not ASCII in what it signs, and so it stands in the body.
    "meta": {"object": "page", "entry": [{"id": "1", "name": "Zo\\u00eb"}]},
    "telegram": {"update_id": 1000, "unknown": {"name": "Zoë"}},
    "zoom": {"event": "meeting.started", "event_ts": 1700000000000, "payload": {"object": {"id": "Zoë"}}},
}
"""Bodies for code that reads more of them than the signature."""

NEEDED = {
    "brevo": {"x-forwarded-for": "1.179.112.1"},
    "shopify": {
        "x-shopify-api-version": "2025-10",
        "x-shopify-shop-domain": "a.myshopify.com",
        "x-shopify-topic": "orders/create",
        "x-shopify-webhook-id": "evt_1",
    },
}
"""Headers that their code wants besides those of the signature."""

PRESENT_ONLY = {"atlassian_connect", "brevo", "chargebee", "google_chat", "google_pubsub", "telegram"}
"""Rows that say who sent it and nothing of the body."""

CHANGED_AT = {"aws_sns": b'"MessageId":"', "mailgun": b'"token":"', "zoom": b'"event":"'}
"""Where a body is changed that is signed in part only, or read before its signature is."""

LONG = {"contentful": "a1b2" * 16}
"""Secrets for code that wants them of one length."""


def missing() -> str:
    """Why this cannot be run here; empty if it can."""
    if shutil.which("node") is None:
        return "node is not installed (Debian: apt-get install nodejs npm)"
    if not (HERE / "node_modules").is_dir():
        return "the packages are not installed: run scripts/setup where npm is"
    return ""


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    if reason := missing():
        # In CI nothing is left out.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with subprocess.Popen(
        ["node", "--no-warnings", str(HERE / "sdks.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(what: str, row: str = "", request: Request | None = None) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            question = {"ask": what, "row": row, "request": request and spelt(row, request)}
            process.stdin.write(json.dumps(question) + "\n")
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            assert "failed" not in answer, answer
            return answer

        yield ask
        process.stdin.close()
        process.wait(10)


def key(name: str) -> str:
    return LONG.get(name) or secret(name)


def spelt(row: str, request: Request) -> dict[str, Any]:
    return {
        "secret": key(row),
        "method": request.method,
        "url": request.url,
        "headers": {name.decode().lower(): value.decode() for name, value in request.headers},
        "body": base64.b64encode(request.body).decode(),
    }


def signed(name: str) -> Request:
    """By us, and now: their clock is the machine's."""
    row = provider(name)
    unsigned = event(row)
    if name in WHOLE:
        body = json.dumps(WHOLE[name], ensure_ascii=False, separators=(",", ":"))
        unsigned = unsigned.replace(body=body.replace("\\\\u", "\\u").encode())
    for header, value in NEEDED.get(name, {}).items():
        unsigned = unsigned.with_header(header, value)
    return row.sign(unsigned, secret=key(name), now=time.time())


def taken(name: str, request: Request) -> bool:
    try:
        return provider(name).verify(request, secret=key(name), now=time.time()).key == 0
    except Rejected:
        return False


def changed(name: str, request: Request) -> Iterator[Request]:
    """The same request, once with another body and once with another proof."""
    if name not in PRESENT_ONLY:
        before, mark, after = request.body.partition(CHANGED_AT.get(name, b'"'))
        assert mark
        yield request.replace(body=before + mark + b"x" + after)
    added = [pair for pair in request.headers if pair not in event(provider(name)).headers]
    for header, value in added:
        if value == max((text for _, text in added), key=len):
            at = len(value) - 8
            # not only in its case, which some read over in hexadecimal
            other = b"B" if value[at : at + 1] in b"Aa" else b"A"
            yield request.with_header(header.decode(), value[:at] + other + value[at + 1 :])


@pytest.mark.parametrize("name", sorted(NODE_PACKAGES))
def test_their_code_takes_what_we_sign_and_nothing_else(name: str, ask: Ask) -> None:
    request = signed(name)
    assert taken(name, request)
    answer = ask("verify", name, request)
    assert answer["ok"], answer
    for other in changed(name, request):
        assert not taken(name, other)
        assert not ask("verify", name, other)["ok"]


@pytest.mark.parametrize("name", SIGNERS)
def test_we_take_what_their_code_signs_and_nothing_else(name: str, ask: Ask) -> None:
    request = signed(name)
    for header, value in ask("sign", name, request)["headers"].items():
        request = request.with_header(header, value)
    assert taken(name, request)
    assert [other for other in changed(name, request) if taken(name, other)] == []


def test_every_row_of_the_script_is_in_the_list_and_no_signer_is_forgotten(ask: Ask) -> None:
    rows = ask("rows")
    assert set(rows) == set(NODE_PACKAGES)
    assert [name for name in sorted(rows) if "sign" in rows[name]] == sorted(SIGNERS)


def test_the_packages_are_pinned_and_the_lock_names_no_registry() -> None:
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert [name for name, version in wanted.items() if not version.replace(".", "").isdigit()] == []
    assert set(NODE_PACKAGES.values()) <= set(wanted)
    lock = json.loads((HERE / "package-lock.json").read_text())
    assert [name for name, one in lock["packages"].items() if "resolved" in one] == []
