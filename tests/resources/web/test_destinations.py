"""Where programs may go: spellings of addresses, what is inside them, and the rules of a configuration."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.resources.web.destinations import (
    DENIED_BY_DEFAULT,
    Destinations,
    host_name,
    literal_address,
    meanings,
    place_of,
)


def refused(host: str, *, allow: tuple[str, ...] = (), deny: tuple[str, ...] = (), port: int = 80) -> str:
    """Why a host of a URL may not be asked; "" when it may."""
    refusal = Destinations(allow, deny).refuse_host(host, port)
    return refusal.english if refusal is not None else ""


@pytest.mark.parametrize(
    ("host", "address"),
    (
        ("127.0.0.1", "127.0.0.1"), ("127.1", "127.0.0.1"), ("0x7f.1", "127.0.0.1"), ("0177.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"), ("0x7f000001", "127.0.0.1"), ("017700000001", "127.0.0.1"), ("0", "0.0.0.0"),
        ("1.2.3", "1.2.0.3"), ("1.65535", "1.0.255.255"), ("127.0.0.1.", "127.0.0.1"), ("0x", "0.0.0.0"), ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1"), ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
    ),
)  # fmt: skip
def test_an_address_has_many_spellings(host: str, address: str) -> None:
    assert literal_address(host) == ip_address(address)


@pytest.mark.parametrize("host", ("a.example", "1a", "127.0.0.1.example", "a.0x7g", "எ.இந்தியா", "x.1.y"))
def test_a_name_is_no_address(host: str) -> None:
    assert literal_address(host) is None


@pytest.mark.parametrize("host", ("256.1.1.1", "1.2.3.4.5", "1.2.3.256", "a.1", "4294967296", "08", "1..2", ":::1"))
def test_what_ends_like_an_address_and_is_none_is_refused(host: str) -> None:
    with pytest.raises(ValueError):
        literal_address(host)


@given(st.integers(0, 2**32 - 1), st.lists(st.sampled_from((10, 8, 16)), min_size=4, max_size=4), st.integers(1, 4))
def test_every_spelling_of_an_address_is_read_as_that_address(number: int, bases: list[int], parts: int) -> None:
    pieces = [number >> 8 * (3 - place) & 255 for place in range(parts - 1)]
    pieces.append(number & (1 << 8 * (5 - parts)) - 1)
    forms = {10: "{}", 8: "0{:o}", 16: "{:#x}"}
    host = ".".join(forms[base].format(piece) for base, piece in zip(bases, pieces, strict=False))
    assert literal_address(host) == IPv4Address(number)


@pytest.mark.parametrize(
    ("address", "inside"),
    (
        ("1.2.3.4", ["1.2.3.4"]), ("::ffff:1.2.3.4", ["1.2.3.4"]), ("::1", ["::1"]), ("::", ["::"]),
        ("64:ff9b::102:304", ["64:ff9b::102:304", "1.2.3.4"]), ("64:ff9b:1::102:304", ["64:ff9b:1::102:304", "1.2.3.4"]),
        ("2002:102:304::1", ["2002:102:304::1", "1.2.3.4"]), ("::1.2.3.4", ["::102:304", "1.2.3.4"]),
        ("2001:0:102:304:0:0:fafa:fbfb", ["2001:0:102:304::fafa:fbfb", "1.2.3.4", "5.5.4.4"]),
        ("fd00::5efe:102:304", ["fd00::5efe:102:304", "1.2.3.4"]), ("2606::1", ["2606::1"]),
    ),
)  # fmt: skip
def test_an_address_may_hold_another(address: str, inside: list[str]) -> None:
    assert meanings(ip_address(address)) == tuple(map(ip_address, inside))


METADATA = "a metadata service of a cloud"


@pytest.mark.parametrize(
    ("host", "why"),
    (
        ("169.254.169.254", METADATA), ("169.254.170.2", METADATA), ("100.100.100.200", METADATA), ("fd00:ec2::254", METADATA),
        ("168.63.129.16", METADATA), ("metadata.google.internal", METADATA), ("METADATA.Google.Internal.", METADATA),
        ("::ffff:169.254.169.254", METADATA), ("0xA9FEA9FE", METADATA), ("2002:a9fe:a9fe::", METADATA),
        ("169.254.1.1", "link-local"), ("fe80::1", "link-local"), ("febf::1", "link-local"),
        ("0.0.0.0", "an address of nobody"), ("0", "an address of nobody"), ("::", "an address of nobody"),
        ("255.255.255.255", "an address of nobody"), ("224.0.0.1", "an address of many (multicast)"),
        ("ff02::1", "an address of many (multicast)"),
        ("127.0.0.1", ""), ("::1", ""), ("10.0.0.1", ""), ("192.168.1.1", ""), ("fd00::1", ""), ("1.1.1.1", ""),
        ("localhost", ""), ("a.example", ""), ("2606:4700::1", ""),
    ),
)  # fmt: skip
def test_what_is_denied_by_default(host: str, why: str) -> None:
    assert refused(host) == why


@given(st.sampled_from(DENIED_BY_DEFAULT), st.randoms())
def test_no_wrapping_hides_a_denied_address(denied, random) -> None:
    network = denied.network
    address = network[random.randrange(network.num_addresses)]
    assert Destinations().refuse_address("", address, 80) is not None
    if network.version == 4:
        bits = int(address)
        for wrapped in (0xFFFF << 32 | bits, 0x64FF9B << 96 | bits, 0x2002 << 112 | bits << 80, 0xFD << 120 | 0x5EFE << 32 | bits):
            assert Destinations().refuse_address("", ip_address(wrapped.to_bytes(16, "big")), 80) is not None


NOT_ALLOWED, DENIED = "it is not among the places allowed", "the configuration denies it"


@pytest.mark.parametrize(
    ("allow", "deny", "host", "port", "why"),
    (
        (("a.example",), (), "a.example", 80, ""), (("a.example",), (), "A.Example.", 80, ""),
        (("a.example",), (), "b.a.example", 80, NOT_ALLOWED), (("*.a.example",), (), "b.a.example", 80, ""),
        (("*.a.example",), (), "a.example", 80, NOT_ALLOWED), (("*.a.example",), (), "xa.example", 80, NOT_ALLOWED),
        (("a.example:8443",), (), "a.example", 8443, ""), (("a.example:8443",), (), "a.example", 443, NOT_ALLOWED),
        (("10.0.0.0/8",), (), "10.1.2.3", 80, ""), (("10.0.0.0/8",), (), "11.1.2.3", 80, NOT_ALLOWED),
        (("127.0.0.1:80",), (), "127.0.0.1", 81, NOT_ALLOWED), (("[::1]:80",), (), "::1", 80, ""),
        (("169.254.169.254",), (), "169.254.169.254", 80, ""), (("169.254.0.0/16",), (), "169.254.169.254", 80, ""),
        (("::ffff:10.0.0.0/104",), (), "10.1.2.3", 80, ""), (("10.0.0.0/8",), ("10.1.0.0/16",), "10.1.2.3", 80, DENIED),
        ((), ("a.example",), "a.example", 80, DENIED), ((), ("*.example",), "a.b.example", 80, DENIED),
        ((), ("127.0.0.0/8",), "::ffff:127.0.0.1", 80, DENIED), ((), ("10.0.0.0/8",), "64:ff9b::a00:1", 80, DENIED),
        ((), ("0x7f.1",), "127.0.0.1", 80, DENIED), (("எ.இந்தியா",), (), "xn--4kc.xn--xkc2dl3a5ee0h", 80, ""),
    ),
)  # fmt: skip
def test_what_a_configuration_says(
    allow: tuple[str, ...], deny: tuple[str, ...], host: str, port: int, why: str
) -> None:
    assert refused(host_name(host), allow=allow, deny=deny, port=port) == why


def test_a_name_is_not_refused_before_it_is_looked_up_where_networks_are_allowed() -> None:
    rules = Destinations(allow=("10.0.0.0/8",))
    assert rules.refuse_host("a.example", 80) is None
    assert rules.refuse_address("a.example", ip_address("10.0.0.1"), 80) is None
    refusal = rules.refuse_address("a.example", ip_address("1.1.1.1"), 80)
    assert refusal is not None
    assert refusal.english == NOT_ALLOWED


def test_an_allowed_name_does_not_open_what_the_default_denies() -> None:
    rules = Destinations(allow=("a.example",))
    refusal = rules.refuse_address("a.example", ip_address("169.254.169.254"), 80)
    assert refusal is not None
    assert refusal.english == METADATA


@pytest.mark.parametrize(
    "entry", ("", "a b", "http://a.example", "a.example/x", "10.0.0.0/33", "a.example:0", "a.example:99999", "*", "*.*.x", "-", "256.1.1.1")
)  # fmt: skip
def test_what_is_no_place_is_said(entry: str) -> None:
    with pytest.raises(ValueError):
        place_of(entry)
