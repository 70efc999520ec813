"""Configuring a source: the user's wishes over the provider's facts over our defaults."""

from __future__ import annotations

from typing import Any

import pytest

from hookcatch import ConfigurationError, Hookcatch, Rejected, Secret
from hookcatch.core.endpoint import Endpoint, Policy
from hookcatch.providers import Facts, Provider, hmac, names, provider
from hookcatch.signing.schemes import Unsigned
from support import senders
from support.senders import whsec

SECRET = "0123456789abcdef0123456789abcdef"


def private(**said: Any) -> Provider:
    return Provider(name="mine", title="Mine", scheme=hmac(header="x-mine").scheme, **said)


def endpoint(provider: Provider | str | None = None, secret: Any = SECRET, **options: Any) -> Endpoint:
    return Hookcatch("memory:").source("shop", provider or private(), secret, **options).endpoint


def test_a_source_is_served_at_its_name_unless_it_says_otherwise():
    assert endpoint().path == "/shop"
    for path in ("a/b", "/a/b", "/a/b/"):
        assert endpoint(path=path).path == "/a/b"
    assert endpoint(path="/").path == "/"


def test_without_wishes_the_defaults_are_the_ones_to_keep():
    policy = endpoint().policy
    assert policy == Policy(keep_headers=policy.keep_headers)


def test_a_wish_wins_over_a_fact_and_a_fact_over_a_default():
    facts = Facts(success_status=202, bad_signature_status=406)
    assert endpoint(private(facts=facts)).policy.success == 202
    assert endpoint(private(facts=facts)).policy.bad_signature == 406
    assert endpoint(private(facts=facts), success=204, max_body=5, revive=False).policy == Policy(
        success=204, bad_signature=406, max_body=5, revive=False
    )


@pytest.mark.parametrize(
    ("provider", "challenge"),
    [
        ("aws_eventbridge", 'Basic realm="webhooks", charset="UTF-8"'),
        ("alertmanager", 'Bearer realm="webhooks"'),
        ("cloudevents", 'Bearer realm="webhooks"'),
        ("telegram", ""),
        ("github", ""),
    ],
)
def test_a_sender_of_credentials_is_asked_for_them_as_http_has_it(provider: str, challenge: str):
    assert endpoint(provider, senders.secret(provider)).policy.challenge == challenge


def test_every_choice_reaches_the_policy():
    wishes: dict[str, Any] = {
        "ack": "handled", "ack_deadline": 1.5, "on_invalid": "reject", "on_conflict": "reject",
        "on_replayed_content": "accept", "revive": False, "success": 201, "max_body": 7,
    }  # fmt: skip
    policy = endpoint(**wishes).policy
    assert {key: getattr(policy, key) for key in wishes} == wishes


@pytest.mark.parametrize(
    ("sender", "stored", "waiting"), [(None, 2.5, 2.5), (1.0, 0.8, 0.8), (10.0, 2.5, 8.0)]
)
def test_the_ack_is_in_time_for_the_sender_and_quick_where_nothing_has_to_be_waited_for(
    sender: float | None, stored: float, waiting: float
):
    row = private(facts=Facts(ack_deadline=sender))
    assert endpoint(row).policy.ack_deadline == stored
    assert endpoint(row, ack="handled").policy.ack_deadline == waiting
    assert endpoint(row, ack="deadline").policy.ack_deadline == waiting
    assert endpoint(row, ack_deadline=9.0).policy.ack_deadline == 9.0


def test_headers_that_tell_of_the_event_are_kept_and_credentials_never():
    kept = endpoint("github", keep_headers=["X-Request-Id", "Authorization", "Cookie", "X-My-Token"])
    assert kept.policy.keep_headers == (
        b"content-type", b"x-github-delivery", b"x-github-event", b"x-request-id",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"tolerence": 5}, "there is no option 'tolerence', only path, "),
        ({"bad_signature": 500}, "there is no option 'bad_signature'"),
        ({"ack": "sotred"}, "ack is one of stored, handled, deadline, not 'sotred'"),
        ({"on_invalid": "drop"}, "on_invalid is one of park, reject"),
        ({"on_conflict": None}, "on_conflict is one of first_wins, reject"),
        ({"on_replayed_content": True}, "on_replayed_content is one of flag, reject, accept"),
    ],
)
def test_a_mistyped_wish_is_an_error_and_does_not_go_unheard(options: dict[str, Any], match: str):
    with pytest.raises(ConfigurationError, match=f"source 'shop': {match}"):
        endpoint(**options)


