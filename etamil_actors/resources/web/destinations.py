"""Where programs may go: what is allowed, what is denied, and what an address really means.

A program often takes the URL that it asks from somebody else, who must not reach through it what only this
machine can reach: above all the metadata service of a cloud, which hands out keys to whoever asks. So
link-local addresses, metadata services, and addresses that are nobody's are denied unless the configuration
opens them. Loopback and private networks are *not* denied by default: there the other services of an
application live. A program that asks what strangers name should have them in ``deny``, or what it needs in
``allow``.

Names are looked at before they are resolved, addresses afterwards, right before they are connected to; a name
that resolves to something else the second time gains nothing by it. An IPv6 address may carry an IPv4 address
inside (mapped, 6to4, Teredo, NAT64 …); then both have to be permitted.

```
deny    a name, or any address inside        → refused
allow   a network                            → fine, even where the default denies
default link-local, metadata, nobody's       → refused
allow   says something, and none of it fits  → refused
```

Everything here is pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_HOST: Final = 253


class Denied(NamedTuple):
    """A part of the world that is denied unless a network in ``allow`` opens it."""

    network: Network
    tamil: str
    english: str


LINK_LOCAL: Final = ("இணைப்புக்குள் மட்டும் (link-local)", "link-local")
METADATA: Final = ("மேகக் கணினியின் உள் சேவை (metadata)", "a metadata service of a cloud")
NOBODY: Final = ("யாருடைய முகவரியும் அல்ல", "an address of nobody")
MANY: Final = ("பலருக்கான முகவரி (multicast)", "an address of many (multicast)")

DENIED_BY_DEFAULT: Final = tuple(
    Denied(ip_network(network), *words)
    for network, words in (
        # The single addresses first, so that the reason told is the closest one.
        ("169.254.169.254/32", METADATA),  # AWS, Azure, Google, DigitalOcean, OpenStack, Oracle …
        ("169.254.170.2/32", METADATA),  # AWS, of containers
        ("169.254.170.23/32", METADATA),  # AWS, of pods
        ("100.100.100.200/32", METADATA),  # Alibaba
        ("192.0.0.192/32", METADATA),  # Oracle, its older one
        ("168.63.129.16/32", METADATA),  # Azure, the agent of the host
        ("fd00:ec2::/32", METADATA),  # AWS, with its names and times beside
        ("fd20:ce::254/128", METADATA),  # Google
        ("fd00:42::42/128", METADATA),  # Scaleway
        ("169.254.0.0/16", LINK_LOCAL),
        ("fe80::/10", LINK_LOCAL),
        ("0.0.0.0/8", NOBODY),  # which many systems take for this machine
        ("::/128", NOBODY),
        ("224.0.0.0/4", MANY),
        ("ff00::/8", MANY),
        ("240.0.0.0/4", NOBODY),  # reserved, and 255.255.255.255
    )
)

NAMES_DENIED_BY_DEFAULT: Final = frozenset({"metadata.google.internal", "instance-data.ec2.internal"})
"""They resolve to addresses that are denied anyway; should a resolver be told otherwise, this still holds."""


# ---- what an address means --------------------------------------------------------------


def literal_address(host: str) -> Address | None:
    """The address that a host of a URL *is*, in every spelling that systems understand; None for a name.

    ``2130706433``, ``0x7f.1`` and ``0177.0.0.1`` are all 127.0.0.1.

    Raises:
        ValueError: it ends like an address, and is none.
    """
    if ":" in host:
        return ip_address(host.partition("%")[0])
    if not _ends_in_number(host):
        return None
    return _ipv4_of(host)


_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


def _ends_in_number(host: str) -> bool:
    return _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]) is not None


def _ipv4_of(host: str) -> IPv4Address:
    """As ``inet_aton`` reads it, and browsers do: one to four numbers, the last of which fills the rest."""
    parts = [_part_of(part) for part in host.removesuffix(".").split(".")]
    if len(parts) > 4 or any(part > 255 for part in parts[:-1]) or parts[-1] >= 256 ** (5 - len(parts)):
        raise ValueError("no address")
    number = parts[-1]
    for place, part in enumerate(parts[:-1]):
        number += part << 8 * (3 - place)
    return IPv4Address(number)


def _part_of(text: str) -> int:
    if _NUMBER.fullmatch(text) is None or len(text) > 16:
        raise ValueError("no number")
    if text[:2] in ("0x", "0X"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if len(text) > 1 and text[0] == "0" else 10)


_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::ffff:0:0:0/96"))
_COMPATIBLE: Final = IPv6Network("::/96")
_TEREDO: Final = IPv6Network("2001::/32")
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


def meanings(address: Address) -> tuple[Address, ...]:
    """Every address that this one leads to: itself, unless it only wraps another, and what is inside it."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:  # the system connects to just that
        return (address.ipv4_mapped,)
    bits = int(address)
    plain = IPv6Address(bits)  # without a zone
    last = bits & 0xFFFFFFFF
    if any(plain in network for network in _NAT64) or (plain in _COMPATIBLE and last > 1):
        return (plain, IPv4Address(last))
    if plain in _SIX_TO_FOUR:
        return (plain, IPv4Address(bits >> 80 & 0xFFFFFFFF))
    if plain in _TEREDO:  # its server, and its client, which is written inverted
        return (plain, IPv4Address(bits >> 64 & 0xFFFFFFFF), IPv4Address(last ^ 0xFFFFFFFF))
    if bits >> 32 & 0xFFFFFFFF in _ISATAP:
        return (plain, IPv4Address(last))
    return (plain,)


