"""Public keys that senders publish: named by a scheme, fetched by a port, never fetched where they are used.

A check that needs a key which is not there raises `KeyNeeded`; the flow fetches it and checks again. So the
check stays pure, and the path of a request whose key is known pays nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, Protocol

from .errors import Rejected


@dataclass(frozen=True, slots=True)
class KeyRef:
    """One published key: where it is, and which of those there.

    Attributes:
        url: an https URL.
        hosts: the pattern that the URL's host has to match as a whole: a request may name the URL, never the host.
        kid: which key of a set (`jwks`, `certificates`); empty where the document is one key.
        form: what the document is: `jwks`, a JSON Web Key Set (RFC 7517); `certificates`, a JSON object of PEM
            certificates by kid; `pem`, one certificate or key.
    """

    url: str
    hosts: re.Pattern[str]
    kid: str = ""
    form: Literal["jwks", "certificates", "pem"] = "jwks"


class Keys(Protocol):
    """The keys that are known now."""

    def get(self, ref: KeyRef) -> bytes | None:
        """The key, as PEM or as a JWK's JSON; None if it has to be fetched. Never blocks.

        Raises Rejected("unknown_key") for one that was looked for and is not there.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pinned:
    """Keys that were given and no others: nothing is ever fetched. `by_kid` is by a set's kid, or by URL."""

    by_kid: dict[str, bytes] = field(default_factory=dict, repr=False)

    def get(self, ref: KeyRef) -> bytes:
        key = self.by_kid.get(ref.kid or ref.url)
        if key is None:
            raise Rejected("unknown_key", f"no key is pinned for {ref.kid or ref.url!r}, and none is fetched")
        return key


OFFLINE = Pinned()


class KeyNeeded(Rejected):
    """The signature may be good: the key that says so has to be fetched first."""

    def __init__(self, ref: KeyRef) -> None:
        super().__init__("unknown_key", f"not known yet: {ref.kid or ref.url}")
        self.ref = ref


_HTTPS = re.compile(r"https://([a-z0-9.-]{1,253})/[A-Za-z0-9._~/%@-]{0,1000}")
"""Without user, port, query or anything else that two parsers could read in two ways (ATTACKS A14)."""


def needed(keys: Keys, ref: KeyRef) -> bytes:
    """The key. Raises KeyNeeded if it has to be fetched, Rejected if there is none, or none to be had there."""
    split = _HTTPS.fullmatch(ref.url)
    if split is None or not ref.hosts.fullmatch(split[1]):
        raise Rejected("unknown_key", "the key is not where this sender keeps its keys")
    key = keys.get(ref)
    if key is None:
        raise KeyNeeded(ref)
    return key
