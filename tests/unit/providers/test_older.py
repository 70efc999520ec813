"""The older signatures: by GET the query is the event."""

from __future__ import annotations

import hmac
from urllib.parse import urlencode

import pytest

from hookcatch import Hookcatch, Request
from hookcatch.core.errors import ConfigurationError
from hookcatch.providers import provider
from hookcatch.providers.older import VONAGE_METHODS
from support.edges import EDGES
from support.senders import text

SAID = {"msisdn": "14155550100", "messageId": "0A1", "status": "delivered", "timestamp": "1700000000"}


def called(method: str = "sha256") -> Request:
    message = "".join(f"&{name}={value}" for name, value in sorted(SAID.items())).encode()
    signature = hmac.new(text(0).encode(), message, method).hexdigest().upper()
    return Request("GET", f"https://hooks.example.com/sms?{urlencode({**SAID, 'sig': signature})}", ())


@pytest.mark.parametrize("edge", ["asgi-app", "wsgi-app"])
def test_a_receipt_that_comes_by_get_is_kept_as_the_form_that_it_is(edge: str) -> None:
    hooks = Hookcatch("memory:", worker=False)
    hooks.source("sms", "vonage_sms", f"sha256:{text(0)}")
    caller = EDGES[edge](hooks)
    query = called().url.partition("?")[2].encode()
    answer = caller.call("GET", "/sms", [], [b""], query=query)
    assert answer is not None
    assert answer.status == 200
    kept = hooks.inbox().get(1)
    assert kept is not None
    assert (kept[0].id, kept[0].type, kept[0].format) == ("0A1:delivered", "delivered", "form")
    assert kept[0].body == query
    caller.close()


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256", "sha512"])
def test_the_method_is_that_of_the_account_and_no_other(method: str) -> None:
    row = provider("vonage_sms")
    assert row.verify(called(method), secret=f"{method}:{text(0)}", now=0.0).key == 0
    for other in {name.decode() for name in VONAGE_METHODS} - {method}:
        with pytest.raises(Exception, match="_signature"):
            row.verify(called(method), secret=f"{other}:{text(0)}", now=0.0)


@pytest.mark.parametrize("given", ["a secret without a method", "sha3:a secret of some length", "sha256:"])
def test_a_secret_without_a_method_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match="METHOD:SIGNATURE_SECRET"):
        provider("vonage_sms").bind(given)
