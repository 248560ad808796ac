"""How people write where a Redis server is."""

from __future__ import annotations

import pytest

from etamil_actors.errors import Fault
from etamil_actors.resources.redis.addresses import Address, address_of


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://host", Address("host")),
        ("host", Address("host")),
        ("127.0.0.1:6380", Address("127.0.0.1", 6380)),
        (" [::1]:6380 ", Address("::1", 6380)),
        ("redis://host/0", Address("host")),
        ("redis://host:6380/12", Address("host", 6380, 12)),
        ("redis://:p%40ss%2F@host", Address("host", password="p@ss/")),
        ("redis://user:pass@host:1/2", Address("host", 1, 2, "user", "pass")),
        ("rediss://host/2", Address("host", database=2, tls=True)),
    ],
)
def test_what_is_understood(url: str, address: Address) -> None:
    assert address_of(url) == address


@pytest.mark.parametrize(
    ("url", "english"),
    [
        ("http://user:geheim@host", "has to begin with redis://"),
        ("redis://", "no host"),
        ("redis://:geheim@", "no host"),
        ("redis://host:x", "cannot be understood"),
        ("redis://host:99999", "cannot be understood"),
        ("redis://host:0", "port cannot be 0"),
        ("redis://[::1", "cannot be understood"),
        ("redis://host/geheim", "database number"),
        ("redis://host/1/2", "database number"),
        ("redis://host/-1", "database number"),
        ("redis://host?password=geheim", "no ‘?’"),
        ("redis://user:ge#heim@host", "no ‘?’"),
    ],
)
def test_what_is_not(url: str, english: str) -> None:
    with pytest.raises(Fault) as caught:
        address_of(url)
    assert caught.value.code == "config"
    assert english in caught.value.english
    assert "geheim" not in caught.value.message


def test_a_password_is_never_shown() -> None:
    address = address_of("redis://user:geheim@[::1]:7/3")
    assert address.name == "[::1]:7/3"
    assert "geheim" not in f"{address} {address!r}"
