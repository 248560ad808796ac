"""Where a service listens: addresses as people write them, and the sockets that come of them.

```
127.0.0.1:8080   [::1]:8080      this address of this machine
localhost:8080                   every address that the name has, so both of the loopback
8080                             the loopback only, 127.0.0.1
:8080            *:8080          every address of this machine, IPv4 and IPv6
unix:/run/kadai.sock             a socket in the file system, for a proxy on the same machine
```

Reading is pure. A socket for ``[::]`` never takes IPv4 as well, so that an address means the same on every
system and stands beside ``0.0.0.0`` without a quarrel. Port 0 lets the system choose.

Binding and listening are two steps. Binding tells early that an address is in use; from listening on the
system takes connections, and of several processes at one port each gets its share of them, whether it has
finished starting or not. So a process binds first and listens when it can answer.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Any, Final, NamedTuple

from etamil_actors.edge.settings import LOOPBACK_DEFAULT
from etamil_actors.errors import EtamilError

UNIX: Final = "unix:"
ANY: Final = ""
"""The host of an address that is every one of this machine."""
LOOPBACK: Final = LOOPBACK_DEFAULT.rpartition(":")[0]

BACKLOG: Final = 1024
"""So many connections may wait to be taken; the system may allow less."""

LONGEST: Final = 1024

SOCKET_MODE: Final = 0o660
"""A proxy of the same group may connect, others may not."""


class AddressError(EtamilError):
    """Nothing can be served at this address; the text says why, and what to do."""

    def __init__(self, address: str, tamil: str, english: str) -> None:
        self.address = address
        self.tamil = f"{address}: {tamil}"
        self.english = f"{address}: {english}"
        super().__init__(f"{self.tamil}  ({self.english})")


class Address(NamedTuple):
    """One place to listen at."""

    host: str
    """A name, or an address without brackets; ``ANY`` for all of this machine."""
    port: int
    path: str = ""
    """Of a socket in the file system; host and port then say nothing."""

    def __str__(self) -> str:
        if self.path:
            return UNIX + self.path
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def is_open(self) -> bool:
        """Can other machines reach it, whatever their network?"""
        return not self.path and self.host in (ANY, "0.0.0.0", "::")

    @property
    def is_loopback(self) -> bool:
        """Is it for this machine only?"""
        if self.path or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:  # a name may lead anywhere
            return False

    def url(self, scheme: str = "http") -> str:
        """The beginning of its URLs for people on this machine; a socket in the file system has none."""
        if self.path:
            return UNIX + self.path
        if self.is_open:
            host = "[::1]" if self.host == "::" else LOOPBACK
        else:
            host = _bracketed(self.host)
        return f"{scheme}://{host}:{self.port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


# ---- reading --------------------------------------------------------------------------

_NAME = re.compile(r"""(?![-.])[^\x00-\x20\x7f\s/?#@\\:%,;"'\[\]]{1,253}""")
_HIGHEST_PORT: Final = 65_535
_FORMS = "127.0.0.1:8080, [::1]:8080, localhost:8080, 8080, unix:/run/kadai.sock"


def parse_address(text: str) -> Address:
    """Read an address as it is written in the configuration or after ``--bind``.

    Raises: AddressError.
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise AddressError(f"{text[:60]}…", "முகவரி மிக நீளமானது", "the address is too long")
    if text.startswith(UNIX):
        return _unix(text)
    if "://" in text:
        raise AddressError(
            text,
            "‘http://’ இல்லாமல் முகவரியும் துறை எண்ணும் (port) மட்டும் எழுதவும்",
            "write only the address and the port, without ‘http://’",
        )
    if text.isascii() and text.isdigit():
        return Address(LOOPBACK, _port(text, text))
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        raise AddressError(
            text,
            f"துறை எண் (port) இல்லை; இப்படி எழுதலாம்: {_FORMS}",
            f"the port is missing; it may be written as {_FORMS}",
        )
    return Address(_host(host, text), _port(port, text))


def parse_addresses(texts: Iterable[str]) -> list[Address]:
    """Read several; one that is said twice is an error, for the second could only be refused later.

    Raises: AddressError.
    """
    found: list[Address] = []
    for text in texts:
        address = parse_address(text)
        if address in found and (address.path or address.port):
            raise AddressError(str(address), "இந்த முகவரி இருமுறை உள்ளது", "this address is given twice")
        found.append(address)
    return found


def _unix(text: str) -> Address:
    path = text.removeprefix(UNIX)
    if not path or "\0" in path:
        raise AddressError(
            text, "‘unix:’-க்குப் பின் ஒரு கோப்புப் பாதை தேவை", "‘unix:’ is followed by the path of a file"
        )
    return Address(ANY, 0, path)


def _port(port: str, text: str) -> int:
    if not (port.isascii() and port.isdigit()) or len(port) > 5 or int(port) > _HIGHEST_PORT:
        raise AddressError(
            text,
            f"‘{port}’ ஒரு துறை எண் (port) அல்ல; 0 முதல் {_HIGHEST_PORT} வரை",
            f"‘{port}’ is no port; a port is a number from 0 to {_HIGHEST_PORT}",
        )
    return int(port)


def _host(host: str, text: str) -> str:
    if host in ("", "*"):
        return ANY
    if host.startswith("[") and host.endswith("]"):
        return _ipv6(host[1:-1], text)
    if ":" in host:
        raise AddressError(
            text,
            "IPv6 முகவரியை [ ] குறிகளுக்குள் எழுதவும்: [::1]:8080",
            "an IPv6 address is written in brackets: [::1]:8080",
        )
    if re.fullmatch(r"[0-9.]+", host):  # what the system would make of ‘127.1’ is not what people expect
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            raise AddressError(text, f"‘{host}’ IPv4 முகவரி அல்ல", f"‘{host}’ is no IPv4 address") from None
    if _NAME.fullmatch(host) is None:
        raise AddressError(
            text,
            f"‘{host}’ ஒரு கணினியின் பெயரோ முகவரியோ அல்ல; இப்படி எழுதலாம்: {_FORMS}",
            f"‘{host}’ is neither a name nor an address of a machine; it may be written as {_FORMS}",
        )
    return host


def _ipv6(host: str, text: str) -> str:
    try:
        return str(IPv6Address(host))
    except AddressValueError:
        raise AddressError(text, f"‘{host}’ IPv6 முகவரி அல்ல", f"‘{host}’ is no IPv6 address") from None


# ---- sockets --------------------------------------------------------------------------


def open_sockets(
    addresses: Iterable[Address], *, reuse_port: bool = False, backlog: int = BACKLOG
) -> list[socket.socket]:
    """Sockets that listen at these addresses, non-blocking; all of them or none.

    ``reuse_port``: other processes of the same user may listen there as well, and share the connections.

    Raises: AddressError.
    """
    addresses = list(addresses)
    sockets = bind_sockets(addresses, reuse_port=reuse_port)
    try:
        listen(sockets, backlog)
    except AddressError:
        close_sockets(sockets)
        raise
    return sockets


def bind_sockets(addresses: Iterable[Address], *, reuse_port: bool = False) -> list[socket.socket]:
    """The same, but they take no connections before ``listen``.

    Raises: AddressError.
    """
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sockets += _bind_unix(address) if address.path else _bind_tcp(address, reuse_port)
    except AddressError:
        close_sockets(sockets)
        raise
    return sockets


def reserve_sockets(addresses: Iterable[Address]) -> list[socket.socket]:
    """Keep ports for processes that will open them with ``reuse_port``: nobody else takes them meanwhile.

    They are bound and never listen, so they take no connection. A port that the system is to choose is
    chosen here.

    Raises: AddressError, also when somebody else listens there and would share.
    """
    alone = bind_sockets(addresses)
    try:
        listen(alone)
        chosen = [address_of(one) for one in alone]
    finally:
        close_sockets(alone)
    return bind_sockets(chosen, reuse_port=True)


def listen(sockets: Iterable[socket.socket], backlog: int = BACKLOG) -> None:
    """Take connections from now on.

    Raises: AddressError, when somebody else was quicker.
    """
    for one in sockets:
        try:
            one.listen(backlog)
        except OSError as error:
            raise _refused(address_of(one), error) from error


def close_sockets(sockets: Iterable[socket.socket]) -> None:
    """Listen no more. A socket's file is removed, unless somebody else listens there by now."""
    for one in sockets:
        path = address_of(one).path if one.fileno() >= 0 else ""
        one.close()
        if path:
            with suppress(OSError):
                if _is_left_over(path):
                    os.unlink(path)


def address_of(one: socket.socket) -> Address:
    """Where a socket is bound, with the port that the system has chosen."""
    name = one.getsockname()
    if one.family == socket.AF_UNIX:
        return Address(ANY, 0, os.fsdecode(name))
    return Address(name[0], name[1])


def _bind_tcp(address: Address, reuse_port: bool) -> list[socket.socket]:
    """One socket for each address that the name has; one only where the system is to choose the port."""
    bound: list[socket.socket] = []
    missing: OSError | None = None
    for family, place in _resolve(address):
        try:
            bound.append(_bound(family, place, reuse_port))
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                missing = error  # a machine without IPv6 still has a localhost
                continue
            for other in bound:
                other.close()
            raise _refused(address, error) from error
        if address.port == 0:
            break
    if not bound:
        assert missing is not None
        raise _refused(address, missing) from missing
    return bound


def _resolve(address: Address) -> Sequence[tuple[socket.AddressFamily, Any]]:
    try:
        found = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        reason = _reason(error)
        raise AddressError(
            str(address),
            f"‘{address.host}’ என்ற பெயருக்கு முகவரி இல்லை ({reason}); பெயரைச் சரிபார்க்கவும், அல்லது எண்களில் எழுதவும்",
            f"the name ‘{address.host}’ has no address ({reason}); check it, or write the address in numbers",
        ) from error
    ordered = sorted(found, key=lambda one: one[0] != socket.AF_INET)  # who chooses a port gets one of IPv4
    return list(dict.fromkeys((one[0], one[4]) for one in ordered))


def _bound(family: socket.AddressFamily, place: Any, reuse_port: bool) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(place)
    except BaseException:
        one.close()
        raise
    return one


def _bind_unix(address: Address) -> list[socket.socket]:
    path = address.path
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        if os.path.lexists(path):
            _clear(address)
        one.bind(path)
        os.chmod(path, SOCKET_MODE)  # before anybody can connect: it does not listen yet
    except OSError as error:
        one.close()
        raise _refused(address, error) from error
    except BaseException:
        one.close()
        raise
    return [one]


def _clear(address: Address) -> None:
    """Remove the socket of a process that is gone; whatever else is there stays."""
    if not stat.S_ISSOCK(os.lstat(address.path).st_mode):
        raise AddressError(
            str(address),
            "அங்கே வேறொரு கோப்பு உள்ளது; அதை மாற்றவில்லை. வேறு பாதையை எழுதவும்",
            "another kind of file is there, and it was left as it is; write another path",
        )
    if not _is_left_over(address.path):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    os.unlink(address.path)


def _is_left_over(path: str) -> bool:
    """Does nobody listen at this socket any more?"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except BlockingIOError:  # somebody does, and has much to do
            return False
        return False


# ---- what people are told -------------------------------------------------------------


def _refused(address: Address, error: OSError) -> AddressError:
    """What the system said, with the next step."""
    text = str(address)
    match error.errno:
        case errno.EADDRINUSE:
            find = _who(address)
            return AddressError(
                text,
                f"வேறொரு செயல்முறை இங்கே கேட்கிறது; யார் என அறிய: {find}. அதை நிறுத்தவும், அல்லது முகவரியை மாற்றவும்",
                f"somebody listens here already; to find out who: {find}. Stop it, or write another address",
            )
        case errno.EACCES | errno.EPERM if address.path:
            return AddressError(
                text,
                "இந்தக் கோப்புறையில் எழுத அனுமதி இல்லை; அனுமதியைச் சரிபார்க்கவும், அல்லது வேறு பாதையை எழுதவும்",
                "this folder may not be written to; check its permissions, or write another path",
            )
        case errno.EACCES | errno.EPERM:
            return AddressError(
                text,
                "இந்தத் துறை எண்ணுக்கு (port) அனுமதி இல்லை; 1024 முதல் ஓர் எண்ணை எழுதி, முன்னால் ஒரு proxy வைக்கவும்",
                "this port is not permitted; write one from 1024 on, and let a proxy stand in front",
            )
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return AddressError(
                text,
                "இந்த முகவரி இந்தக் கணினிக்கு உரியதல்ல; அதன் முகவரிகளை அறிய: ip address",
                "this machine does not have this address; to see those that it has: ip address",
            )
        case errno.ENOENT:
            return AddressError(
                text,
                "அந்தக் கோப்புறை இல்லை; அதை உருவாக்கவும், அல்லது வேறு பாதையை எழுதவும்",
                "there is no such folder; make it, or write another path",
            )
    reason = _reason(error)
    if address.path and "too long" in reason:
        return AddressError(
            text,
            "பாதை நீளமானது; தமிழ் எழுத்துகள் மூன்று பைட்டுகள் ஆகும். குறுகிய பாதையை எழுதவும்",
            "the path is too long, and a Tamil letter counts three; write a shorter one",
        )
    return AddressError(text, f"திறக்க முடியவில்லை: {reason}", f"cannot be opened: {reason}")


def _who(address: Address) -> str:
    """The command that tells who listens there."""
    if address.path:
        return f"lsof {address.path}"
    has_ss = sys.platform.startswith("linux")
    return f"ss -ltnp 'sport = :{address.port}'" if has_ss else f"lsof -nP -iTCP:{address.port} -sTCP:LISTEN"


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