# ---- what a configuration says ------------------------------------------------------------


class Place(NamedTuple):
    """One entry of ``allow`` or ``deny``: a host, all hosts below a name, or a network; perhaps one port."""

    name: str
    network: Network | None
    port: int | None

    def fits_name(self, host: str, port: int) -> bool:
        """Is this host meant?"""
        if self.network is not None or self.port not in (None, port):
            return False
        if self.name.startswith("*."):
            return host.endswith(self.name[1:]) and len(host) > len(self.name) - 1
        return host == self.name

    def fits_address(self, address: Address, port: int) -> bool:
        """Is this address meant?"""
        return (
            self.network is not None
            and self.network.version == address.version
            and address in self.network
            and self.port in (None, port)
        )


_WITH_PORT: Final = re.compile(r"(?P<place>\[[^\]]*\]|[^:]*):(?P<port>[0-9]{1,5})")
_NAME: Final = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


def place_of(entry: str) -> Place:
    """``api.example``, ``*.example``, ``10.0.0.0/8``, ``::1``; with a port ``api.example:443``, ``[::1]:80``.

    Raises:
        ValueError: it is none of these.
    """
    text, port = entry.strip(), None
    found = _WITH_PORT.fullmatch(text)
    if found is not None:
        text, port = found["place"], int(found["port"])
        if not 0 < port < 65536:
            raise ValueError("no port")
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if "/" in text or ":" in text:
        return Place("", _plain(ip_network(text, strict=False)), port)
    name = host_name(text)
    if not name.startswith("*."):
        address = literal_address(name)
        if address is not None:
            return Place("", ip_network(address), port)
    if _NAME.fullmatch(name) is None or len(name) > LONGEST_HOST:
        raise ValueError("no name")
    return Place(name, None, port)


def _plain(network: Network) -> Network:
    """A network of mapped addresses is one of IPv4."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return IPv4Network((int(mapped), network.prefixlen - 96))


def host_name(host: str) -> str:
    """A host as names are compared: small letters, in ASCII, without the dot of the root.

    Raises:
        ValueError: no name system has such a name.
    """
    name = host.lower().removesuffix(".")
    if name.isascii():
        return name
    import idna

    head = "*." if name.startswith("*.") else ""
    encoded: bytes = idna.encode(name.removeprefix("*."))  # its errors are ValueErrors
    return head + encoded.decode("ascii")


class Refusal(NamedTuple):
    """Why a program may not go there."""

    tamil: str
    english: str


NOT_ALLOWED: Final = Refusal("அனுமதிக்கப்பட்ட இடங்களில் இல்லை", "it is not among the places allowed")
IS_DENIED: Final = Refusal("அமைப்பில் தடுக்கப்பட்டுள்ளது", "the configuration denies it")


class Destinations:
    """The rules of one configuration."""

    __slots__ = ("_allow", "_deny")

    def __init__(self, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> None:
        """Raises: ValueError, as ``place_of``."""
        self._allow: Sequence[Place] = tuple(map(place_of, allow))
        self._deny: Sequence[Place] = tuple(map(place_of, deny))

    def refuse_host(self, host: str, port: int) -> Refusal | None:
        """Why this host may not even be looked up, if so. ``host`` is a name or an address, as in a URL.

        Raises:
            ValueError: it is neither.
        """
        address = literal_address(host)
        if address is not None:
            return self.refuse_address("", address, port)
        name = host_name(host)
        if any(place.fits_name(name, port) for place in self._deny):
            return IS_DENIED
        if self._names(name, port):
            return None
        if name in NAMES_DENIED_BY_DEFAULT:
            return Refusal(*METADATA)
        if self._allow and not any(place.network is not None for place in self._allow):
            return NOT_ALLOWED
        return None

    def refuse_address(self, host: str, address: Address, port: int) -> Refusal | None:
        """Why this address, to which the host has resolved, may not be connected to, if so."""
        inside = meanings(address)
        for place in self._deny:
            if any(place.fits_address(one, port) for one in inside):
                return IS_DENIED
        for one in inside:
            if self._opens(one, port):
                continue
            for denied in DENIED_BY_DEFAULT:
                if denied.network.version == one.version and one in denied.network:
                    return Refusal(denied.tamil, denied.english)
        if not self._allow or self._opens(inside[0], port):
            return None
        return None if host and self._names(host_name(host), port) else NOT_ALLOWED

    def _names(self, name: str, port: int) -> bool:
        return any(place.fits_name(name, port) for place in self._allow)

    def _opens(self, address: Address, port: int) -> bool:
        return any(place.fits_address(address, port) for place in self._allow)
