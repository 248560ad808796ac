"""Who the client is when proxies stand in between, and whether it came over TLS.

``X-Forwarded-For`` is a list that grows to the right: each proxy adds the address it was called from. The
client may have sent the beginning of it, so only what trusted proxies added is believed. We walk from the
right as long as the one who vouches is trusted; the first address that is not trusted itself is the client.

```
X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.7      peer 10.0.0.5, trusted 10.0.0.0/8
                 (its word)  client ◀── trusted ◀── trusted
```

``X-Forwarded-Proto`` is read at the same distance from the right, or where it has fewer parts, at its
first. What is no address ends the walk: the client is then the last one that is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple, TypeAlias

from etamil_actors.errors import Fault

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MOST_HOPS: Final = 32
LONGEST: Final = 100
"""Letters of an address with its port and brackets."""
UNIX: Final = "unix"
"""The peer of a Unix socket. It is on this machine, so it counts as one of its addresses."""
LOOPBACK: Final[tuple[Address, ...]] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))

_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


class Client(NamedTuple):
    """Who asks, and how: ``http`` or ``https``."""

    address: str
    scheme: str


class TrustedProxies:
    """The networks whose word is believed.

    Raises:
        Fault: ``config``, one of them is no address and no network.
    """

    __slots__ = ("_networks", "_trusts")

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(map(_network, networks))
        # The same few peers come again and again, and to read an address takes microseconds.
        self._trusts = lru_cache(1024)(self._look_up)

    def trusts(self, peer: str) -> bool:
        """Is the other end of this connection one of them?"""
        return bool(self._networks) and len(peer) <= LONGEST and self._trusts(peer)

    def _look_up(self, peer: str) -> bool:
        if peer == UNIX:
            return any(map(self._has, LOOPBACK))
        address = _address(peer)
        return address is not None and self._has(address)

    def _has(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def client_of(
        self, peer: str, forwarded_for: str | None, forwarded_proto: str | None, scheme: str = "http"
    ) -> Client:
        """The client behind a peer. ``scheme`` is that of the connection itself.

        Of a header that came more than once the lines are joined with commas, in their order.
        """
        if not (forwarded_for or forwarded_proto) or not self.trusts(peer):
            return Client(peer, scheme)
        found, hops = peer, 0
        for written in reversed(_last_parts(forwarded_for)):
            address = _address(written) if len(written) <= LONGEST else None
            if address is None:
                break
            found, hops = str(address), hops + 1
            if not self._has(address):
                break
        return Client(found, _scheme(forwarded_proto, max(hops, 1)) or scheme)


def _last_parts(header: str | None) -> list[str]:
    if not header:
        return []
    return [part.strip() for part in header.rsplit(",", MOST_HOPS)[-MOST_HOPS:]]


def _scheme(forwarded: str | None, hops: int) -> str | None:
    parts = _last_parts(forwarded)
    return _SCHEMES.get(parts[-min(hops, len(parts))].lower()) if parts else None


def _address(written: str) -> Address | None:
    """``203.0.113.9``, ``203.0.113.9:4711``, ``::1``, ``[::1]:4711``, quoted or not; None for all else."""
    text = written.strip('" ')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return _plain(address)


def _plain(address: Address) -> Address:
    """A socket for both families tells 10.0.0.5 as ::ffff:10.0.0.5."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _network(written: str) -> Network:
    try:
        return ip_network(written.strip(), strict=False)
    except ValueError:
        raise Fault(
            "config",
            problem_ta=f"http.trusted_proxies: ‘{written}’ ஒரு முகவரியோ வலையமைப்போ அல்ல;"
            " எடுத்துக்காட்டு: 10.0.0.0/8",
            problem_en=f"http.trusted_proxies: ‘{written}’ is no address and no network;"
            " an example: 10.0.0.0/8",
        ) from None
