"""Senders that sign another spelling of what they send."""

from __future__ import annotations

import pytest

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing.mac import Hmac
from hookcatch.signing.places import Header
from hookcatch.signing.respelt import MAX_SPELLINGS, Respelt
from hookcatch.signing.schemes import Signed

PLAIN = Signed(algorithm=Hmac(), signature=Header("x-sig"))
SECRET = Secret(b"a secret that is long enough")


def upper(request: Request) -> list[Request]:
    return [request, request.replace(body=request.body.upper())]


SCHEME = Respelt(PLAIN, upper)
BOUND = SCHEME.bind([SECRET], None)


def test_either_spelling_is_authentic() -> None:
    as_sent = SCHEME.sign(Request("POST", "", [], b"abc"), SECRET, 0.0)
    assert BOUND.check(as_sent, 0.0).key == 0
    loud = SCHEME.sign(Request("POST", "", [], b"ABC"), SECRET, 0.0)
    assert BOUND.check(loud.replace(body=b"abc"), 0.0).key == 0
    BOUND.precheck(loud, 0.0)


def test_the_refusal_is_that_of_the_request_as_it_stands() -> None:
    signed = SCHEME.sign(Request("POST", "", [], b"abc"), SECRET, 0.0)
    with pytest.raises(Rejected, match="bad_signature"):
        BOUND.check(signed.replace(body=b"abd"), 0.0)
    with pytest.raises(Rejected, match="missing_signature"):
        BOUND.check(Request("POST", "", [], b"abc"), 0.0)


def test_only_so_many_spellings_are_tried() -> None:
    def spellings(request: Request) -> list[Request]:
        return [request.replace(body=b"%d" % number) for number in range(MAX_SPELLINGS + 1)]

    bound = Respelt(PLAIN, spellings).bind([SECRET], None)
    for number in range(MAX_SPELLINGS + 1):
        signed = PLAIN.sign(Request("POST", "", [], b"%d" % number), SECRET, 0.0)
        if number < MAX_SPELLINGS:
            assert bound.check(signed, 0.0).key == 0
        else:
            with pytest.raises(Rejected):
                bound.check(signed, 0.0)


def test_a_weak_secret_is_weak_in_any_spelling() -> None:
    SCHEME.check_strength(SECRET)
    with pytest.raises(ConfigurationError):
        SCHEME.check_strength(Secret(b"short"))