def test_the_name_of_a_source_is_its_provider_unless_it_says_otherwise():
    hooks = Hookcatch("memory:")
    assert hooks.source("stripe", secret="whsec_" + SECRET).provider is provider("stripe")
    assert hooks.source("shop", "stripe", "whsec_" + SECRET).provider is provider("stripe")
    with pytest.raises(ConfigurationError, match="there is no provider 'shpo'"):
        hooks.source("shpo", secret=SECRET)


def test_a_secret_that_cannot_be_used_is_an_error_now_and_names_the_source():
    for secret in (None, "", "   ", [], [SECRET, None], "short", [SECRET, SECRET]):
        with pytest.raises(ConfigurationError, match="source 'shop': "):
            endpoint(secret=secret)


def test_a_secret_may_be_text_bytes_a_secret_or_a_list_while_it_is_rotated():
    for secret in (SECRET, SECRET.encode(), Secret(SECRET.encode()), [SECRET, "another" + SECRET]):
        assert endpoint(secret=secret).verifier


def test_a_sender_that_signs_the_url_has_to_be_told_it():
    with pytest.raises(ConfigurationError, match=r"Square signs the URL it calls.*public_url="):
        endpoint("square")
    assert endpoint("square", public_url="https://x.org/a?b=1").url == "https://x.org/a?b=1"
    for base in ("https://x.org/hooks", "https://x.org/hooks/"):
        hooks = Hookcatch("memory:", public_url=base)
        assert hooks.source("square", secret=SECRET).endpoint.url == "https://x.org/hooks/square"
        assert hooks.source("mine", private(), SECRET).endpoint.url == ""


def test_every_row_that_signs_urls_asks_for_one_and_no_other_does():
    asking = set()
    for name in names():
        hooks = Hookcatch("memory:")
        try:
            hooks.source(name, secret=SECRET, unsigned=name == "unsigned")
        except ConfigurationError as why:
            if "public_url" in str(why):
                asking.add(name)
    assert asking == {name for name in names() if provider(name).url_is_signed} >= {"square", "twilio"}


def test_nobody_is_believed_without_a_signature_unless_that_is_spelled_out():
    nobody = private().__class__(name="mine", title="Mine", scheme=Unsigned())
    for known in ("unsigned", nobody):
        with pytest.raises(ConfigurationError, match="say so with unsigned=True"):
            endpoint(known, None)
        assert not Hookcatch("memory:").source("a", known, unsigned=True).provider.signed
    assert Hookcatch("memory:").source("a", unsigned=True).provider is provider("unsigned")


def test_an_ack_that_waits_is_refused_for_a_sender_that_never_retries():
    never = private(facts=Facts(retry_horizon=0.0))
    with pytest.raises(ConfigurationError, match=r"never retries.*accept_loss=True"):
        endpoint(never, ack="handled")
    assert endpoint(never, ack="handled", accept_loss=True).policy.ack == "handled"
    assert endpoint(never, ack="deadline").policy.ack == "deadline"
    assert endpoint(private(facts=Facts(retry_horizon=None)), ack="handled").policy.ack == "handled"


def test_the_tolerance_is_the_users_or_the_providers():
    for tolerance, age, passes in ((None, 299, True), (None, 301, False), (60, 61, False), (900, 899, True)):
        now = [1_700_000_000.0]
        hooks = Hookcatch("memory:", clock=lambda now=now: now[0])
        options = {} if tolerance is None else {"tolerance": tolerance}
        source = hooks.source("a", "standard_webhooks", whsec(1), **options)
        request = source.sign("t", {}, id="msg_1")
        now[0] += age
        if passes:
            assert source.verify(request).events[0].id == "msg_1"
        else:
            with pytest.raises(Rejected, match="stale_timestamp"):
                source.verify(request)


def test_a_sender_that_takes_a_body_for_a_failure_gets_none() -> None:
    assert endpoint("xero").policy.success_body == b""
    assert endpoint("stripe").policy.success_body == b"ok\n"
    assert endpoint("adyen").policy.success_body == b"[accepted]"


def test_networks_come_beside_a_signature_and_never_instead_of_one():
    known = endpoint(networks=["192.0.2.0/24"], proxies=1).networks
    assert known is not None
    assert known.proxies == 1
    assert endpoint().networks is None
    with pytest.raises(ConfigurationError, match="never instead of one"):
        endpoint("unsigned", None, unsigned=True, networks=["192.0.2.0/24"])
    with pytest.raises(ConfigurationError, match="name those too"):
        endpoint(proxies=1)
    with pytest.raises(ConfigurationError, match=r"source 'shop': networks: .*host bits"):
        endpoint(networks=["192.0.2.1/24"])
