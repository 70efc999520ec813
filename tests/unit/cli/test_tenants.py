"""URLs to hand out, and secrets that senders brought."""

from __future__ import annotations

import pytest

from hookcatch import Secret

APP = """
from hookcatch import Hookcatch
hooks = Hookcatch("sqlite:///inbox.db", public_url="https://hooks.example.com")
hooks.source("notion", url_key="the key that signs the paths")
hooks.source("shop", "standard_webhooks", {"acme": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, path="/shop/{tenant}")
"""


@pytest.fixture
def app(project, kept) -> str:
    return project(APP)


def test_the_url_of_a_tenant_is_printed(hookcatch, app):
    result = hookcatch("tenants", "url", app, "notion", "acme")
    assert result.output.startswith("https://hooks.example.com/notion/acme.")
    assert hookcatch("tenants", "url", app, "notion", "acme").output == result.output


def test_a_source_or_a_name_that_there_cannot_be_is_said(hookcatch, app):
    assert (
        "there is no source 'nation', only notion, shop"
        in hookcatch("tenants", "url", app, "nation", "a").stderr
    )
    assert "a tenant cannot be called 'a/b'" in hookcatch("tenants", "url", app, "notion", "a/b").stderr


def test_a_secret_that_was_brought_is_shown_to_who_asks_for_it(hookcatch, app, kept):
    kept.inbox.learn("notion", "acme", Secret(b"secret_of_notion")).result()
    assert hookcatch("tenants", "list", app).output == "notion acme\n"
    assert hookcatch("tenants", "secret", app, "notion", "acme").output == "secret_of_notion\n"
    missing = hookcatch("tenants", "secret", app, "notion", "globex")
    assert (missing.exit_code, "brought no secret for 'globex'" in missing.stderr) == (1, True)


def test_where_none_was_brought_the_list_says_so(hookcatch, app):
    assert "no sender has brought a secret" in hookcatch("tenants", "list", app).stderr


def test_a_secret_is_forgotten_only_after_a_question(hookcatch, app, kept):
    kept.inbox.learn("notion", "acme", Secret(b"secret_of_notion")).result()
    assert hookcatch("tenants", "forget", app, "notion", "acme", input="n\n").exit_code == 1
    assert kept.inbox.learned("notion", "acme") is not None
    result = hookcatch("tenants", "forget", app, "notion", "acme", "--yes")
    assert result.output == "forgotten: notion acme\n"
    assert kept.inbox.learned("notion", "acme") is None
    assert hookcatch("tenants", "forget", app, "notion", "acme", "--yes").exit_code == 1


def test_an_event_is_sent_as_a_tenants(hookcatch, app):
    result = hookcatch("send", app, "shop", "a", "{}", "--tenant", "acme", "--dry-run")
    assert result.output.startswith("POST /shop/acme HTTP/1.1\n")
    assert "\nwebhook-signature: v1," in result.output
    wrong = hookcatch("send", app, "shop", "a", "{}", "--tenant", "globex", "--dry-run")
    assert "no secrets of a tenant 'globex'" in wrong.stderr
