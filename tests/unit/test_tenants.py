"""Who a request is from, where a source has several tenants: by their secrets, their paths, or signed URLs."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from hookcatch import ConfigurationError, Hookcatch, Rejected, Secret
from hookcatch.core.endpoint import Endpoint, Identity
from hookcatch.core.wire import Request
from hookcatch.providers import Facts, Provider, hmac
from hookcatch.tenants import FRESH, MAX_KNOWN, NoSecret, PathTenants
from support.senders import text, whsec
from support.world import Clock

BASE = "https://hooks.example.com"
KEY = "the key that signs the paths, long enough"


def made(secret: Any = None, provider: str = "standard_webhooks", **options: Any) -> Hookcatch:
    hooks = Hookcatch("memory:", worker=False, public_url=BASE, clock=Clock())
    hooks.source("shop", provider, secret, **options)
    return hooks


def refused(secret: Any = None, provider: str = "standard_webhooks", **options: Any) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        made(secret, provider, **options)
    return str(refusal.value)


def found(hooks: Hookcatch, path: str) -> Endpoint:
    endpoint = hooks.match(path)
    assert endpoint is not None
    return endpoint


# by the secret that verifies


def test_of_several_tenants_at_one_path_the_one_whose_secret_verifies_has_sent_it():
    shop = made({"acme": whsec(0), "globex": [whsec(1), whsec(2)]}).sources["shop"]
    for tenant, key in [("acme", 0), ("globex", 1)]:
        delivery = shop.verify(shop.sign("order.created", {}, id="1", tenant=tenant))
        assert (delivery.key, shop.endpoint.owner(delivery)) == (key, tenant)


def test_one_secret_of_two_tenants_at_one_path_would_make_them_one():
    assert "the same secret is listed twice" in refused({"acme": whsec(0), "globex": whsec(0)})


def test_more_tenants_than_can_be_tried_need_paths_of_their_own():
    said = refused({f"tenant {number}": whsec(number) for number in range(9)})
    assert "9 secrets at one path, of which at most 8 are tried" in said
    assert 'path="/.../{tenant}"' in said


def test_what_is_not_said_to_be_of_a_tenant_is_of_none():
    shop = made(whsec(0)).sources["shop"]
    assert shop.endpoint.owner(shop.verify(shop.sign("a", {}, id="1"))) == ""
    with pytest.raises(ConfigurationError, match="'shop' has no tenants"):
        shop.sign("a", {}, id="1", tenant="acme")


# by a segment of the path


@pytest.mark.parametrize("secret", [{"acme": whsec(0)}.get, {"acme": whsec(0)}])
def test_a_segment_of_the_path_says_whose_secrets_verify(secret: Any):
    hooks = made(secret, path="/shop/{tenant}/in")
    shop = hooks.sources["shop"]
    assert shop.path("acme") == "/shop/acme/in"
    assert shop.url("acme") == f"{BASE}/shop/acme/in"
    assert [found(hooks, path).segment for path in ("/shop/acme/in", "/shop/acme/in/")] == ["acme", "acme"]
    assert [hooks.match(path) for path in ("/shop/acme", "/shop//in", "/shop/a/b/in", "/shop")] == [None] * 4
    request = shop.sign("order.created", {}, id="1", tenant="acme")
    assert shop.verify(request, tenant="acme").key == 0
    with pytest.raises(Rejected, match="unknown_tenant: no secrets are known for 'globex'"):
        shop.verify(request, tenant="globex")
    with pytest.raises(ConfigurationError, match="no secrets of a tenant 'globex'"):
        shop.sign("order.created", {}, id="1", tenant="globex")


def test_a_path_without_a_segment_comes_before_one_with_it():
    hooks = made({"acme": whsec(0)}, path="/in/{tenant}")
    hooks.source("main", "standard_webhooks", whsec(1), path="/in/main")
    assert [found(hooks, path).name for path in ("/in/main", "/in/acme")] == ["main", "shop"]
    with pytest.raises(ConfigurationError, match="is the path of another source"):
        hooks.source("other", "standard_webhooks", {"acme": whsec(0)}, path="/in/{tenant}")


def test_the_url_that_is_signed_has_the_segment_that_was_called():
    hooks = made({"acme ü": text(0)}, "square", path="/{tenant}")
    shop = hooks.sources["shop"]
    url = f"{BASE}/acme%20%C3%BC"
    assert shop.url("acme ü") == url
    assert found(hooks, "/acme ü").called("") == url
    assert shop.verify(shop.sign("a", {}, id="1", tenant="acme ü"), tenant="acme ü").key == 0


@pytest.mark.parametrize("tenant", ["", "a/b", "a\n", "a" * 256, 7])
def test_what_cannot_stand_in_a_path_names_no_tenant(tenant: Any):
    assert "a tenant cannot be called" in refused({tenant: whsec(0)})
    assert "a tenant cannot be called" in refused({tenant: whsec(0)}, path="/{tenant}")
    with pytest.raises(ConfigurationError, match="a tenant cannot be called"):
        made(lambda tenant: whsec(0), path="/{tenant}").sources["shop"].url(tenant)


@pytest.mark.parametrize("segment", ["a" * 256, "a\x1b[31m"])
def test_a_name_that_no_tenant_has_is_not_looked_up(segment: str):
    tenants = found(made(whsec(0), path="/{tenant}", url_key=KEY), "/x").tenants
    plain = found(made({"acme": whsec(0)}, path="/{tenant}"), "/x").tenants
    assert tenants is not None
    assert plain is not None
    with pytest.raises(Rejected, match="unknown_tenant"):
        plain.named(segment)
    with pytest.raises(Rejected, match="bad_signature"):
        tenants.named(segment)


# by a signed URL


def test_a_signed_url_proves_a_sender_who_can_prove_nothing():
    hooks = made(None, "unsigned", url_key=KEY)
    shop = hooks.sources["shop"]
    assert shop.endpoint.path == "/shop/{tenant}"
    path = shop.path("acme")
    assert path.startswith("/shop/acme.")
    tenants = found(hooks, path).tenants
    assert tenants is not None
    assert tenants.named(found(hooks, path).segment) == "acme"
    assert shop.verify(Request("POST", "", [], b"{}"), tenant="acme").key is None
    forged = [path.replace("acme", "globex"), path[:-1], "/shop/acme", "/shop/acme.", path[:-3] + "AAA"]
    for one in forged:
        with pytest.raises(Rejected, match="bad_signature"):
            tenants.named(found(hooks, one).segment)


def test_the_keys_of_urls_are_rotated_and_of_one_source_only():
    old, new = (
        made(None, "unsigned", url_key=KEY),
        made(None, "unsigned", url_key=["the new one " + KEY, KEY]),
    )
    for hooks in (old, new):
        tenants = found(hooks, "/shop/x").tenants
        assert tenants is not None
        assert tenants.named(old.sources["shop"].path("acme").rpartition("/")[2]) == "acme"
    assert new.sources["shop"].path("acme") != old.sources["shop"].path("acme")
    newer = new.sources["shop"].path("acme").rpartition("/")[2]
    tenants = found(old, "/shop/x").tenants
    assert tenants is not None
    with pytest.raises(Rejected, match="bad_signature"):
        tenants.named(newer)
    old.source("other", "unsigned", url_key=KEY)
    assert (
        old.sources["other"].path("a").rpartition("/")[2] != old.sources["shop"].path("a").rpartition("/")[2]
    )


def test_one_secret_may_serve_all_tenants_whose_paths_are_signed():
    shop = made(whsec(0), url_key=KEY).sources["shop"]
    assert shop.verify(shop.sign("a", {}, id="1", tenant="acme"), tenant="acme").key == 0


def test_a_source_whose_urls_prove_the_sender_is_not_told_to_be_open_to_anybody(caplog: Any):
    with caplog.at_level(logging.WARNING, "hookcatch"):
        made(None, "unsigned", url_key=KEY).runtime().close()
    assert "anybody" not in caplog.text


# what is configured wrongly


def test_a_configuration_that_says_nothing_of_who_sends_is_an_error():
    assert "a path alone says nothing of who sends" in refused(whsec(0), path="/{tenant}")
    assert "a path alone says nothing of who sends" in refused(None, "asana", path="/{tenant}")
    assert 'say which, with path="/.../{tenant}"' in refused(lambda tenant: whsec(0))
    assert "Standard Webhooks does not bring its secret itself" in refused(None, url_key=KEY)
    assert "would take events from anybody" in refused(None, "unsigned")
    assert "only 5 bytes long" in refused(None, "unsigned", url_key="short")
    assert "which '/in' lacks" in refused(whsec(0), url_key=KEY, path="/in")
    assert "public_url has to have the {tenant}" in refused(
        {"a": whsec(0)}, path="/{tenant}", public_url="https://x.org/in"
    )
    for path in ("/{name}", "/{tenant}/{tenant}", "/{tenant", "/x{tenant}"):
        assert "{tenant}" in refused({"a": whsec(0)}, path=path)


def test_a_weak_secret_of_one_tenant_is_an_error_now():
    assert "at least 16 are needed" in refused({"a": whsec(0), "b": "whsec_QUJD"}, path="/{tenant}")


def test_a_source_without_a_public_url_has_no_url_to_give_away():
    hooks = Hookcatch("memory:")
    shop = hooks.source("shop", "standard_webhooks", {"acme": whsec(0)}, path="/{tenant}")
    with pytest.raises(ConfigurationError, match="say public_url="):
        shop.url("acme")
    assert made(whsec(0)).sources["shop"].url() == f"{BASE}/shop"
    assert made(whsec(0)).sources["shop"].path() == "/shop"


async def looked_up(tenant: str) -> str:
    return whsec(0)


def test_an_async_lookup_is_refused_where_there_is_no_event_loop():
    hooks = made(looked_up, path="/{tenant}")
    with pytest.raises(ConfigurationError, match="make it a plain one, or serve with ASGI"):
        _ = hooks.wsgi
    with pytest.raises(ConfigurationError, match="cannot be awaited here"):
        hooks.sources["shop"].verify(Request("POST", "", [], b"{}"), tenant="acme")


# what is known for a while


def identity(secrets: Any) -> Identity:
    if secrets == "bad":
        raise ConfigurationError("bad")
    return Identity(NoSecret(), None)


def test_secrets_are_used_for_a_minute_and_then_looked_up_again():
    tenants = PathTenants(lambda *, tenant: None, identity)
    assert tenants.get("acme", 1000.0) is None
    known = tenants.put("acme", "secret", 1000.0)
    assert tenants.get("acme", 1000.0) is known
    assert tenants.get("acme", 1000.0 + FRESH) is known
    assert tenants.get("acme", 1000.1 + FRESH) is None
    assert tenants.get("acme", 999.0) is None  # the clock was set back
    tenants.forget("acme")
    assert tenants.get("acme", 1000.0) is None


def test_that_there_is_no_such_tenant_is_known_for_a_minute_too():
    tenants = PathTenants(lambda *, tenant: None, identity)
    with pytest.raises(Rejected, match="unknown_tenant"):
        tenants.put("acme", None, 1000.0)
    with pytest.raises(Rejected, match="unknown_tenant"):
        tenants.get("acme", 1000.0 + FRESH)
    assert tenants.get("acme", 1000.1 + FRESH) is None
    assert tenants.put("acme", "secret", 1000.0) is tenants.get("acme", 1000.0)


def test_a_secret_that_cannot_be_used_is_not_remembered():
    tenants = PathTenants(lambda *, tenant: None, identity)
    with pytest.raises(ConfigurationError):
        tenants.put("acme", "bad", 1000.0)
    assert tenants.get("acme", 1000.0) is None


def test_who_guesses_names_pushes_out_no_tenant(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hookcatch.tenants.MAX_KNOWN", 3)
    assert MAX_KNOWN > 3
    tenants = PathTenants(lambda *, tenant: None, identity)
    for number in range(3):
        tenants.put(f"tenant {number}", "secret", 1000.0)
    for number in range(10):
        with pytest.raises(Rejected):
            tenants.put(f"guess {number}", None, 1000.0)
    assert all(tenants.get(f"tenant {number}", 1000.0) for number in range(3))
    assert tenants.get("guess 0", 1000.0) is None
    tenants.put("tenant 3", "secret", 1000.0)
    assert [tenants.get(f"tenant {number}", 1000.0) is None for number in range(4)] == [
        True,
        False,
        False,
        False,
    ]


def test_a_sender_that_has_yet_to_bring_its_secret_is_asked_about_each_time():
    tenants = PathTenants(lambda *, tenant: None, identity, learns=True)
    tenants.put("acme", None, 1000.0)
    assert tenants.get("acme", 1000.0) is None
    with pytest.raises(Rejected, match="has not brought a secret yet"):
        NoSecret().verify(Request("POST", "", []), 1000.0)
    assert NoSecret().precheck(Request("POST", "", [])) is None


def test_the_doctor_knows_the_secrets_of_a_tenant_and_of_the_other_sources():
    hooks = made({"acme": whsec(0)}, path="/{tenant}")
    hooks.source("other", "standard_webhooks", whsec(1))
    shop = hooks.sources["shop"]
    assert shop.diagnose(shop.sign("a", {}, id="1", tenant="acme"), tenant="acme").ok
    [finding] = shop.diagnose(hooks.sources["other"].sign("a", {}, id="1"), tenant="acme").findings
    assert finding.name == "another_source"


def test_secrets_are_held_out_of_sight():
    hooks = made({"acme": whsec(0)})
    assert whsec(0) not in repr(hooks.sources["shop"])
    for tenant in ("acme", ""):
        [secret] = hooks.sources["shop"].secrets(tenant)
        assert isinstance(secret, Secret)
        assert secret.reveal() == whsec(0).encode()


# what goes against the facts


def test_a_wish_that_goes_against_a_fact_is_a_warning_at_start_that_names_it(caplog: Any):
    facts = Facts(
        ack_deadline=2.0,
        max_body=5000,
        success_status=204,
        id_survives_retry=False,
        source="https://x.org/docs",
    )
    row = Provider(name="mine", title="Mine", scheme=hmac(header="x-mine").scheme, facts=facts)
    hooks = Hookcatch("memory:", worker=False)
    hooks.source("mine", row, text(0), ack_deadline=3.0, max_body=4000, success=200, ack="handled")
    hooks.source("fine", row, text(1))
    with caplog.at_level(logging.WARNING, "hookcatch"):
        hooks.runtime().close()
    said = [record.getMessage() for record in caplog.records if "x.org" in record.getMessage()]
    assert [one.partition(": ")[2].partition(" ")[0] for one in said] == [
        "ack_deadline=3", "max_body=4000", "success=200", 'ack="handled"',
    ]  # fmt: skip
    assert all(one.startswith("source mine: ") and "Mine" in one for one in said)
