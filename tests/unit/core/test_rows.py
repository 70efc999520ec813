"""From a verified delivery to the rows that are kept."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from hookcatch.core.endpoint import Endpoint, Policy
from hookcatch.core.rows import REVIVE_AFTER, duplicates, is_credential, new_events
from support.world import NOW, Believer, letter


def rows(*, id_is_signed: bool = True, policy: Policy = Policy()):
    verifier = Believer(id_is_signed)
    request = letter("evt_1", at=NOW - 9)
    endpoint = Endpoint("shop", "/shop", "believed", verifier, policy)
    return request, new_events(verifier.verify(request, NOW), request, endpoint, NOW)


def test_a_row_is_the_event_with_its_exact_bytes_and_their_hash():
    request, (row,) = rows()
    assert (row.source, row.tenant, row.id, row.type) == ("shop", "", "evt_1", "order.created")
    assert row.body == request.body
    assert row.body_hash == hashlib.sha256(request.body).digest()
    assert (row.received_at, row.occurred_at, row.format) == (NOW, NOW - 9, "json")


def test_content_is_watched_only_where_the_id_is_not_signed_and_the_policy_cares():
    assert rows()[1][0].content_key is None
    assert rows(id_is_signed=False)[1][0].content_key == rows()[1][0].body_hash
    assert rows(id_is_signed=False, policy=Policy(on_replayed_content="accept"))[1][0].content_key is None


def test_what_says_something_new_in_the_same_words_is_no_duplicate():
    request = letter("evt_1", at=NOW - 9)
    delivery = replace(Believer().verify(request, NOW), repeats=True)
    endpoint = Endpoint("shop", "/shop", "believed", Believer())
    ids = [new_events(delivery, request, endpoint, at)[0].id for at in (NOW, NOW + 1)]
    assert ids == [f"evt_1@{NOW}", f"evt_1@{NOW + 1}"]


def test_only_the_headers_that_the_policy_names_are_kept():
    assert rows()[1][0].headers == {"content-type": "application/json"}
    assert rows(policy=Policy(keep_headers=()))[1][0].headers == {}


def test_the_policy_in_the_inboxs_words():
    assert duplicates(Policy(), NOW).revive_before == NOW - REVIVE_AFTER
    assert duplicates(Policy(revive=False), NOW).revive_before is None
    assert not duplicates(Policy(), NOW).refuse_replayed_content
    assert duplicates(Policy(on_replayed_content="reject"), NOW).refuse_replayed_content


@pytest.mark.parametrize(
    "name",
    [
        "authorization", "proxy-authorization", "cookie", "set-cookie", "x-github-encoded-secret", "x-gitlab-token",
        "x-telegram-bot-api-secret-token", "stripe-signature", "webhook-signature", "x-hub-signature-256",
        "x-api-key", "x-apikey", "x-shopify-hmac-sha256", "x-square-hmacsha256-signature", "x-password",
        "x-amz-security-token", "verif-hash",
    ],
)  # fmt: skip
def test_a_header_that_holds_a_credential_is_known_by_its_name(name: str):
    assert is_credential(name.encode())


@pytest.mark.parametrize(
    "name", ["content-type", "x-github-event", "webhook-id", "user-agent", "x-request-id"]
)
def test_a_header_that_tells_of_the_event_is_no_credential(name: str):
    assert not is_credential(name.encode())
