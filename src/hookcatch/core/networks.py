"""Where a request may come from: a list of networks, beside a signature and never instead of one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from .errors import ConfigurationError, Rejected
from .wire import Request

# Some proxies write the port with the address: 192.0.2.1:1234, [2001:db8::1]:1234.
_WITH_PORT = re.compile(r"(?:(\d+\.\d+\.\d+\.\d+)|\[([0-9A-Fa-f:.]+)\])(?::\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Networks:
    """Attributes:
    allowed: the networks that the sender calls from.
    proxies: how many proxies of one's own stand in front. Each adds the address that it was called from to the end of
        `X-Forwarded-For`; with n of them the n-th from the right is the sender's, and what stands left of it is what
        the sender claims (ATTACKS A18). With none it is the address at the socket.
    """

    allowed: tuple[IPv4Network | IPv6Network, ...]
    proxies: int = 0

    def check(self, request: Request, peer: str) -> None:
        """Raises Rejected for a request from elsewhere. `peer` is the address at the socket, empty if unknown."""
        sender = _address(self._sender(request, peer))
        if sender is None or not any(sender in network for network in self.allowed):
            raise Rejected("unknown_network", f"{sender or 'a sender without an address'} is not on the list")

    def _sender(self, request: Request, peer: str) -> str:
        if not self.proxies:
            return peer
        lines = [value.decode("latin-1") for name, value in request.headers if name == b"x-forwarded-for"]
        hops = ",".join(lines).split(",")
        return hops[-self.proxies] if len(hops) >= self.proxies else ""


def networks(allowed: Iterable[str], proxies: int = 0) -> Networks:
    """The list, checked. Raises ConfigurationError with what to change."""
    listed = [allowed] if isinstance(allowed, str) else list(allowed)
    if not listed:
        raise ConfigurationError(
            "networks=[] would refuse everybody: leave it out, or name the sender's networks"
        )
    if proxies < 0:
        raise ConfigurationError("proxies is the number of proxies of your own in front: 0 or more")
    try:
        return Networks(tuple(ipaddress.ip_network(one) for one in listed), proxies)
    except ValueError as why:
        raise ConfigurationError(f"networks: {why}; write them as 192.0.2.0/24 or 2001:db8::/32") from None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    text = text.strip()
    with_port = _WITH_PORT.fullmatch(text)
    if with_port is not None:
        text = with_port[1] or with_port[2]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    # An IPv4 sender at a socket that takes both (RFC 4291, 2.5.5.2).
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
