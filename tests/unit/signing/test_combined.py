"""Proofs that have to be given together."""

from __future__ import annotations

import pytest

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.secret import Secret
from hookcatch.core.wire import Request
from hookcatch.signing.combined import AllOf
from hookcatch.signing.freshness import Timestamp
from hookcatch.signing.mac import Hmac
from hookcatch.signing.parts import BODY, TIME
from hookcatch.signing.places import Header
from hookcatch.signing.schemes import Signed, Token

NOW = 1_700_000_000.0
TOKEN = Token(Header("x-token"))
MAC = Signed(
    algorithm=Hmac(), signature=Header("x-mac"), time=Timestamp(Header("x-time")), message=(TIME, BODY)
)
BOTH = AllOf(((TOKEN, Secret(b"the word of a token")), (MAC, Secret(b"the key of a mac at last"))))
UNUSED = Secret(b"both in one")


def signed() -> Request:
    return BOTH.sign(Request("POST", "", (), b"{}"), UNUSED, NOW)


def test_all_of_them_together_are_enough_and_the_signed_time_is_told() -> None:
    bound = BOTH.bind([UNUSED], None)
    assert bound.check(signed(), NOW) == (0, NOW)
    bound.precheck(signed().replace(body=b""), NOW)


def test_where_none_has_a_time_none_is_told() -> None:
    one = AllOf(((TOKEN, Secret(b"the word of a token")),))
    assert one.bind([UNUSED], None).check(signed(), NOW) == (0, None)


@pytest.mark.parametrize("missing", [b"x-token", b"x-mac"])
def test_none_of_them_may_be_missing(missing: bytes) -> None:
    less = signed().replace(headers=[pair for pair in signed().headers if pair[0] != missing])
    bound = BOTH.bind([UNUSED], None)
    with pytest.raises(Rejected, match="missing_signature"):
        bound.check(less, NOW)
    with pytest.raises(Rejected, match="missing_signature"):
        bound.precheck(less, None)


def test_each_secret_has_to_be_strong() -> None:
    BOTH.check_strength(UNUSED)
    with pytest.raises(ConfigurationError, match="at least 16"):
        AllOf(((TOKEN, Secret(b"short")), BOTH.parts[1])).check_strength(UNUSED)
