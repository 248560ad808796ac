"""Whom the headers of proxies tell, and that nobody else is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.edge.client_address import TrustedProxies
from etamil_actors.errors import Fault

PROXIES = TrustedProxies(["10.0.0.0/8", "127.0.0.1", "fd00::/8"])


@pytest.mark.parametrize(("peer", "forwarded", "expected"), [
    # whoever is not trusted speaks for himself only
    ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
    ("10.0.0.5", None, "10.0.0.5"),
    ("10.0.0.5", "203.0.113.9", "203.0.113.9"),
    ("10.0.0.5", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
    ("10.0.0.5", "6.6.6.6, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
    # nobody but proxies of ours: the first of them
    ("10.0.0.5", "10.0.0.8, 10.0.0.7", "10.0.0.8"),
    # what is no address ends the walk
    ("10.0.0.5", "203.0.113.9, unknown", "10.0.0.5"),
    ("10.0.0.5", "203.0.113.9, _hidden, 10.0.0.7", "10.0.0.7"),
    ("10.0.0.5", "", "10.0.0.5"),
    ("10.0.0.5", " , ,", "10.0.0.5"),
    ("10.0.0.5", "999.1.1.1", "10.0.0.5"),
    ("10.0.0.5", "9" * 10_000, "10.0.0.5"),
    # ports, brackets, quotes, both families
    ("10.0.0.5", "203.0.113.9:4711", "203.0.113.9"),
    ("10.0.0.5", "[2001:db8::1]:4711", "2001:db8::1"),
    ("10.0.0.5", '"[2001:DB8:0::1]"', "2001:db8::1"),
    ("10.0.0.5", "2001:db8::1", "2001:db8::1"),
    ("fd00::1", "2001:db8::1", "2001:db8::1"),
    ("::ffff:10.0.0.5", "::ffff:203.0.113.9", "203.0.113.9"),
    ("fd00::1%eth0", "203.0.113.9", "203.0.113.9"),
    # the peer of a Unix socket is on this machine
    ("unix", "203.0.113.9", "203.0.113.9"),
    ("unix", None, "unix"),
    ("", "203.0.113.9", ""),
])  # fmt: skip
def test_the_client_is_the_last_address_that_is_not_trusted(
    peer: str, forwarded: str | None, expected: str
) -> None:
    assert PROXIES.client_of(peer, forwarded, None).address == expected


@pytest.mark.parametrize(("forwarded_for", "forwarded_proto", "expected"), [
    ("203.0.113.9", "https", "https"),
    ("203.0.113.9", "HTTPS", "https"),
    ("203.0.113.9", "wss", "https"),
    (None, "https", "https"),
    ("203.0.113.9", "gopher", "http"),
    ("203.0.113.9", None, "http"),
    # two proxies: the first one was called over TLS
    ("203.0.113.9, 10.0.0.7", "https, http", "https"),
    ("203.0.113.9, 10.0.0.7", "https", "https"),
    # what the client made up is further left
    ("6.6.6.6, 203.0.113.9", "https, http", "http"),
])  # fmt: skip
def test_the_scheme_is_that_of_the_client(
    forwarded_for: str | None, forwarded_proto: str | None, expected: str
) -> None:
    assert PROXIES.client_of("10.0.0.5", forwarded_for, forwarded_proto).scheme == expected


def test_without_trusted_proxies_nothing_is_believed() -> None:
    nobody = TrustedProxies([])
    assert nobody.client_of("127.0.0.1", "1.2.3.4", "https") == ("127.0.0.1", "http")
    assert nobody.client_of("unix", "1.2.3.4", "https", "http") == ("unix", "http")


def test_a_connection_over_tls_stays_one() -> None:
    assert PROXIES.client_of("203.0.113.9", None, "http", "https").scheme == "https"


def test_a_unix_socket_is_trusted_only_with_this_machine() -> None:
    assert not TrustedProxies(["10.0.0.0/8"]).trusts("unix")
    assert TrustedProxies(["::1"]).trusts("unix")


def test_a_network_that_is_none_is_named_at_the_start() -> None:
    with pytest.raises(Fault) as raised:
        TrustedProxies(["10.0.0.0/8", "my-proxy"])
    assert raised.value.code == "config"
    assert "my-proxy" in raised.value.tamil and "my-proxy" in raised.value.english


def test_only_the_last_hops_of_an_endless_header_are_walked() -> None:
    header = "203.0.113.9, " + "10.0.0.7, " * 1000 + "10.0.0.8"
    assert PROXIES.client_of("10.0.0.5", header, "https," * 5000 + "http").address == "10.0.0.7"


@given(st.text(), st.text(), st.text())
def test_no_header_is_too_odd(peer: str, forwarded_for: str, forwarded_proto: str) -> None:
    assert PROXIES.client_of(peer, forwarded_for, forwarded_proto).address == peer
    assert PROXIES.client_of("10.0.0.5", forwarded_for, forwarded_proto).scheme in ("http", "https")
