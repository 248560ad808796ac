"""Where a MySQL or MariaDB server is: ``mysql://user:password@host:3306/name``, with options after a ``?``.

``ssl-mode`` is ``disabled``, ``preferred``, ``required``, ``verify_ca`` or ``verify_identity``, as for all
clients of MySQL; ``ssl-ca``, ``ssl-cert`` and ``ssl-key`` are files; ``socket`` is the path of a Unix socket.
Unless it is told, TLS is used where the server offers it, but not on loopback, where nobody listens in.
"""

from __future__ import annotations

import getpass
import ssl
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from etamil_actors.errors import Fault
from etamil_actors.resources.databases.loopback import is_loopback

PORT: Final = 3306
MODES: Final = ("disabled", "preferred", "required", "verify_ca", "verify_identity")
OTHER_NAMES: Final = {
    "sslmode": "ssl-mode", "ssl_mode": "ssl-mode", "ssl_ca": "ssl-ca", "ssl_cert": "ssl-cert",
    "ssl_key": "ssl-key", "unix_socket": "socket",
}  # fmt: skip
MODE_NAMES: Final = {
    "disable": "disabled", "prefer": "preferred", "require": "required", "verify-ca": "verify_ca",
    "verify-full": "verify_identity", "verify-identity": "verify_identity",
}  # fmt: skip
OPTIONS: Final = frozenset(("ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "socket", "charset"))


class MysqlAddress:
    """The parts of such a URL.

    Raises:
        Fault: ``config``; it cannot be understood. It is not shown, for it holds a password.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
            self.port = parts.port or PORT
            self.user = unquote(parts.username or "", errors="strict")
            self.password = unquote(parts.password or "", errors="strict")
            self.database = unquote(parts.path.strip("/"), errors="strict")
            self.host = unquote(parts.hostname or "", errors="strict") or "127.0.0.1"
        except ValueError:
            raise _unclear() from None
        if parts.scheme not in ("mysql", "mariadb") or "/" in self.database or parts.fragment:
            raise _unclear()
        if "\0" in self.user + self.password + self.database:
            raise _unclear()
        self.user = self.user or _me()
        options = {OTHER_NAMES.get(name.lower(), name.lower()): value for name, value in options.items()}
        for name in options.keys() - OPTIONS:
            raise Fault(
                "config",
                problem_ta=f"MySQL முகவரியில் ‘{name}’ என்ற விருப்பம் இல்லை",
                problem_en=f"an address of MySQL has no option ‘{name}’",
            )
        self.socket = options.get("socket", "")
        mode = options.get("ssl-mode", "disabled" if self.is_here else "preferred").lower()
        self.mode = MODE_NAMES.get(mode, mode)
        if self.mode not in MODES:
            raise Fault(
                "config",
                problem_ta=f"ssl-mode இவற்றில் ஒன்றாக இருக்க வேண்டும்: {', '.join(MODES)}",
                problem_en=f"ssl-mode has to be one of {', '.join(MODES)}",
            )
        self._files = [options.get(name) for name in ("ssl-ca", "ssl-cert", "ssl-key")]

    @property
    def is_here(self) -> bool:
        """Is the server on this machine, so that nobody stands between?"""
        return bool(self.socket) or is_loopback(self.host)

    def tls(self) -> ssl.SSLContext:
        """What TLS has to look like. Raises: Fault ``config``; a file cannot be read."""
        authority, certificate, key = self._files
        try:
            context = ssl.create_default_context(cafile=authority)
            if certificate:
                context.load_cert_chain(certificate, key)
        except OSError as problem:
            told = problem.strerror or type(problem).__name__
            raise Fault(
                "config",
                problem_ta=f"MySQL TLS சான்றிதழ்களைப் படிக்க முடியவில்லை: {told}",
                problem_en=f"the certificates for TLS to MySQL cannot be read: {told}",
            ) from None
        context.check_hostname = self.mode == "verify_identity"
        if not self.mode.startswith("verify"):
            context.verify_mode = ssl.CERT_NONE
        return context


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container the process may run under a number without a name
        return ""


def _unclear() -> Fault:
    return Fault(
        "config",
        problem_ta="MySQL முகவரியைப் புரிந்துகொள்ள முடியவில்லை; இப்படி எழுதுங்கள்: "
        "mysql://பயனர்:கடவுச்சொல்@இடம்:3306/பெயர் (கடவுச்சொல்லில் @ இருந்தால் %40)",
        problem_en="the address of MySQL cannot be understood; write mysql://user:password@host:3306/name "
        "(%40 for an @ in the password)",
    )
