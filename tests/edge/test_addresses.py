"""Addresses as people write them, and real sockets at them."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from etamil_actors.edge.addresses import (
    ANY,
    Address,
    AddressError,
    address_of,
    bind_sockets,
    close_sockets,
    listen,
    open_sockets,
    parse_address,
    parse_addresses,
    reserve_sockets,
)

# ---- reading --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address", "shown", "url"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080), "127.0.0.1:8080", "http://127.0.0.1:8080"),
        (" 127.0.0.1:0 ", Address("127.0.0.1", 0), "127.0.0.1:0", "http://127.0.0.1:0"),
        ("[::1]:8080", Address("::1", 8080), "[::1]:8080", "http://[::1]:8080"),
        ("[0:0:0:0:0:0:0:1]:80", Address("::1", 80), "[::1]:80", "http://[::1]:80"),
        ("localhost:65535", Address("localhost", 65535), "localhost:65535", "http://localhost:65535"),
        ("கடை.example:80", Address("கடை.example", 80), "கடை.example:80", "http://கடை.example:80"),
        ("8080", Address("127.0.0.1", 8080), "127.0.0.1:8080", "http://127.0.0.1:8080"),
        (":8080", Address(ANY, 8080), ":8080", "http://127.0.0.1:8080"),
        ("*:8080", Address(ANY, 8080), ":8080", "http://127.0.0.1:8080"),
        ("0.0.0.0:80", Address("0.0.0.0", 80), "0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:80", Address("::", 80), "[::]:80", "http://[::1]:80"),
        ("unix:/run/a:b.sock", Address(ANY, 0, "/run/a:b.sock"), "unix:/run/a:b.sock", "unix:/run/a:b.sock"),
    ],
)
def test_an_address_is_read_and_shown(text: str, address: Address, shown: str, url: str) -> None:
    assert parse_address(text) == address
    assert str(address) == shown
    assert address.url() == url
    assert parse_address(shown) == address, "what is shown can be read again"
    assert address.is_open is (text in (":8080", "*:8080", "0.0.0.0:80", "[::]:80"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the port is missing"),
        ("127.0.0.1", "the port is missing"),
        ("[::1]", "the port is missing"),
        ("localhost", "the port is missing"),
        ("::1:8080", "an IPv6 address is written in brackets"),
        ("http://localhost:8080", "without ‘http://’"),
        ("127.0.0.1:", "‘’ is no port"),
        ("127.0.0.1:http", "‘http’ is no port"),
        ("127.0.0.1:-1", "‘-1’ is no port"),
        ("127.0.0.1:௮௦", "‘௮௦’ is no port"),
        ("127.0.0.1:65536", "a port is a number from 0 to 65535"),
        ("99999", "a port is a number from 0 to 65535"),
        ("127.1:80", "‘127.1’ is no IPv4 address"),
        ("256.0.0.1:80", "‘256.0.0.1’ is no IPv4 address"),
        ("[::g]:80", "‘::g’ is no IPv6 address"),
        ("[127.0.0.1]:80", "‘127.0.0.1’ is no IPv6 address"),
        ("a b:80", "neither a name nor an address"),
        ("user@host:80", "neither a name nor an address"),
        ("-a:80", "neither a name nor an address"),
        ("/run/kadai.sock", "the port is missing"),
        ("unix:", "‘unix:’ is followed by the path of a file"),
        ("unix:a\0b", "‘unix:’ is followed by the path of a file"),
        ("a" * 5000 + ":80", "the address is too long"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert problem in caught.value.english
    assert caught.value.tamil != caught.value.english
    assert len(str(caught.value)) < 600


def test_an_address_is_not_said_twice() -> None:
    with pytest.raises(AddressError, match="given twice"):
        parse_addresses(["127.0.0.1:80", "127.0.0.1:80"])
    assert len(parse_addresses(["127.0.0.1:0", "127.0.0.1:0"])) == 2, "the system chooses two ports"


# ---- sockets --------------------------------------------------------------------------


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    """What is in it is closed at the end."""
    sockets: list[socket.socket] = []
    yield sockets
    for one in sockets:
        one.close()


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_a_socket_listens_and_does_not_block(opened: list[socket.socket]) -> None:
    opened += open_sockets([parse_address("127.0.0.1:0")])
    [one] = opened
    assert not one.getblocking()
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    assert not os.get_inheritable(one.fileno())
    with socket.create_connection(("127.0.0.1", address_of(one).port), timeout=10):
        pass


def test_one_that_is_only_bound_takes_no_connection(opened: list[socket.socket]) -> None:
    opened += bind_sockets([parse_address("127.0.0.1:0")])
    place = ("127.0.0.1", address_of(opened[0]).port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place, timeout=10)
    listen(opened)
    with socket.create_connection(place, timeout=10):
        pass


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_all_addresses_of_a_machine_are_two_sockets_side_by_side(opened: list[socket.socket]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    opened += open_sockets([parse_address(f":{port}")])
    assert {address_of(one).host for one in opened} == {"0.0.0.0", "::"}
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, port), timeout=10):
            pass


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_an_address_of_ipv6_takes_no_ipv4(opened: list[socket.socket]) -> None:
    opened += open_sockets([parse_address("[::]:0")])
    port = address_of(opened[0]).port
    with socket.create_connection(("::1", port), timeout=10):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


def test_an_address_in_use_is_named_with_how_to_find_who_has_it(opened: list[socket.socket]) -> None:
    opened += open_sockets([parse_address("127.0.0.1:0")])
    taken = address_of(opened[0])
    free = parse_address("127.0.0.1:0")
    with pytest.raises(AddressError) as caught:
        open_sockets([free, taken])
    assert caught.value.english.startswith(f"{taken}: somebody listens here already")
    assert str(taken.port) in caught.value.english.partition("find out who")[2]
    with pytest.raises(AddressError, match="somebody listens here already"):
        open_sockets([taken], reuse_port=True)


def test_several_sockets_share_a_port_when_all_want_to(opened: list[socket.socket]) -> None:
    opened += open_sockets([parse_address("127.0.0.1:0")], reuse_port=True)
    opened += open_sockets([address_of(opened[0])], reuse_port=True)
    assert len({address_of(one) for one in opened}) == 1


def test_a_reserved_port_takes_no_connection_and_lets_the_others_share(opened: list[socket.socket]) -> None:
    kept = reserve_sockets([parse_address("127.0.0.1:0")])
    opened += kept
    place = address_of(kept[0])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", place.port), timeout=10)
    opened += open_sockets([place], reuse_port=True)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", place.port), timeout=10):
            pass
    with pytest.raises(AddressError, match="somebody listens here already"):
        reserve_sockets([place])


def refusing(number: int) -> type[socket.socket]:
    class Refusing(socket.socket):
        def bind(self, address: object, /) -> None:
            raise OSError(number, os.strerror(number))

    return Refusing


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.EACCES, "write one from 1024 on"),
        (errno.EADDRNOTAVAIL, "this machine does not have this address"),
        (errno.ENOBUFS, "cannot be opened: "),
    ],
)
def test_what_the_system_refuses_is_told_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, number: int, problem: str
) -> None:
    monkeypatch.setattr(socket, "socket", refusing(number))
    with pytest.raises(AddressError) as caught:
        open_sockets([parse_address("127.0.0.1:80")])
    assert problem in caught.value.english


def test_a_name_without_an_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*arguments: object, **named: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(AddressError, match="has no address \\(Name or service not known\\); check it"):
        open_sockets([parse_address("kadai.invalid:80")])


# ---- sockets in the file system -------------------------------------------------------


def test_a_socket_in_the_file_system_is_for_its_group_and_goes_with_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "கடை.sock"
    address = parse_address(f"unix:{path}")
    sockets = open_sockets([address])
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert address_of(sockets[0]) == address
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    close_sockets(sockets)
    assert not path.exists()
    close_sockets(sockets)


def test_one_that_is_left_over_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    address = parse_address(f"unix:{path}")
    open_sockets([address])[0].close()
    assert path.exists()
    sockets = open_sockets([address])
    with pytest.raises(AddressError, match="somebody listens here already"):
        open_sockets([address])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    path.unlink()
    others = open_sockets([address])
    close_sockets(sockets)
    assert path.exists(), "it is that of somebody else by now"
    close_sockets(others)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    path.write_text("precious")
    with pytest.raises(AddressError, match="it was left as it is"):
        open_sockets([parse_address(f"unix:{path}")])
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("path", "problem"),
    [("missing/a.sock", "there is no such folder"), ("அ" * 60, "a Tamil letter counts three")],
)
def test_a_path_that_cannot_be_is_told(tmp_path: Path, path: str, problem: str) -> None:
    with pytest.raises(AddressError) as caught:
        open_sockets([parse_address(f"unix:{tmp_path}/{path}")])
    assert problem in caught.value.english
