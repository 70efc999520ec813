"""Which key, from where: checked before anything is fetched."""

from __future__ import annotations

import re

import pytest

from hookcatch.core.errors import Rejected
from hookcatch.core.keyring import KeyNeeded, KeyRef, Pinned, needed
from support.world import KEY, Shelf

HOSTS = re.compile(r"sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?")


def test_a_key_that_is_known_is_handed_over_and_one_that_is_not_is_asked_for() -> None:
    shelf = Shelf()
    with pytest.raises(KeyNeeded) as need:
        needed(shelf, KEY)
    assert need.value.ref == KEY
    assert need.value.reason == "unknown_key"
    shelf.known[KEY.url] = b"key"
    assert needed(shelf, KEY) == b"key"


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.us-east-1.amazonaws.com/a.pem",
        "https://evil.example#sns.us-east-1.amazonaws.com/a.pem",
        "https://user@sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com:8443/a.pem",
        "https://sns.us-east-1.amazonaws.com\\@evil.example/a.pem",
        "https://sns.us-east-1.amazonaws.com/a.pem?b",
        "https://sns.us-east-1.amazonaws.com/a.pem#b",
        "https://sns.us-east-1.amazonaws.com/a\r\nHost: evil.example",
        "https://sns..amazonaws.com/a.pem",
        "https://SNS.us-east-1.amazonaws.com/a.pem",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_key_anywhere_else_is_never_looked_for(url: str) -> None:
    with pytest.raises(Rejected, match="unknown_key: the key is not where this sender keeps its keys"):
        needed(Pinned({url: b"key"}), KeyRef(url, HOSTS, form="pem"))


def test_pinned_keys_are_found_by_kid_or_by_url_and_there_are_no_others() -> None:
    url = "https://sns.us-east-1.amazonaws.com/a.pem"
    pinned = Pinned({"k1": b"one", url: b"two"})
    assert needed(pinned, KeyRef(url, HOSTS, "k1")) == b"one"
    assert needed(pinned, KeyRef(url, HOSTS)) == b"two"
    with pytest.raises(Rejected, match="no key is pinned for 'k2'"):
        needed(pinned, KeyRef(url, HOSTS, "k2"))
    assert "one" not in repr(pinned)
