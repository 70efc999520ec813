"""Where a request may come from, and who is believed about that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.networks import networks
from hookcatch.core.wire import Request

SENDER = "192.0.2.7"
LIST = ["192.0.2.0/24", "2001:db8::/32"]


def passes(peer: str, *forwarded: str, proxies: int = 0) -> bool:
    request = Request("POST", "", [("x-forwarded-for", one) for one in forwarded])
    try:
        networks(LIST, proxies).check(request, peer)
    except Rejected as why:
        return (why.reason, why.status) != ("unknown_network", 403)
    return True


@pytest.mark.parametrize("peer", [SENDER, "2001:db8::1", "::ffff:192.0.2.7"])
def test_the_address_at_the_socket_counts(peer: str) -> None:
    assert passes(peer)


@pytest.mark.parametrize("peer", ["198.51.100.1", "2001:db9::1", "::ffff:198.51.100.1", "", "unix:", "é"])
def test_anybody_else_is_refused_and_so_is_who_has_no_address(peer: str) -> None:
    assert not passes(peer)


def test_without_proxies_nothing_that_is_claimed_counts() -> None:
    assert not passes("198.51.100.1", SENDER)
    assert passes(SENDER, "198.51.100.1")


@pytest.mark.parametrize(
    ("forwarded", "proxies", "right"),
    [
        ([SENDER], 1, True),
        (["198.51.100.1, 192.0.2.7"], 1, True),
        (["198.51.100.1", SENDER], 1, True),
        (["192.0.2.7, 198.51.100.1"], 1, False),
        (["192.0.2.7, 198.51.100.1"], 2, True),
        (["192.0.2.7"], 2, False),
        ([], 1, False),
        (["192.0.2.7,"], 1, False),
        (["192.0.2.7:4711"], 1, True),
        (["[2001:db8::1]:4711"], 1, True),
        (["[2001:db8::1]"], 1, True),
        (["192.0.2.7:"], 1, False),
        (["unknown"], 1, False),
    ],
)
def test_behind_proxies_the_address_that_the_outermost_of_them_saw_counts(
    forwarded: list[str], proxies: int, right: bool
) -> None:
    assert passes("10.0.0.1", *forwarded, proxies=proxies) is right


@given(claimed=st.lists(st.sampled_from([SENDER, "2001:db8::1", " ", "x"]), max_size=5))
def test_nobody_gets_in_by_what_he_claims(claimed: list[str]) -> None:
    assert not passes("10.0.0.1", ", ".join([*claimed, "198.51.100.1"]), proxies=1)


@given(peer=st.text(), forwarded=st.text(st.characters(max_codepoint=255)), proxies=st.integers(0, 3))
def test_whatever_is_there_only_a_refusal_escapes(peer: str, forwarded: str, proxies: int) -> None:
    passes(peer, forwarded, proxies=proxies)


def test_one_network_may_be_written_alone() -> None:
    assert networks("192.0.2.7") == networks(["192.0.2.7/32"])


@pytest.mark.parametrize(
    ("allowed", "proxies", "why"),
    [
        ([], 0, "would refuse everybody"),
        (["192.0.2.7/24"], 0, "host bits"),
        (["example.com"], 0, "write them as"),
        (LIST, -1, "0 or more"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(allowed: Any, proxies: int, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        networks(allowed, proxies)
