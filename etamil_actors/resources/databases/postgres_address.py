"""Where a PostgreSQL server is: a ``postgres://`` URL or a text of libpq (``host=… dbname=…``).

libpq reads both, with its environment variables and password file, and would look names up by blocking the
whole process; so names are looked up here. What nobody says is set so that a connection is quick and safe:
TLS where the server offers it, but none on loopback, where nobody listens in, and no Kerberos.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

import trio
from psycopg import Error as PsycopgError
from psycopg import pq
from psycopg.pq.misc import ConninfoOption

from etamil_actors.errors import Fault
from etamil_actors.resources.databases import troubles
from etamil_actors.resources.databases.loopback import is_loopback

DEFAULT_PORT: Final = "5432"
UNLESS_TOLD: Final = {"fallback_application_name": "etamil-actors", "gssencmode": "disable"}
ALWAYS: Final = {"client_encoding": "UTF8"}
"""Values are read as UTF-8, whatever the text says."""


class PostgresAddress:
    """What libpq needs to connect, each part known by its keyword.

    Raises:
        Fault: ``config``; the text cannot be understood. It is not shown, for it may hold a password.
    """

    def __init__(self, url: str) -> None:
        try:
            given = _known(pq.Conninfo.parse(url.encode()))
            defaults = _known(pq.Conninfo.get_defaults())
        except (PsycopgError, UnicodeError):
            raise _unclear() from None
        self._parts = parts = {**UNLESS_TOLD, **given, **ALWAYS}
        if "service" in given:
            # Where it is stands in a file that libpq reads, and libpq alone.
            self._hosts: list[str] = []
            self._ports: list[str] = []
            return
        self._hosts = _listed(given.get("host") or defaults.get("host", ""))
        self._ports = _listed(given.get("port") or defaults.get("port", ""))
        if any("@" in host[1:] for host in self._hosts):
            # The password has an @ that is not written as %40; a part of it would be taken for the host.
            raise _unclear()
        # ‘prefer’ is what libpq says of itself; a person says it in the text or in the environment.
        if "sslmode" not in given and not os.environ.get("PGSSLMODE") and all(map(_is_here, self._places())):
            parts["sslmode"] = "disable"

    def _places(self) -> list[str]:
        return _listed(self._parts.get("hostaddr", "")) or self._hosts

    async def resolved(self) -> bytes:
        """The text for libpq, with an address for every name. A name with several addresses stands there
        several times, and they are tried in turn.

        Raises:
            Fault: ``db.unavailable``; there is no such name.
        """
        parts = dict(self._parts)
        if self._hosts and not parts.get("hostaddr") and not all(map(_is_folder, self._hosts)):
            found = [one for index in range(len(self._hosts)) for one in await self._addresses(index)]
            hosts, addresses, ports = zip(*found, strict=True)
            parts.update(host=",".join(hosts), hostaddr=",".join(addresses), port=",".join(ports))
        return b" ".join(f"{name}={_quoted(value)}".encode() for name, value in parts.items())

    async def _addresses(self, index: int) -> list[tuple[str, str, str]]:
        host = self._hosts[index]
        # One port is for all hosts.
        port = self._ports[index if len(self._ports) > 1 else 0] if self._ports else ""
        if not host or _is_folder(host):
            return [(host, "", port)]
        try:
            found = await trio.socket.getaddrinfo(host, port or DEFAULT_PORT, type=trio.socket.SOCK_STREAM)
        except (OSError, UnicodeError) as problem:
            told = getattr(problem, "strerror", None) or "not a name"
            raise troubles.unavailable(
                f"‘{host}’ என்ற பெயருக்கு முகவரி இல்லை ({told})", f"there is no address for ‘{host}’ ({told})"
            ) from None
        return [(host, str(address[0]), port) for *_, address in found]


def _known(options: Iterable[ConninfoOption]) -> dict[str, str]:
    return {option.keyword.decode(): option.val.decode() for option in options if option.val}


def _listed(text: str) -> list[str]:
    return text.split(",") if text else []


def _is_folder(host: str) -> bool:
    """Is it the folder of a Unix socket, or an abstract one?"""
    return host.startswith(("/", "@"))


def _is_here(host: str) -> bool:
    return _is_folder(host) or is_loopback(host)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _unclear() -> Fault:
    return Fault(
        "config",
        problem_ta="PostgreSQL முகவரியைப் புரிந்துகொள்ள முடியவில்லை; இப்படி எழுதுங்கள்: "
        "postgres://பயனர்:கடவுச்சொல்@இடம்:5432/பெயர் (கடவுச்சொல்லில் @ இருந்தால் %40)",
        problem_en="the address of PostgreSQL cannot be understood; write "
        "postgres://user:password@host:5432/name (%40 for an @ in the password)",
    )
